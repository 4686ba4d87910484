"""Which member run worked on which delegation.

Agno's own `child_run_id` names the last member for every delegation of a turn (agno-facts 1.8) and is not used. Certain
signs come first: the same task and the same result, the order of the stored events, the same task, the same result; what
is left is matched by member and order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lib.records import DelegationSegment, RunRecord, Segment, ToolSegment
from lib.storage.delegating import BROADCAST_TOOLS, to_task, untold_task

Sign = Callable[[DelegationSegment, RunRecord], bool]


def link_delegations(
    segments: Sequence[Segment], members: Sequence[RunRecord], told: RunRecord | None
) -> tuple[Segment, ...]:
    """Return the segments with each delegation's member run in it."""
    free = list(members)
    linked: dict[int, RunRecord] = {}
    delegations = {place: part for place, part in enumerate(segments) if isinstance(part, DelegationSegment)}
    for sign in (_same_task_and_result, _same_events(told), _same_task, _same_result, _same_member):
        for place, delegation in delegations.items():
            if place in linked:
                continue
            found = next((run for run in free if _is_member(run, delegation.member_id) and sign(delegation, run)), None)
            if found is not None:
                linked[place] = found
                free.remove(found)
    return tuple(part for place, segment in enumerate(segments) for part in _linked(segment, linked.get(place), free))


def _linked(segment: Segment, run: RunRecord | None, free: list[RunRecord]) -> list[Segment]:
    if isinstance(segment, DelegationSegment):
        return [_with_run(segment, run)]
    if isinstance(segment, ToolSegment) and segment.call.tool_name in BROADCAST_TOOLS and free:
        task = to_task(segment.call, {})
        asked = [run for run in free if run.question == task] or list(free)
        free[:] = [run for run in free if run not in asked]
        return [
            DelegationSegment(call=segment.call, member_id=run.component_id, task=task or run.question, run=run)
            for run in asked
        ]
    return [segment]


def _with_run(segment: DelegationSegment, run: RunRecord | None) -> DelegationSegment:
    call = segment.call
    if run and run.ended_at and (call.ended_at is None or run.ended_at < call.ended_at):
        # Agno reports the end of concurrent delegations only when the last of them is done (agno-facts 1.4).
        call = replace(call, ended_at=run.ended_at)
    untold = run is not None and segment.task == untold_task(segment.call)
    return replace(segment, call=call, run=run, task=(untold and run and run.question) or segment.task)


def _is_member(run: RunRecord, member_id: str) -> bool:
    return member_id in (run.component_id, run.component_name) or _url_safe(member_id) in (
        _url_safe(run.component_id),
        _url_safe(run.component_name),
    )


def _url_safe(name: str) -> str:
    return "-".join(name.replace("_", " ").replace("-", " ").lower().split())


def _same_task(delegation: DelegationSegment, run: RunRecord) -> bool:
    return bool(delegation.task) and (run.question == delegation.task or delegation.task in run.question)


def _same_result(delegation: DelegationSegment, run: RunRecord) -> bool:
    result = delegation.call.result
    return bool(result) and result in (run.answer, _all_words(run))


def _all_words(run: RunRecord) -> str:
    return "".join(getattr(segment, "text", "") for segment in run.segments)


def _same_task_and_result(delegation: DelegationSegment, run: RunRecord) -> bool:
    return _same_task(delegation, run) and _same_result(delegation, run)


def _same_events(told: RunRecord | None) -> Sign:
    pairs = {
        (segment.call.tool_call_id, segment.run.run_id)
        for segment in (told.segments if told else ())
        if isinstance(segment, DelegationSegment) and segment.run
    }
    return lambda delegation, run: (delegation.call.tool_call_id, run.run_id) in pairs


def _same_member(delegation: DelegationSegment, run: RunRecord) -> bool:
    return True
