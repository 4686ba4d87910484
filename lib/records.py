"""The values that are shown: sessions, runs, messages, tool calls and delegations.

They know nothing of Agno, SQL or Streamlit. Agno's rows and events are translated into them once, at the border
(`lib.storage`), and everything above (replay, recall, pages) trusts the type. All are frozen; all times are aware UTC.

A run is drawn from its `segments`: the leader's words, tool calls and delegations in the order in which they happened.
A live run and the same run read back have equal segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")

MAX_ID_LENGTH = 128
"""Agno's id columns are VARCHAR(128) on MySQL; a longer id loses the run there (agno-facts 4.5)."""

LAB_SESSION_PREFIX = "recall-lab-"
"""Ids of the recall lab's sessions begin so; lists of sessions leave them out."""


class SessionKind(StrEnum):
    """What a session is held with."""

    TEAM = "team"
    AGENT = "agent"
    WORKFLOW = "workflow"


class RunStatus(StrEnum):
    """Where a run stands. Stored values are Agno's; waiting, running and interrupted are ours."""

    WAITING = "waiting"  # behind another question of the same session
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"  # Agno: CANCELLED
    FAILED = "failed"  # Agno: ERROR
    INTERRUPTED = "interrupted"  # the process ended while it ran
    PAUSED = "paused"
    REGENERATED = "regenerated"
    UNKNOWN = "unknown"  # a status this version does not know; kept in `raw`

    @property
    def live(self) -> bool:
        """Whether the run may still change."""
        return self in (RunStatus.WAITING, RunStatus.RUNNING)


class ErrorKind(StrEnum):
    """Why a run failed, as our engine tells it: its reason is then a whole sentence of ours."""

    KEY = "key"  # the provider did not accept it, or none is set
    RATE = "rate"  # the provider takes no more requests for now
    LENGTH = "length"  # question and history are longer than the model reads
    MODEL = "model"  # the model or its provider failed otherwise
    QUESTION_CHECK = "question_check"  # a check of the team refused the question
    ANSWER_CHECK = "answer_check"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    REFUSED = "refused"  # an error of `lib.errors`: it says what to do next
    OTHER = "other"


class SavedState(StrEnum):
    """Whether the database holds what is shown."""

    LIVE = "live"  # not finished; the question is stored, the rest only streamed
    STORED = "stored"
    KEPT_ON_DISK = "kept_on_disk"  # the database refused it; it will be written when the database is there again


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Token counts as the model reported them; `None` where it reported none."""

    input: int | None = None
    output: int | None = None
    total: int | None = None

    def __add__(self, other: Tokens) -> Tokens:
        def plus(a: int | None, b: int | None) -> int | None:
            return b if a is None else a if b is None else a + b

        return Tokens(
            input=plus(self.input, other.input),
            output=plus(self.output, other.output),
            total=plus(self.total, other.total),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRequest:
    """A tool call as an assistant message asks for it; `arguments` is the JSON text the model wrote."""

    tool_call_id: str
    tool_name: str
    arguments: str


class Attachment(NamedTuple):
    """An image that a person asks about: its bytes, what they are, and what its file is called."""

    content: bytes
    mime_type: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An attached or produced image: where its bytes are, never the bytes themselves."""

    image_id: str
    mime_type: str | None = None
    name: str | None = None
    storage_key: str | None = None  # in MEDIA_DIR
    url: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """One message as a model was given it or gave it."""

    message_id: str
    role: str  # system, user, assistant, tool, or what was stored
    content: str
    run_id: str | None = None  # the run whose row holds this message
    from_history: bool = False
    injected: bool = False  # given with the question (Agno's `additional_input`, a list of messages as input), not said
    taken_over: bool = False  # said in the run that this one answers anew, and stored with both
    unasked: bool = False  # on an assistant message: the run's own model was not asked for it
    tool_requests: tuple[ToolRequest, ...] = ()  # on assistant messages
    tool_call_id: str | None = None  # on tool messages
    tool_name: str | None = None
    tool_failed: bool = False
    compressed: str | None = None  # of a tool result: what models were sent in its place once it was compressed
    reasoning: str | None = None
    images: tuple[ImageRecord, ...] = ()
    tokens: Tokens = Tokens()
    created_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def own(self) -> bool:
        """Whether it came with this run: not from history or from a run before, and not given with the question."""
        return not (self.from_history or self.injected or self.taken_over)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallRecord:
    """One tool call: what was asked, what came back, how long it took."""

    tool_call_id: str
    tool_name: str
    arguments: Mapping[str, Any]
    result: str | None = None  # None while it runs, or where none was stored
    failed: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    given_up: bool = False  # made in an attempt of the run that failed; the run began anew after it

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end, where both were recorded."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSegment:
    """Words of the run's own model, as one stretch between two tool calls."""

    text: str
    message_id: str | None = field(default=None, compare=False)  # known once the run is stored
    draft: bool = False  # handed to a second model, which wrote the answer from it: it was not seen


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSegment:
    """A tool the run's own model called."""

    call: ToolCallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationSegment:
    """A task the leader gave to a member, with the member's run where it is known."""

    call: ToolCallRecord
    member_id: str
    task: str
    run: RunRecord | None = None


Segment = TextSegment | ToolSegment | DelegationSegment


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One question worked to its end by a team, agent or workflow, with the member runs under it."""

    run_id: str
    session_id: str
    user_id: str | None
    kind: SessionKind
    component_id: str
    component_name: str
    status: RunStatus
    question: str
    question_message_id: str | None = field(default=None, compare=False)  # known once the run is stored
    segments: tuple[Segment, ...] = ()
    parent_run_id: str | None = None
    member_runs: tuple[RunRecord, ...] = ()  # all of them, also those no delegation could be matched to
    messages: tuple[MessageRecord, ...] = ()  # as stored, history messages included where they were stored
    images: tuple[ImageRecord, ...] = ()
    error: str | None = None  # the plain reason of a failed run
    error_kind: ErrorKind | None = None  # None: `error` is another program's own words
    stop_reason: str | None = None  # why another program's run was stopped, in its own words
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_s: float | None = None
    exact_times: bool = False  # False: stored times are whole seconds
    tokens: Tokens = Tokens()  # of this run's own model; see `total_tokens`
    model: str | None = None  # provider:id
    settings: Mapping[str, Any] = field(default_factory=dict)  # in force when it ran: model, window, version
    run_index: int | None = None
    saved: SavedState = SavedState.STORED
    notes: tuple[str, ...] = ()  # what could not be read or is inferred, in words
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def answer(self) -> str:
        """The leader's words after its last tool call, else the last words it said."""
        return self.texts[-1] if self.texts else ""

    @property
    def texts(self) -> tuple[str, ...]:
        """What it said, stretch by stretch, without the drafts that nobody saw."""
        return tuple(part.text for part in self.segments if isinstance(part, TextSegment) and not part.draft)

    @property
    def total_tokens(self) -> Tokens:
        """Tokens of this run and of every run under it."""
        total = self.tokens
        for member_run in self.member_runs:
            total += member_run.total_tokens
        return total

    def walk(self) -> Iterator[RunRecord]:
        """Yield this run and every run under it, parents first."""
        yield self
        for member_run in self.member_runs:
            yield from member_run.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """A session as a list shows it: no run bodies were read for it."""

    session_id: str
    user_id: str | None
    kind: SessionKind
    component_id: str
    title: str | None  # None: none given yet; `name` falls back to the first question
    first_question: str | None
    runs: int  # top-level runs
    created_at: datetime
    updated_at: datetime
    last_status: RunStatus | None = None
    collection: str | None = None
    tags: tuple[str, ...] = ()
    forked_from_session_id: str | None = None
    title_by: str | None = None  # "question", "model" or "hand"
    component_name: str | None = None  # as stored with the session
    last_run_id: str | None = None
    # Of all runs, the members' included; None: not counted yet (another program wrote the session just now).
    tokens: int | None = None
    duration_s: float | None = None  # of the top-level runs together
    failed_runs: int | None = None  # top-level runs that failed or were interrupted
    unsaved: bool = False  # something of it waits on this machine's disk for the database

    @property
    def live(self) -> bool:
        """Whether its last run waits or goes on."""
        return self.last_status is not None and self.last_status.live

    @property
    def name(self) -> str:
        """What to call the session: its title, else its first question, else that it is new."""
        return self.title or self.first_question or "New session"


class SessionState(StrEnum):
    """What a list of sessions can be narrowed to: how the last run stands."""

    LIVE = "live"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"  # interrupted ones too
    PAUSED = "paused"
    EMPTY = "empty"  # no run yet
    UNKNOWN = "unknown"  # a status of another program that this version does not know


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Which sessions a list holds; everything that is given must be true of a session."""

    text: str = ""  # every word, typed half or not, in the title, the first question or a tag
    component_id: str | None = None
    kind: SessionKind | None = None
    collection: str | None = None
    tag: str | None = None
    state: SessionState | None = None
    since: datetime | None = None  # last used at this time or later
    until: datetime | None = None  # last used before this time
    owner: str | None = None  # for admins: one user's sessions only
    hidden: bool = False  # also the recall lab's


class SessionSort(StrEnum):
    """What a list of sessions can be sorted by."""

    USED = "used"  # last activity
    CREATED = "created"
    TITLE = "title"  # what the session is called, whatever its case and accents
    RUNS = "runs"
    TOKENS = "tokens"  # not told: less than none
    DURATION = "duration"  # of all runs together; not told: less than none
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """In which order a list holds sessions; among equals the last used comes first, ascending: last."""

    by: SessionSort = SessionSort.USED
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCounts:
    """How many sessions there are, and under each name a list can be filtered by; the most frequent first."""

    total: int = 0
    components: Mapping[str, int] = field(default_factory=dict)
    collections: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[str, int] = field(default_factory=dict)  # for admins


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads. An admin (`ADMIN_USERS`) reads everybody's sessions; nobody writes as one."""

    user_id: str
    admin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a deletion takes away for good."""

    sessions: int = 0
    runs: int = 0  # top-level
    member_runs: int = 0
    images: int = 0  # files that no other session uses
    live_runs: int = 0  # will be stopped
    kept_writes: int = 0  # answers that wait on disk for the database
    title: bool = False  # the session's title was made from the question that goes, and goes too


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkRecord:
    """A fork: the session it was taken from, up to which run, and the session it made."""

    source_session_id: str
    source_run_id: str | None  # None: the whole session
    session_id: str
    forked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A question or answer that holds what was looked for, with the hit in its sentence."""

    session_id: str
    run_id: str
    asked_at: datetime
    found_in: str  # "question" or "answer"
    before: str
    hit: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """One page of a list and the cursor of the next one; `None` on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None = None
