"""What one run says and does, taken down as Agno reports it: published to watchers, and made true in what is stored.

Agno stores the very event objects it yields, so what is mended in them before the run goes on is stored mended
(agno-facts 1.9): true times, a failed member's plain reason, the member run behind each delegation. A run that did not
complete is mended once more right before it is written, since Agno mixes member text and tool noise into its words
(agno-facts 5.4) and writes no row for some members (5.7).
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agno.db.base import BaseDb
from agno.metrics import RunMetrics
from agno.models.message import Message
from agno.models.response import ToolExecution
from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus as AgnoStatus
from agno.run.team import TeamRunInput, TeamRunOutput

from lib.errors import StorageError
from lib.events import DelegationLinked, RunEnded, RunEvent
from lib.records import RunRecord, RunStatus, SessionKind, TextSegment, Tokens
from lib.runs.members import MemberNotes
from lib.runs.reasons import to_reason
from lib.runs.run_log import RunLog
from lib.storage.translation import EventTranslator, to_text

logger = logging.getLogger(__name__)

AgnoRun = RunOutput | TeamRunOutput

_AGNO_STATUS = {
    RunStatus.COMPLETED: AgnoStatus.completed,
    RunStatus.FAILED: AgnoStatus.error,
    RunStatus.INTERRUPTED: AgnoStatus.error,
    RunStatus.PAUSED: AgnoStatus.paused,
}


@dataclass(slots=True)
class _Request:
    """One request to a model: what it said."""

    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.words)


class RunRecording:
    """Publishes one run's events and corrects its rows. Used by the run's own thread only."""

    def __init__(self, log: RunLog) -> None:
        root = log.snapshot()
        self._log = log
        self._root = root
        self._translator = EventTranslator(question=root.question)
        self._links: dict[tuple[str, str], str] = {}  # (leader run id, tool call id) -> member run id
        self._requests: dict[str, list[_Request]] = {}
        self._done_at: dict[str, float] = {}  # when a run's work was done, by run id
        self._explained: set[int] = set()  # error events that hold the plain reason already
        self.members = MemberNotes()
        self.written: set[str] = set()
        self.interrupted = False  # the process is ending: what is written now is not the end of the run
        self.ended = False

    # -- as it happens --------------------------------------------------------------------------------------------

    def take(self, event: Any) -> None:
        """Mend one Agno event in place and publish what it means."""
        name = str(event.event or "").removeprefix("Team")
        run_id = event.run_id or ""
        event.created_at = self._time_of(name, run_id)
        match name:
            case "RunStarted" if event.parent_run_id:
                event.content = self.members.inputs.get(run_id) or event.content
            case "ModelRequestStarted":
                self._requests.setdefault(run_id, []).append(_Request())
            case "RunContent":
                self._requests.setdefault(run_id, [_Request()])[-1].words.append(to_text(event.content))
            case "RunError":
                self._explain(event)
        for ours in self._translator.translate(event):
            if isinstance(ours, DelegationLinked):
                self._links[(ours.run_id, ours.tool_call_id)] = ours.member_run_id
            self.publish(ours)
        self._link(run_id, getattr(event, "tool", None))

    def publish(self, event: RunEvent) -> None:
        """Hand an event to the watchers. Members that a stopped or failed leader left behind end before it."""
        if isinstance(event, RunEnded) and event.run_id == self._root.run_id:
            self.ended = True
            left = [run for run in self._log.snapshot().walk() if run.ended_at is None and run.parent_run_id]
            for run in reversed(left):
                self._log.append(
                    RunEnded(
                        run_id=run.run_id,
                        parent_run_id=run.parent_run_id,
                        at=self._end_of(run.run_id),
                        status=RunStatus.STOPPED,
                    )
                )
        self._log.append(event)

    def end(self, status: RunStatus, error: str | None) -> None:
        """Publish the end of the run, unless Agno reported one."""
        if not self.ended:
            run_id = self._root.run_id
            self.publish(RunEnded(run_id=run_id, at=self._end_of(run_id), status=status, error=error))

    def _end_of(self, run_id: str) -> datetime:
        """Return when a run's work was done: the time its row has, where it was written, else now."""
        return datetime.fromtimestamp(self._done_at.setdefault(run_id, time.time()), UTC)

    def _time_of(self, name: str, run_id: str) -> float:
        """Return the time to write on an event. A run ends when its work was done, not when it was stored."""
        now = time.time()
        if name in ("RunCompleted", "RunError", "RunCancelled"):
            return self._done_at.setdefault(run_id, now)
        if name == "RunContentCompleted":
            self._done_at[run_id] = now
        return now

    def _link(self, run_id: str, tool: Any) -> None:
        if tool is not None and (child := self._links.get((run_id, tool.tool_call_id or ""))):
            tool.child_run_id = child

    def _explain(self, event: Any) -> None:
        """Put the plain reason in place of what the provider or library said."""
        if id(event) not in self._explained:
            self._explained.add(id(event))
            event.content = to_reason(event.error_type, to_text(event.content), error_id=event.error_id)

    # -- as it is written -----------------------------------------------------------------------------------------

    def database_for(self, adapter: BaseDb) -> BaseDb:
        """Return the adapter as this run uses it: every run that is written is corrected first, and none forgotten."""
        covered = copy.copy(adapter)

        def upsert_run(run: Any, *args: Any, **options: Any) -> Any:
            if run.run_id == self._root.run_id:
                for member_run in self._forgotten():
                    self.write(adapter, member_run)
            self.correct(run)
            self.written.add(run.run_id)
            return adapter.upsert_run(run, *args, **options)

        covered.upsert_run = upsert_run  # type: ignore[method-assign]  # on this copy only
        return covered

    def write(self, adapter: BaseDb, run: AgnoRun) -> None:
        """Write a run that Agno did not. What the database refuses is kept on disk by the adapter."""
        self.correct(run)
        self.written.add(run.run_id or "")
        try:
            adapter.upsert_run(run, session_id=self._root.session_id, user_id=self._root.user_id)
        except StorageError as error:
            logger.warning("Run %s is not in the database yet: %s", run.run_id, error)

    def correct(self, run: Any) -> None:
        """Make a run that is about to be written agree with what was seen of it."""
        seen = self._seen(run.run_id)
        if seen is None:
            return
        completed = _name(run.status) == "COMPLETED"
        for tool in run.tools or ():
            self._link(run.run_id, tool)
        done_at = self._done_at.setdefault(run.run_id, time.time())
        kept = dict((run.metadata or {}).get("roundtable") or {})
        kept.pop("marker", None)
        if run.run_id != self._root.run_id:
            kept.pop("settings", None)  # they are the leader's
        kept["started_at"] = seen.started_at.timestamp() if seen.started_at else done_at
        kept["ended_at"] = done_at
        run.metadata = {**(run.metadata or {}), "roundtable": kept}
        if completed:
            return
        for event in run.events or ():
            if event.run_id == run.run_id and _name(event.event).endswith(("RunError", "RunCancelled")):
                event.created_at = done_at
                if _name(event.event).endswith("RunError"):
                    self._explain(event)
                    kept["error"], kept["error_type"] = event.content, event.error_type
        if self.interrupted:
            run.status = AgnoStatus.error
            kept["marker"] = True
        if seen.error and "error" not in kept:
            kept["error"] = seen.error
        requests = self._requests.get(run.run_id, [])
        run.content = "".join(request.text for request in requests)
        run.messages = _with_words(run.messages or [], requests)
        if run.metrics is not None and seen.tokens != Tokens():
            run.metrics.input_tokens = seen.tokens.input or 0
            run.metrics.output_tokens = seen.tokens.output or 0
            run.metrics.total_tokens = seen.tokens.total or 0

    def write_all(self, adapter: BaseDb, status: RunStatus) -> None:
        """Write the run and its member runs as seen, for when Agno wrote nothing."""
        for member_run in self._forgotten():
            self.write(adapter, member_run)
        self.write(adapter, self._to_agno(self._log.snapshot(), status))

    def _forgotten(self) -> Iterator[AgnoRun]:
        """Yield the member runs that were seen and that nothing has written."""
        for seen in self._log.snapshot().walk():
            if seen.run_id == self._root.run_id or seen.run_id in self.written:
                continue
            result = self.members.results.get(seen.run_id)
            if result is None:
                status = seen.status if seen.ended_at else RunStatus.STOPPED
                result = self._to_agno(seen, status)
            result.parent_run_id = seen.parent_run_id
            yield result

    def _to_agno(self, seen: RunRecord, status: RunStatus) -> AgnoRun:
        agno_status = _AGNO_STATUS.get(status, AgnoStatus.cancelled)
        provider, _, model_id = (seen.model or "").rpartition(":")
        common: dict[str, Any] = {
            "run_id": seen.run_id,
            "session_id": seen.session_id,
            "user_id": seen.user_id,
            "parent_run_id": seen.parent_run_id,
            "status": agno_status,
            "messages": self.members.messages(seen.run_id) or [Message(role="user", content=seen.question)],
            "tools": list(_tools(seen)),
            "metadata": {"roundtable": {"settings": dict(seen.settings)}},
            "model": model_id or None,
            "model_provider": provider or None,
            "content": seen.answer,
            "metrics": RunMetrics(
                input_tokens=seen.tokens.input or 0,
                output_tokens=seen.tokens.output or 0,
                total_tokens=seen.tokens.total or 0,
                duration=seen.duration_s,
            ),
            "created_at": int((seen.started_at or datetime.now(UTC)).timestamp()),
        }
        if seen.kind is SessionKind.TEAM:
            return TeamRunOutput(
                **common,
                team_id=seen.component_id,
                team_name=seen.component_name,
                input=TeamRunInput(input_content=seen.question),
            )
        return RunOutput(
            **common,
            agent_id=seen.component_id,
            agent_name=seen.component_name,
            input=RunInput(input_content=seen.question),
        )

    def _seen(self, run_id: str) -> RunRecord | None:
        return next((run for run in self._log.snapshot().walk() if run.run_id == run_id), None)


def _with_words(messages: list[Message], requests: list[_Request]) -> list[Message]:
    """Return the messages with exactly the words that each request to the model brought."""
    own = [message for message in messages if message.role == "assistant" and not message.from_history]
    kept = list(messages)
    for message, request in zip(own, requests, strict=False):
        if to_text(message.content) != request.text:
            message.content = request.text or None
    unsaid = [request.text for request in requests[len(own) :] if request.text.strip()]
    kept += [Message(role="assistant", content=text) for text in unsaid]
    for message in own[len(requests) :]:
        if not message.tool_calls:
            kept.remove(message)
    return kept


def _tools(seen: RunRecord) -> Iterator[ToolExecution]:
    for segment in seen.segments:
        if isinstance(segment, TextSegment):
            continue
        call = segment.call
        yield ToolExecution(
            tool_call_id=call.tool_call_id,
            tool_name=call.tool_name,
            tool_args=dict(call.arguments),
            result=call.result,
            tool_call_error=call.failed or None,
        )


def _name(value: Any) -> str:
    return str(getattr(value, "value", value) or "")
