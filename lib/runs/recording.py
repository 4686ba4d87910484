"""What one run says and does, taken down as Agno reports it: mended in place, and published to watchers.

Agno stores the very event objects it yields, so what is mended in them before the run goes on is stored mended
(agno-facts 1.9): true times, a failed member's plain reason, the member run behind each delegation.

Members' events are taken where they arise and the leader's as they come. With the row of the run the recording closes:
what a member that cannot be stopped at once does after that is neither shown nor stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agno.models.message import Message
from agno.run.base import RunContext

from lib.events import (
    DelegationEnded,
    DelegationLinked,
    DelegationStarted,
    RunEnded,
    RunEvent,
    RunRetried,
    ToolEnded,
    ToolStarted,
)
from lib.records import RunRecord, RunStatus, TextSegment, ToolCallRecord
from lib.runs.members import MemberNotes
from lib.runs.reasons import Reason, to_reason
from lib.runs.refused_calls import RefusedCalls
from lib.runs.run_log import RunLog
from lib.storage.delegating import DELEGATION_TOOLS, to_task, to_tasks
from lib.storage.event_values import to_text
from lib.storage.reading import INTERRUPTED
from lib.storage.reading.calls import is_delegation, member_of
from lib.storage.translation import EventTranslator

_EARLY_ENDINGS = ("RunError", "RunCancelled", "RunPaused")
_ENDINGS = ("RunCompleted", *_EARLY_ENDINGS)
_AFTER_A_REQUEST = ("ToolCallStarted", "ToolCallCompleted", "ToolCallError", "ModelRequestStarted", *_ENDINGS)


@dataclass(slots=True)
class SpokenRequest:
    """One request to a model: what it said."""

    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All it said so far."""
        return "".join(self.words)


class RunRecording:
    """Takes down one run. Used by the run's own thread only."""

    def __init__(self, log: RunLog) -> None:
        self.root = log.snapshot()
        self.members = MemberNotes(self.take)
        self.context = RunContext(  # Agno puts the leader's messages into it, as they come
            run_id=self.root.run_id, session_id=self.root.session_id, user_id=self.root.user_id
        )
        self.ended = False
        self.closed = False  # the row is written: what comes after it, but the run's end, is not of the run
        self.interrupted = False  # the process is ending: what is written now is not the end of the run
        self.not_stored: frozenset[str] = frozenset()  # kinds of events that the team at work does not keep: the words
        self.events: list[Any] = []  # the others, as watchers saw them, in order
        self._log = log
        self._translator = EventTranslator(question=self.root.question)
        self._links: dict[tuple[str, str], str] = {}  # (leader run id, tool call id) -> member run id
        self._refused = RefusedCalls()
        self._requests: dict[str, list[SpokenRequest]] = {}
        self._done_at: dict[str, float] = {}  # when a run's work was done, by run id
        self._explained: dict[
            int, Any
        ] = {}  # error events that hold the plain reason already, kept so that ids stay theirs

    # -- as it happens --------------------------------------------------------------------------------------------

    def take(self, event: Any) -> None:
        """Mend one Agno event in place and publish what it means; once, if it comes again on its way up."""
        name = _short_name(event)
        run_id = event.run_id or ""
        if not self._is_own_end(event) and (self.closed or not isinstance(event.created_at, int)):
            return  # every event that was taken has a true time, with a fraction
        event.created_at = self._time_of(name, run_id)
        if name in _AFTER_A_REQUEST:
            self._show_refused_calls(event, name)
        match name:
            case "RunStarted" if event.parent_run_id:
                event.content = self.members.inputs.get(run_id) or event.content
            case "ModelRequestStarted":
                self._requests.setdefault(run_id, []).append(SpokenRequest())
            case "RunContent":
                self._requests.setdefault(run_id, [SpokenRequest()])[-1].words.append(to_text(event.content))
            case "RunError":
                self.explain(event)
            case "ToolCallStarted":
                self._translator.tasks |= to_tasks(self._state(run_id))
        for ours in self._translator.translate(event):
            if isinstance(ours, RunRetried):
                self._forget_attempt(run_id)
            if isinstance(ours, DelegationLinked):
                self._links[(ours.run_id, ours.tool_call_id)] = ours.member_run_id
            if isinstance(ours, RunEnded) and ours.parent_run_id and ours.status is RunStatus.STOPPED:
                continue  # it ends with its leader, which is stopped too: what it still did is shown before
            self.publish(ours)
        self.link(run_id, getattr(event, "tool", None))
        if event.event not in self.not_stored:
            self.events.append(event)

    def _forget_attempt(self, run_id: str) -> None:
        """Forget what a failed attempt of a run said: Agno begins it anew, and stores its messages from there on."""
        self._requests.pop(run_id, None)
        self._done_at.pop(run_id, None)
        self._refused.forget(run_id)

    def _show_refused_calls(self, event: Any, name: str) -> None:
        """Publish the calls that Agno answered by itself, which it does not report, in their place among the others."""
        run_id = event.run_id or ""
        messages = self.messages(run_id)
        begins = event.tool.tool_call_id if name == "ToolCallStarted" and event.tool is not None else None
        calls = self._refused.find(run_id, messages, before=begins, unanswered=name in _EARLY_ENDINGS)
        if calls and not self.closed:
            self.show_calls(calls, run_id=run_id, at=datetime.fromtimestamp(event.created_at, UTC))
        if name == "ModelRequestStarted":
            self._refused.ask_again(run_id, messages)

    def messages(self, run_id: str) -> list[Message]:
        """Return the messages of a run as far as it came, those it was given first."""
        return list(self.context.messages or ()) if run_id == self.root.run_id else self.members.messages(run_id)

    def _state(self, run_id: str) -> Mapping[str, Any] | None:
        """Return the session's state as a run has it now."""
        context = self.context if run_id == self.root.run_id else self.members.contexts.get(run_id)
        return context.session_state if context else None

    def show_calls(self, calls: Iterable[ToolCallRecord], *, run_id: str, at: datetime | None = None) -> None:
        """Publish those of a run's calls that watchers have not seen, or not to their end: Agno does not report them all."""
        seen = self.seen(run_id)
        if seen is None:
            return
        made = (part.call for part in seen.segments if not isinstance(part, TextSegment))
        known = {(call.tool_call_id, call.tool_name): call for call in made}  # some models give every call one id
        for call in calls:
            before = known.get((call.tool_call_id, call.tool_name))
            if before is None or (before.result is None and call.result is not None):
                self._publish_call(call, seen, at=at or self._end_of(run_id), begun=before is not None)

    def _publish_call(self, call: ToolCallRecord, run: RunRecord, *, at: datetime, begun: bool) -> None:
        base: dict[str, Any] = {"run_id": run.run_id, "parent_run_id": run.parent_run_id, "at": at}
        delegation = is_delegation(call)
        if not begun and delegation:
            task = to_task(call, self._translator.tasks)
            self.publish(DelegationStarted(**base, call=call, member_id=member_of(call), task=task))
        elif not begun:
            self.publish(ToolStarted(**base, call=call))
        if call.result is not None:
            self.publish((DelegationEnded if delegation else ToolEnded)(**base, call=call))

    def catch_up(self, events: list[Any]) -> list[Any]:
        """Take what Agno noted for the run and did not report, since it was stopped just then. Return all to be stored.

        The end of the run is not taken: Agno reports it once its row is written.
        """
        ends = [event for event in events if self._is_own_end(event)]
        for event in events:
            if not self._is_own_end(event):
                self.take(event)
        return self.events + ends

    def _is_own_end(self, event: Any) -> bool:
        return event.run_id == self.root.run_id and _short_name(event) in _ENDINGS

    def publish(self, event: RunEvent) -> None:
        """Hand an event to the watchers. Members that a stopped or failed leader left behind end before it."""
        if isinstance(event, RunEnded) and event.run_id == self.root.run_id:
            self.ended = True
            interrupted = event.status is RunStatus.INTERRUPTED
            for run in reversed([run for run in self.seen_runs() if run.parent_run_id and run.status.live]):
                self._log.append(
                    RunEnded(
                        run_id=run.run_id,
                        parent_run_id=run.parent_run_id,
                        at=self._end_of(run.run_id),
                        status=RunStatus.INTERRUPTED if interrupted else RunStatus.STOPPED,
                        error=INTERRUPTED if interrupted else None,
                    )
                )
        self._log.append(event)

    def end(self, status: RunStatus, reason: Reason | None = None) -> None:
        """Publish the end of the run, unless Agno reported one."""
        if not self.ended:
            run_id = self.root.run_id
            kind, error = reason or (None, INTERRUPTED if status is RunStatus.INTERRUPTED else None)
            self.publish(RunEnded(run_id=run_id, at=self._end_of(run_id), status=status, error=error, error_kind=kind))

    def _time_of(self, name: str, run_id: str) -> float:
        """Return the time to write on an event. A run ends when its work was done, not when it was stored."""
        if name in _ENDINGS:
            return self.done_at(run_id)
        now = time.time()
        if name == "RunContentCompleted":
            self._done_at[run_id] = now
        return now

    # -- what was seen --------------------------------------------------------------------------------------------

    def seen(self, run_id: str) -> RunRecord | None:
        """Return a run as watchers see it now; None if they have not seen it begin."""
        return next((run for run in self.seen_runs() if run.run_id == run_id), None)

    def seen_runs(self) -> list[RunRecord]:
        """Return the run and every member run as watchers see them now, leaders first."""
        return list(self._log.snapshot().walk())

    def requests(self, run_id: str) -> list[SpokenRequest]:
        """Return what a run's model said, request by request."""
        return self._requests.get(run_id, [])

    def done_at(self, run_id: str) -> float:
        """Return when a run's work was done: when it said so, else now, and from then on the same."""
        return self._done_at.setdefault(run_id, time.time())

    def _end_of(self, run_id: str) -> datetime:
        return datetime.fromtimestamp(self.done_at(run_id), UTC)

    # -- mending --------------------------------------------------------------------------------------------------

    def link(self, run_id: str, tool: Any) -> None:
        """Name in a delegation's tool the member run that works on it; Agno names the last one for all (1.8)."""
        if tool is not None and tool.tool_name in DELEGATION_TOOLS:
            tool.child_run_id = self._links.get((run_id, tool.tool_call_id or ""))

    def explain(self, event: Any) -> None:
        """Put the plain reason in place of what the provider or library said."""
        if id(event) not in self._explained:
            self._explained[id(event)] = event
            kind, event.content = to_reason(event.error_type, to_text(event.content), error_id=event.error_id)
            event.additional_data = {**(event.additional_data or {}), "roundtable": {"error_kind": kind.value}}


def _short_name(event: Any) -> str:
    return str(event.event or "").removeprefix("Team")
