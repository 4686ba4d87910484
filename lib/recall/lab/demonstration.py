"""A guided demonstration of remembering and forgetting, step by step, on a real session.

Plant a fact, let fillers pass, ask again: after each step the runs are told like frames of a film strip, each inside or
outside the window, the planted fact in them or not. Questions can be asked again in a fork with another window, so that
the first history is untouched. The same steps show the awkward cases: an updated fact, something never said, a fact in a
stopped run, "repeat that".
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace

from lib.recall.experiment import FILLERS, SAMPLE_FACTS, Fact
from lib.recall.horizon import runs_left
from lib.recall.judging import holds_value, which_values
from lib.recall.lab.measuring import Asker, Measurement, given_history, in_messages, measure
from lib.recall.reasons import Reason, describe_reason
from lib.recall.window import HistoryRules, next_context
from lib.records import LAB_SESSION_PREFIX, DelegationSegment, MessageRecord, RunRecord, RunStatus
from lib.roundtable import Roundtable
from lib.storage.experiments import COLLECTION, ExperimentStore

NEVER_SAID = Fact(name="the name of my cat", value="Marmalade")
FIRST_WORD_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One run on the film strip."""

    run: RunRecord
    in_window: bool  # the next question is given it
    reason: Reason | None  # why not
    holds_fact: bool

    @property
    def explanation(self) -> str:
        """Why the run is outside the window, in a sentence; empty inside it."""
        return describe_reason(self.reason) if self.reason else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An answer, and whether it could have known."""

    run: RunRecord
    in_context: bool  # a message it was given holds the value
    answered: bool
    values: tuple[str, ...]  # which of the planted values the answer holds
    delegations: int
    as_predicted: bool
    window: int

    @property
    def sentence(self) -> str:
        """What happened, in one sentence."""
        given = "nothing" if not self.window else "the last run" if self.window == 1 else f"the last {self.window} runs"
        match (self.in_context, self.answered):
            case (True, True):
                return f"Remembered: it was given {given}, the fact among it, and the answer holds it."
            case (True, False):
                return f"Missed: it was given {given}, the fact among it, but the answer does not hold it."
            case (False, True):
                return f"Known from elsewhere: it was given {given}, without the fact, yet the answer holds it."
            case _:
                return f"Forgotten: it was given {given}, and the fact is not among it."


class Demonstration:
    """One presenter's session. Each step waits for its run; the session can be watched meanwhile."""

    def __init__(
        self,
        roundtable: Roundtable,
        *,
        user_id: str,
        team: str = "market-desk",
        fact: Fact = SAMPLE_FACTS[0],
        window: int = 3,
        model: str | None = None,
        session_id: str | None = None,
    ) -> None:
        self.session_id = session_id or f"{LAB_SESSION_PREFIX}demo-{uuid.uuid4().hex[:16]}"
        self.fact = fact
        self.window = window
        self.values = [fact.value]
        self._passed = 0
        self.user_id = user_id
        self.team = team
        self._roundtable = roundtable
        self._store = ExperimentStore(roundtable.database.connector)
        self._asker = Asker(roundtable=roundtable, user_id=user_id, team=team, model=model)
        roundtable.store.create_session(
            user_id=user_id, component_id=team, session_id=self.session_id, collection=COLLECTION
        )

    def rules(self, window: int | None = None) -> HistoryRules:
        """Return what decides which runs the next question is given, under this window or its own."""
        return self._asker.rules(self.window if window is None else window)

    def continue_after(self, passed: int) -> None:
        """Go on with the filler after the first `passed`, where a stored demonstration is taken up again."""
        self._passed = passed

    def plant(self) -> RunRecord:
        """Tell the fact."""
        return self.say(self.fact.planting)

    def say(self, text: str) -> RunRecord:
        """Ask anything in the session itself."""
        return self._asker.ask(text, session_id=self.session_id, window=self.window)

    def pass_fillers(self, count: int = 1) -> tuple[RunRecord, ...]:
        """Let `count` filler runs pass."""
        runs = []
        for _ in range(count):
            runs.append(self.say(FILLERS[self._passed % len(FILLERS)]))
            self._passed += 1
        return tuple(runs)

    def ask(self) -> Asked:
        """Ask for the fact in the session itself."""
        return self._asked(measure(self._asker, self.fact.question, session_id=self.session_id, window=self.window))

    def ask_in_fork(self, *, window: int | None = None, upto_run_id: str | None = None) -> Asked:
        """Ask for the fact in a fork, under another window: the session stays as it is."""
        window = self.window if window is None else window
        session_id = f"{self.session_id}-{uuid.uuid4().hex[:8]}"
        self._store.fork(
            self.session_id, user_id=self._asker.user_id, new_session_id=session_id, upto_run_id=upto_run_id
        )
        return self._asked(measure(self._asker, self.fact.question, session_id=session_id, window=window), window)

    def update(self, value: str) -> RunRecord:
        """Tell another value for the same thing; the old one stays in the history as long as its run does."""
        self.fact = replace(self.fact, value=value)
        self.values.append(value)
        return self.say(self.fact.planting)

    def ask_never_said(self) -> Asked:
        """Ask for something that was never said: it should say that it does not know."""
        fact = NEVER_SAID
        asked = measure(self._asker, fact.question, session_id=self.session_id, window=self.window)
        return self._asked(asked, fact=fact)

    def repeat_that(self) -> Asked:
        """Say "repeat that": the last answer again, from history, with no delegation."""
        return self._asked(measure(self._asker, "repeat that", session_id=self.session_id, window=self.window))

    def plant_and_stop(self) -> RunRecord:
        """Tell the fact and stop the run once it speaks: neither question nor answer is remembered."""
        engine, user_id = self._roundtable.engine, self._asker.user_id
        handle = engine.start(
            f"{self.fact.planting} [slow 30s]",
            user_id=user_id,
            team=self._asker.team,
            session_id=self.session_id,
            window=self.window,
            model=self._asker.model,
        )
        deadline = time.monotonic() + FIRST_WORD_S
        while handle.live and not handle.snapshot().answer and time.monotonic() < deadline:
            time.sleep(0.02)
        engine.stop(handle.run_id, user_id=user_id)
        handle.wait(FIRST_WORD_S)
        return self._roundtable.store.get_run(handle.run_id, user_id=user_id)

    def frames(self, window: int | None = None) -> tuple[Frame, ...]:
        """Return the runs of the session, oldest first, as the next question under this window sees them."""
        page = self._roundtable.store.list_runs(self.session_id, user_id=self._asker.user_id, limit=100)
        context = next_context(page.items, self.rules(window))
        return tuple(
            Frame(run=run, in_window=place.in_window, reason=place.reason, holds_fact=_holds(run, self.fact))
            for run, place in zip(page.items, context.runs, strict=True)
        )

    def questions_left(self, run_id: str) -> int | None:
        """Return how many more questions still carry a run; 0: it is forgotten."""
        runs = [frame.run for frame in self.frames()]
        return runs_left(runs, run_id, self.rules())

    def _asked(self, measured: Measurement, window: int | None = None, fact: Fact | None = None) -> Asked:
        fact = fact or self.fact
        return Asked(
            run=measured.run,
            in_context=in_messages(measured.given, fact),
            answered=holds_value(measured.run.answer, fact.value),
            values=which_values(measured.run.answer, self.values),
            delegations=count_delegations(measured.run),
            as_predicted=measured.same_context,
            window=self.window if window is None else window,
        )


def count_delegations(run: RunRecord) -> int:
    """Return how many tasks the leader gave to members."""
    return sum(isinstance(segment, DelegationSegment) for segment in run.segments)


def heard_only_by_members(run: RunRecord) -> tuple[MessageRecord, ...]:
    """Return what members of a run were told or told by their tools, and the leader was not.

    The leader's history never holds it; only what the member answered is in the leader's own messages.
    """
    known = {message.content.strip() for message in run.messages}
    return tuple(
        message
        for member_run in run.member_runs
        for part in member_run.walk()
        for message in part.messages
        if message.role in ("user", "tool") and message.content.strip() and message.content.strip() not in known
    )


def _holds(run: RunRecord, fact: Fact) -> bool:
    own = [message for message in run.messages if message not in given_history(run) and message.role != "system"]
    told = run.status is not RunStatus.COMPLETED and holds_value(run.question, fact.value)
    return told or in_messages(own, fact)
