"""What an engineer should know about a session, and the part of it that the columns of its runs tell.

A healthy session has no finding. What needs the bodies of the runs is in `lib.replay.finding_search`. A gap in the
run_index of runs is none: every deleted run leaves one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from lib.records import RunRecord, SessionKind, SessionSummary
from lib.replay.order import in_stored_order, whole_second


class FindingKind(StrEnum):
    """What was found."""

    FOREIGN_USER = "foreign_user"
    FOREIGN_AGENT = "foreign_agent"
    DUPLICATE_ORDER = "duplicate_order"
    """Runs share a run_index, or one has none. At the first of them, once for all."""
    ORPHAN_MEMBER_RUN = "orphan_member_run"
    HIDDEN_MEMBER_FAILURE = "hidden_member_failure"
    REPEATED_DELEGATION = "repeated_delegation"
    NEEDLESS_DELEGATION = "needless_delegation"
    """A task whose answer stood in the context. Found only where history messages are stored, as this app does."""
    IGNORED_MEMBER_RESULT = "ignored_member_result"
    """Told by facts that can be compared alone; see `lib.replay.used_results`."""
    FORGOTTEN_QUESTION = "forgotten_question"
    OVERWRITTEN_TITLE = "overwritten_title"
    """Another program wrote the session's row anew. Of its title it is told only in sessions that were asked here."""
    ORDER_DISAGREES = "order_disagrees"
    EVENTS_DISAGREE = "events_disagree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be, the run to look at, and what shows it."""

    kind: FindingKind
    run_id: str | None  # None: of the session as a whole
    evidence: str


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
            yield finding_of(
                FindingKind.FOREIGN_USER, run, f"The run is of user {run.user_id!r}, the session of {owner}."
            )
    for run in runs:
        known = run.component_id and session.component_id and session.kind is not SessionKind.WORKFLOW
        if run.parent_run_id is None and known and (run.component_id, run.kind) != (session.component_id, session.kind):
            yield finding_of(
                FindingKind.FOREIGN_AGENT,
                run,
                f"A top-level run of {run.kind} {run.component_id!r} in a session of {session.kind} {session.component_id!r}.",
            )


def _misplaced(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    rows = [part for top in runs for part in top.walk() if "run_index" in part.raw]
    sharing: dict[int, list[RunRecord]] = defaultdict(list)
    for run in rows:
        if run.run_index is None:
            yield finding_of(
                FindingKind.DUPLICATE_ORDER, run, "The run has no run_index: its place in the session is not stored."
            )
        else:
            sharing[run.run_index].append(run)
    for run_index, (first, *others) in sharing.items():
        if others:
            named = ", ".join(other.run_id for other in others[:3])
            more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
            yield finding_of(
                FindingKind.DUPLICATE_ORDER, first, f"run_index {run_index} is also that of {named}{more}."
            )


def _orphans(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    leaders = {part.run_id: part.parent_run_id for top in runs for part in top.walk()}
    for run in runs:
        if run.parent_run_id is None or (what := _what_became_of(run.parent_run_id, leaders)) is None:
            continue
        yield finding_of(
            FindingKind.ORPHAN_MEMBER_RUN,
            run,
            f"The run of {run.component_id!r} names {run.parent_run_id!r} as its leader's run, which {what}.",
        )


def _what_became_of(leader_run_id: str, leaders: Mapping[str, str | None]) -> str | None:
    """Return what is wrong with a leader's run; None where it only stands too deep for its member to be shown under it."""
    here: str | None = leader_run_id
    seen: set[str] = set()
    while here is not None:
        if here not in leaders:
            return "is not stored" if here == leader_run_id else None
        if here in seen:
            return "stands under itself"
        seen.add(here)
        here = leaders[here]
    return None


def _out_of_order(runs: Sequence[RunRecord]) -> Iterator[Finding]:
    top = [run for run in runs if run.parent_run_id is None and run.started_at and run.run_index is not None]
    for earlier, later in pairwise(top):
        if later.run_index != earlier.run_index and whole_second(later.started_at) < whole_second(earlier.started_at):
            yield finding_of(
                FindingKind.ORDER_DISAGREES,
                later,
                f"Stored after {earlier.run_id} (run_index {later.run_index} and {earlier.run_index}), "
                f"but begun before it ({later.started_at:%Y-%m-%d %H:%M:%S} and {earlier.started_at:%Y-%m-%d %H:%M:%S} UTC).",
            )


def finding_of(kind: FindingKind, run: RunRecord, evidence: str) -> Finding:
    """Return a finding at a run."""
    return Finding(kind=kind, run_id=run.run_id, evidence=evidence)
