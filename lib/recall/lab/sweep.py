"""Experiments run through the engine: `RecallLab` starts them in the background, keeps what they measure, and finds them.

An experiment which was stopped, or whose process ended, is resumed where it was.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from lib.errors import InvalidInput, SessionNotFound
from lib.models import check_model
from lib.recall.experiment import (
    LEADER,
    CellResult,
    Difference,
    Plan,
    RunCost,
    compare_results,
    read_row,
    read_stored_plan,
    to_stored_plan,
)
from lib.recall.horizon import about_tokens
from lib.recall.lab.measuring import Asker
from lib.recall.lab.running import ExperimentState, RunningExperiment
from lib.recall.lab.varying import without_delay
from lib.records import LAB_SESSION_PREFIX, SessionKind
from lib.roundtable import Roundtable
from lib.runs.engine import MAX_WINDOW
from lib.storage.experiments import ExperimentStore, StoredExperiment
from lib.teams.catalogue import TeamEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A stored experiment, without its results."""

    experiment_id: str
    plan: Plan
    state: ExperimentState
    note: str | None
    done: int
    created_at: datetime
    updated_at: datetime


class RecallLab:
    """One user's experiments. Safe to use from any thread; `close` stops what runs."""

    def __init__(self, roundtable: Roundtable) -> None:
        self._roundtable = without_delay(roundtable)
        self._store = ExperimentStore(roundtable.database.connector)
        self._lock = threading.Lock()
        self._running: dict[str, RunningExperiment] = {}

    def start(self, plan: Plan, *, user_id: str) -> RunningExperiment:
        """Store the plan and begin to measure; returns at once.

        Raises InvalidInput, TeamUnavailable, ModelUnavailable or SessionNotFound before anything is stored.
        """
        self._check(plan, user_id)
        experiment_id = self._store.create(plan.name, to_stored_plan(plan), user_id=user_id)
        return self._run(experiment_id, plan, user_id, ())

    def resume(self, experiment_id: str, *, user_id: str) -> RunningExperiment:
        """Go on with an experiment that was stopped or failed; cells whose runs failed are measured again."""
        running = self.find_running(experiment_id, user_id=user_id)
        if running is not None:
            return running
        plan = self.get(experiment_id, user_id=user_id).plan
        self._check(plan, user_id)
        results = [result for result in self.list_results(experiment_id, user_id=user_id) if result.failed is None]
        self._store.set_state(experiment_id, ExperimentState.RUNNING, user_id=user_id)
        return self._run(experiment_id, plan, user_id, results)

    def find_running(self, experiment_id: str, *, user_id: str) -> RunningExperiment | None:
        """Return the experiment if it goes on in this process."""
        with self._lock:
            running = self._running.get(experiment_id)
        return running if running is not None and running.user_id == user_id and running.live else None

    def list_experiments(self, *, user_id: str) -> tuple[Experiment, ...]:
        """Return the user's experiments, the newest first."""
        return tuple(self._to_experiment(stored) for stored in self._store.list_experiments(user_id=user_id))

    def get(self, experiment_id: str, *, user_id: str) -> Experiment:
        """Return one experiment. Raises ExperimentNotFound."""
        return self._to_experiment(self._store.get(experiment_id, user_id=user_id))

    def list_results(self, experiment_id: str, *, user_id: str) -> tuple[CellResult, ...]:
        """Return what was measured so far, in the order of the plan."""
        return tuple(read_row(row) for row in self._store.list_results(experiment_id, user_id=user_id))

    def rename(self, experiment_id: str, name: str, *, user_id: str) -> None:
        """Give an experiment another name."""
        self._store.rename(experiment_id, name, user_id=user_id)

    def compare(self, first_id: str, second_id: str, *, user_id: str) -> tuple[Difference, ...]:
        """Return the cells that both experiments measured with another outcome."""
        first, second = (self.list_results(each, user_id=user_id) for each in (first_id, second_id))
        return compare_results(first, second)

    def delete(self, experiment_id: str, *, user_id: str) -> None:
        """Stop an experiment and delete it with its results and all its sessions."""
        self._store.get(experiment_id, user_id=user_id)
        running = self.find_running(experiment_id, user_id=user_id)
        if running is not None:
            running.stop()
            running.wait(30.0)
        self._delete_sessions(self._store.list_session_ids(user_id=user_id, experiment_id=experiment_id), user_id)
        self._store.delete(experiment_id, user_id=user_id)

    def delete_all_sessions(self, *, user_id: str) -> int:
        """Delete every session of the lab, demonstrations too, and return how many; results are kept."""
        session_ids = self._store.list_session_ids(user_id=user_id)
        self._delete_sessions(session_ids, user_id)
        return len(session_ids)

    def measure_cost(self, team: str, *, user_id: str) -> RunCost:
        """Return what a run of this team costs in tokens, counted on two runs with the offline model.

        A provider counts tokens in its own way, and its answers have their own length: an estimate, no price.
        """
        session_id = f"{LAB_SESSION_PREFIX}cost-{uuid.uuid4().hex[:12]}"
        asker = Asker(roundtable=self._roundtable, user_id=user_id, team=team, model="offline")
        try:
            runs = [asker.ask("Remember: the colour is red.", session_id=session_id, window=0)]
            runs.append(asker.ask("Filler one: go on.", session_id=session_id, window=0))
        finally:
            self._delete_sessions([session_id], user_id)
        turns = [about_tokens(m for m in run.messages if m.role != "system" and not m.from_history) for run in runs]
        totals = [run.tokens.total or 0 for run in runs]
        turn = max(turns)
        return RunCost(prompt_tokens=max(max(totals) - turn, 0), turn_tokens=turn)

    def close(self) -> None:
        """Stop what runs; it can be resumed."""
        with self._lock:
            running = list(self._running.values())
        for each in running:
            each.stop()
        for each in running:
            each.wait(10.0)
        self._roundtable.engine.close()

    # -- beneath --------------------------------------------------------------------------------------------------

    def _check(self, plan: Plan, user_id: str) -> None:
        team = self._roundtable.catalogue.get(plan.team)
        if team.model is None:
            check_model(plan.model or self._roundtable.settings.chat_model, settings=self._roundtable.settings)
        if max(plan.windows) > MAX_WINDOW:
            raise InvalidInput(
                f"A window of {max(plan.windows)} runs is more than the {MAX_WINDOW} that can be asked with."
            )
        for subject in plan.subjects:
            if subject != LEADER:
                _check_member(team, subject)
        if plan.source_session_id is not None:
            self._roundtable.store.get_session(plan.source_session_id, user_id=user_id)

    def _run(self, experiment_id: str, plan: Plan, user_id: str, done: Iterable[CellResult]) -> RunningExperiment:
        running = RunningExperiment(
            experiment_id, plan, user_id=user_id, roundtable=self._roundtable, store=self._store, done=done
        )
        with self._lock:
            self._running = {key: each for key, each in self._running.items() if each.live}
            self._running[experiment_id] = running
        running.begin()
        return running

    def _to_experiment(self, stored: StoredExperiment) -> Experiment:
        state = ExperimentState(stored.state)
        if state is ExperimentState.RUNNING and self.find_running(stored.experiment_id, user_id=stored.user_id) is None:
            state = ExperimentState.STOPPED  # its process ended, or it runs in another one
        return Experiment(
            experiment_id=stored.experiment_id,
            plan=replace(read_stored_plan(stored.plan), name=stored.name),
            state=state,
            note=stored.note,
            done=stored.results,
            created_at=stored.created_at,
            updated_at=stored.updated_at,
        )

    def _delete_sessions(self, session_ids: Iterable[str], user_id: str) -> None:
        for session_id in session_ids:
            try:
                self._roundtable.store.delete_session(session_id, user_id=user_id)
            except SessionNotFound:
                continue  # never written, or deleted by somebody else meanwhile


def _check_member(team: TeamEntry, member_id: str) -> None:
    """Raise InvalidInput where the leader cannot hand a question to this member, or what it is given is not predicted."""
    able = [member.member_id for member in team.members if member.kind is SessionKind.AGENT]
    if member_id not in able:
        raise InvalidInput(
            f"{member_id!r} is no member of {team.name!r} whose memory can be measured. Subjects: "
            f"{', '.join((LEADER, *able))}. A team within the team is not one: its history reaches it as one text."
        )
