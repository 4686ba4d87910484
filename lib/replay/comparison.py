"""Two runs or two sessions side by side: what was asked, delegated, called and answered alike, and what was not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import TypeVar

from lib.records import DelegationSegment, RunRecord, Segment, TextSegment, Tokens, ToolSegment
from lib.replay.contexts import ModelRequest

Item = TypeVar("Item")


class Difference(StrEnum):
    """What is compared."""

    QUESTION = "question"
    STATUS = "status"
    DELEGATION = "delegation"  # asked on one side only
    TOOL_CALL = "tool_call"  # called on one side only
    ARGUMENTS = "arguments"
    RESULT = "result"
    ANSWER = "answer"
    CONTEXT = "context"
    DURATION = "duration"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: who it is of, and both sides of it; None where a side has nothing."""

    kind: Difference
    agent_id: str
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
    for a, b in align(_acts(left), _acts(right), key=_act_key):
        changes.extend(_compare_acts(left, a, b))
    changes += [
        _change(Difference.ANSWER, left, left.answer, right.answer),
        _change(Difference.DURATION, left, _seconds(left.duration_s), _seconds(right.duration_s)),
        _change(Difference.TOKENS, left, _tokens(left.tokens), _tokens(right.tokens)),
    ]
    return tuple(change for change in changes if change is not None)


def compare_contexts(left: Sequence[ModelRequest], right: Sequence[ModelRequest]) -> tuple[Change, ...]:
    """Return the messages that only one side's requests held, request by request."""
    changes: list[Change] = []
    for a, b in align(left, right, key=lambda request: (request.run.component_id, request.number)):
        agent_id = (a or b or left[0]).run.component_id
        for mine, theirs in align(_said(a), _said(b), key=lambda said: said):
            if mine != theirs:
                changes.append(Change(kind=Difference.CONTEXT, agent_id=agent_id, left=mine, right=theirs))
    return tuple(changes)


def align(
    left: Sequence[Item], right: Sequence[Item], *, key: Callable[[Item], Hashable]
) -> list[tuple[Item | None, Item | None]]:
    """Return pairs of what has the same key, in order; what has no counterpart stands alone."""
    pairs: list[tuple[Item | None, Item | None]] = []
    matcher = SequenceMatcher(None, [key(item) for item in left], [key(item) for item in right], autojunk=False)
    for tag, a1, a2, b1, b2 in matcher.get_opcodes():
        if tag == "equal":
            pairs += zip(left[a1:a2], right[b1:b2], strict=True)
        else:
            pairs += [(item, None) for item in left[a1:a2]]
            pairs += [(None, item) for item in right[b1:b2]]
    return pairs


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
        return [Change(kind=kind, agent_id=run.component_id, left=_act_text(left), right=_act_text(right))]
    assert not isinstance(left, TextSegment)
    assert not isinstance(right, TextSegment)
    changes = [
        _change(Difference.ARGUMENTS, run, str(dict(left.call.arguments)), str(dict(right.call.arguments))),
        _change(Difference.RESULT, run, left.call.result or "", right.call.result or ""),
    ]
    found = [change for change in changes if change is not None]
    if isinstance(left, DelegationSegment) and isinstance(right, DelegationSegment) and left.run and right.run:
        told_already = (Difference.QUESTION, Difference.ANSWER)  # as arguments and result
        found += [change for change in compare_runs(left.run, right.run) if change.kind not in told_already]
    return found


def _act_text(segment: Segment | None) -> str | None:
    match segment:
        case DelegationSegment(member_id=member_id, task=task):
            return f"{member_id}: {task}"
        case ToolSegment(call=call):
            return f"{call.tool_name} {dict(call.arguments)}"
        case _:
            return None


def _change(kind: Difference, run: RunRecord, left: str | None, right: str | None) -> Change | None:
    if left == right:
        return None
    return Change(kind=kind, agent_id=run.component_id, left=left, right=right)


def _said(request: ModelRequest | None) -> list[str]:
    return [f"{given.message.role}: {given.message.content}" for given in request.messages] if request else []


def _seconds(duration_s: float | None) -> str | None:
    return None if duration_s is None else f"{duration_s:.3g} s"


def _tokens(tokens: Tokens) -> str | None:
    return None if tokens == Tokens() else f"{tokens.input} in, {tokens.output} out"
