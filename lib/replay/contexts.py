"""What each model request was really given.

Agno stores the messages of a run; with history messages stored too, request j of a run was given exactly what stands
before its j-th own assistant message (agno-facts 2.9). Each team, agent and member has a setting of its own for that, and
may change it between two runs. Where history messages were not stored, or it is not known whether they were, they are put
in by Agno's rules, and the request says "reconstructed" and what that goes by. The rules lie beside this package and are
handed in as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lib.records import DelegationSegment, MessageRecord, RunRecord, RunStatus, TextSegment, Tokens
from lib.replay.absences import Absence, AbsentMessage, Explanation, Prediction, absence_of, list_absent
from lib.replay.session_history import SessionHistory, Standing, has_history


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenMessage:
    """A message as a request held it."""

    message: MessageRecord
    origin_run_id: str | None  # the run in which it was first said; None where that run is not stored any more
    new: bool  # not in the previous request of the same run
    share: float  # of all characters of the request, 0 to 1
    text: str  # what the model was sent: the compressed text of a tool result, where there was one by then
    note: str = ""  # on a compressed text: what it stands for, and what is not known of it


@dataclass(frozen=True, slots=True)
class Compression:
    """From which request of a run on a tool result was sent compressed, and whether the events tell so."""

    request: int
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One request to a model: all it was given, what came back, and what was not there."""

    run: RunRecord = field(repr=False)
    number: int  # from 1 within the run
    reconstructed: bool
    doubt: str = ""  # where it is reconstructed: what that goes by, in words
    answer: MessageRecord | None
    listed_absent: tuple[AbsentMessage, ...] = field(default=(), repr=False)  # the requests of a run share it
    said_after: Mapping[str, int] = field(default_factory=dict, repr=False)  # member's run -> place of its task
    compressed_from: Mapping[str, Compression] = field(default_factory=dict, repr=False)
    conversation: tuple[MessageRecord, ...] = field(repr=False)  # all messages of the run; the request held the first
    size: int  # ...so many of them
    size_before: int = 0  # and the previous request of the run this many
    history_since: int = 0  # ...without so many history messages that were read anew since, when a paused run went on
    origins: Mapping[str, str] = field(repr=False)

    @property
    def messages(self) -> tuple[GivenMessage, ...]:
        """What the request held, in order. Built when asked for: the requests of a long run hold each other's messages."""
        prompt = self.conversation[: self.size]
        texts = [self._text_of(message) for message in prompt]
        sizes = [count_characters(message) - len(message.content) + len(texts[i]) for i, message in enumerate(prompt)]
        total = sum(sizes) or 1
        return tuple(
            GivenMessage(
                message=message,
                origin_run_id=self.origins.get(message.message_id, None if message.from_history else self.run.run_id),
                new=place >= self.size_before + self.history_since or bool(self.history_since and message.from_history),
                share=sizes[place] / total,
                text=texts[place],
                note=self._note_on(message),
            )
            for place, message in enumerate(prompt)
        )

    def _text_of(self, message: MessageRecord) -> str:
        since = self.compressed_from.get(message.message_id)
        is_compressed = since is not None and self.number >= since.request
        return message.compressed or "" if is_compressed else message.content

    def _note_on(self, message: MessageRecord) -> str:
        since = self.compressed_from.get(message.message_id)
        if since is None:
            return ""
        if self.number < since.request:
            return f"sent in full here, compressed from request {since.request} on"
        sizes = f"compressed from {len(message.content):,} to {len(message.compressed or ''):,} characters"
        return sizes if since.certain else f"{sizes}; that it was so already here is assumed"

    @property
    def absent(self) -> tuple[AbsentMessage, ...]:
        """Every message of the session that the request did not hold, with its reason."""
        if all(place < self.size for place in self.said_after.values()):
            return self.listed_absent
        return tuple(
            replace(item, reason=Absence.LATER) if self.said_after.get(item.run_id, -1) >= self.size else item
            for item in self.listed_absent
        )

    @property
    def tokens(self) -> Tokens:
        """What the model reported for this request."""
        return self.answer.tokens if self.answer else Tokens()

    @property
    def source(self) -> str:
        """`stored`, or `reconstructed` where the history messages were not stored, or that is not known."""
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
    compressions: Mapping[str, Sequence[int]] | None = None,
) -> tuple[ModelRequest, ...]:
    """Return the requests of a run and of every run under it, each run's own in order, leader first.

    `rule` predicts history where it was not stored and explains what is absent; `model_starts` counts the requests of a
    run by its events, where they were stored, and `compressions` names those before which tool results were compressed.
    """
    requests: list[ModelRequest] = []
    for part in run.walk():
        started = None if model_starts is None else model_starts.get(part.run_id)
        compressed = (compressions or {}).get(part.run_id, ())
        found = _requests_of(part, history, rule, started, compressed)
        resumed_at = history.resumed_at(part)
        if resumed_at is not None:
            bare = replace(part, messages=tuple(message for message in part.messages if not message.from_history))
            first = _requests_of(bare, history, rule, started, compressed)
            found = _resume(first, found, resumed_at)
        requests.extend(found)
    return tuple(requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What is known of the history that a run was given."""

    standing: Standing  # how the session stood when the run began
    predictions: Sequence[Prediction] = ()  # what the rules say of it; none where nothing explains it
    stored: bool = True  # False: it was not stored with the run, or nothing tells whether it was
    doubt: str = ""


SAME_SECOND = (
    "Nothing of earlier runs is stored with this one. It was asked in the same second as another, which was not done"
    " then, or else its history was not stored."
)
NOT_EXPLAINED = "Nothing of earlier runs is stored with this one, nor whether it was given any."


CALLS_NOT_STORED = (
    "The calls of this run and their results were not stored among its messages. The request that brought its answer"
    " held them, too."
)


def _find_told(run: RunRecord, history: SessionHistory, rule: HistoryRule | None) -> _Told:
    """Return what is known of the history of a run: as stored, where settings explain that, else by rules."""
    stored = has_history(run) or history.is_ours(run)
    likeliest: Standing = ()
    first = Explanation(doubt=NOT_EXPLAINED)
    best: tuple[_Told, int] | None = None
    for number, equally_likely in enumerate(history.standings(run)):
        told = [(standing, rule(standing, run)) for standing in equally_likely] if rule else []
        if number == 0:
            likeliest = equally_likely[0]
            stored = stored or not _was_anything_there(likeliest)
            if told and told[0][1].unstored:
                assumed = [prediction for _, explained in told for prediction in explained.unstored]
                first = replace(told[0][1], unstored=assumed)
        told = [(standing, explained) for standing, explained in told if explained.predictions]
        if not told:
            if first.unstored:
                break
            continue
        against = min(explained.against for _, explained in told)
        if best is None or against < best[1]:
            fitting = [(standing, explained) for standing, explained in told if explained.against == against]
            predictions = [one for _, explained in fitting for one in explained.predictions]
            certain = stored or number == 0
            best = (
                _Told(
                    standing=fitting[0][0],
                    predictions=predictions,
                    stored=certain,
                    doubt="" if certain else SAME_SECOND,
                ),
                against,
            )
        if against == 0:
            break
    if best is not None and (stored or not first.unstored or best[1] <= first.unstored_against):
        return best[0]
    return _Told(standing=likeliest, predictions=first.unstored, stored=stored, doubt="" if stored else first.doubt)


def _was_anything_there(standing: Standing) -> bool:
    """Whether an earlier run had messages that a history may hold."""
    return any(
        absence_of(other) is None
        and any(message.role != "system" and not message.from_history for message in other.messages)
        for other in standing
    )


def _requests_of(
    run: RunRecord,
    history: SessionHistory,
    rule: HistoryRule | None,
    started: int | None,
    compressions: Sequence[int],
) -> list[ModelRequest]:
    told = _find_told(run, history, rule)
    messages = _with_history(run, told)
    unknown = not told.stored and len(messages) == len(run.messages)
    without_calls = _calls_are_not_among(run)
    requests: list[ModelRequest] = []
    absent: tuple[AbsentMessage, ...] | None = None
    said_after = _places_of_tasks(run, messages) if run.parent_run_id is None else {}
    compressed_from: dict[str, Compression] = {}
    for size, answer in _split(messages, run, history, started):
        if absent is None:  # history stands before the first answer
            given = {message.message_id for message in messages[:size]}
            absent = list_absent(run, given, history, told.standing, told.predictions, unknown=unknown)
        before = requests[-1].size if requests else 0
        for message in messages[before:size]:
            if message.compressed is not None:
                compressed_from[message.message_id] = _compressed_from(
                    message, len(requests) + 1, compressions, history.compressed
                )
        requests.append(
            ModelRequest(
                run=run,
                number=len(requests) + 1,
                reconstructed=without_calls or not told.stored,
                doubt=" ".join(filter(None, (told.doubt, CALLS_NOT_STORED if without_calls else ""))),
                answer=answer,
                listed_absent=absent,
                said_after=said_after,
                compressed_from=compressed_from,
                conversation=messages,
                size=size,
                size_before=before,
                origins=history.origins,
            )
        )
    return requests


def _calls_are_not_among(run: RunRecord) -> bool:
    """Whether a run made calls of which its messages hold none, as a program may choose (`store_tool_messages`)."""
    made = any(not isinstance(segment, TextSegment) and not segment.call.given_up for segment in run.segments)
    return made and not any(message.own and (message.tool_requests or message.tool_call_id) for message in run.messages)


def _resume(first: Sequence[ModelRequest], since: Sequence[ModelRequest], resumed_at: int) -> list[ModelRequest]:
    """Return the requests of a run before it paused and since it went on, which were given another history."""
    before = [request.size <= resumed_at for request in since]
    requests = [one if paused else other for one, other, paused in zip(first, since, before, strict=True)]
    for place in range(1, len(requests)):
        if before[place - 1] and not before[place]:
            read_anew = since[place - 1].size - first[place - 1].size
            requests[place] = replace(since[place], size_before=first[place - 1].size, history_since=read_anew)
    return requests


def _compressed_from(
    message: MessageRecord, request: int, compressions: Sequence[int], compressed_when_said: set[str]
) -> Compression:
    """Return since when a tool result that `request` is the first to hold was sent compressed.

    Agno compresses all that are not, before a request, once there are enough. A result from history may have come so.
    """
    if message.from_history and message.message_id in compressed_when_said:
        return Compression(request, certain=False)  # the setting may be another by now
    done = next((number for number in compressions if number >= request), None)
    return Compression(request if done is None else done, certain=done is not None)


def _places_of_tasks(run: RunRecord, messages: Sequence[MessageRecord]) -> dict[str, int]:
    """Return for each run of a member, and each under it, which message asked for it."""
    asked: dict[str, list[RunRecord | None]] = {}
    for segment in run.segments:
        if isinstance(segment, DelegationSegment):
            asked.setdefault(segment.call.tool_call_id, []).append(segment.run)
    places: dict[str, int] = {}
    for place, message in enumerate(messages):
        for request in message.tool_requests if not message.from_history else ():
            member_run = asked[request.tool_call_id].pop(0) if asked.get(request.tool_call_id) else None
            if member_run is not None:
                places.update((part.run_id, place) for part in member_run.walk())
    return places


def _with_history(run: RunRecord, told: _Told) -> tuple[MessageRecord, ...]:
    """Return the messages of a run, with the likeliest history put in where none is stored."""
    history = () if told.stored or not run.messages or not told.predictions else told.predictions[0].messages
    place = next((i for i, message in enumerate(run.messages) if message.role != "system"), len(run.messages))
    return (*run.messages[:place], *history, *run.messages[place:])


def _split(
    messages: Sequence[MessageRecord], run: RunRecord, history: SessionHistory, started: int | None
) -> Iterable[tuple[int, MessageRecord | None]]:
    """Yield how many of the messages each request held, and the answer to it."""
    answers = [
        place
        for place, message in enumerate(messages)
        if message.role == "assistant"
        and message.own
        and not message.unasked
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
