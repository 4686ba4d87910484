"""The parts of one run in the order in which they happened: model requests, words, calls, and what else was reported.

Words and calls stand in the order of the stored messages; the events tell where all the rest belongs among them.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Any

from lib.events import (
    DelegationStarted,
    RunContinued,
    RunEnded,
    RunEvent,
    RunRetried,
    RunStarted,
    ToolStarted,
    UnknownEvent,
)
from lib.records import DelegationSegment, MessageRecord, RunRecord, RunStatus, Segment, TextSegment, Tokens
from lib.replay.answers import match_answers
from lib.replay.model_calls import ModelCall, list_model_calls

Mark = UnknownEvent | RunContinued | RunRetried | RunEnded
"""An event that is shown as it is: of another version or of a program's own, a pause and its end, a new attempt."""


@dataclass(frozen=True, slots=True)
class Request:
    """A model request: its number among those the run's messages tell of; None where they do not tell of it."""

    number: int | None
    tokens: Tokens = Tokens()


@dataclass(frozen=True, slots=True)
class Part:
    """One thing of a run, with the model request that brought it, where one did."""

    what: Request | Segment | Mark | RunRecord  # a run: of a member, asked by no stored call
    call: ModelCall | None = None
    until: datetime | None = None  # of a pause: when the run went on


SECOND_MODELS = frozenset({"OutputModelResponseStarted", "ParserModelResponseStarted"})

Placed = tuple[float, Part]
"""A part, and its place among the events."""


class RunEvents:
    """The events of a run and of those under it, looked up run by run."""

    def __init__(self, events: Sequence[RunEvent]) -> None:
        """Take the events in order."""
        self._model_calls = list_model_calls(events)
        self._begun = {event.run_id for event in events if isinstance(event, RunStarted)}
        self._first: dict[str, int] = {}
        self._marks: dict[str, list[Placed]] = defaultdict(list)
        self._calls: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        self._awaited: dict[str, dict[str, int]] = defaultdict(dict)
        for place, event in enumerate(events):
            self._first.setdefault(event.run_id, place)
            self._note(event, place)

    def _note(self, event: RunEvent, place: int) -> None:
        match event:
            case ToolStarted(call=call) | DelegationStarted(call=call):
                self._calls[event.run_id, call.tool_call_id].append(place)
            case UnknownEvent() | RunRetried():
                self._marks[event.run_id].append((place, Part(event)))
            case RunContinued():
                marks = self._marks[event.run_id]
                if marks and isinstance(marks[-1][1].what, RunEnded):
                    marks[-1] = (marks[-1][0], replace(marks[-1][1], until=event.at))
                marks.append((place, Part(event)))
                self._awaited[event.run_id] = dict.fromkeys(self._awaited[event.run_id], place)
            case RunEnded(status=RunStatus.PAUSED):
                self._marks[event.run_id].append((place, Part(event)))
                self._awaited[event.run_id] |= dict.fromkeys(event.waiting_call_ids, place)
            case _:
                pass

    def first_place(self, run_id: str) -> float:
        """Return the place of the first event of a run; infinite without one."""
        return self._first.get(run_id, inf)

    def marks(self, run_id: str) -> list[Placed]:
        """Return the events of a run that are shown as they are."""
        return self._marks.get(run_id, [])

    def second_model_place(self, run_id: str) -> float:
        """Return the place at which a second model was asked to write or restate the answer; minus infinity without one."""
        return max(
            (
                place
                for place, part in self.marks(run_id)
                if isinstance(part.what, UnknownEvent) and part.what.name.removeprefix("Team") in SECOND_MODELS
            ),
            default=-inf,
        )

    def continued_place(self, run_id: str) -> float:
        """Return a place behind the last time that a run went on, to be answered; minus infinity where it never did."""
        marks = self._marks.get(run_id, ())
        return max((place for place, part in marks if isinstance(part.what, RunContinued)), default=-inf) + 0.5

    def take_call_place(self, run_id: str, tool_call_id: str) -> float:
        """Return the place at which a call began, of several with one id the next; minus infinity where none is told."""
        places = self._calls.get((run_id, tool_call_id))
        if places:
            return places.popleft() if len(places) > 1 else places[0]
        return self._awaited.get(run_id, {}).get(tool_call_id, -inf) + 0.5  # behind the pause it was the reason of

    def model_calls(self, run_id: str) -> list[ModelCall]:
        """Return the requests of a run to its model."""
        return self._model_calls.get(run_id, [])

    def model_calls_of_answers(self, run_id: str, answers: Sequence[MessageRecord]) -> list[ModelCall | None]:
        """Return the model call behind each of a run's answers; None where no event tells of it."""
        calls = [call for call in self.model_calls(run_id) if not call.given_up]
        untold = len(answers) - len(calls)
        if untold > 0 and run_id not in self._begun:
            # Events that do not begin with the run tell of its end: of what came after a pause.
            return [*[None] * untold, *calls]
        began = {call_id: places for (asked_in, call_id), places in self._calls.items() if asked_in == run_id}
        return match_answers(calls, answers, began)


def list_parts(run: RunRecord, events: RunEvents) -> Iterator[Part]:
    """Yield the parts of a run, without what is in the runs under it."""
    told = list(_said_and_called(run, events))
    answered = {id(part.call): part.call.place for _, part in told if isinstance(part.what, Request) and part.call}
    number = sum(isinstance(part.what, Request) for _, part in told)
    last = max(answered.values(), default=-inf)
    between = events.marks(run.run_id)[:]
    for call in events.model_calls(run.run_id):
        if id(call) in answered:
            continue
        if call.given_up or call.place < last:  # it failed, or its answer is not stored
            between.append((call.place, Part(Request(None), call if call.ended_at else replace(call, failed=True))))
        else:  # asked, and not answered
            number += 1
            between.append((call.place, Part(Request(number), call)))
    linked = {part.what.run.run_id for _, part in told if isinstance(part.what, DelegationSegment) and part.what.run}
    between += [
        (events.first_place(member_run.run_id), Part(member_run))
        for member_run in run.member_runs
        if member_run.run_id not in linked
    ]
    yield from _merge(told, deque(sorted(between, key=lambda placed: placed[0])))


def list_step_results(run: RunRecord) -> list[Any]:
    """Return the stored results of a workflow's steps, in order; none for another run."""
    data: Any = run.raw.get("run_data", run.raw)
    results = data.get("step_results") if isinstance(data, Mapping) else None
    return results if isinstance(results, list) else []


def own_answers(run: RunRecord) -> list[MessageRecord]:
    """Return what the run's own model answered, request by request."""
    return [message for message in run.messages if message.role == "assistant" and message.own and not message.unasked]


def _merge(told: Iterable[Placed], between: deque[Placed]) -> Iterator[Part]:
    """Yield what was said and called in its order, and the rest where the events have it."""
    for place, part in told:
        while between and between[0][0] <= place:
            yield between.popleft()[1]
        yield part
    for _, part in between:
        yield part


def _said_and_called(run: RunRecord, events: RunEvents) -> Iterator[Placed]:
    """Yield the segments, and each answered model request before what it brought; never before an earlier one."""
    left = deque(run.segments)
    answers = own_answers(run)
    calls = events.model_calls_of_answers(run.run_id, answers)
    asked = {request.tool_call_id for message in answers for request in message.tool_requests}
    here = -inf
    for number, (message, call) in enumerate(zip(answers, calls, strict=True), start=1):
        for segment in _take_unasked(left, asked):
            here = max(here, _place_of(run, segment, events))
            yield here, Part(segment)
        last = number == len(answers)
        here = max(here, call.place if call else events.continued_place(run.run_id) if last else here)
        yield here, Part(Request(number, message.tokens), call)
        for segment in _take(left, message):
            here = max(here, _place_of(run, segment, events))
            yield here, Part(segment, call)
    asked_last = max((call.place for call in events.model_calls(run.run_id)), default=inf)
    words_after = max(asked_last, events.second_model_place(run.run_id)) + 0.5
    for segment in left:  # said by no message of the run's own model: words come last
        here = max(here, words_after if isinstance(segment, TextSegment) else _place_of(run, segment, events))
        yield here, Part(segment)


def _place_of(run: RunRecord, segment: Segment, events: RunEvents) -> float:
    """Return where a call began among the events; words came with what is before them."""
    return -inf if isinstance(segment, TextSegment) else events.take_call_place(run.run_id, segment.call.tool_call_id)


def _take_unasked(left: deque[Segment], asked: Collection[str]) -> Iterator[Segment]:
    """Remove and yield the calls that no stored message asks for, as those of a failed attempt."""
    while left:
        segment = left[0]
        if isinstance(segment, TextSegment) or (segment.call.tool_call_id in asked and not segment.call.given_up):
            return
        yield left.popleft()


def _take(left: deque[Segment], message: MessageRecord) -> Iterator[Segment]:
    """Remove and yield the segments that one answer of the model brought."""
    wanted = Counter(request.tool_call_id for request in message.tool_requests)
    if left and isinstance(left[0], TextSegment) and message.content.strip():
        yield left.popleft()
    while left:
        segment = left[0]
        if isinstance(segment, TextSegment):
            return
        if not wanted[segment.call.tool_call_id]:
            return
        wanted[segment.call.tool_call_id] -= 1
        yield left.popleft()
        while left and _same_broadcast(segment, left[0]):
            yield left.popleft()


def _same_broadcast(one: Segment, other: Segment) -> bool:
    """Whether two delegations are of one call that gives its task to several members."""
    return (
        isinstance(one, DelegationSegment)
        and isinstance(other, DelegationSegment)
        and one.call.tool_call_id == other.call.tool_call_id
        and one.call.arguments == other.call.arguments
        and not one.call.arguments.get("member_id")
    )
