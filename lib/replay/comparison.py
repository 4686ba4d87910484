"""Two runs or two sessions side by side: what was asked, delegated, called and answered alike, and what was not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import takewhile
from typing import TypeVar

from lib.records import DelegationSegment, RunRecord, Segment, TextSegment, Tokens, ToolSegment
from lib.replay.contexts import GivenMessage, ModelRequest

Item = TypeVar("Item")

ALIKE_S = 0.01
"""No two runs take exactly as long; so much is no difference."""
MOST_COMPARED = 1_000_000
"""Pairs of items that are weighed against each other to find what stands in the same order."""


class Difference(StrEnum):
    """What is compared."""

    QUESTION = "question"
    STATUS = "status"
    DELEGATION = "delegation"  # asked on one side only
    TOOL_CALL = "tool_call"  # called on one side only
    ORDER = "order"  # done on both sides, at another place
    ARGUMENTS = "arguments"
    RESULT = "result"
    MEMBER_RUN = "member_run"  # on one side only; it stands under no delegation, as the steps of a workflow do
    ANSWER = "answer"
    CONTEXT = "context"
    DURATION = "duration"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: who it is of, and both sides of it; None where a side has nothing."""

    kind: Difference
    agent_id: str
    agent_name: str
    about: str = ""  # which tool call, which member, which model request
    left: str | None
    right: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """A pair of runs of the same question; None where one side has no such run."""

    left: RunRecord | None
    right: RunRecord | None
    changes: tuple[Change, ...]


def compare_sessions(left: Sequence[RunRecord], right: Sequence[RunRecord]) -> tuple[RunComparison, ...]:
    """Return the runs of two sessions, aligned by their questions and then by order."""
    return tuple(
        RunComparison(left=a, right=b, changes=compare_runs(a, b) if a and b else ())
        for a, b in align(left, right, key=lambda run: " ".join(run.question.casefold().split()))
    )


def compare_runs(left: RunRecord, right: RunRecord) -> tuple[Change, ...]:
    """Return the differences of two runs, their members' included, in order."""
    changes = [
        _change(Difference.QUESTION, left, left.question, right.question),
        _change(Difference.STATUS, left, left.status, right.status),
    ]
    acts = align(_acts(left), _acts(right), key=_act_key)
    for a, b in acts:
        changes.extend(_compare_acts(left, a, b))
    changes.extend(_compare_order(left, acts, _acts(right)))
    changes.extend(_compare_member_runs(left, right))
    changes += [
        _change(Difference.ANSWER, left, left.answer, right.answer),
        *_compare_durations(left, right),
        _change(Difference.TOKENS, left, _tokens(left.tokens), _tokens(right.tokens)),
    ]
    return tuple(change for change in changes if change is not None)


def compare_contexts(left: Sequence[ModelRequest], right: Sequence[ModelRequest]) -> tuple[Change, ...]:
    """Return the messages that only one side's requests held.

    Requests are aligned by whose they are and by order. Of a request after the first of its run only what had come since
    is compared, for it held all of the one before; one that the other side did not make is told as a whole.
    """
    changes: list[Change] = []
    for a, b in align(left, right, key=lambda request: (request.run.component_id, request.number)):
        run, about = (a or b or left[0]).run, f"request {(a or b or left[0]).number}"
        if a is None or b is None:
            changes.append(_one_sided(Difference.CONTEXT, run, about, _size(a), _size(b)))
            continue
        for mine, theirs in align(_came(a), _came(b), key=_said):
            if mine is None or theirs is None:
                sides = (_said(mine) if mine else None, _said(theirs) if theirs else None)
                changes.append(_one_sided(Difference.CONTEXT, run, about, *sides))
    return tuple(changes)


def align(
    left: Sequence[Item], right: Sequence[Item], *, key: Callable[[Item], Hashable]
) -> list[tuple[Item | None, Item | None]]:
    """Return pairs of what has the same key: first in order, then wherever it stands; what has no counterpart stands alone."""
    keys, others = [key(item) for item in left], [key(item) for item in right]
    pairs = _pair_in_order(keys, others)
    alone: dict[Hashable, list[int]] = {}
    for mine, theirs in reversed(pairs):
        if mine is None and theirs is not None:
            alone.setdefault(others[theirs], []).append(theirs)
    moved: dict[int, int] = {}
    for mine, theirs in pairs:
        if mine is not None and theirs is None and alone.get(keys[mine]):
            moved[mine] = alone[keys[mine]].pop()
    taken = set(moved.values())
    found: list[tuple[Item | None, Item | None]] = []
    for mine, theirs in pairs:
        if mine is not None:
            there = moved.get(mine, theirs)
            found.append((left[mine], None if there is None else right[there]))
        elif theirs is not None and theirs not in taken:
            found.append((None, right[theirs]))
    return found


def _pair_in_order(keys: Sequence[Hashable], others: Sequence[Hashable]) -> list[tuple[int | None, int | None]]:
    """Return the places of two lists side by side, paired where the longest alike stretches are."""
    head = sum(1 for _ in takewhile(_alike, zip(keys, others, strict=False)))
    left, right = keys[head:], others[head:]
    tail = sum(1 for _ in takewhile(_alike, zip(reversed(left), reversed(right), strict=False)))
    left, right = left[: len(left) - tail], right[: len(right) - tail]
    pairs: list[tuple[int | None, int | None]] = [(place, place) for place in range(head)]
    opcodes = [("replace", 0, len(left), 0, len(right))]
    if len(left) * len(right) <= MOST_COMPARED:  # beyond that it takes minutes where all is named alike
        opcodes = list(SequenceMatcher(None, left, right, autojunk=False).get_opcodes())
    for tag, a1, a2, b1, b2 in opcodes:
        if tag == "equal":
            pairs += zip(range(head + a1, head + a2), range(head + b1, head + b2), strict=True)
        else:
            pairs += [(head + place, None) for place in range(a1, a2)]
            pairs += [(None, head + place) for place in range(b1, b2)]
    pairs += [(len(keys) - tail + place, len(others) - tail + place) for place in range(tail)]
    return pairs


def _alike(pair: tuple[Hashable, Hashable]) -> bool:
    return pair[0] == pair[1]


def cut_to_difference(left: str, right: str, length: int) -> tuple[str, str]:
    """Return two texts without most of what they begin with alike, where that would fill half of `length` characters."""
    alike = sum(1 for _ in takewhile(_alike, zip(left, right, strict=False)))
    start = alike - length // 4
    return (left, right) if alike < length // 2 else (f"… {left[start:]}", f"… {right[start:]}")


# -- what was done -----------------------------------------------------------------------------------------------------


def _acts(run: RunRecord) -> list[Segment]:
    return [segment for segment in run.segments if not isinstance(segment, TextSegment)]


def _act_key(segment: Segment) -> Hashable:
    match segment:
        case DelegationSegment(member_id=member_id):
            return ("delegation", member_id)
        case ToolSegment(call=call):
            return ("tool", call.tool_name)
        case _:
            return None


def _compare_acts(run: RunRecord, left: Segment | None, right: Segment | None) -> list[Change]:
    present = left or right
    if present is None or isinstance(present, TextSegment):
        return []
    if left is None or right is None:
        kind = Difference.DELEGATION if isinstance(present, DelegationSegment) else Difference.TOOL_CALL
        return [_one_sided(kind, run, "", _act_text(left), _act_text(right))]
    assert not isinstance(left, TextSegment)
    assert not isinstance(right, TextSegment)
    about = _act_name(left)
    changes = [
        _change(Difference.ARGUMENTS, run, str(dict(left.call.arguments)), str(dict(right.call.arguments)), about),
        _change(Difference.RESULT, run, left.call.result or "", right.call.result or "", about),
    ]
    found = [change for change in changes if change is not None]
    if isinstance(left, DelegationSegment) and isinstance(right, DelegationSegment) and left.run and right.run:
        told_already = (Difference.QUESTION, Difference.ANSWER)  # as arguments and result
        found += [change for change in compare_runs(left.run, right.run) if change.kind not in told_already]
    return found


def _compare_order(
    run: RunRecord, acts: Sequence[tuple[Segment | None, Segment | None]], right: Sequence[Segment]
) -> Iterator[Change]:
    """Yield what was done on both sides, but after something else than on the other."""
    there = {id(act): place for place, act in enumerate(right)}
    pairs = [(a, there[id(b)]) for a, b in acts if a is not None and b is not None]
    sorted_places = sorted(place for _, place in pairs)
    number_there = {place: number for number, place in enumerate(sorted_places, start=1)}
    for number, (act, place) in enumerate(pairs, start=1):
        if number_there[place] != number:
            sides = (f"number {number}", f"number {number_there[place]}")
            yield _one_sided(Difference.ORDER, run, _act_name(act), *sides)


def _compare_member_runs(left: RunRecord, right: RunRecord) -> Iterator[Change]:
    """Yield the differences of the runs that stand under no delegation."""
    for a, b in align(_undelegated(left), _undelegated(right), key=lambda run: run.component_id):
        if a and b:
            yield from compare_runs(a, b)
        elif a or b:
            name = (a or b or left).component_name
            sides = (a.answer if a else None, b.answer if b else None)
            yield _one_sided(Difference.MEMBER_RUN, left, name, *sides)


def _undelegated(run: RunRecord) -> list[RunRecord]:
    shown = {part.run.run_id for part in run.segments if isinstance(part, DelegationSegment) and part.run}
    return [member_run for member_run in run.member_runs if member_run.run_id not in shown]


def _act_name(segment: Segment) -> str:
    match segment:
        case DelegationSegment(member_id=member_id, run=member_run):
            return (member_run.component_name if member_run else "") or member_id
        case ToolSegment(call=call):
            return call.tool_name
        case _:
            return ""


def _act_text(segment: Segment | None) -> str | None:
    match segment:
        case DelegationSegment(task=task):
            return f"{_act_name(segment)}: {task}"
        case ToolSegment(call=call):
            return f"{call.tool_name} {dict(call.arguments)}"
        case _:
            return None


# -- what was given ----------------------------------------------------------------------------------------------------


def _came(request: ModelRequest) -> list[GivenMessage]:
    """Return what had come since the previous request of the run; of the first, all."""
    return [given for given in request.messages if given.new]


def _said(given: GivenMessage) -> str:
    message = given.message
    asked = [f"{asked.tool_name}({asked.arguments})" for asked in message.tool_requests]
    return f"{message.role}: {' '.join(part for part in (message.content, *asked) if part)}"


def _size(request: ModelRequest | None) -> str | None:
    return None if request is None else f"{request.size} messages"


# -- small parts -------------------------------------------------------------------------------------------------------


def _change(kind: Difference, run: RunRecord, left: str | None, right: str | None, about: str = "") -> Change | None:
    return None if left == right else _one_sided(kind, run, about, left, right)


def _one_sided(kind: Difference, run: RunRecord, about: str, left: str | None, right: str | None) -> Change:
    name = run.component_name or run.component_id
    return Change(kind=kind, agent_id=run.component_id, agent_name=name, about=about, left=left, right=right)


def _compare_durations(left: RunRecord, right: RunRecord) -> Iterator[Change]:
    mine, theirs = left.duration_s, right.duration_s
    if mine is None or theirs is None or abs(mine - theirs) > ALIKE_S:
        change = _change(Difference.DURATION, left, _seconds(mine), _seconds(theirs))
        if change is not None:
            yield change


def _seconds(duration_s: float | None) -> str | None:
    return None if duration_s is None else f"{duration_s:.3g} s"


def _tokens(tokens: Tokens) -> str | None:
    return None if tokens == Tokens() else f"{tokens.input} in, {tokens.output} out"
