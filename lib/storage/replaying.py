"""One stored session with every view of it: reading (`lib.storage`), views (`lib.replay`) and history rules (`lib.recall`)
put together, for the page and for the command line alike.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property, lru_cache

from lib.errors import RunNotFound
from lib.events import ModelStarted, RunEvent
from lib.recall.window import DEFAULT_HISTORY_RUNS
from lib.records import RunRecord
from lib.replay.contexts import ModelRequest, list_requests
from lib.replay.delegations import Delegation, HandOver, list_delegations, list_hand_overs
from lib.replay.finding_search import list_findings
from lib.replay.findings import Finding
from lib.replay.model_calls import list_compressions
from lib.replay.order import in_stored_order
from lib.replay.session_history import SessionHistory
from lib.replay.steps import Step, list_steps
from lib.replay.timeline import Timeline, build_timeline
from lib.storage.history_evidence import HistoryEvidence
from lib.storage.reading import to_run_events
from lib.storage.stored_sessions import StoredSession


class Replay:
    """A stored session that can be looked at from every side. Reads nothing more than it was given."""

    def __init__(self, session: StoredSession, *, assumed_window: int = DEFAULT_HISTORY_RUNS) -> None:
        """Take a session; `assumed_window` is used where neither the window nor its messages were stored."""
        self.session = session
        self.runs = tuple(in_stored_order(session.runs))
        self._assumed_window = assumed_window
        self.events = lru_cache(maxsize=64)(self._read_events)

    def get_run(self, run_id: str) -> RunRecord:
        """Return a run of the session, a member's too. Raises RunNotFound."""
        found = next((part for run in self.runs for part in run.walk() if part.run_id == run_id), None)
        if found is None:
            raise RunNotFound(run_id)
        return found

    def _read_events(self, run_id: str) -> tuple[RunEvent, ...]:
        top = self._tops.get(run_id)
        return to_run_events(top) if top else ()

    @cached_property
    def _tops(self) -> dict[str, RunRecord]:
        """The top-level run of each run."""
        return {part.run_id: run for run in reversed(self.runs) for part in run.walk()}

    def steps(self, run: RunRecord) -> tuple[Step, ...]:
        """Return everything that happened in a run, in order."""
        return list_steps(run, self.events(run.run_id))

    def timeline(self, run: RunRecord) -> Timeline:
        """Return the run as swimlanes."""
        return build_timeline(run, self.steps(run))

    def delegations(self, run: RunRecord) -> tuple[Delegation, ...]:
        """Return who was asked what."""
        return list_delegations(run)

    @cached_property
    def history(self) -> SessionHistory:
        """The session's runs, as each of them found them."""
        return SessionHistory(self.runs)

    @cached_property
    def _evidence(self) -> HistoryEvidence:
        return HistoryEvidence(self.history, assumed_window=self._assumed_window)

    def requests(self, run: RunRecord) -> tuple[ModelRequest, ...]:
        """Return what each model request of a run and its members was given, and what was absent."""
        events = self.events(run.run_id)
        starts = Counter(event.run_id for event in events if isinstance(event, ModelStarted)) if events else None
        return list_requests(
            run,
            self.history,
            rule=self._evidence.explain,
            model_starts=starts,
            compressions=list_compressions(events),
        )

    def hand_overs(self, run: RunRecord) -> tuple[HandOver, ...]:
        """Return what each member was told and what it lacked."""
        return list_hand_overs(run, self.requests(run))

    def findings(self) -> tuple[Finding, ...]:
        """Return what is not as it should be."""
        return list_findings(
            self.runs,
            session=self.session.summary,
            session_data=self.session.session_data,
            events_of=lambda run: self.events(run.run_id),
        )
