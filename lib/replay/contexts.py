"""What each model request was really given, and the ledger of what it was not.

Agno stores the messages of a run; with history messages stored too, request j of a run was given exactly what stands
before its j-th own assistant message (agno-facts 2.9). Where the history messages were not stored they are put in by
Agno's rules, and the request says "reconstructed". The rules live beside this package and are handed in as a function.

An earlier message that was not given has a reason. If the rules that are handed in give exactly what was given, their
reasons are taken; else they are read off what was given: from a run of which nothing was given, older than all that
was, it lies outside the window; and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import ndiff
from enum import StrEnum
from typing import Any, Protocol

from lib.records import MessageRecord, RunRecord, RunStatus, Tokens
from lib.replay.order import in_stored_order, is_before


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
class GivenMessage:
    """A message as a request held it."""

    message: MessageRecord
    origin_run_id: str | None  # the run in which it was first said; None where that run is not stored any more
    new: bool  # not in the previous request of the same run
    share: float  # of all characters of the request, 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentMessage:
    """A message of the session that a request did not hold."""

    message: MessageRecord
    run_id: str
    reason: Absence


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request to a model: all it was given, what came back, and what was not there."""

    run: RunRecord = field(repr=False)
    number: int  # from 1 within the run
    reconstructed: bool
    answer: MessageRecord | None
    absent: tuple[AbsentMessage, ...] = ()
    conversation: tuple[MessageRecord, ...] = field(repr=False)  # all messages of the run; the request held the first
    size: int  # ...so many of them
    size_before: int = 0  # and the previous request of the run this many
    origins: Mapping[str, str] = field(repr=False)

    @property
    def messages(self) -> tuple[GivenMessage, ...]:
        """What the request held, in order. Built when asked for: the requests of a long run hold each other's messages."""
        prompt = self.conversation[: self.size]
        total = sum(map(count_characters, prompt)) or 1
        return tuple(
            GivenMessage(
                message=message,
                origin_run_id=self.origins.get(message.message_id, None if message.from_history else self.run.run_id),
                new=place >= self.size_before,
                share=count_characters(message) / total,
            )
            for place, message in enumerate(prompt)
        )

    @property
    def tokens(self) -> Tokens:
        """What the model reported for this request."""
        return self.answer.tokens if self.answer else Tokens()

    @property
    def source(self) -> str:
        """`stored`, or `reconstructed` where the history messages were not stored."""
        return "reconstructed" if self.reconstructed else "stored"

    @property
    def system_prompt(self) -> str:
        """The system message of the request."""
        return "\n".join(given.message.content for given in self.messages if given.message.role == "system")


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


HistoryRule = Callable[[Sequence[RunRecord], RunRecord], Prediction | None]
"""Takes the session's earlier runs in stored order and the run that was asked; gives its predicted history, if it can."""


def list_requests(
    run: RunRecord,
    session_runs: Sequence[RunRecord],
    *,
    rule: HistoryRule | None = None,
    model_starts: Mapping[str, int] | None = None,
) -> tuple[ModelRequest, ...]:
    """Return the requests of a run and of every run under it, each run's own in order, leader first.

    `session_runs` are the top-level runs of the session; `rule` predicts history where it was not stored and explains
    what is absent; `model_starts` counts the requests of a run by its events, where they were stored.
    """
    history = _SessionHistory(session_runs)
    requests: list[ModelRequest] = []
    for part in run.walk():
        started = None if model_starts is None else model_starts.get(part.run_id)
        requests.extend(_requests_of(part, history, rule, started))
    return tuple(requests)


@dataclass(slots=True)
class _SessionHistory:
    """The messages of a session, and which run said them."""

    runs: Sequence[RunRecord]
    origins: dict[str, str] = field(default_factory=dict)
    successors: dict[str, RunRecord] = field(default_factory=dict)  # run id -> the new answer to the same question
    stores_history: bool = False

    def __post_init__(self) -> None:
        self.runs = in_stored_order(self.runs)
        self.successors = {replaced: run for run in self.runs if (replaced := replaced_by(run))}
        for top in _originals_first(self.runs):
            for run in top.walk():
                for message in run.messages:
                    self.stores_history = self.stores_history or message.from_history
                    if not message.from_history:
                        self.origins.setdefault(message.message_id, run.run_id)

    def earlier(self, run: RunRecord) -> list[RunRecord]:
        """Return the runs that were stored when `run` began and that its history is taken from, as they stood then."""
        given = {message.message_id for message in run.messages if message.from_history}
        if run.parent_run_id is None:
            others = self.runs
        else:
            others = [part for top in self.runs for part in top.walk() if part.component_id == run.component_id]
        return [
            self._as_it_was(other, run, given)
            for other in others
            if other.run_id != run.run_id and (is_before(other, run) or self._was_given(other, given))
        ]

    def _as_it_was(self, other: RunRecord, run: RunRecord, given: set[str]) -> RunRecord:
        """Return a run as it stood when `run` was asked: one that was regenerated only later was still complete."""
        if other.status is not RunStatus.REGENERATED:
            return other
        successor = self.successors.get(other.run_id)
        # Its answer is its own; the question may have come with the new answer, which has the same message.
        answer = next((m.message_id for m in reversed(other.messages) if not m.from_history), None)
        if successor is not None and successor.run_id == run.run_id:
            return other  # Agno sets the old answer aside before it asks for the new one
        later = not is_before(successor, run) if successor else answer in given
        if not later:
            return other
        return replace(other, status=RunStatus.COMPLETED, raw={})  # what is stored now is not how it stood then

    def _was_given(self, other: RunRecord, given: set[str]) -> bool:
        """Whether messages that `other` said first were given: then it came before, whatever its time and place say."""
        return any(
            message.message_id in given and self.origins.get(message.message_id) == other.run_id
            for message in other.messages
        )


def _originals_first(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return runs with every new answer after the run it replaced, whose messages it holds too, whatever their places."""
    replaced = {run.run_id: replaced_by(run) for run in runs}

    def generation(run: RunRecord) -> int:
        count, here = 0, replaced[run.run_id]
        while here is not None and count <= len(runs):  # rows may name each other
            count, here = count + 1, replaced.get(here)
        return count

    return sorted(runs, key=generation)


def _requests_of(
    run: RunRecord, history: _SessionHistory, rule: HistoryRule | None, started: int | None
) -> list[ModelRequest]:
    earlier = history.earlier(run)
    prediction = rule(earlier, run) if rule else None
    messages, reconstructed = _with_history(run, history, earlier, prediction)
    requests: list[ModelRequest] = []
    absent: tuple[AbsentMessage, ...] | None = None
    for size, answer in _split(messages, run, history, started):
        if absent is None:  # history stands before the first answer
            given_ids = [message.message_id for message in messages[:size]]
            absent = _ledger(run, given_ids, history, earlier, prediction)
        requests.append(
            ModelRequest(
                run=run,
                number=len(requests) + 1,
                reconstructed=reconstructed,
                answer=answer,
                absent=absent,
                conversation=messages,
                size=size,
                size_before=requests[-1].size if requests else 0,
                origins=history.origins,
            )
        )
    return requests


def _with_history(
    run: RunRecord, history: _SessionHistory, earlier: Sequence[RunRecord], prediction: Prediction | None
) -> tuple[tuple[MessageRecord, ...], bool]:
    """Return the messages with their history, and whether it had to be put in."""
    stored = any(message.from_history for message in run.messages)
    if stored or history.stores_history or not earlier or not run.messages or run.settings or run.parent_run_id:
        # Members are given no history unless they ask for it; nothing stored says that one did.
        return run.messages, False
    if prediction is None:
        return run.messages, True
    if not prediction.messages:  # nothing was there to be given, or the rules say that it was not
        return run.messages, any(absence.reason in ("history_off", "outside_window") for absence in prediction.absent)
    place = next((i for i, message in enumerate(run.messages) if message.role != "system"), len(run.messages))
    return (*run.messages[:place], *prediction.messages, *run.messages[place:]), True


def _split(
    messages: Sequence[MessageRecord], run: RunRecord, history: _SessionHistory, started: int | None
) -> Iterable[tuple[int, MessageRecord | None]]:
    """Yield how many of the messages each request held, and the answer to it."""
    found = 0
    for place, message in enumerate(messages):
        answered_here = history.origins.get(message.message_id, run.run_id) == run.run_id
        if message.role == "assistant" and message.own and answered_here:
            found += 1
            yield place, message
    # A request that failed, or was stopped before the first word, has no answer in the messages.
    unanswered = bool(messages) and messages[-1].role in ("user", "tool")
    asked = run.status is RunStatus.FAILED if started is None else started > found
    if unanswered and asked:
        yield len(messages), None


def count_characters(message: MessageRecord) -> int:
    """Return how long a message is, its tool requests included."""
    requests = sum(len(request.tool_name) + len(request.arguments) for request in message.tool_requests)
    return len(message.content) + requests


# -- the ledger of what was not there ----------------------------------------------------------------------------------


def _ledger(
    run: RunRecord,
    given_ids: Sequence[str],
    history: _SessionHistory,
    earlier: Sequence[RunRecord],
    prediction: Prediction | None,
) -> tuple[AbsentMessage, ...]:
    given = set(given_ids)
    reasons = _reasons_of_rule(prediction, given, run)
    absent: list[AbsentMessage] = []
    if run.parent_run_id is not None:  # a member: its own earlier messages
        for other in earlier:
            absent += _absent_of(other, given, _reason_outside(other, earlier, given), reasons)
        return tuple(absent)
    then = {other.run_id: other for other in earlier}
    for other in history.runs:
        reason: Absence | Callable[[MessageRecord], Absence] | None
        if other.run_id == run.run_id:
            reason = None
        elif other.run_id not in then:
            reason = Absence.LATER
        else:
            reason = _reason_outside(then[other.run_id], earlier, given)
        if reason is not None:
            absent += _absent_of(other, given, reason, reasons if reason is not Absence.LATER else {})
        under = Absence.LATER if reason is Absence.LATER else Absence.MEMBER_MESSAGE
        for member_run in list(other.walk())[1:]:
            absent += _absent_of(member_run, given, under, {})
    return tuple(absent)


def _reasons_of_rule(prediction: Prediction | None, given: set[str], run: RunRecord) -> dict[str, Absence]:
    """Return the reasons of the rules, if they give exactly what was given."""
    if prediction is None:
        return {}
    own = {message.message_id for message in run.messages if not message.from_history}
    if {message.message_id for message in prediction.messages} != given - own:
        return {}
    return {
        absence.message.message_id: _ABSENCE_OF_RULE[absence.reason]
        for absence in prediction.absent
        if absence.reason in _ABSENCE_OF_RULE and not absence.message.from_history
    }


def _absent_of(
    other: RunRecord,
    given: set[str],
    reason: Absence | Callable[[MessageRecord], Absence],
    ruled: Mapping[str, Absence],
) -> list[AbsentMessage]:
    """Return the absent messages of a run; of one whose messages were not stored, its question."""
    own = [
        message
        for message in other.messages
        if not message.from_history and message.role not in ("system", "developer")
    ]
    if not own and other.question:
        asked = MessageRecord(
            message_id=f"{other.run_id}:question", role="user", content=other.question, run_id=other.run_id
        )
        return [AbsentMessage(message=asked, run_id=other.run_id, reason=_unstored(reason, asked))]
    return [
        AbsentMessage(
            message=message,
            run_id=other.run_id,
            reason=ruled.get(message.message_id) or (reason(message) if callable(reason) else reason),
        )
        for message in own
        if message.message_id not in given
    ]


def _unstored(reason: Absence | Callable[[MessageRecord], Absence], asked: MessageRecord) -> Absence:
    reason = reason(asked) if callable(reason) else reason
    return Absence.NOT_STORED if reason in (Absence.OUTSIDE_WINDOW, Absence.MESSAGE_LIMIT) else reason


def _reason_outside(
    other: RunRecord, earlier: Sequence[RunRecord], given: set[str]
) -> Absence | Callable[[MessageRecord], Absence]:
    """Return why an earlier run's messages are absent, read off what was given."""
    skipped = absence_of(other)
    if skipped is not None:
        return skipped
    eligible = [item for item in earlier if absence_of(item) is None]
    order = [message for item in eligible for message in item.messages if not message.from_history]
    places = {message.message_id: place for place, message in enumerate(order)}
    first_given = min((place for message_id, place in places.items() if message_id in given), default=None)
    if first_given is None:
        return Absence.OUTSIDE_WINDOW
    cut_inside = _cut_inside(order, first_given)

    def reason_for(message: MessageRecord) -> Absence:
        if places[message.message_id] > first_given:
            return Absence.TOOL_CALL_FILTERED
        return Absence.MESSAGE_LIMIT if cut_inside else Absence.OUTSIDE_WINDOW

    return reason_for


def _cut_inside(order: Sequence[MessageRecord], first_given: int) -> bool:
    """Whether what was given begins within a run: only a message limit cuts a run in two."""
    before = [m for m in order[:first_given] if m.run_id == order[first_given].run_id and m.role != "system"]
    return any(message.role == "user" for message in before)


def absence_of(other: RunRecord) -> Absence | None:
    """Return why the whole of a run is left out of every history; None where it counts."""
    return _ABSENCE_OF_STATUS.get(other.status)


def replaced_by(run: RunRecord) -> str | None:
    """Return the id of the run that `run` is a new answer to."""
    data: Any = run.raw.get("run_data", run.raw)
    for name in ("regenerated_from", "forked_from_run_id"):
        if isinstance(data, Mapping) and isinstance(data.get(name), str):
            return str(data[name])
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLine:
    """A line of a system prompt, and whether it is new, gone or the same as in the previous run's."""

    text: str
    change: str  # "same", "added" or "removed"


def list_prompt_lines(request: ModelRequest, previous: ModelRequest | None) -> tuple[PromptLine, ...]:
    """Return the system prompt of a request with the differences to a previous run's request marked."""
    if previous is None:
        return tuple(PromptLine(text=line, change="same") for line in request.system_prompt.splitlines())
    changes = {" ": "same", "+": "added", "-": "removed"}
    return tuple(
        PromptLine(text=line[2:], change=changes[line[0]])
        for line in ndiff(previous.system_prompt.splitlines(), request.system_prompt.splitlines())
        if line[0] in changes
    )
