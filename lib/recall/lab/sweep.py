"""Experiments run through the engine: `RecallLab` starts them in the background, keeps what they measure, and finds them.

Each growth of a plan is a session of its own in which the fact is planted and fillers pass; each cell asks in a fork of it.
Two growths are worked side by side; within one, everything is one after the other. Every result is stored at once, so
that an experiment which was stopped, or whose process ended, is resumed where it was: its growths are grown anew.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from lib.errors import InvalidInput, RoundtableError, SessionNotFound
from lib.recall.experiment import (
    Cell,
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
from lib.recall.judging import holds_value
from lib.recall.lab.measuring import Asker, MeasuringStopped, in_messages, measure
from lib.records import LAB_SESSION_PREFIX, RunRecord, RunStatus
from lib.roundtable import Roundtable
from lib.runs import RunEngine
from lib.storage.experiments import COLLECTION, ExperimentStore, StoredExperiment

logger = logging.getLogger(__name__)

SIDE_BY_SIDE = 2
"""Growths that are worked at the same time."""


class ExperimentState(StrEnum):
    """Where an experiment stands."""

    RUNNING = "running"
    STOPPED = "stopped"  # by hand, or because its process ended; it can be resumed
    COMPLETED = "completed"
    FAILED = "failed"  # see its note; it can be resumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running experiment is."""

    done: int  # cells
    total: int
    elapsed_s: float
    left_s: float | None  # None until the first cells are measured

    @property
    def share(self) -> float:
        """The part that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0


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

        Raises TeamUnavailable, ModelUnavailable or SessionNotFound before anything is stored.
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
        self._roundtable.catalogue.get(plan.team)
        if plan.member_id is not None:
            raise InvalidInput("Members cannot be asked directly yet; leave the member out.")
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


def without_delay(roundtable: Roundtable) -> Roundtable:
    """Return the same app with an engine of its own, in which the offline model does not pause between words.

    Nobody watches an experiment word by word; with the pauses a sweep would take ten times as long.
    """
    settings = roundtable.settings.model_copy(update={"offline_token_delay": 0.0})
    engine = RunEngine(database=roundtable.database, catalogue=roundtable.catalogue, settings=settings)
    return replace(roundtable, settings=settings, engine=engine)


class RunningExperiment:
    """An experiment that is being measured in the background."""

    def __init__(
        self,
        experiment_id: str,
        plan: Plan,
        *,
        user_id: str,
        roundtable: Roundtable,
        store: ExperimentStore,
        done: Iterable[CellResult],
    ) -> None:
        self.experiment_id = experiment_id
        self.plan = plan
        self.user_id = user_id
        self._roundtable = roundtable
        self._store = store
        self._lock = threading.Lock()
        self._results = {result.cell: result for result in done}
        self._numbers = {cell: number for number, cell in enumerate(plan.cells)}
        self._had = len(self._results)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._started = time.monotonic()
        self._asker = Asker(
            roundtable=roundtable, user_id=user_id, team=plan.team, model=plan.model, stopped=self._stop.is_set
        )

    def begin(self) -> None:
        """Start measuring in the background."""
        threading.Thread(target=self._work, name=f"experiment-{self.experiment_id}", daemon=True).start()

    @property
    def live(self) -> bool:
        """Whether it still measures."""
        return not self._over.is_set()

    def results(self) -> tuple[CellResult, ...]:
        """Return what was measured so far, in the order of the plan."""
        with self._lock:
            return tuple(sorted(self._results.values(), key=lambda result: self._numbers[result.cell]))

    def progress(self) -> Progress:
        """Return how far it is and about how long it still takes."""
        with self._lock:
            done = len(self._results)
        elapsed_s, total = time.monotonic() - self._started, len(self._numbers)
        fresh = done - self._had
        return Progress(
            done=done,
            total=total,
            elapsed_s=elapsed_s,
            left_s=elapsed_s / fresh * (total - done) if fresh else (0.0 if done == total else None),
        )

    def stop(self) -> None:
        """Stop after what is being said now; what was measured is kept."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is over, at most `timeout` seconds; return whether it is."""
        return self._over.wait(timeout)

    # -- the background -------------------------------------------------------------------------------------------

    def _work(self) -> None:
        state = ExperimentState.FAILED
        note: str | None = "It ended by a defect; the log tells more."
        try:
            growths: dict[tuple[str, int, int], list[Cell]] = {}
            for cell in self._numbers:
                if cell not in self._results:
                    growths.setdefault(self.plan.growth_of(cell), []).append(cell)
            with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="growth") as pool:
                for future in [pool.submit(self._grow, window, cells) for (_, _, window), cells in growths.items()]:
                    future.result()
            state, note = ExperimentState.COMPLETED, None
        except MeasuringStopped:
            state, note = ExperimentState.STOPPED, None
        except RoundtableError as error:
            state, note = ExperimentState.FAILED, str(error)
        except Exception:  # the thread must say that it is over whatever happened
            logger.exception("Experiment %s ended by a defect", self.experiment_id)
        finally:
            self._stop.set()  # the other growth ends too
            self._say(state, note)
            self._over.set()

    def _say(self, state: ExperimentState, note: str | None) -> None:
        try:
            self._store.set_state(self.experiment_id, state, user_id=self.user_id, note=note)
        except RoundtableError as error:
            logger.warning("Experiment %s cannot store that it is %s: %s", self.experiment_id, state, error)

    def _grow(self, window: int, cells: list[Cell]) -> None:
        """Plant the fact, let fillers pass, and measure every cell of this growth at its distance."""
        fact, session_id = self.plan.fact_called(cells[0].fact), self._new_session_id()
        if self.plan.source_session_id is None:
            self._roundtable.store.create_session(
                user_id=self.user_id, component_id=self.plan.team, session_id=session_id, collection=COLLECTION
            )
        else:
            self._store.fork(self.plan.source_session_id, user_id=self.user_id, new_session_id=session_id)
        questions = [fact.planting, *(self.plan.filler(number) for number in range(max(c.distance for c in cells)))]
        for distance, question in enumerate(questions):
            run = self._asker.ask(question, session_id=session_id, window=window)
            if run.status is not RunStatus.COMPLETED:
                self._give_up([cell for cell in cells if cell.distance >= distance], run)
                return
            for cell in cells:
                if cell.distance == distance:
                    self._keep(self._probe(cell, session_id, run.run_id))

    def _probe(self, cell: Cell, grown_session_id: str, upto_run_id: str) -> CellResult:
        fact, session_id = self.plan.fact_called(cell.fact), self._new_session_id()
        run_ids = self._store.fork(
            grown_session_id, user_id=self.user_id, new_session_id=session_id, upto_run_id=upto_run_id
        )
        asked = measure(self._asker, fact.question, session_id=session_id, window=cell.window)
        tokens, own = asked.run.total_tokens.total, asked.run.tokens.total
        return CellResult(
            cell=cell,
            predicted_in_context=in_messages(asked.predicted.messages, fact),
            in_context=in_messages(asked.given, fact),
            answered=holds_value(asked.run.answer, fact.value),
            tokens=tokens,
            run_ids=(*run_ids[-(cell.distance + 1) :], asked.run.run_id),
            answer=asked.run.answer,
            session_id=session_id,
            same_context=asked.same_context,
            member_tokens=None if tokens is None or own is None else tokens - own,
            failed=asked.failed,
        )

    def _give_up(self, cells: Iterable[Cell], run: RunRecord) -> None:
        for cell in cells:
            self._keep(
                CellResult(
                    cell=cell,
                    predicted_in_context=False,
                    in_context=False,
                    answered=False,
                    tokens=None,
                    run_ids=(run.run_id,),
                    session_id=run.session_id,
                    failed=f"A run before the question did not complete: {run.error or run.status}",
                )
            )

    def _keep(self, result: CellResult) -> None:
        self._store.add_result(self.experiment_id, self._numbers[result.cell], result.to_row())
        with self._lock:
            self._results[result.cell] = result

    def _new_session_id(self) -> str:
        return f"{LAB_SESSION_PREFIX}{self.experiment_id}-{uuid.uuid4().hex[:16]}"
