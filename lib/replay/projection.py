"""Events folded into the run they tell of: what a watcher sees, at any moment.

`RunProjection` takes `lib.events` one by one and gives a `RunRecord` at any time. The engine keeps one for every live
run; play back folds the stored events of a run up to a moment. Only what changed since the last snapshot is rebuilt, so
that a page can ask four times a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from lib.events import (
    DelegationEnded,
    DelegationLinked,
    DelegationStarted,
    ModelEnded,
    RunContinued,
    RunEnded,
    RunEvent,
    RunQueued,
    RunRetried,
    RunSaved,
    RunStarted,
    TextAdded,
    ToolEnded,
    ToolStarted,
)
from lib.records import (
    DelegationSegment,
    RunRecord,
    RunStatus,
    SavedState,
    Segment,
    SessionKind,
    TextSegment,
    Tokens,
    ToolCallRecord,
    ToolSegment,
)


class RunProjection:
    """One top-level run and the member runs under it, as told by the events applied so far."""

    def __init__(self, initial: RunRecord) -> None:
        """Start from what is known before the first event: ids, team, question, settings, status."""
        self._root = _RunBuilder(initial)
        self._runs: dict[str, _RunBuilder] = {initial.run_id: self._root}
        self._unlinked: dict[str, tuple[str, str]] = {}  # member run id -> (leader run id, tool call id)

    def apply(self, event: RunEvent) -> None:
        """Take in one event. Events of runs that were never started are ignored: they tell of nothing shown."""
        if isinstance(event, RunStarted):
            self._start(event)
            return
        builder = self._runs.get(event.run_id)
        if builder is None:
            return
        if isinstance(event, DelegationLinked):
            self._unlinked[event.member_run_id] = (event.run_id, event.tool_call_id)
        builder.apply(event)
        builder.touch()

    def snapshot(self) -> RunRecord:
        """Return the run as it stands; the same object again while nothing has changed."""
        return self._root.to_record()

    def _start(self, event: RunStarted) -> None:
        if event.run_id in self._runs:
            self._runs[event.run_id].start(event)
            return
        parent = self._runs.get(event.parent_run_id or "")
        if parent is None:
            return
        builder = _RunBuilder(
            RunRecord(
                run_id=event.run_id,
                parent_run_id=event.parent_run_id,
                session_id=parent.record.session_id,
                user_id=parent.record.user_id,
                kind=event.kind,
                component_id=event.component_id,
                component_name=event.component_name,
                question=event.question,
                status=RunStatus.RUNNING,
                saved=SavedState.LIVE,
            ),
            parent=parent,
        )
        builder.start(event)
        self._runs[event.run_id] = builder
        _, tool_call_id = self._unlinked.pop(event.run_id, ("", ""))
        parent.adopt(builder, tool_call_id)
        parent.touch()


@dataclass(slots=True)
class _Words:
    """A stretch of text that is still growing."""

    parts: list[str]

    def to_segment(self) -> TextSegment:
        self.parts[:] = ["".join(self.parts)]
        return TextSegment(text=self.parts[0])


@dataclass(slots=True)
class _Tool:
    """A tool call that may still be running."""

    call: ToolCallRecord

    def to_segment(self) -> ToolSegment:
        return ToolSegment(call=self.call)


@dataclass(slots=True)
class _Delegation:
    """A delegation that may still be worked on."""

    call: ToolCallRecord
    member_id: str
    task: str
    run: _RunBuilder | None = None

    def to_segment(self) -> DelegationSegment:
        run = self.run.to_record() if self.run else None
        call = self.call
        if run and run.ended_at and (call.ended_at is None or run.ended_at < call.ended_at):
            # Agno reports the end of concurrent delegations only when the last of them is done (agno-facts 1.4).
            call = replace(call, ended_at=run.ended_at)
        return DelegationSegment(call=call, member_id=self.member_id, task=self.task, run=run)


@dataclass(slots=True)
class _RunBuilder:
    """One run while it grows."""

    record: RunRecord
    parent: _RunBuilder | None = None
    parts: list[_Words | _Tool | _Delegation] = field(default_factory=list)
    members: list[_RunBuilder] = field(default_factory=list)
    requested_tokens: Tokens = Tokens()
    final_content: str | None = None
    changed: bool = True

    def touch(self) -> None:
        """Mark this run and those above it as changed."""
        builder: _RunBuilder | None = self
        while builder is not None:
            builder.changed = True
            builder = builder.parent

    def start(self, event: RunStarted) -> None:
        self.record = replace(
            self.record,
            status=RunStatus.RUNNING,
            started_at=event.at,
            exact_times=event.at.microsecond != 0,
            model=event.model or self.record.model,
            kind=event.kind if event.kind is not SessionKind.WORKFLOW else self.record.kind,
            component_name=event.component_name or self.record.component_name,
            question=self.record.question or event.question,
        )
        self.touch()

    def adopt(self, builder: _RunBuilder, tool_call_id: str) -> None:
        """Take in a member's run, under the delegation it works on where that is known."""
        self.members.append(builder)
        for part in self.parts:
            if not isinstance(part, _Delegation) or part.run is not None or part.call.given_up:
                continue
            if part.call.tool_call_id == tool_call_id:
                part.run = builder
                return

    def apply(self, event: RunEvent) -> None:
        match event:
            case TextAdded(text=text):
                if not (self.parts and isinstance(self.parts[-1], _Words)):
                    self.parts.append(_Words([]))
                last = self.parts[-1]
                assert isinstance(last, _Words)
                last.parts.append(text)
            case ToolStarted(call=call):
                self.parts.append(_Tool(call))
            case DelegationStarted(call=call, member_id=member_id, task=task):
                self.parts.append(_Delegation(call, member_id, task))
            case ToolEnded(call=call) | DelegationEnded(call=call):
                self._end_call(call)
            case ModelEnded(tokens=tokens):
                self.requested_tokens += tokens
            case RunQueued():
                self.record = replace(self.record, status=RunStatus.WAITING)
            case RunEnded():
                self._end(event)
            case RunContinued():
                self._reopen()
            case RunRetried():
                self._begin_again()
            case RunSaved(saved=saved, reason=reason):
                notes = (reason,) if reason else ()
                self.record = replace(self.record, saved=saved, notes=notes)
            case _:
                pass  # says nothing about the run's shape

    def _end_call(self, ended: ToolCallRecord) -> None:
        found = [
            part
            for part in self.parts
            if isinstance(part, (_Tool, _Delegation)) and part.call.tool_call_id == ended.tool_call_id
        ]
        # Some models give the calls of every request the same id: the one that goes on is the one that ends.
        going_on = [part for part in found if part.call.ended_at is None and not part.call.given_up]
        if not found:  # its start was not recorded
            self.parts.append(_Tool(ended))
        untold = [part for part in found if part.call.result is None]
        for part in going_on if going_on and _is_broadcast(going_on[0]) else (going_on or untold or found[-1:])[:1]:
            part.call = replace(ended, started_at=part.call.started_at)

    def _reopen(self) -> None:
        """Go on where the run stood when it paused."""
        self.final_content = None
        self.record = replace(self.record, status=RunStatus.RUNNING, ended_at=None, duration_s=None)

    def _begin_again(self) -> None:
        """Begin anew: words of the failed attempt are not stored anywhere, its calls were made and stay."""
        self._reopen()
        self.record = replace(self.record, error=None, error_kind=None)
        self.parts[:] = [part for part in self.parts if not isinstance(part, _Words)]
        for part in self.parts:
            if not isinstance(part, _Words):
                part.call = replace(part.call, given_up=True)

    def _end(self, event: RunEnded) -> None:
        self.final_content = event.content
        self.record = replace(
            self.record,
            status=event.status,
            error=event.error,
            error_kind=event.error_kind,
            ended_at=event.at,
            duration_s=_seconds(self.record.started_at, event.at),
            tokens=event.tokens if event.tokens != Tokens() else self.requested_tokens,
        )

    def to_record(self) -> RunRecord:
        """Return the run as it stands."""
        if self.changed:
            self.record = replace(
                self.record,
                segments=tuple(self._segments()),
                member_runs=tuple(member.to_record() for member in self.members),
                tokens=self.record.tokens if self.record.ended_at else self.requested_tokens,
            )
            self.changed = False
        return self.record

    def _segments(self) -> list[Segment]:
        segments: list[Segment] = [part.to_segment() for part in self.parts]
        spoken = [segment for segment in segments if not isinstance(segment, TextSegment) or segment.text.strip()]
        if self.final_content and not any(isinstance(segment, TextSegment) for segment in spoken):
            spoken.append(TextSegment(text=self.final_content))  # a run that was not streamed
        return spoken


def _is_broadcast(part: _Tool | _Delegation) -> bool:
    """Whether a call gives its task to several members, each with a delegation of its own that ends with it."""
    return isinstance(part, _Delegation) and not part.call.arguments.get("member_id")


def _seconds(started_at: datetime | None, ended_at: datetime) -> float | None:
    return (ended_at - started_at).total_seconds() if started_at else None
