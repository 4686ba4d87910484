"""Agno's run events, live objects or stored dictionaries, translated into `lib.events`.

One translator serves the engine (live) and the reading of stored runs, so that a run and its replay cannot differ.
An event is told apart by its name, never by its wording: "RunContent" is an agent's, "TeamRunContent" a team's.

Three faults of Agno are mended here (agno-facts 1.8, 5.3, 5.7):
the member run that works on a delegation is found by member and order, since `tool.child_run_id` names the last one for
all of them; a RunCompleted that follows a RunCancelled is not a completion; a failed tool ends once, not twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agno.utils.string import url_safe_string

from lib.events import (
    DelegationEnded,
    DelegationLinked,
    DelegationStarted,
    ModelEnded,
    ModelStarted,
    ReasoningAdded,
    RunEnded,
    RunEvent,
    RunStarted,
    TextAdded,
    ToolEnded,
    ToolStarted,
    UnknownEvent,
)
from lib.records import ErrorKind, RunStatus, SessionKind, Tokens, ToolCallRecord

DELEGATE_TO_ONE = "delegate_task_to_member"
DELEGATE_TO_ALL = "delegate_task_to_members"


@dataclass(slots=True)
class _OpenDelegation:
    """A delegation whose member run has not started yet."""

    call: ToolCallRecord
    member_id: str
    task: str


@dataclass(slots=True)
class EventTranslator:
    """Translates the events of one top-level run, in order. Stateful: one translator a run."""

    question: str = ""
    _waiting: dict[str, list[_OpenDelegation]] = field(default_factory=dict)  # by run id of the leader
    _broadcasts: dict[str, _OpenDelegation] = field(default_factory=dict)  # by run id of the leader
    _delegations: set[str] = field(default_factory=set)  # tool_call_ids
    _ended_calls: set[str] = field(default_factory=set)
    _ended_runs: set[str] = field(default_factory=set)

    def translate(self, event: Any) -> Iterator[RunEvent]:
        """Yield what one Agno event (object or stored dictionary) means; nothing for what says nothing new."""
        name = str(get_field(event, "event") or "")
        base: dict[str, Any] = {
            "run_id": str(get_field(event, "run_id") or ""),
            "parent_run_id": get_field(event, "parent_run_id"),
            "at": to_time(get_field(event, "created_at")),
        }
        match name.removeprefix("Team"):
            case "RunStarted":
                yield from self._run_started(event, base, team=name.startswith("Team"))
            case "ModelRequestStarted":
                yield ModelStarted(**base)
            case "ModelRequestCompleted":
                first_token_s = get_field(event, "time_to_first_token")
                yield ModelEnded(**base, tokens=to_tokens(event), first_token_s=first_token_s)
            case "RunContent":
                yield from _content_added(event, base)
            case "ReasoningContentDelta":
                if text := to_text(get_field(event, "reasoning_content")):
                    yield ReasoningAdded(**base, text=text)
            case "ToolCallStarted":
                yield from self._tool_started(event, base)
            case "ToolCallCompleted" | "ToolCallError":
                yield from self._tool_ended(event, base)
            case "RunCompleted" | "RunError" | "RunCancelled" | "RunPaused" as ending:
                yield from self._run_ended(event, base, ending)
            case "RunContentCompleted" | "RunIntermediateContent":
                pass  # RunContent and ModelRequestCompleted have said it
            case _:
                yield UnknownEvent(**base, name=name or "unnamed", raw=_raw(event))

    def _run_started(self, event: Any, base: dict[str, Any], *, team: bool) -> Iterator[RunEvent]:
        component_id = str(get_field(event, "team_id" if team else "agent_id") or "")
        component_name = str(get_field(event, "team_name" if team else "agent_name") or component_id)
        started: dict[str, Any] = {
            "kind": SessionKind.TEAM if team else SessionKind.AGENT,
            "component_id": component_id,
            "component_name": component_name,
            "model": to_model_name(get_field(event, "model_provider"), get_field(event, "model")),
        }
        leader_id = base["parent_run_id"]
        if leader_id is None:
            yield RunStarted(**base, **started, question=self.question)
            return
        delegation = self._take_delegation(leader_id, component_id, component_name)
        if delegation is None:
            yield RunStarted(**base, **started)
            return
        call, task = delegation.call, delegation.task
        if delegation is self._broadcasts.get(leader_id):  # one delegation a member, all of the same call
            yield DelegationStarted(run_id=leader_id, at=base["at"], call=call, member_id=component_id, task=task)
        yield DelegationLinked(
            run_id=leader_id, at=base["at"], tool_call_id=call.tool_call_id, member_run_id=base["run_id"]
        )
        yield RunStarted(**base, **started, question=task)

    def _take_delegation(self, leader_id: str, component_id: str, component_name: str) -> _OpenDelegation | None:
        """Return the oldest waiting delegation to this member.

        Agno starts the members of one turn in the order of the calls, so the first call to a member is its first run.
        """
        waiting = self._waiting.get(leader_id, [])
        safe_name = url_safe_string(component_name)  # type: ignore[no-untyped-call]  # Agno leaves it untyped
        names = {component_id, component_name, safe_name}
        for delegation in waiting:
            if delegation.member_id in names:
                waiting.remove(delegation)
                return delegation
        if leader_id in self._broadcasts:
            return self._broadcasts[leader_id]
        return waiting.pop() if len(waiting) == 1 else None

    def _tool_started(self, event: Any, base: dict[str, Any]) -> Iterator[RunEvent]:
        call = to_tool_call(get_field(event, "tool"), started_at=base["at"])
        if call.tool_name == DELEGATE_TO_ONE:
            delegation = _OpenDelegation(call, str(call.arguments.get("member_id", "")), to_task(call))
            self._delegations.add(call.tool_call_id)
            self._waiting.setdefault(base["run_id"], []).append(delegation)
            yield DelegationStarted(**base, call=call, member_id=delegation.member_id, task=delegation.task)
        elif call.tool_name == DELEGATE_TO_ALL:
            self._delegations.add(call.tool_call_id)
            self._broadcasts[base["run_id"]] = _OpenDelegation(call, "", to_task(call))
        else:
            yield ToolStarted(**base, call=call)

    def _tool_ended(self, event: Any, base: dict[str, Any]) -> Iterator[RunEvent]:
        call = to_tool_call(get_field(event, "tool"), ended_at=base["at"])
        if call.tool_call_id in self._ended_calls:
            return
        self._ended_calls.add(call.tool_call_id)
        if call.tool_call_id in self._delegations or call.tool_name in (DELEGATE_TO_ONE, DELEGATE_TO_ALL):
            self._broadcasts.pop(base["run_id"], None)
            yield DelegationEnded(**base, call=call)
        else:
            yield ToolEnded(**base, call=call)

    def _run_ended(self, event: Any, base: dict[str, Any], ending: str) -> Iterator[RunEvent]:
        if base["run_id"] in self._ended_runs:
            return
        self._ended_runs.add(base["run_id"])
        match ending:
            case "RunCompleted":
                tokens = to_tokens(get_field(event, "metrics"))
                content = to_text(get_field(event, "content")) or None
                yield RunEnded(**base, status=RunStatus.COMPLETED, tokens=tokens, content=content)
            case "RunError":
                said = to_text(get_field(event, "content"))
                yield RunEnded(
                    **base,
                    status=RunStatus.FAILED,
                    error=said or "The run failed without a reason.",
                    error_kind=to_error_kind(_ours(event).get("error_kind")) if said else ErrorKind.OTHER,
                    error_type=get_field(event, "error_type"),
                )
            case "RunCancelled":
                yield RunEnded(**base, status=RunStatus.STOPPED)
            case "RunPaused":
                yield RunEnded(**base, status=RunStatus.PAUSED)


def to_time(value: Any) -> datetime:
    """Return a stored time (seconds since 1970, whole or not) as aware UTC; the epoch where there is none."""
    try:
        return datetime.fromtimestamp(float(value), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def to_error_kind(value: Any) -> ErrorKind | None:
    """Return a stored kind of failure; OTHER for one this version does not know, None where there is none."""
    if value is None:
        return None
    try:
        return ErrorKind(value)
    except ValueError:
        return ErrorKind.OTHER


def to_text(value: Any) -> str:
    """Return content of any stored shape as the text it stands for."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list() if value and all(isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in value):
            return "".join(part["text"] for part in value)  # OpenAI's content parts
        case _:
            if hasattr(value, "model_dump_json"):
                return str(value.model_dump_json())
            return json.dumps(value, ensure_ascii=False, default=str)


def to_model_name(provider: Any, model_id: Any) -> str | None:
    """Return `provider:id` as far as it is known."""
    if not model_id:
        return None
    return f"{provider}:{model_id}" if provider else str(model_id)


def to_tokens(metrics: Any) -> Tokens:
    """Return the token counts of Agno metrics (object or dictionary); all zero means that none were reported."""
    counts = [get_field(metrics, name) for name in ("input_tokens", "output_tokens", "total_tokens")]
    numbers = [count if isinstance(count, int) and not isinstance(count, bool) else None for count in counts]
    if not any(numbers):
        return Tokens()
    return Tokens(input=numbers[0], output=numbers[1], total=numbers[2])


def to_tool_call(tool: Any, *, started_at: datetime | None = None, ended_at: datetime | None = None) -> ToolCallRecord:
    """Return an Agno tool execution (object or dictionary) as a record."""
    arguments = get_field(tool, "tool_args")
    result = get_field(tool, "result")
    tool_name = str(get_field(tool, "tool_name") or "unnamed tool")
    return ToolCallRecord(
        tool_call_id=str(get_field(tool, "tool_call_id") or ""),
        tool_name=tool_name,
        arguments=dict(arguments) if isinstance(arguments, Mapping) else {},
        result=None if result is None else to_text(result),
        failed=bool(get_field(tool, "tool_call_error")) or asks_nobody(tool_name, arguments, result),
        started_at=started_at,
        ended_at=ended_at,
    )


def asks_nobody(tool_name: str, arguments: Any, result: Any) -> bool:
    """Whether a delegation was refused because the team has no such member: Agno's own answer, marked as no failure."""
    member_id = arguments.get("member_id") if isinstance(arguments, Mapping) else None
    return (
        tool_name.removeprefix("a") == DELEGATE_TO_ONE
        and isinstance(result, str)
        and result.startswith(f"Member with ID {member_id} not found in the team or any subteams.")
    )


def to_task(call: ToolCallRecord) -> str:
    """Return the task a delegation's call hands over."""
    return to_text(call.arguments.get("task", call.arguments.get("task_description")))


def get_field(source: Any, name: str) -> Any:
    """Return a field of an Agno object or of its stored dictionary; None where it has none."""
    if isinstance(source, Mapping):
        return source.get(name)
    return getattr(source, name, None)


def _content_added(event: Any, base: dict[str, Any]) -> Iterator[RunEvent]:
    if reasoning := to_text(get_field(event, "reasoning_content")):
        yield ReasoningAdded(**base, text=reasoning)
    if text := to_text(get_field(event, "content")):
        yield TextAdded(**base, text=text)


def _ours(event: Any) -> Mapping[str, Any]:
    """Return what our engine noted in an error event."""
    noted = get_field(get_field(event, "additional_data"), "roundtable")
    return noted if isinstance(noted, Mapping) else {}


def _raw(event: Any) -> Mapping[str, Any]:
    if isinstance(event, Mapping):
        return event
    return dict(event.to_dict()) if hasattr(event, "to_dict") else {"repr": repr(event)}
