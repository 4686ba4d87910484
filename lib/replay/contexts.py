"""What each model request was really given.

Agno stores the messages of a run; with history messages stored too, request j of a run was given exactly what stands
before its j-th own assistant message (agno-facts 2.9). Where the history messages were not stored they are put in by
Agno's rules, and the request says "reconstructed". The rules lie beside this package and are handed in as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lib.records import MessageRecord, RunRecord, RunStatus, Tokens
from lib.replay.absences import AbsentMessage, Explanation, Prediction, list_absent
from lib.replay.session_history import SessionHistory, Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenMessage:
    """A message as a request held it."""

    message: MessageRecord
    origin_run_id: str | None  # the run in which it was first said; None where that run is not stored any more
    new: bool  # not in the previous request of the same run
    share: float  # of all characters of the request, 0 to 1


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


HistoryRule = Callable[[Standing, RunRecord], Explanation]
"""Takes the session's earlier runs, as they stood, and the run that was asked; explains its history by settings."""


def list_requests(
    run: RunRecord,
    history: SessionHistory,
    *,
    rule: HistoryRule | None = None,
    model_starts: Mapping[str, int] | None = None,
) -> tuple[ModelRequest, ...]:
    """Return the requests of a run and of every run under it, each run's own in order, leader first.

    `rule` predicts history where it was not stored and explains what is absent; `model_starts` counts the requests of a
    run by its events, where they were stored.
    """
    requests: list[ModelRequest] = []
    for part in run.walk():
        started = None if model_starts is None else model_starts.get(part.run_id)
        requests.extend(_requests_of(part, history, rule, started))
    return tuple(requests)


def find_predictions(
    run: RunRecord, history: SessionHistory, rule: HistoryRule | None
) -> tuple[Standing, list[Prediction]]:
    """Return how the session stood when `run` began, and what the rules say of it; none where nothing explains it."""
    likeliest: Standing = ()
    best: tuple[Standing, list[Prediction], int] | None = None
    for number, equally_likely in enumerate(history.standings(run)):
        if number == 0:
            likeliest = equally_likely[0]
        told = [(standing, rule(standing, run)) for standing in equally_likely] if rule else []
        told = [(standing, explained) for standing, explained in told if explained.predictions]
        if not told:
            continue
        against = min(explained.against for _, explained in told)
        if best is None or against < best[2]:
            fitting = [(standing, explained) for standing, explained in told if explained.against == against]
            best = (fitting[0][0], [one for _, explained in fitting for one in explained.predictions], against)
        if against == 0:
            break
    return best[:2] if best else (likeliest, [])


def _requests_of(
    run: RunRecord, history: SessionHistory, rule: HistoryRule | None, started: int | None
) -> list[ModelRequest]:
    standing, predictions = find_predictions(run, history, rule)
    messages, reconstructed = _with_history(run, history, standing, predictions)
    requests: list[ModelRequest] = []
    absent: tuple[AbsentMessage, ...] | None = None
    for size, answer in _split(messages, run, history, started):
        if absent is None:  # history stands before the first answer
            given = {message.message_id for message in messages[:size]}
            absent = list_absent(run, given, history, standing, predictions)
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
    run: RunRecord, history: SessionHistory, standing: Standing, predictions: Sequence[Prediction]
) -> tuple[tuple[MessageRecord, ...], bool]:
    """Return the messages with their history, and whether it had to be put in."""
    stored = any(message.from_history for message in run.messages)
    if stored or history.stores_history or not standing or not run.messages or run.settings or run.parent_run_id:
        # Members are given no history unless they ask for it; nothing stored says that one did.
        return run.messages, False
    if not predictions:
        return run.messages, True
    prediction = predictions[0]
    if not prediction.messages:  # nothing was there to be given, or the rules say that it was not
        return run.messages, any(absence.reason in ("history_off", "outside_window") for absence in prediction.absent)
    place = next((i for i, message in enumerate(run.messages) if message.role != "system"), len(run.messages))
    return (*run.messages[:place], *prediction.messages, *run.messages[place:]), True


def _split(
    messages: Sequence[MessageRecord], run: RunRecord, history: SessionHistory, started: int | None
) -> Iterable[tuple[int, MessageRecord | None]]:
    """Yield how many of the messages each request held, and the answer to it."""
    answers = [
        place
        for place, message in enumerate(messages)
        if message.role == "assistant"
        and message.own
        and history.origins.get(message.message_id, run.run_id) == run.run_id
    ]
    # A request that failed, or was stopped before the first word, has no answer in the messages.
    unanswered = bool(messages) and messages[-1].role in ("user", "tool")
    if started is not None and history.took_over_from_deleted(run):
        answered = started - unanswered
        answers = answers[max(len(answers) - answered, 0) :]
    for place in answers:
        yield place, messages[place]
    asked = run.status is RunStatus.FAILED if started is None else started > len(answers)
    if unanswered and asked:
        yield len(messages), None


def count_characters(message: MessageRecord) -> int:
    """Return how long a message is, its tool requests included."""
    requests = sum(len(request.tool_name) + len(request.arguments) for request in message.tool_requests)
    return len(message.content) + requests
