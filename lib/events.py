"""What happens in a run, as it happens: one closed set of typed events.

The run engine publishes them, any number of watchers follow them, and the events Agno stored are translated into the
same set, so that live view, replay and play back are one. Every event says whose it is: `run_id` is the leader's run
or a member's, `parent_run_id` is None on the leader's.

A run's life:  RunQueued*  RunStarted  (ModelStarted  TextAdded*  ModelEnded | ToolStarted ToolEnded |
DelegationStarted <member's own RunStarted .. RunEnded> DelegationEnded)*  RunEnded  RunSaved | RunKeptOnDisk

A run that waits for a person ends as paused; RunContinued opens it again. RunRetried begins it anew after a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lib.records import ErrorKind, RunStatus, SavedState, SessionKind, Tokens, ToolCallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """Base: whose event it is and when it happened. `sequence` counts from 0 within one top-level run."""

    run_id: str
    at: datetime
    sequence: int = -1  # given by the engine's log; -1 until then
    parent_run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunQueued(RunEvent):
    """The question is stored and waits for `ahead` runs of the same session."""

    ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A leader's or a member's run began. `question` is the member's task in a member's run."""

    kind: SessionKind
    component_id: str
    component_name: str
    question: str = ""
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRetried(RunEvent):
    """The run failed and begins anew under the same id; what it said until now is not stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContinued(RunEvent):
    """A paused run goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStarted(RunEvent):
    """A request went to the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEnded(RunEvent):
    """The model's answer to one request is complete."""

    tokens: Tokens = Tokens()
    first_token_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextAdded(RunEvent):
    """The model said `text` more."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningAdded(RunEvent):
    """The model thought `text` more (providers that stream their reasoning)."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(RunEvent):
    """A tool was called."""

    call: ToolCallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnded(RunEvent):
    """A tool returned or failed (`call.failed`)."""

    call: ToolCallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationStarted(RunEvent):
    """The leader gave `member_id` a task. The member's run follows as events with `parent_run_id`."""

    call: ToolCallRecord
    member_id: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationLinked(RunEvent):
    """The member run that works on a delegation is known (Agno's own link is wrong, agno-facts 1.8)."""

    tool_call_id: str
    member_run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationEnded(RunEvent):
    """The leader has control back; `call.result` is what it was told."""

    call: ToolCallRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(RunEvent):
    """A leader's or a member's run ended: completed, stopped, failed or paused."""

    status: RunStatus
    error: str | None = None  # plain reason
    error_kind: ErrorKind | None = None  # None: `error` is another program's own words
    error_type: str | None = None  # Agno's own word for it, e.g. "model_authentication_error"
    tokens: Tokens = Tokens()
    content: str | None = None  # the whole answer, for a run that streamed no text
    waits_for: tuple[str, ...] = ()  # what a paused run waits for, in words
    waiting_call_ids: tuple[str, ...] = ()  # its own calls among these


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSaved(RunEvent):
    """The finished run was read back from the database (STORED) or is kept on disk until it is there again."""

    saved: SavedState
    reason: str | None = None  # why it is not stored


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(RunEvent):
    """An event this version does not know, kept as it was stored."""

    name: str
    raw: Mapping[str, Any] = field(default_factory=dict)
