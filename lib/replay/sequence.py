"""A run as a Mermaid sequence diagram: who asked whom, and who answered when.

What was asked for in one turn may have been worked on side by side. It is drawn in the order of the stored events; without
these one after the other where the times lie apart; else in a `par` block, which says that the order is not stored.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from lib.events import DelegationEnded, DelegationStarted, RunEnded, RunEvent, RunStarted, ToolEnded, ToolStarted
from lib.records import DelegationSegment, RunRecord, RunStatus, TextSegment, ToolSegment
from lib.replay.run_parts import list_step_results, own_answers

CallSegment = ToolSegment | DelegationSegment

_ORDER_UNKNOWN = "the order is not stored"
_END = "    end"
_MOST_NESTED = 40
"""Results of a workflow's steps nested deeper are not followed; the runs behind them are drawn last."""


def write_sequence_diagram(
    run: RunRecord, events: Sequence[RunEvent] = (), *, limit: int | None = None, text_length: int = 80
) -> str:
    """Return the run as a Mermaid sequence diagram, every text in it made harmless; `limit` keeps so many arrows."""
    return SequenceDiagram(run, events, text_length=text_length).write(limit=limit)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the diagram, and its place among the events; None where none tells it."""

    text: str
    place: int | None
    arrow: bool = True


@dataclass(frozen=True, slots=True)
class _Strand:
    """Lines that follow each other, and from when to when they went on, as far as times tell."""

    lines: list[_Line]
    span: tuple[datetime, datetime] | None = None


class SequenceDiagram:
    """The arrows of one run and of the runs under it."""

    def __init__(self, run: RunRecord, events: Sequence[RunEvent] = (), *, text_length: int = 80) -> None:
        """Take a run, and the events stored with it, in order."""
        self._names: dict[str, str] = {}
        self._length = text_length
        self._order = _Order(run, events)
        self._lines = self._write_run(run, "user", self._order.of_run(run))

    @property
    def arrows(self) -> int:
        """How many arrows the whole diagram has."""
        return sum(line.arrow for line in self._lines)

    def write(self, *, limit: int | None = None) -> str:
        """Return the Mermaid text: the first `limit` arrows, and whom they name."""
        lines = [line.text for line in (self._lines if limit is None else _cut(self._lines, limit))]
        drawn = "\n".join(lines)
        participants = [
            f"    participant {alias} as {escape_mermaid(name)}"
            for name, alias in self._names.items()
            if limit is None or re.search(rf"{alias}(?!\d)", drawn)  # "-xp1" is an arrow with a cross to p1
        ]
        return "\n".join(["sequenceDiagram", "    actor user as User", *participants, *lines])

    def _alias(self, name: str) -> str:
        return self._names.setdefault(name or "?", f"p{len(self._names)}")

    def _told(self, text: str) -> str:
        return escape_mermaid(text, limit=self._length)

    def _write_run(self, run: RunRecord, caller: str, places: _Places) -> list[_Line]:
        own = self._alias(run.component_name or run.component_id)
        answer = "--x" if run.status is RunStatus.FAILED else "-->>"
        return [
            _Line(f"    {caller}->>+{own}: {self._told(run.question)}", places[0]),
            *self._write_work(run, own),
            _Line(f"    {own}{answer}-{caller}: {self._told(run.error or run.answer)}", places[1]),
        ]

    def _write_work(self, run: RunRecord, own: str) -> list[_Line]:
        """Return what a run asked of others, turn by turn, and the runs under it that no call asked for."""
        lines: list[_Line] = []
        for turn in _list_turns(run):
            lines += _beside([_Strand(self._write_call(run, part, own), _span(part)) for part in turn])
        linked = {part.run.run_id for part in run.segments if isinstance(part, DelegationSegment) and part.run}
        others = {member.run_id: member for member in run.member_runs if member.run_id not in linked}
        if any(None in self._order.of_run(other) for other in others.values()):
            lines += self._write_results(list_step_results(run), others, own)
        strands = [_Strand(self._write_run(other, own, self._order.of_run(other))) for other in others.values()]
        return _beside([_Strand(lines), *strands])

    def _write_call(self, run: RunRecord, part: CallSegment, own: str) -> list[_Line]:
        call = part.call
        asked, answered = places = self._order.of_call(run, part)
        if isinstance(part, DelegationSegment):
            if part.run is not None:
                return self._write_run(part.run, own, places)
            member = self._alias(part.member_id)
            if call.failed:  # Agno refused it, or the member failed and is not stored: no word of the member's own
                lost = _Line(f"    {own}-x{member}: {self._told(part.task)}", asked)
                return [
                    lost,
                    _Line(f"    Note over {own},{member}: {self._told(call.result or '')}", answered, arrow=False),
                ]
            return [
                _Line(f"    {own}->>{member}: {self._told(part.task)}", asked),
                _Line(f"    {member}-->>{own}: {self._told(call.result or '(nothing stored)')}", answered),
            ]
        tool = self._alias(call.tool_name)
        return [
            _Line(f"    {own}->>{tool}: {self._told(_brief(call.arguments))}", asked),
            _Line(f"    {tool}-{'x' if call.failed else '->>'}{own}: {self._told(call.result or '')}", answered),
        ]

    def _write_results(
        self, results: Iterable[Any], runs: dict[str, RunRecord], own: str, *, depth: int = 0
    ) -> list[_Line]:
        """Return the runs behind the results of a workflow's steps, in the order of these, and take them out of `runs`."""
        lines: list[_Line] = []
        for result in results if depth < _MOST_NESTED else ():
            step = result if isinstance(result, Mapping) else {"steps": result, "step_type": "Parallel"}
            behind = runs.pop(str(step.get("step_run_id")), None)
            if behind is not None:
                lines += self._write_run(behind, own, self._order.of_run(behind))
            inner = step.get("steps")
            inside = [
                _Strand(self._write_results([item], runs, own, depth=depth + 1))
                for item in (inner if isinstance(inner, list) else ())
            ]
            at_once = step.get("step_type") == "Parallel"
            lines += _beside(inside) if at_once else [line for strand in inside for line in strand.lines]
        return lines


def _brief(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def _cut(lines: Sequence[_Line], limit: int) -> Iterator[_Line]:
    """Yield the lines as far as so many arrows go, and close the blocks that are open there."""
    drawn, depth = 0, 0
    for line in lines:
        if drawn == limit and line.text != _END:
            break
        drawn += line.arrow
        depth += line.text.startswith("    par ") - (line.text == _END)
        yield line
    yield from [_Line(_END, None, arrow=False)] * depth


def escape_mermaid(text: str, *, limit: int = 80) -> str:
    """Return text that Mermaid draws as it is: one line, cut, every sign that means something to it or to HTML as a code."""
    line = " ".join(text.split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    safe = "".join(sign if sign.isalnum() or sign in " .,!?()'/+=_…-" else f"#{ord(sign)};" for sign in line)
    # "end" closes a block in Mermaid's grammar wherever it stands alone.
    return re.sub(r"\b(end)\b", "#101;nd", safe, flags=re.IGNORECASE) or " "


# -- what came when ----------------------------------------------------------------------------------------------------


_Places = tuple[int | None, int | None]
"""Where among the events something began and ended."""


class _Order:
    """Where the runs and calls of one run stand among its events."""

    def __init__(self, run: RunRecord, events: Sequence[RunEvent]) -> None:
        last = max((place for place, event in enumerate(events) if event.run_id == run.run_id), default=-1)
        self._begun: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        self._asked: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        self._answered: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        for place, event in enumerate(events[: last + 1]):  # behind it members' own streams: their order is their own
            match event:
                case RunStarted():
                    self._begun.setdefault(event.run_id, place)
                case RunEnded():
                    self._ended[event.run_id] = place
                case ToolStarted(call=call) | DelegationStarted(call=call):
                    self._asked[event.run_id, call.tool_call_id].append(place)
                case ToolEnded(call=call) | DelegationEnded(call=call):
                    self._answered[event.run_id, call.tool_call_id].append(place)

    def of_run(self, run: RunRecord) -> _Places:
        """Return where a run began and ended."""
        return self._begun.get(run.run_id), self._ended.get(run.run_id)

    def of_call(self, run: RunRecord, part: CallSegment) -> _Places:
        """Return where a call began and ended, of several with one id the next; at the latest it ended with its run."""
        asked = _take(self._asked[run.run_id, part.call.tool_call_id])
        answered = _take(self._answered[run.run_id, part.call.tool_call_id])
        worked = self.of_run(part.run) if isinstance(part, DelegationSegment) and part.run else (None, None)
        if worked[1] is not None:  # Agno reports the end of calls made at once when the last of them is done
            answered = worked[1]
        return (
            worked[0] if asked is None else asked,
            self._ended.get(run.run_id) if answered is None else answered,
        )


def _take(places: deque[int]) -> int | None:
    """Return the next of some places; the last one stays for what else is of the same call."""
    if not places:
        return None
    return places.popleft() if len(places) > 1 else places[0]


def _beside(strands: Sequence[_Strand]) -> list[_Line]:
    """Return lines that may have come at once: in their order where it is known, else in a block that says it is not."""
    strands = [strand for strand in strands if strand.lines]
    placed = [(line.place, number, line) for number, strand in enumerate(strands) for line in strand.lines]
    if len(strands) < 2:
        return [line for _, _, line in placed]
    if all(place is not None for place, _, _ in placed):
        return [line for _, _, line in sorted(_in_turn(placed), key=lambda item: item[:2])]
    if (apart := _one_by_one(strands)) is not None:
        return [line for strand in apart for line in strand.lines]
    lines: list[_Line] = []
    for number, strand in enumerate(strands):
        lines += [_Line(f"    {'and' if number else 'par'} {_ORDER_UNKNOWN}", None, arrow=False), *strand.lines]
    return [*lines, _Line(_END, None, arrow=False)]


def _in_turn(placed: Iterable[tuple[int | None, int, _Line]]) -> Iterator[tuple[int, int, _Line]]:
    """Yield placed lines, none before one that is ahead of it in its strand."""
    here: Counter[int] = Counter()
    for place, number, line in placed:
        here[number] = max(here[number], place or 0)
        yield here[number], number, line


def _one_by_one(strands: Sequence[_Strand]) -> list[_Strand] | None:
    """Return strands in the order of their times; None where these overlap or are not known."""
    timed = sorted((strand.span, number) for number, strand in enumerate(strands) if strand.span is not None)
    overlap = any(one[1] > other[0] for (one, _), (other, _) in pairwise(timed))
    return None if overlap or len(timed) < len(strands) else [strands[number] for _, number in timed]


def _span(part: CallSegment) -> tuple[datetime, datetime] | None:
    """Return when a call was worked on; of whole seconds to the end of the last."""
    run = part.run if isinstance(part, DelegationSegment) else None
    started_at, ended_at = (run.started_at, run.ended_at) if run else (part.call.started_at, part.call.ended_at)
    if started_at is None or ended_at is None:
        return None
    return started_at, ended_at if run is None or run.exact_times else ended_at + timedelta(seconds=1)


def _list_turns(run: RunRecord) -> list[list[CallSegment]]:
    """Return the calls of a run, those together that one answer of its model asked for."""
    asked: dict[str, deque[int]] = defaultdict(deque)  # the answers that ask for a call of this id
    for number, message in enumerate(own_answers(run)):
        for request in message.tool_requests:
            asked[request.tool_call_id].append(number)
    turns: list[list[CallSegment]] = []
    here: int | None = None
    for part in run.segments:
        if isinstance(part, TextSegment):
            continue
        if turns and turns[-1][-1].call is part.call:  # one call, given to several members
            turns[-1].append(part)
            continue
        answers = asked[part.call.tool_call_id]
        answer = answers.popleft() if answers and not part.call.given_up else None
        if answer is None or answer != here:
            turns.append([])
        turns[-1].append(part)
        here = answer
    return turns
