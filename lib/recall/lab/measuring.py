"""One measurement: what the next question should be given, the question, and what the model was in fact given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lib.errors import RoundtableError
from lib.recall.experiment import Fact
from lib.recall.judging import holds_value
from lib.recall.window import HistoryRules, PredictedContext, next_context, place_runs
from lib.records import MessageRecord, RunRecord, RunStatus
from lib.roundtable import Roundtable

LONGEST_RUN_S = 600.0
"""A run that takes longer is stopped and counts as failed."""
_PAGE = 50


class MeasuringStopped(RoundtableError):
    """The reader asked to stop; the run that was under way was stopped too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks through the run engine and waits. `stopped` is looked at while it waits."""

    roundtable: Roundtable
    user_id: str
    team: str
    model: str | None = None
    stopped: Callable[[], bool] = bool  # bool() is False: never

    def ask(self, question: str, *, session_id: str, window: int) -> RunRecord:
        """Return the finished run as it is stored, its messages included. Raises MeasuringStopped."""
        if self.stopped():
            raise MeasuringStopped("Stopped.")
        handle = self.roundtable.engine.start(
            question, user_id=self.user_id, team=self.team, session_id=session_id, window=window, model=self.model
        )
        deadline = time.monotonic() + LONGEST_RUN_S
        while True:
            handle.wait(0.5)
            if not handle.live:
                break
            if self.stopped() or time.monotonic() > deadline:
                self.roundtable.engine.stop(handle.run_id, user_id=self.user_id)
                handle.wait(10.0)
                if self.stopped():
                    raise MeasuringStopped("Stopped.")
        return self.roundtable.store.get_run(handle.run_id, user_id=self.user_id)

    def rules(self, window: int) -> HistoryRules:
        """Return the history rules of the team under this window."""
        return self.roundtable.catalogue.get(self.team).history_rules(window)

    def recent_runs(self, session_id: str, window: int) -> tuple[RunRecord, ...]:
        """Return the newest runs of a session, as many as the window can hold or there are, oldest first."""
        store, cursor = self.roundtable.store, None
        runs: tuple[RunRecord, ...] = ()
        while True:
            page = store.list_runs(session_id, user_id=self.user_id, limit=_PAGE, before=cursor)
            runs = (*page.items, *runs)
            counted = sum(place.in_window for place in place_runs(runs, self.rules(window)))
            if page.next_cursor is None or counted >= window:
                return runs
            cursor = page.next_cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A question asked under a window, with the prediction made before it."""

    run: RunRecord
    predicted: PredictedContext
    given: tuple[MessageRecord, ...]  # of earlier runs, as the model was given them

    @property
    def same_context(self) -> bool:
        """Whether exactly the predicted messages were given, in that order."""
        return [message.message_id for message in self.predicted.messages] == [
            message.message_id for message in self.given
        ]

    @property
    def failed(self) -> str | None:
        """Why the run did not complete."""
        return None if self.run.status is RunStatus.COMPLETED else (self.run.error or f"The run is {self.run.status}.")


def measure(asker: Asker, question: str, *, session_id: str, window: int) -> Measurement:
    """Predict what `question` is given in the session as it stands, ask it, and read what it was given."""
    predicted = next_context(asker.recent_runs(session_id, window), asker.rules(window))
    run = asker.ask(question, session_id=session_id, window=window)
    return Measurement(run=run, predicted=predicted, given=given_history(run))


def given_history(run: RunRecord) -> tuple[MessageRecord, ...]:
    """Return the messages of earlier runs that a run was given: the engine stores them with it (agno-facts 2.9)."""
    return tuple(message for message in run.messages if message.from_history)


def in_messages(messages: Iterable[MessageRecord], fact: Fact) -> bool:
    """Return whether any of `messages` holds the fact's value."""
    return any(
        holds_value(message.content, fact.value)
        or any(holds_value(request.arguments, fact.value) for request in message.tool_requests)
        for message in messages
    )
