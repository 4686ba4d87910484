"""The ledger of what a model request was not given: every earlier message of the session, with its reason.

The reasons are those of the history rules, applied to the session as it stood when the run began; the rules lie beside
this package and are handed in. Where several settings explain what was given, and a message is absent for another
reason under each, the stored rows do not tell which it was: the likeliest is named, and the others with it. Where no
rules explain it, the reasons are read off what was given: from a run of which nothing was given, older than all that
was, it lies outside the window; and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from lib.records import MessageRecord, RunRecord, RunStatus
from lib.replay.session_history import SessionHistory, Standing


class Absence(StrEnum):
    """Why a message of the session was not in a request."""

    OUTSIDE_WINDOW = "outside_window"
    MESSAGE_LIMIT = "message_limit"
    RUN_CANCELLED = "run_cancelled"
    RUN_ERROR = "run_error"
    RUN_PAUSED = "run_paused"
    RUN_REGENERATED = "run_regenerated"
    MEMBER_MESSAGE = "member_message"
    TOOL_CALL_FILTERED = "tool_call_filtered"
    LATER = "later"
    NOT_STORED = "not_stored"


_ABSENCE_OF_RULE = {
    **{str(absence): absence for absence in Absence},
    "history_off": Absence.OUTSIDE_WINDOW,
    "orphan_tool_result": Absence.MESSAGE_LIMIT,
    "other_component": Absence.MEMBER_MESSAGE,
    "run_interrupted": Absence.RUN_ERROR,
    "run_live": Absence.LATER,
}
_ABSENCE_OF_STATUS = {
    RunStatus.STOPPED: Absence.RUN_CANCELLED,
    RunStatus.FAILED: Absence.RUN_ERROR,
    RunStatus.INTERRUPTED: Absence.RUN_ERROR,
    RunStatus.PAUSED: Absence.RUN_PAUSED,
    RunStatus.REGENERATED: Absence.RUN_REGENERATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentMessage:
    """A message of the session that a request did not hold."""

    message: MessageRecord
    run_id: str
    reason: Absence
    or_else: tuple[Absence, ...] = ()  # what explains it as well; nothing stored tells which it was


class PredictedAbsence(Protocol):
    """What history rules say about a message that is not given."""

    @property
    def message(self) -> MessageRecord:
        """The message that is not given."""

    @property
    def run_id(self) -> str:
        """The run that said it."""

    @property
    def reason(self) -> str:
        """Why it is not given."""


class Prediction(Protocol):
    """What history rules say a run is given."""

    @property
    def messages(self) -> Sequence[MessageRecord]:
        """What is given of earlier runs, oldest first."""

    @property
    def absent(self) -> Sequence[PredictedAbsence]:
        """What is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the history of a run can have been: one prediction for each of the settings that explain it."""

    predictions: Sequence[Prediction] = ()  # the likeliest first; where the history is stored, each equals it
    against: int = 0  # so many runs about it were given what no such settings give
    unstored: Sequence[
        Prediction
    ] = ()  # what it can have been where it was not stored with the run, the likeliest first
    unstored_against: int = 0  # so many runs about it were given what no settings for that give
    doubt: str = ""  # then: what it goes by, in words


Reasons = Mapping[tuple[str, str], tuple[Absence, ...]]
"""Run and message -> why it is absent, the likeliest reason first."""


def list_absent(
    run: RunRecord,
    given: set[str],
    history: SessionHistory,
    standing: Standing,
    predictions: Iterable[Prediction],
    *,
    unknown: bool = False,
) -> tuple[AbsentMessage, ...]:
    """Return every message of the session that a run of it was not given.

    `given` holds the ids of the messages of its first request; `predictions` are what the rules that explain them say,
    of the session as it stood; for a member's run the ledger holds its own earlier messages.
    `unknown` says that nothing tells whether a member was given any: they may have been given, and not stored.
    """
    reasons = _reasons_of_rules(predictions)
    then = {other.run_id: other for other in standing}
    guess = _Guess(standing, given, any_history=any(message.from_history for message in run.messages))
    absent: list[AbsentMessage] = []
    if run.parent_run_id is not None:
        for other in standing:
            left_out = absence_of(other)
            found = _absent_of(other, given, left_out or guess, reasons)
            absent += (_or_not_stored(item) for item in found) if unknown and left_out is None else found
        return tuple(absent)
    replaced = history.replaced_runs(run)
    for other in history.runs:
        told: Absence | _Guess = Absence.LATER
        if other.run_id in then:
            told = absence_of(then[other.run_id]) or guess
            absent += _absent_of(other, given, told, reasons)
        elif other.run_id in replaced:
            told = absence_of(other) or Absence.LATER
            absent += _absent_of(other, given, told, {})
        elif other.run_id != run.run_id:
            absent += _absent_of(other, given, told, {})
        of_members = Absence.LATER if told is Absence.LATER and other.run_id != run.run_id else Absence.MEMBER_MESSAGE
        for member_run in list(other.walk())[1:]:
            absent += _absent_of(member_run, given, of_members, {})
    return tuple(absent)


def _or_not_stored(item: AbsentMessage) -> AbsentMessage:
    if Absence.NOT_STORED in (item.reason, *item.or_else):
        return item
    return replace(item, or_else=(*item.or_else, Absence.NOT_STORED))


def absence_of(other: RunRecord) -> Absence | None:
    """Return why the whole of a run is left out of every history; None where it counts."""
    return _ABSENCE_OF_STATUS.get(other.status)


def _reasons_of_rules(predictions: Iterable[Prediction]) -> Reasons:
    reasons: dict[tuple[str, str], tuple[Absence, ...]] = {}
    for prediction in predictions:
        for absence in prediction.absent:
            if absence.reason not in _ABSENCE_OF_RULE or absence.message.from_history:
                continue
            place, reason = (absence.run_id, absence.message.message_id), _ABSENCE_OF_RULE[absence.reason]
            if reason not in (known := reasons.get(place, ())):
                reasons[place] = (*known, reason)
    return reasons


def _absent_of(other: RunRecord, given: set[str], reason: Absence | _Guess, ruled: Reasons) -> Iterable[AbsentMessage]:
    """Yield the absent messages of a run; of one whose messages were not stored, its question."""
    own = [
        message
        for message in other.messages
        if not message.from_history and message.role not in ("system", "developer")
    ]
    if not own and other.question:
        asked = MessageRecord(
            message_id=f"{other.run_id}:question", role="user", content=other.question, run_id=other.run_id
        )
        yield AbsentMessage(
            message=asked, run_id=other.run_id, reason=Absence.NOT_STORED if isinstance(reason, _Guess) else reason
        )
    for message in own:
        if message.message_id in given:
            continue
        first, *others = ruled.get((other.run_id, message.message_id)) or (
            reason.reasons_for(message) if isinstance(reason, _Guess) else (reason,)
        )
        yield AbsentMessage(message=message, run_id=other.run_id, reason=first, or_else=tuple(others))


class _Guess:
    """Why messages of runs that count are absent, read off what was given; worked out when it is first asked."""

    def __init__(self, standing: Standing, given: set[str], *, any_history: bool) -> None:
        self._standing = standing
        self._given = given
        self._any_history = any_history

    @cached_property
    def _order(self) -> list[MessageRecord]:
        counted = (other for other in self._standing if absence_of(other) is None)
        return [message for other in counted for message in other.messages if not message.from_history]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {message.message_id: place for place, message in enumerate(self._order)}

    @cached_property
    def _first_given(self) -> int | None:
        return min((place for message_id, place in self._places.items() if message_id in self._given), default=None)

    def reasons_for(self, message: MessageRecord) -> tuple[Absence, ...]:
        """Return why a message is absent, the likeliest reason first."""
        if self._first_given is None:
            # All that was given is of runs that are gone: they, or a number of messages, may have filled it.
            by_number = (Absence.MESSAGE_LIMIT,) if self._any_history else ()
            return (Absence.OUTSIDE_WINDOW, *by_number)
        if self._places[message.message_id] > self._first_given:
            return (Absence.TOOL_CALL_FILTERED,)
        return (Absence.MESSAGE_LIMIT if _cut_inside(self._order, self._first_given) else Absence.OUTSIDE_WINDOW,)


def _cut_inside(order: Sequence[MessageRecord], first_given: int) -> bool:
    """Whether what was given begins within a run: only a message limit cuts a run in two."""
    before = [m for m in order[:first_given] if m.run_id == order[first_given].run_id and m.role != "system"]
    return any(message.role == "user" for message in before)
