"""One measurement: what the next question should be given, the question, and what the model was in fact given.

A member is measured through the team: the leader is asked to hand the question on, and what counts is what the member was
given and answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lib.errors import RoundtableError
from lib.recall.experiment import Fact
from lib.recall.judging import holds_value
from lib.recall.members import MemberRules, list_team_history, next_member_context, split_task, to_team_history_text
from lib.recall.window import HistoryRules, PredictedContext, next_context, place_runs
from lib.records import MessageRecord, RunRecord, RunStatus
from lib.roundtable import Roundtable
from lib.teams.catalogue import MemberEntry

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

    def member(self, member_id: str) -> MemberEntry:
        """Return a member of the team by its id."""
        return next(each for each in self.roundtable.catalogue.get(self.team).members if each.member_id == member_id)

    def rules(self, window: int) -> HistoryRules:
        """Return the history rules of the team under this window."""
        return self.roundtable.catalogue.get(self.team).history_rules(window)

    def recent_runs(self, session_id: str, window: int | None) -> tuple[RunRecord, ...]:
        """Return the newest runs of a session, as many as the window can hold or there are (None: all), oldest first."""
        store, cursor = self.roundtable.store, None
        runs: tuple[RunRecord, ...] = ()
        while True:
            page = store.list_runs(session_id, user_id=self.user_id, limit=_PAGE, before=cursor)
            runs = (*page.items, *runs)
            if page.next_cursor is None or self._enough(runs, window):
                return runs
            cursor = page.next_cursor

    def _enough(self, runs: tuple[RunRecord, ...], window: int | None) -> bool:
        return window is not None and sum(each.in_window for each in place_runs(runs, self.rules(window))) >= window


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A question asked under a window, with the prediction made before it."""

    run: RunRecord  # the leader's
    predicted: PredictedContext
    given: tuple[MessageRecord, ...]  # of earlier runs, as the model was given them
    answer: str  # of whom was asked: the leader or the member
    predicted_text: str = ""  # of earlier runs, told as text: `add_team_history_to_members`
    given_text: str = ""
    not_asked: str | None = None  # why the question did not reach the member as it was meant to

    @property
    def same_context(self) -> bool:
        """Whether exactly the predicted messages were given, in that order, and exactly the predicted text."""
        given = [message.message_id for message in self.given]
        return self.predicted_text == self.given_text and given == [
            message.message_id for message in self.predicted.messages
        ]

    @property
    def failed(self) -> str | None:
        """Why nothing was measured: the run did not complete, or the question did not reach the member."""
        if self.run.status is not RunStatus.COMPLETED:
            return self.run.error or f"The run is {self.run.status}."
        return self.not_asked

    def predicted_in_context(self, fact: Fact) -> bool:
        """Return whether the fact was predicted to be given."""
        return in_messages(self.predicted.messages, fact) or holds_value(self.predicted_text, fact.value)

    def in_context(self, fact: Fact) -> bool:
        """Return whether the fact was given."""
        return in_messages(self.given, fact) or holds_value(self.given_text, fact.value)


def measure(asker: Asker, question: str, *, session_id: str, window: int) -> Measurement:
    """Predict what `question` is given in the session as it stands, ask it, and read what it was given."""
    predicted = next_context(asker.recent_runs(session_id, window), asker.rules(window))
    run = asker.ask(question, session_id=session_id, window=window)
    return Measurement(run=run, predicted=predicted, given=given_history(run), answer=run.answer)


def measure_member(
    asker: Asker, fact: Fact, *, member: MemberEntry, rules: MemberRules, session_id: str, window: int
) -> Measurement:
    """Do the same with a member, which the leader is asked to hand the question to.

    The leader may still answer by itself, or tell the fact in the task it writes: then the member's memory was not
    measured, and the measurement says so.
    """
    runs = asker.recent_runs(session_id, None)
    predicted = next_member_context(runs, rules.history, member_id=member.member_id)
    told = to_team_history_text(list_team_history(runs, rules.team_history)) if rules.team_history else ""
    run = asker.ask(address(fact.question, member), session_id=session_id, window=window)
    own = next((each for each in run.member_runs if each.component_id == member.member_id), None)
    given_text, task = split_task(_task_of(own)) if own is not None else ("", "")
    return Measurement(
        run=run,
        predicted=predicted,
        given=given_history(own) if own is not None else (),
        answer=own.answer if own is not None else "",
        predicted_text=told,
        given_text=given_text,
        not_asked=_why_not_asked(own, task, fact, member),
    )


def address(text: str, member: MemberEntry | None) -> str:
    """Return `text` as it is said to the leader so that it hands it on to a member; None: as it is."""
    return text if member is None else f"Ask {member.name or member.member_id}: {text}"


def _task_of(run: RunRecord) -> str:
    return next((m.content for m in run.messages if m.role == "user" and m.own), "")


def _why_not_asked(own: RunRecord | None, task: str, fact: Fact, member: MemberEntry) -> str | None:
    if own is None:
        return f"The leader did not hand the question on to {member.name or member.member_id}."
    if holds_value(task, fact.value):
        return f"The leader told {member.name or member.member_id} the fact with the question."
    return None if own.status is RunStatus.COMPLETED else (own.error or f"The member's run is {own.status}.")


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
