"""What an engineer should know about a session: each finding with its evidence, and none that the evidence does not carry.

A healthy session has none. Where Agno leaves a matter open (what a model made of a result), a finding is given only when
nothing speaks against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from lib.events import DelegationEnded, DelegationStarted, RunEnded, RunEvent, ToolEnded, ToolStarted
from lib.records import DelegationSegment, MessageRecord, RunRecord, RunStatus, SessionKind, SessionSummary
from lib.replay.delegations import brings_news, list_results_used
from lib.replay.order import in_stored_order, whole_second
from lib.replay.session_history import replaced_by


class FindingKind(StrEnum):
    """What was found."""

    FOREIGN_USER = "foreign_user"
    FOREIGN_AGENT = "foreign_agent"
    DUPLICATE_ORDER = "duplicate_order"
    ORPHAN_MEMBER_RUN = "orphan_member_run"
    HIDDEN_MEMBER_FAILURE = "hidden_member_failure"
    REPEATED_DELEGATION = "repeated_delegation"
    NEEDLESS_DELEGATION = "needless_delegation"
    IGNORED_MEMBER_RESULT = "ignored_member_result"
    FORGOTTEN_QUESTION = "forgotten_question"
    OVERWRITTEN_TITLE = "overwritten_title"
    ORDER_DISAGREES = "order_disagrees"
    EVENTS_DISAGREE = "events_disagree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, the run to look at, and what shows it."""

    kind: FindingKind
    run_id: str | None  # None: of the session as a whole
    evidence: str


EventsOf = Callable[[RunRecord], Sequence[RunEvent]]


def list_findings(
    runs: Sequence[RunRecord],
    *,
    session: SessionSummary | None = None,
    session_data: Mapping[str, Any] | None = None,
    events_of: EventsOf | None = None,
) -> tuple[Finding, ...]:
    """Return all findings of a session, in the order of `FindingKind`.

    `runs` are all of its runs (`to_run_records`), those without their parent included; `session_data` is the session
    row's; `events_of` gives the stored events of a top-level run.
    """
    ordered = in_stored_order(runs)
    found = [
        *_of_columns(ordered, session),
        *(finding for run in ordered for part in run.walk() for finding in _of_delegations(part)),
        *_needless(ordered),
        *_forgotten(ordered),
        *_overwritten(ordered, session_data or {}),
        *(finding for run in ordered if events_of for finding in _events_against_messages(run, events_of(run))),
    ]
    return in_order_of_kind(found)


def list_column_findings(runs: Sequence[RunRecord], *, session: SessionSummary | None) -> tuple[Finding, ...]:
    """Return what the columns of the runs alone show: of whom they are, and where they stand. No body is needed."""
    return in_order_of_kind(_of_columns(in_stored_order(runs), session))


def in_order_of_kind(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of `FindingKind`."""
    places = list(FindingKind)
    return tuple(sorted(found, key=lambda finding: places.index(finding.kind)))


COLUMN_KINDS = frozenset(
    {
        FindingKind.FOREIGN_USER,
        FindingKind.FOREIGN_AGENT,
        FindingKind.DUPLICATE_ORDER,
        FindingKind.ORPHAN_MEMBER_RUN,
        FindingKind.ORDER_DISAGREES,
    }
)
"""What columns can tell; all else needs the bodies of the runs."""


def _of_columns(ordered: Sequence[RunRecord], session: SessionSummary | None) -> Iterator[Finding]:
    yield from _foreign(ordered, session)
    yield from _misplaced(ordered)
    yield from _orphans(ordered)
    yield from _out_of_order(ordered)


# -- whose runs they are and where they stand ---------------------------------------------------------------------------


def _foreign(runs: Iterable[RunRecord], session: SessionSummary | None) -> Iterator[Finding]:
    if session is None:
        return
    for run in (part for top in runs for part in top.walk()):
        if run.user_id is not None and run.user_id != session.user_id:
            owner = "nobody" if session.user_id is None else repr(session.user_id)
            yield _finding(
                FindingKind.FOREIGN_USER, run, f"The run is of user {run.user_id!r}, the session of {owner}."
            )
    for run in runs:
        known = run.component_id and session.component_id and session.kind is not SessionKind.WORKFLOW
        if run.parent_run_id is None and known and (run.component_id, run.kind) != (session.component_id, session.kind):
            yield _finding(
                FindingKind.FOREIGN_AGENT,
                run,
                f"A top-level run of {run.kind} {run.component_id!r} in a session of {session.kind} {session.component_id!r}.",
            )


def _misplaced(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    rows = [part for top in runs for part in top.walk() if "run_index" in part.raw]
    counted = Counter(run.run_index for run in rows)
    for run in rows:
        if run.run_index is None:
            yield _finding(
                FindingKind.DUPLICATE_ORDER, run, "The run has no run_index: its place in the session is not stored."
            )
        elif counted[run.run_index] > 1:
            others = [other.run_id for other in rows if other.run_index == run.run_index and other is not run]
            yield _finding(
                FindingKind.DUPLICATE_ORDER, run, f"run_index {run.run_index} is also that of {', '.join(others[:3])}."
            )


def _orphans(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    known = {part.run_id for top in runs for part in top.walk()}
    for run in runs:
        if run.parent_run_id is None:
            continue
        what = "stands under itself" if run.parent_run_id in known else "is not stored"
        yield _finding(
            FindingKind.ORPHAN_MEMBER_RUN,
            run,
            f"The run of {run.component_id!r} names {run.parent_run_id!r} as its leader's run, which {what}.",
        )


def _out_of_order(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    top = [run for run in runs if run.parent_run_id is None and run.started_at and run.run_index is not None]
    for earlier, later in pairwise(top):
        if later.run_index != earlier.run_index and whole_second(later.started_at) < whole_second(earlier.started_at):
            yield _finding(
                FindingKind.ORDER_DISAGREES,
                later,
                f"Stored after {earlier.run_id} (run_index {later.run_index} and {earlier.run_index}), "
                f"but begun before it ({later.started_at:%Y-%m-%d %H:%M:%S} and {earlier.started_at:%Y-%m-%d %H:%M:%S} UTC).",
            )


# -- delegations -------------------------------------------------------------------------------------------------------


def _of_delegations(run: RunRecord) -> Iterator[Finding]:
    if run.status is RunStatus.COMPLETED:
        for member_run in run.member_runs:
            if member_run.status is RunStatus.FAILED:
                yield _finding(
                    FindingKind.HIDDEN_MEMBER_FAILURE,
                    run,
                    f"Completed, but its member {member_run.component_id!r} failed in {member_run.run_id}: {member_run.error or 'no reason stored'}",
                )
    given: dict[tuple[str, str], DelegationSegment] = {}
    used = list_results_used(run)
    for part in (part for part in run.segments if isinstance(part, DelegationSegment)):
        first = given.get(_task(part))
        if first is not None and first.call.tool_call_id != part.call.tool_call_id:
            yield _finding(
                FindingKind.REPEATED_DELEGATION,
                run,
                f"{part.member_id!r} was given the same task twice ({first.call.tool_call_id}, {part.call.tool_call_id}): {part.task}",
            )
        failed = part.call.failed or part.run is None or part.run.status is not RunStatus.COMPLETED
        if not failed:
            given.setdefault(_task(part), part)  # what failed may well be asked again
        if not failed and used.get(part.call.tool_call_id) is False:
            yield _finding(
                FindingKind.IGNORED_MEMBER_RESULT,
                run,
                f"Nothing that {part.member_id!r} answered ({part.call.tool_call_id}) is in the leader's later words: {part.call.result}",
            )


def _task(part: DelegationSegment) -> tuple[str, str]:
    """Return who was asked what, however it is spaced."""
    return part.member_id, " ".join(part.task.split())


@dataclass(frozen=True, slots=True)
class _Answered:
    """A task that a member answered, and in which run."""

    run_id: str
    part: DelegationSegment


def _needless(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    """Yield the tasks whose answer stood in the context of the leader that gave them to a member once more.

    All of it must be on record: the same member was given the same task in an earlier run and answered it, that answer
    stood whole among the history messages the leader was given, and asking again brought nothing that it did not say.
    Whether an answer had grown old by then (the weather, a price) no record tells, so a new answer with news speaks
    against the finding. A leader that only repeats an answer gives no task and is never meant.
    """
    answered: dict[tuple[str, str], list[_Answered]] = {}
    for run in (run for run in runs if run.parent_run_id is None):
        own = [part for part in run.segments if isinstance(part, DelegationSegment)]
        history = [message for message in run.messages if message.from_history]
        for part in own:
            before = next((item for item in answered.get(_task(part), ()) if _stood_in(history, item.part)), None)
            if before is not None and _is_answered(part) and not brings_news(part.call.result, before.part.call.result):
                yield _finding(
                    FindingKind.NEEDLESS_DELEGATION,
                    run,
                    f"The same task's answer stood in the context: {part.member_id!r} had given it in {before.run_id}, "
                    f"and, asked again, said nothing new: {part.task}",
                )
        for part in own:
            if _is_answered(part):
                answered.setdefault(_task(part), []).append(_Answered(run.run_id, part))


def _is_answered(part: DelegationSegment) -> bool:
    failed = part.call.failed or (part.run is not None and part.run.status is not RunStatus.COMPLETED)
    return bool((part.call.result or "").strip()) and not failed


def _stood_in(history: Iterable[MessageRecord], part: DelegationSegment) -> bool:
    """Whether the whole result of a delegation is among messages: as its tool result, or in the leader's own words."""
    result = (part.call.result or "").strip()
    return any(
        (
            message.role == "tool"
            and message.tool_call_id == part.call.tool_call_id
            and message.content.strip() == result
        )
        or (message.role == "assistant" and result in message.content)
        for message in history
    )


# -- what was lost -----------------------------------------------------------------------------------------------------


def _forgotten(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    top = [run for run in runs if run.parent_run_id is None]
    for place, run in enumerate(top):
        later = top[place + 1 :]
        asked_again = any(other.question == run.question for other in later)
        if run.status is RunStatus.STOPPED and run.question and later and not asked_again:
            yield _finding(
                FindingKind.FORGOTTEN_QUESTION,
                run,
                f"It was stopped, so no later run was given its question: {run.question}",
            )


_AGNO_STATE = frozenset({"current_user_id", "current_session_id", "current_run_id"})


def _overwritten(runs: Sequence[RunRecord], session_data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what the session row lost: a title that somebody had given, a state that its last run still had."""
    ours = session_data.get("roundtable")
    if isinstance(ours, Mapping) and ours.get("title_by") and not session_data.get("session_name"):
        evidence = f"A title was given (by {ours['title_by']}); the session has none any more."
        yield Finding(kind=FindingKind.OVERWRITTEN_TITLE, run_id=None, evidence=evidence)
    top = [run for run in runs if run.parent_run_id is None]
    if top and top[-1].status is RunStatus.COMPLETED:
        data = top[-1].raw.get("run_data", top[-1].raw)
        state = data.get("session_state") if isinstance(data, Mapping) else None
        kept = session_data.get("session_state")
        if isinstance(state, Mapping):
            lost = sorted(str(key) for key in set(state) - _AGNO_STATE - set(kept if isinstance(kept, Mapping) else ()))
            if lost:
                yield _finding(
                    FindingKind.OVERWRITTEN_TITLE,
                    top[-1],
                    f"The run ended with {', '.join(lost)} in the session's state; the session does not have it any more.",
                )


# -- events and messages -----------------------------------------------------------------------------------------------


def _events_against_messages(run: RunRecord, events: Sequence[RunEvent]) -> Iterator[Finding]:
    told: dict[str, dict[str, str | None]] = {}
    ended: dict[str, RunStatus] = {}
    for event in events:
        match event:
            case ToolStarted(call=call) | DelegationStarted(call=call):
                told.setdefault(event.run_id, {}).setdefault(call.tool_call_id, None)
            case ToolEnded(call=call) | DelegationEnded(call=call):
                told.setdefault(event.run_id, {})[call.tool_call_id] = call.result
            case RunEnded(status=status):
                ended[event.run_id] = status
            case _:
                pass
    for part in run.walk():
        status = ended.get(part.run_id, part.status)
        if part.status in (RunStatus.COMPLETED, RunStatus.FAILED) and status is not part.status:
            yield _finding(
                FindingKind.EVENTS_DISAGREE, part, f"Its events say {status}, what is stored says {part.status}."
            )
        if part.run_id in told and part.status is RunStatus.COMPLETED and replaced_by(part) is None:
            yield from _calls_against_messages(part, told[part.run_id])


def _calls_against_messages(run: RunRecord, told: Mapping[str, str | None]) -> Iterator[Finding]:
    own = [message for message in run.messages if not message.from_history]
    asked = {request.tool_call_id for message in own for request in message.tool_requests}
    if not asked:
        return  # tool messages were not stored
    for names, what in ((set(told) - asked, "the messages lack"), (asked - set(told), "the events lack")):
        if names:
            yield _finding(FindingKind.EVENTS_DISAGREE, run, f"Tool calls that {what}: {', '.join(sorted(names))}.")
    for message in own:
        result = told.get(message.tool_call_id or "")
        if message.role == "tool" and result and message.content and result.strip() != message.content.strip():
            yield _finding(
                FindingKind.EVENTS_DISAGREE,
                run,
                f"The result of {message.tool_call_id} is {result!r} by the events and {message.content!r} by the messages.",
            )


def _finding(kind: FindingKind, run: RunRecord, evidence: str) -> Finding:
    return Finding(kind=kind, run_id=run.run_id, evidence=evidence)
