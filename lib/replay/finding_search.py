"""The findings that need the bodies of the runs: each with its evidence, and none that the evidence does not carry.

Where Agno leaves a matter open (what a model made of a result), a finding is given only when nothing speaks against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lib.events import RunEvent
from lib.records import DelegationSegment, MessageRecord, RunRecord, RunStatus, SessionSummary
from lib.replay.event_findings import list_event_findings
from lib.replay.findings import Finding, FindingKind, finding_of, in_order_of_kind, list_column_findings
from lib.replay.order import in_stored_order
from lib.replay.used_results import Judgement, brings_news, find_own_facts, judge_results

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
    search = FindingSearch(session_data)
    for run in in_stored_order(runs):
        search.look_at(run, events_of(run) if events_of else ())
    return in_order_of_kind((*list_column_findings(runs, session=session), *search.list_findings()))


class FindingSearch:
    """Looks at a session's runs one after the other, in stored order, and keeps none of them.

    What a later run is compared with is kept: which tasks were answered and how, which questions were stopped.
    """

    def __init__(self, session_data: Mapping[str, Any] | None = None) -> None:
        """Begin with no run; `session_data` is the session row's."""
        self._session_data = session_data
        self._found: list[Finding] = []
        self._answered: dict[tuple[str, str], _Answers] = {}
        self._stopped: list[_Stopped] = []
        self._last: _Last | None = None
        self._asked_here: str | None = None  # the first run of this app

    def look_at(self, run: RunRecord, events: Sequence[RunEvent] = ()) -> None:
        """Look at the next run with the runs under it; `events` are those that were stored with it."""
        for part in run.walk():
            self._found += _of_delegations(part)
        if run.parent_run_id is None:
            self._found += _needless(run, self._answered)
            self._note_question(run)
            self._last = _Last.of(run)
            if run.settings and self._asked_here is None:
                self._asked_here = run.run_id
        if events:
            self._found += list_event_findings(run, events)

    def list_findings(self) -> tuple[Finding, ...]:
        """Return what is found if the last run looked at was the session's last, in the order of `FindingKind`."""
        forgotten = (stopped.finding for stopped in self._stopped if stopped.followed)
        overwritten = _overwritten(self._last, self._session_data or {})
        lost = _lost_title(self._asked_here, self._session_data)
        return in_order_of_kind((*self._found, *forgotten, *lost, *overwritten))

    def _note_question(self, run: RunRecord) -> None:
        question = _spaced(run.question)
        self._stopped = [stopped for stopped in self._stopped if stopped.question != question]
        for stopped in self._stopped:
            stopped.followed = True
        if run.status is RunStatus.STOPPED and question:
            evidence = f"It was stopped, so no later run was given its question: {run.question}"
            self._stopped.append(_Stopped(question, finding_of(FindingKind.FORGOTTEN_QUESTION, run, evidence)))


@dataclass(slots=True)
class _Stopped:
    """A stopped question that was not asked again so far."""

    question: str
    finding: Finding
    followed: bool = False  # by a run, which was not given it


@dataclass(frozen=True, slots=True)
class _Last:
    """What the last run left behind."""

    run_id: str
    status: RunStatus
    state: Mapping[str, Any] | None

    @classmethod
    def of(cls, run: RunRecord) -> _Last:
        data = run.raw.get("run_data", run.raw)
        state = data.get("session_state") if isinstance(data, Mapping) else None
        return cls(run.run_id, run.status, state if isinstance(state, Mapping) else None)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a member answered to one task so far: by tool call, and by what it said, where it last said so."""

    by_call: dict[str, tuple[str, str]] = field(default_factory=dict)  # tool call id -> (run id, result)
    by_result: dict[str, str] = field(default_factory=dict)  # result -> run id


# -- delegations -------------------------------------------------------------------------------------------------------


def _of_delegations(run: RunRecord) -> Iterator[Finding]:
    if run.status is RunStatus.COMPLETED:
        for member_run in run.member_runs:
            if member_run.status is RunStatus.FAILED:
                yield finding_of(
                    FindingKind.HIDDEN_MEMBER_FAILURE,
                    run,
                    f"Completed, but its member {member_run.component_id!r} failed in {member_run.run_id}: {member_run.error or 'no reason stored'}",
                )
    given: dict[tuple[str, str], DelegationSegment] = {}
    delegations = [part for part in run.segments if isinstance(part, DelegationSegment)]
    for part, judged in zip(delegations, judge_results(run), strict=True):
        if part.call.given_up:
            continue  # the run began anew after it, and may well ask the same again
        first = given.get(_task(part))
        if first is not None and first.call.tool_call_id != part.call.tool_call_id:
            yield finding_of(
                FindingKind.REPEATED_DELEGATION,
                run,
                f"{part.member_id!r} was given the same task twice ({first.call.tool_call_id}, {part.call.tool_call_id}): {part.task}",
            )
        failed = part.call.failed or part.run is None or part.run.status is not RunStatus.COMPLETED
        if not failed:
            given.setdefault(_task(part), part)  # what failed may well be asked again
        if not failed and judged.used is False:
            yield finding_of(FindingKind.IGNORED_MEMBER_RESULT, run, _left_out(run, part, judged))


def _left_out(run: RunRecord, part: DelegationSegment, judged: Judgement) -> str:
    """Return what shows that a member's result was not used."""
    if judged.contradiction is not None:
        stated, answered = judged.contradiction.stated.text, judged.contradiction.answered.text
        return (
            f"The leader states {stated} where {part.member_id!r} answered {answered} "
            f"({part.call.tool_call_id}): {part.call.result}"
        )
    return (
        f"Nothing that {part.member_id!r} answered ({part.call.tool_call_id}) is in the leader's later words, "
        f"neither {_facts_of(run, part)} nor any other of: {part.call.result}"
    )


def _facts_of(run: RunRecord, part: DelegationSegment) -> str:
    return ", ".join(fact.text for fact in find_own_facts(run, part)[:4])


def _task(part: DelegationSegment) -> tuple[str, str]:
    """Return who was asked what, however it is spaced."""
    return part.member_id, _spaced(part.task)


def _spaced(text: str) -> str:
    """Return text with one space wherever it has any."""
    return " ".join(text.split())


def _needless(run: RunRecord, answered: dict[tuple[str, str], _Answers]) -> Iterator[Finding]:
    """Yield the tasks whose answer stood in the context of the leader that gave them to a member once more.

    All of it must be on record: the same member was given the same task in an earlier run and answered it, that answer
    stood whole among the history messages the leader was given, and asking again brought nothing that it did not say.
    Whether an answer had grown old by then (the weather, a price) no record tells, so a new answer with news speaks
    against the finding. A leader that only repeats an answer gives no task and is never meant. Where the history
    messages were not stored (Agno's default) nothing is found: what the leader was given is then reconstructed by
    assumed settings, and a guess about the context is no evidence against the leader.
    """
    own = [part for part in run.segments if isinstance(part, DelegationSegment)]
    history = [message for message in run.messages if message.from_history] if own else []
    for part in own:
        before = _find_in(history, answered[_task(part)]) if _task(part) in answered else None
        if before is not None and _is_answered(part) and not brings_news(part.call.result, before[1]):
            yield finding_of(
                FindingKind.NEEDLESS_DELEGATION,
                run,
                f"The same task's answer stood in the context: {part.member_id!r} had given it in {before[0]}, "
                f"and, asked again, said nothing new: {part.task}",
            )
    for part in own:
        if _is_answered(part):
            answers, result = answered.setdefault(_task(part), _Answers()), (part.call.result or "").strip()
            answers.by_call[part.call.tool_call_id] = (run.run_id, result)
            answers.by_result[result] = run.run_id


def _find_in(history: Iterable[MessageRecord], answers: _Answers) -> tuple[str, str] | None:
    """Return the run that gave an answer, and the answer, that stands whole among messages: as its tool result, or in
    the leader's own words.
    """
    for message in history:
        if message.role == "tool":
            run_id, result = answers.by_call.get(message.tool_call_id or "", ("", ""))
            if run_id and message.content.strip() == result:
                return run_id, result
        elif message.role == "assistant":
            for result, run_id in answers.by_result.items():
                if result in message.content:
                    return run_id, result
    return None


def _is_answered(part: DelegationSegment) -> bool:
    failed = part.call.failed or (part.run is not None and part.run.status is not RunStatus.COMPLETED)
    return bool((part.call.result or "").strip()) and not failed


# -- what was lost -----------------------------------------------------------------------------------------------------


_AGNO_STATE = frozenset({"current_user_id", "current_session_id", "current_run_id"})


def _lost_title(asked_here: str | None, session_data: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yield that the session's row lost its title, where that is certain.

    Every question that is asked here is noted in the row, beside its title; Agno's own writes keep both. A row without
    either was written anew by another program. In sessions of other apps nothing tells whether there was a title.
    """
    data = session_data or {}
    if session_data is None or data.get("session_name"):
        return
    ours = data.get("roundtable")
    if isinstance(ours, Mapping) and ours.get("title_by"):
        evidence = f"A title was given (by {ours['title_by']}); the session has none any more."
        yield Finding(kind=FindingKind.OVERWRITTEN_TITLE, run_id=None, evidence=evidence)
    elif asked_here is not None and "roundtable" not in data:
        evidence = (
            f"The session's row has no title, nor what was noted in it when {asked_here} was asked here: "
            "another program wrote it anew."
        )
        yield Finding(kind=FindingKind.OVERWRITTEN_TITLE, run_id=None, evidence=evidence)


def _overwritten(last: _Last | None, session_data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what the session's row lost of the state that its last run still had."""
    if last is None or last.status is not RunStatus.COMPLETED or last.state is None:
        return
    kept = session_data.get("session_state")
    lost = sorted(str(key) for key in set(last.state) - _AGNO_STATE - set(kept if isinstance(kept, Mapping) else ()))
    if lost:
        evidence = (
            f"The run ended with {', '.join(lost)} in the session's state; the session does not have it any more."
        )
        yield Finding(kind=FindingKind.OVERWRITTEN_TITLE, run_id=last.run_id, evidence=evidence)
