"""Who was asked what: a table of delegations, and what each hand-over left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lib.records import (
    DelegationSegment,
    MessageRecord,
    RunRecord,
    RunStatus,
    Tokens,
)
from lib.replay.contexts import ModelRequest
from lib.replay.used_results import list_results_used


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One task given to a member, and what came of it."""

    run_id: str  # the leader's run
    leader_id: str
    tool_call_id: str
    member_id: str
    member_name: str
    task: str
    times_asked: int  # how often this member was asked in the run
    repeated: bool  # the same task was given to the same member before, in this run
    member_run: RunRecord | None
    result: str | None
    failed: bool
    duration_s: float | None
    tokens: Tokens
    result_used: bool | None  # None: it cannot be judged; see `lib.replay.used_results`


def list_delegations(run: RunRecord) -> tuple[Delegation, ...]:
    """Return the delegations of a run and of the teams under it, in order."""
    return tuple(found for part in run.walk() for found in _delegations_of(part))


def _delegations_of(run: RunRecord) -> Iterator[Delegation]:
    parts = [part for part in run.segments if isinstance(part, DelegationSegment)]
    asked = Counter(part.member_id for part in parts)
    given: set[tuple[str, str]] = set()
    used = list_results_used(run)
    for part, result_used in zip(parts, used, strict=True):
        task = (part.member_id, _plain(part.task))
        member_run = part.run
        duration_s = member_run.duration_s if member_run and member_run.duration_s is not None else part.call.duration_s
        yield Delegation(
            run_id=run.run_id,
            leader_id=run.component_id,
            tool_call_id=part.call.tool_call_id,
            member_id=part.member_id,
            member_name=member_run.component_name if member_run else part.member_id,
            task=part.task,
            times_asked=asked[part.member_id],
            repeated=task in given,
            member_run=member_run,
            result=part.call.result,
            failed=part.call.failed or (member_run is not None and member_run.status is RunStatus.FAILED),
            duration_s=duration_s,
            tokens=member_run.total_tokens if member_run else Tokens(),
            result_used=result_used,
        )
        if not part.call.given_up:  # a run that begins anew asks anew
            given.add(task)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


# -- the hand-over -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What the leader knew when it delegated, what the member was told, and what it lacked."""

    delegation: DelegationSegment
    leader_run_id: str
    leader_knew: tuple[MessageRecord, ...]
    member_was_told: tuple[MessageRecord, ...]
    member_lacked: tuple[MessageRecord, ...]  # of what the leader knew, its system prompt aside


def list_hand_overs(run: RunRecord, requests: Sequence[ModelRequest]) -> tuple[HandOver, ...]:
    """Return every hand-over of a run and the teams under it, from the requests that `list_requests` gives."""
    found: list[HandOver] = []
    first_of: dict[str, ModelRequest] = {}
    for request in requests:
        first_of.setdefault(request.run.run_id, request)
    for part in run.walk():
        own = [request for request in requests if request.run.run_id == part.run_id]
        for segment in part.segments:
            if isinstance(segment, DelegationSegment):
                knew = _knew(own, segment.call.tool_call_id)
                first = first_of.get(segment.run.run_id) if segment.run else None
                told = tuple(given.message for given in first.messages) if first else ()
                found.append(_hand_over(part, segment, knew, told))
    return tuple(found)


def _knew(requests: Sequence[ModelRequest], tool_call_id: str) -> tuple[MessageRecord, ...]:
    for request in requests:
        if request.answer and any(asked.tool_call_id == tool_call_id for asked in request.answer.tool_requests):
            return tuple(given.message for given in request.messages)
    return ()


def _hand_over(
    run: RunRecord, segment: DelegationSegment, knew: tuple[MessageRecord, ...], told: tuple[MessageRecord, ...]
) -> HandOver:
    heard = "\n".join(_plain(message.content) for message in told) or _plain(segment.task)
    lacked = tuple(
        message
        for message in knew
        if message.role != "system" and message.content.strip() and _plain(message.content) not in heard
    )
    return HandOver(
        delegation=segment,
        leader_run_id=run.run_id,
        leader_knew=knew,
        member_was_told=told,
        member_lacked=lacked,
    )
