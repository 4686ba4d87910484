"""An experiment that is being measured in the background.

Each growth of a plan is a session of its own in which the fact is planted and fillers pass; each cell asks in a fork of
it. Two growths are worked side by side; within one, everything is one after the other. Every result is stored at once;
when an experiment is resumed, the growths that still have cells to measure are grown anew.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from lib.errors import RoundtableError
from lib.recall.experiment import LEADER, Cell, CellResult, Fact, Growth, MemberHistory, Plan
from lib.recall.judging import holds_value
from lib.recall.lab.measuring import Asker, Measurement, MeasuringStopped, address, measure, measure_member
from lib.recall.lab.varying import change_member_history, member_rules, varied
from lib.records import LAB_SESSION_PREFIX, RunRecord, RunStatus
from lib.roundtable import Roundtable
from lib.storage.experiments import COLLECTION, ExperimentStore

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
        self.note: str | None = None  # why it failed, once it has
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
            if self.plan.member_history is MemberHistory.AS_BUILT:
                self._measure_all()
            else:
                with varied(self._roundtable, change_member_history(self.plan.member_history)) as changed:
                    self._asker = replace(self._asker, roundtable=changed)
                    self._measure_all()
            state, note = ExperimentState.COMPLETED, None
        except MeasuringStopped:
            state, note = ExperimentState.STOPPED, None
        except RoundtableError as error:
            state, note = ExperimentState.FAILED, str(error)
        except Exception:  # the thread must say that it is over whatever happened
            logger.exception("Experiment %s ended by a defect", self.experiment_id)
        finally:
            self.note = note
            self._stop.set()  # the other growth ends too
            self._say(state, note)
            self._over.set()

    def _measure_all(self) -> None:
        growths: dict[Growth, list[Cell]] = {}
        for cell in self._numbers:
            if cell not in self._results:
                growths.setdefault(self.plan.growth_of(cell), []).append(cell)
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="growth") as pool:
            for future in [pool.submit(self._grow, growth.window, cells) for growth, cells in growths.items()]:
                future.result()

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
        subject = cells[0].subject
        member = None if subject == LEADER else self._asker.member(subject)
        hears_fillers = member if self.plan.fillers_to_subject else None
        fillers = (self.plan.filler(number) for number in range(max(cell.distance for cell in cells)))
        questions = [address(fact.planting, member), *(address(filler, hears_fillers) for filler in fillers)]
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
        asked = self._ask(cell, fact, session_id)
        tokens, own = asked.run.total_tokens.total, asked.run.tokens.total
        return CellResult(
            cell=cell,
            predicted_in_context=asked.predicted_in_context(fact),
            in_context=asked.in_context(fact),
            answered=holds_value(asked.answer, fact.value),
            tokens=tokens,
            run_ids=(*run_ids[-(cell.distance + 1) :], asked.run.run_id),
            answer=asked.answer,
            session_id=session_id,
            same_context=asked.same_context,
            member_tokens=None if tokens is None or own is None else tokens - own,
            failed=asked.failed,
        )

    def _ask(self, cell: Cell, fact: Fact, session_id: str) -> Measurement:
        asker, window = self._asker, cell.window
        if cell.subject == LEADER:
            return measure(asker, fact.question, session_id=session_id, window=window)
        member, team = asker.member(cell.subject), asker.roundtable.catalogue.get(self.plan.team)
        rules = member_rules(team, member, self.plan.member_history, window)
        return measure_member(asker, fact, member=member, rules=rules, session_id=session_id, window=window)

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
