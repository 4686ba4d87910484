"""The rows of one run made true right before they are written, and none forgotten.

Agno mixes member text and tool noise into the words of a run that did not complete (agno-facts 5.4), writes no row for a
member that failed while streaming (5.7) or was cut off, and none for the members of a member.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from agno.db.base import BaseDb
from agno.media import Image
from agno.metrics import RunMetrics
from agno.models.message import Message
from agno.models.response import ToolExecution
from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus as AgnoStatus
from agno.run.team import TeamRunInput, TeamRunOutput

from lib.errors import StorageError
from lib.records import RunRecord, RunStatus, SessionKind, TextSegment, ToolCallRecord
from lib.runs.recording import RunRecording, SpokenRequest
from lib.storage.event_values import to_text
from lib.storage.reading.calls import to_tool_call, to_unmade_call
from lib.storage.reading.messages import to_message, to_tool_requests

logger = logging.getLogger("roundtable.runs")

AgnoRun = RunOutput | TeamRunOutput

_AGNO_STATUS = {
    RunStatus.COMPLETED: AgnoStatus.completed,
    RunStatus.FAILED: AgnoStatus.error,
    RunStatus.INTERRUPTED: AgnoStatus.error,
    RunStatus.PAUSED: AgnoStatus.paused,
}


class RunRows:
    """Writes the rows of one run. Used by the run's own thread only."""

    def __init__(self, recording: RunRecording, adapter: BaseDb, *, images: Sequence[Image] = ()) -> None:
        self._recording = recording
        self._images = list(images)
        self._adapter = adapter
        self._root = recording.root
        self._written: set[str] = set()

    @property
    def written(self) -> bool:
        """Whether the top-level run was handed to the database, which took it or keeps it on disk."""
        return self._root.run_id in self._written

    def database(self) -> BaseDb:
        """Return the adapter as this run's team uses it: what it writes is made true first, and none forgotten."""
        covered = copy.copy(self._adapter)

        def upsert_run(run: Any, *args: Any, **options: Any) -> Any:
            if run.run_id == self._root.run_id:
                run.events = self._recording.catch_up(run.events or [])
                for member_run in self._forgotten():
                    self._write(member_run)
            if self._recording.seen(run.run_id) is None and _name(run.status) != "COMPLETED":
                return None  # stopped before it began: nothing of it was shown, nothing happened in it
            self._make_true(run)
            if run.run_id == self._root.run_id and _name(run.status) != "RUNNING":  # a checkpoint is not the end
                self._recording.closed = True
            self._written.add(run.run_id)
            return self._adapter.upsert_run(run, *args, **options)

        covered.upsert_run = upsert_run  # type: ignore[method-assign]  # on this copy only
        return covered

    def show_unseen(self) -> None:
        """Publish the calls that Agno did not report, for when it wrote nothing: before the end of the run is told."""
        seen = self._recording.seen_runs()[0]
        for run in (*self._forgotten(), self._to_agno(seen, seen.status)):
            self._recording.show_calls(_calls(run), run_id=run.run_id or "")

    def write_all(self, status: RunStatus) -> None:
        """Write the run and its member runs as seen, for when Agno wrote nothing."""
        self._recording.closed = True
        self._recording.interrupted = status is RunStatus.INTERRUPTED
        for member_run in self._forgotten():
            self._write(member_run)
        self._write(self._to_agno(self._recording.seen_runs()[0], status))

    def _write(self, run: AgnoRun) -> None:
        self._make_true(run)
        self._written.add(run.run_id or "")
        try:
            self._adapter.upsert_run(run, session_id=self._root.session_id, user_id=self._root.user_id)
        except StorageError as error:  # kept on disk by the adapter
            logger.warning("Run %s is not in the database yet: %s", run.run_id, error)

    def _forgotten(self) -> Iterator[AgnoRun]:
        """Yield the member runs that were seen and that nothing has written."""
        for seen in self._recording.seen_runs()[1:]:
            if seen.run_id in self._written:
                continue
            result = self._recording.members.results.get(seen.run_id)
            if result is None:
                result = self._to_agno(seen, RunStatus.STOPPED if seen.status.live else seen.status)
            result.parent_run_id = seen.parent_run_id
            yield result

    # -- making true ----------------------------------------------------------------------------------------------

    def _make_true(self, run: Any) -> None:
        """Make a run that is about to be written agree with what was seen of it."""
        seen = self._recording.seen(run.run_id)
        if seen is None:
            return
        for tool in run.tools or ():
            self._recording.link(run.run_id, tool)
        ours = self._note(run, seen)
        if _name(run.status) == "COMPLETED":
            return
        self._recording.show_calls(_calls(run), run_id=run.run_id)
        self._drop_unseen(run)
        self._mend_events(run, ours)
        if seen.error:
            ours.setdefault("error", seen.error)
        if seen.error_kind:
            ours.setdefault("error_kind", seen.error_kind.value)
        if self._recording.interrupted and (seen.status.live or seen.status is RunStatus.INTERRUPTED):
            run.status = AgnoStatus.error
            ours["marker"] = True
        requests = self._recording.requests(run.run_id)
        run.content = "".join(request.text for request in requests)
        run.messages = _with_words(run, requests)
        if seen.model is None:  # it was ended before a model was asked
            run.model = run.model_provider = None
        if run.metrics is not None:
            run.metrics.input_tokens = seen.tokens.input or 0
            run.metrics.output_tokens = seen.tokens.output or 0
            run.metrics.total_tokens = seen.tokens.total or 0

    def _note(self, run: Any, seen: RunRecord) -> dict[str, Any]:
        """Put our own notes into the run's metadata, true times among them; return them."""
        done_at = self._recording.done_at(run.run_id)
        ours = dict((run.metadata or {}).get("roundtable") or {})
        if run.run_id != self._root.run_id:
            ours.pop("settings", None)  # they are the leader's
        ours["started_at"] = seen.started_at.timestamp() if seen.started_at else done_at
        ours["ended_at"] = done_at
        run.metadata = {**(run.metadata or {}), "roundtable": ours}
        return ours

    def _mend_events(self, run: Any, ours: dict[str, Any]) -> None:
        """Mend the event of the run's own end, which Agno stores before it yields it."""
        for event in run.events or ():
            name = _name(event.event)
            if event.run_id != run.run_id or not name.endswith(("RunError", "RunCancelled")):
                continue
            event.created_at = self._recording.done_at(run.run_id)
            if name.endswith("RunError"):
                self._recording.explain(event)
                ours["error"], ours["error_type"] = event.content, event.error_type
                ours["error_kind"] = event.additional_data["roundtable"]["error_kind"]

    def _drop_unseen(self, run: Any) -> None:
        """Take out the copies of member runs that were stopped before they began: nothing happened in them."""
        kept = [each for each in getattr(run, "member_responses", ()) if self._recording.seen(each.run_id) is not None]
        for member_run in kept:
            self._drop_unseen(member_run)
        if hasattr(run, "member_responses"):
            run.member_responses = kept

    def _to_agno(self, seen: RunRecord, status: RunStatus) -> AgnoRun:
        """Return a run as seen, the way Agno stores one."""
        provider, _, model_id = (seen.model or "").rpartition(":")
        images = (self._images if seen.run_id == self._root.run_id else []) or None
        common: dict[str, Any] = {
            "run_id": seen.run_id,
            "session_id": seen.session_id,
            "user_id": seen.user_id,
            "parent_run_id": seen.parent_run_id,
            "status": _AGNO_STATUS.get(status, AgnoStatus.cancelled),
            "messages": self._recording.messages(seen.run_id)
            or [Message(role="user", content=seen.question, images=images)],
            "tools": [_to_tool(part.call) for part in seen.segments if not isinstance(part, TextSegment)],
            "metadata": {"roundtable": {"settings": dict(seen.settings)}},
            "model": model_id or None,
            "model_provider": provider or None,
            "events": list(self._recording.events) if seen.run_id == self._root.run_id else None,
            "metrics": RunMetrics(duration=seen.duration_s),
            "created_at": int((seen.started_at or datetime.now(UTC)).timestamp()),
        }
        if seen.kind is SessionKind.TEAM:
            return TeamRunOutput(
                **common,
                team_id=seen.component_id,
                team_name=seen.component_name,
                input=TeamRunInput(input_content=seen.question, images=images),
            )
        return RunOutput(
            **common,
            agent_id=seen.component_id,
            agent_name=seen.component_name,
            input=RunInput(input_content=seen.question, images=images),
        )


def _with_words(run: Any, requests: list[SpokenRequest]) -> list[Message]:
    """Return the messages of a run with exactly the words that each request to the model brought."""
    own = _own_answers(run)
    kept = list(run.messages or ())
    for place, message in enumerate(own):
        said = requests[place].text if place < len(requests) else ""
        if to_text(message.content) != said:
            message.content = said or None
        if place >= len(requests) and not message.tool_calls:
            kept.remove(message)
    unsaid = [request.text for request in requests[len(own) :] if request.text.strip()]
    return kept + [Message(role="assistant", content=text) for text in unsaid]


def _calls(run: Any) -> Iterator[ToolCallRecord]:
    """Yield the calls of a run as they will be read back: those that were made, then those only asked for."""
    made = [to_tool_call(tool.to_dict()) for tool in run.tools or ()]
    yield from made
    known = {call.tool_call_id for call in made}
    answers = {message.tool_call_id: message for message in run.messages or () if message.role == "tool"}
    for request in (request for message in _own_answers(run) for request in to_tool_requests(message.tool_calls)):
        if request.tool_call_id not in known:
            answer = answers.get(request.tool_call_id)
            yield to_unmade_call(request, to_message(answer.to_dict()) if answer else None)


def _own_answers(run: Any) -> list[Message]:
    """Return what the run's own model answered, without what the team puts before every question."""
    injected = {message.id for message in run.additional_input or ()}
    return [
        message
        for message in run.messages or ()
        if message.role == "assistant" and not message.from_history and message.id not in injected
    ]


def _to_tool(call: Any) -> ToolExecution:
    return ToolExecution(
        tool_call_id=call.tool_call_id,
        tool_name=call.tool_name,
        tool_args=dict(call.arguments),
        result=call.result,
        tool_call_error=call.failed or None,
    )


def _name(value: Any) -> str:
    return str(getattr(value, "value", value) or "")
