"""Everything that happened in a run as one nested list: questions, model requests, words, tool calls, delegations, errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lib.events import RunEvent, RunStarted, UnknownEvent
from lib.records import (
    DelegationSegment,
    MessageRecord,
    RunRecord,
    RunStatus,
    Segment,
    SessionKind,
    TextSegment,
    Tokens,
    ToolSegment,
)
from lib.replay.model_calls import ModelCall, list_model_calls


class StepKind(StrEnum):
    """What a step is."""

    QUESTION = "question"
    MODEL_REQUEST = "model_request"
    TEXT = "text"
    TOOL_CALL = "tool_call"
    DELEGATION = "delegation"
    MEMBER_RUN = "member_run"  # a run under a leader that no delegation could be matched to
    EVENT = "event"  # stored by another version of Agno, shown as it is
    ERROR = "error"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened. Times are None where none was stored."""

    step_id: str  # stable: the run and the place in it
    kind: StepKind
    run_id: str
    parent_run_id: str | None
    agent_id: str  # the team or agent whose step it is
    agent_name: str
    depth: int
    text: str | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    arguments: Mapping[str, Any] | None = None
    result: str | None = None
    failed: bool = False
    member_id: str | None = None
    member_run_id: str | None = None
    request: int | None = None  # which model request of the run
    tokens: Tokens = Tokens()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, where both were stored."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max((self.ended_at - self.started_at).total_seconds(), 0.0)


def list_steps(run: RunRecord, events: Sequence[RunEvent] = ()) -> tuple[Step, ...]:
    """Return the steps of a run with those of its members inside, in order."""
    unknown: dict[str, list[UnknownEvent]] = {}
    for event in events:
        if isinstance(event, UnknownEvent):
            unknown.setdefault(event.run_id, []).append(event)
    begun = [event for event in events if isinstance(event, UnknownEvent | RunStarted)]
    return tuple(_Listing(list_model_calls(events), unknown, begun).steps(run, depth=0))


def find_steps(
    steps: Iterable[Step], *, text: str = "", kinds: Collection[StepKind] = (), agent_ids: Collection[str] = ()
) -> tuple[Step, ...]:
    """Return the steps that match every filter that is set; `text` is looked for in all they say, whatever the case."""
    wanted = text.casefold()
    return tuple(
        step
        for step in steps
        if (not kinds or step.kind in kinds)
        and (not agent_ids or step.agent_id in agent_ids)
        and (not wanted or wanted in _all_text(step).casefold())
    )


def _all_text(step: Step) -> str:
    arguments = " ".join(f"{name} {value}" for name, value in (step.arguments or {}).items())
    return " ".join(filter(None, (step.agent_name, step.text, step.tool_name, arguments, step.result)))


@dataclass(frozen=True, slots=True)
class _Request:
    """A model request among the segments."""

    number: int
    tokens: Tokens


class _Listing:
    """Walks a run and the runs under it."""

    def __init__(
        self,
        calls: Mapping[str, list[ModelCall]],
        unknown: Mapping[str, list[UnknownEvent]],
        begun: Sequence[UnknownEvent | RunStarted],
    ) -> None:
        self._calls = calls
        self._unknown = unknown
        self._begun = begun  # the unknown events and the runs that began, in order

    def steps(self, run: RunRecord, *, depth: int) -> Iterator[Step]:
        """Yield the steps of one run, numbered within it."""
        for place, step in enumerate(self._steps(run, depth=depth)):
            own = step.run_id == run.run_id
            yield _numbered(step, place) if own and not step.step_id else step

    def _steps(self, run: RunRecord, *, depth: int) -> Iterator[Step]:
        if run.question:
            yield _step(run, StepKind.QUESTION, depth, text=run.question, started_at=run.started_at)
        if run.kind is SessionKind.WORKFLOW:
            yield from self._workflow(run, depth)
        else:
            yield from self._segments(run, depth)
        if run.error:
            yield _step(run, StepKind.ERROR, depth, text=run.error, started_at=run.ended_at, failed=True)
        elif run.status is RunStatus.STOPPED:
            yield _step(run, StepKind.STOPPED, depth, started_at=run.ended_at)

    def _workflow(self, run: RunRecord, depth: int) -> Iterator[Step]:
        """Yield what a workflow did: its own events and the runs of its steps in order, what it gave out last."""
        waiting = {member_run.run_id: member_run for member_run in run.member_runs}
        for event in self._begun:
            if isinstance(event, UnknownEvent):
                if event.run_id == run.run_id:
                    yield _event_step(run, depth, event)
            elif event.run_id in waiting:
                yield from self._member_run(run, waiting.pop(event.run_id), depth)
        for member_run in waiting.values():
            yield from self._member_run(run, member_run, depth)
        if run.run_id not in self._unknown:
            yield from _result_steps(run, depth)
        for segment in run.segments:
            if isinstance(segment, TextSegment):
                yield _text_step(run, depth, segment.text, None)

    def _member_run(self, run: RunRecord, member_run: RunRecord, depth: int) -> Iterator[Step]:
        yield _step(run, StepKind.MEMBER_RUN, depth, member_id=member_run.component_id, member_run_id=member_run.run_id)
        yield from self.steps(member_run, depth=depth + 1)

    def _segments(self, run: RunRecord, depth: int) -> Iterator[Step]:
        """Yield what a team or agent said and called, with its members' runs inside."""
        shown: set[str] = set()
        for part, call in self._parts(run):
            match part:
                case _Request():
                    yield _request_step(run, depth, part, call)
                case TextSegment(text=text):
                    yield _text_step(run, depth, text, call)
                case ToolSegment():
                    yield _tool_step(run, depth, part)
                case DelegationSegment(run=member_run):
                    yield _delegation_step(run, depth, part)
                    if member_run is not None:
                        shown.add(member_run.run_id)
                        yield from self.steps(member_run, depth=depth + 1)
        for member_run in run.member_runs:
            if member_run.run_id not in shown:
                yield from self._member_run(run, member_run, depth)
        for event in self._unknown.get(run.run_id, ()):
            yield _event_step(run, depth, event)

    def _parts(self, run: RunRecord) -> Iterator[tuple[_Request | Segment, ModelCall | None]]:
        """Yield the segments, and each model request before what it brought."""
        calls = self._calls.get(run.run_id, [])
        left = deque(run.segments)
        number = 0
        for message in own_answers(run):
            number += 1
            call = calls[number - 1] if number <= len(calls) else None
            yield _Request(number, message.tokens), call
            for segment in _take(left, message):
                yield segment, call
        for segment in left:  # said by no stored message
            yield segment, None
        for extra in range(number, len(calls)):  # asked, and never answered
            yield _Request(extra + 1, Tokens()), calls[extra]


def own_answers(run: RunRecord) -> list[MessageRecord]:
    """Return what the run's own model answered, request by request."""
    return [message for message in run.messages if message.role == "assistant" and message.own]


def _take(left: deque[Segment], message: MessageRecord) -> list[Segment]:
    """Remove and return the segments that one answer of the model brought."""
    wanted = {request.tool_call_id for request in message.tool_requests}
    taken: list[Segment] = []
    while left:
        segment = left[0]
        if isinstance(segment, TextSegment):
            if taken or not message.content.strip():
                break
        elif segment.call.tool_call_id not in wanted:
            break
        taken.append(left.popleft())
    return taken


def _numbered(step: Step, place: int) -> Step:
    return replace(step, step_id=f"{step.run_id}:{place}")


def _step(run: RunRecord, kind: StepKind, depth: int, **values: Any) -> Step:
    return Step(
        step_id="",
        kind=kind,
        run_id=run.run_id,
        parent_run_id=run.parent_run_id,
        agent_id=run.component_id,
        agent_name=run.component_name,
        depth=depth,
        **values,
    )


def _event_step(run: RunRecord, depth: int, event: UnknownEvent) -> Step:
    return _step(run, StepKind.EVENT, depth, text=event.name, started_at=event.at, raw=event.raw)


def _result_steps(run: RunRecord, depth: int) -> Iterator[Step]:
    """Yield the results of a workflow's steps, of which no event was stored; those side by side stand in one list."""
    data: Any = run.raw.get("run_data", run.raw)
    results = data.get("step_results") if isinstance(data, Mapping) else None
    for result in results if isinstance(results, list) else ():
        raw = result if isinstance(result, Mapping) else {"results": result}
        name = raw.get("step_name")
        yield _step(run, StepKind.EVENT, depth, text=f"Step result {name}" if name else "Step result", raw=raw)


def _request_step(run: RunRecord, depth: int, request: _Request, call: ModelCall | None) -> Step:
    if call is None:
        return _step(run, StepKind.MODEL_REQUEST, depth, request=request.number, tokens=request.tokens)
    return _step(
        run,
        StepKind.MODEL_REQUEST,
        depth,
        request=request.number,
        tokens=call.tokens if call.tokens != Tokens() else request.tokens,
        started_at=call.started_at,
        ended_at=call.ended_at,
    )


def _text_step(run: RunRecord, depth: int, text: str, call: ModelCall | None) -> Step:
    started_at = call.started_at if call else None
    if call and call.first_token_s is not None and run.exact_times:
        started_at = call.started_at + timedelta(seconds=min(max(call.first_token_s, 0.0), 1e6))
    return _step(run, StepKind.TEXT, depth, text=text, started_at=started_at, ended_at=call.ended_at if call else None)


def _tool_step(run: RunRecord, depth: int, segment: ToolSegment) -> Step:
    call = segment.call
    return _step(
        run,
        StepKind.TOOL_CALL,
        depth,
        tool_call_id=call.tool_call_id,
        tool_name=call.tool_name,
        arguments=call.arguments,
        result=call.result,
        failed=call.failed,
        started_at=call.started_at,
        ended_at=call.ended_at,
    )


def _delegation_step(run: RunRecord, depth: int, segment: DelegationSegment) -> Step:
    call = segment.call
    return _step(
        run,
        StepKind.DELEGATION,
        depth,
        text=segment.task,
        tool_call_id=call.tool_call_id,
        tool_name=call.tool_name,
        arguments=call.arguments,
        result=call.result,
        failed=call.failed,
        member_id=segment.member_id,
        member_run_id=segment.run.run_id if segment.run else None,
        started_at=call.started_at,
        ended_at=call.ended_at,
    )
