"""Everything that happened in a run as one nested list: questions, model requests, words, tool calls, delegations, errors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from lib.events import RunContinued, RunEnded, RunEvent, RunRetried, UnknownEvent
from lib.records import (
    DelegationSegment,
    RunRecord,
    RunStatus,
    SessionKind,
    TextSegment,
    Tokens,
    ToolSegment,
)
from lib.replay.model_calls import ModelCall
from lib.replay.run_parts import Mark, Part, Request, RunEvents, list_parts, list_step_results


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
    PAUSED = "paused"  # waits for a person
    CONTINUED = "continued"
    RETRIED = "retried"  # what came before failed; the run began anew


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
    draft: bool = False  # words that a second model wrote the answer from; nobody saw them
    tool_call_id: str | None = None
    tool_name: str | None = None
    arguments: Mapping[str, Any] | None = None
    result: str | None = None
    failed: bool = False
    member_id: str | None = None
    member_run_id: str | None = None
    request: int | None = None  # which model request of the run; None in an attempt that failed
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
    return tuple(_Listing(RunEvents(events)).steps(run, depth=0))


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


class _Listing:
    """Walks a run and the runs under it."""

    def __init__(self, events: RunEvents) -> None:
        self._events = events

    def steps(self, run: RunRecord, *, depth: int) -> Iterator[Step]:
        """Yield the steps of one run, numbered within it."""
        for place, step in enumerate(self._steps(run, depth=depth)):
            own = step.run_id == run.run_id
            yield _numbered(step, place) if own and not step.step_id else step

    def _steps(self, run: RunRecord, *, depth: int) -> Iterator[Step]:
        if run.question:
            yield _step(run, StepKind.QUESTION, depth, text=run.question, started_at=run.started_at)
        paused = False
        results = run.kind is SessionKind.WORKFLOW and not self._events.marks(run.run_id)
        for part in list_parts(run, self._events):
            paused = isinstance(part.what, RunEnded) or (paused and not isinstance(part.what, RunContinued))
            if results and isinstance(part.what, TextSegment):
                yield from _result_steps(run, depth)
                results = False
            yield from self._part(run, part, depth)
        if results:
            yield from _result_steps(run, depth)
        if run.error:
            yield _step(run, StepKind.ERROR, depth, text=run.error, started_at=run.ended_at, failed=True)
        elif run.status is RunStatus.STOPPED:
            yield _step(run, StepKind.STOPPED, depth, text=run.stop_reason, started_at=run.ended_at)
        elif run.status is RunStatus.PAUSED and not paused:
            yield _step(run, StepKind.PAUSED, depth, text="", started_at=run.ended_at)

    def _part(self, run: RunRecord, part: Part, depth: int) -> Iterator[Step]:
        """Yield the step of one part, with its member's run inside."""
        match part.what:
            case Request() as request:
                yield _request_step(run, depth, request, part.call)
            case TextSegment() as said:
                yield _text_step(run, depth, said, part.call)
            case ToolSegment() as segment:
                yield _tool_step(run, depth, segment)
            case DelegationSegment(run=member_run) as segment:
                yield _delegation_step(run, depth, segment)
                if member_run is not None:
                    yield from self.steps(member_run, depth=depth + 1)
            case RunRecord() as member_run:
                yield _member_run_step(run, depth, member_run)
                yield from self.steps(member_run, depth=depth + 1)
            case mark:
                yield replace(_mark_step(run, depth, mark), ended_at=part.until)


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


def _member_run_step(run: RunRecord, depth: int, member_run: RunRecord) -> Step:
    return _step(run, StepKind.MEMBER_RUN, depth, member_id=member_run.component_id, member_run_id=member_run.run_id)


def _mark_step(run: RunRecord, depth: int, mark: Mark) -> Step:
    match mark:
        case UnknownEvent():
            return _step(run, StepKind.EVENT, depth, text=mark.name, started_at=mark.at, raw=mark.raw)
        case RunEnded():
            return _step(run, StepKind.PAUSED, depth, text="; ".join(mark.waits_for), started_at=mark.at)
        case RunContinued():
            return _step(run, StepKind.CONTINUED, depth, started_at=mark.at)
        case RunRetried():
            return _step(run, StepKind.RETRIED, depth, started_at=mark.at)


def _result_steps(run: RunRecord, depth: int) -> Iterator[Step]:
    """Yield the results of a workflow's steps, of which no event was stored; those side by side stand in one list."""
    for result in list_step_results(run):
        raw = result if isinstance(result, Mapping) else {"results": result}
        name = raw.get("step_name")
        yield _step(run, StepKind.EVENT, depth, text=f"Step result {name}" if name else "Step result", raw=raw)


def _request_step(run: RunRecord, depth: int, request: Request, call: ModelCall | None) -> Step:
    if call is None:
        return _step(run, StepKind.MODEL_REQUEST, depth, request=request.number, tokens=request.tokens)
    return _step(
        run,
        StepKind.MODEL_REQUEST,
        depth,
        request=request.number,
        tokens=call.tokens if call.tokens != Tokens() else request.tokens,
        failed=call.failed,
        started_at=call.started_at,
        ended_at=call.ended_at,
    )


def _text_step(run: RunRecord, depth: int, said: TextSegment, call: ModelCall | None) -> Step:
    started_at = call.started_at if call else None
    if call and call.first_token_s is not None and run.exact_times:
        started_at = call.started_at + timedelta(seconds=min(max(call.first_token_s, 0.0), 1e6))
    ended_at = call.ended_at if call else None
    return _step(run, StepKind.TEXT, depth, text=said.text, draft=said.draft, started_at=started_at, ended_at=ended_at)


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
