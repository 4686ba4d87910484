"""Agno's run events, live objects or stored dictionaries, translated into `lib.events`.

One translator serves the engine (live) and the reading of stored runs, so that a run and its replay cannot differ.
An event is told apart by its name, never by its wording: "RunContent" is an agent's, "TeamRunContent" a team's.

Faults of Agno are mended here (agno-facts 1.8, 5.3, 5.7): the member run that works on a delegation is found by member
and order, since `tool.child_run_id` names the last one for all of them; a RunCompleted that follows a RunCancelled is
not a completion; a failed tool ends once, not twice. A run that waited for a person goes on where it stood, and one that
is tried again begins again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agno.utils.string import url_safe_string

from lib.events import (
    DelegationEnded,
    DelegationLinked,
    DelegationStarted,
    ModelEnded,
    ModelStarted,
    ReasoningAdded,
    RunContinued,
    RunEnded,
    RunEvent,
    RunRetried,
    RunStarted,
    TextAdded,
    ToolEnded,
    ToolStarted,
    UnknownEvent,
)
from lib.records import ErrorKind, RunStatus, SessionKind, ToolCallRecord
from lib.storage.delegating import DELEGATION_TOOLS, TeamTask, list_tasks_given, to_created_tasks, to_task
from lib.storage.event_values import (
    DELEGATE_TO_ALL,
    get_field,
    tells_of_tools,
    to_error_kind,
    to_model_name,
    to_text,
    to_time,
    to_tokens,
    to_tool_call,
)
from lib.storage.pauses import Pauses, list_waiting_tools, to_waits_for

_ENDINGS = ("RunCompleted", "RunError", "RunCancelled", "RunPaused")
_Call = tuple[str, str]
"""Run id and tool call id: some models number the calls of every run alike, or even of every request."""


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
    tasks: dict[str, TeamTask] = field(default_factory=dict)  # those its leaders have written down, by id
    _waiting: dict[str, list[_OpenDelegation]] = field(default_factory=dict)  # by run id of the leader
    _broadcasts: dict[str, _OpenDelegation] = field(default_factory=dict)  # by run id of the leader
    _workers: dict[_Call, list[str]] = field(default_factory=dict)  # the member runs of a delegation
    _open: dict[_Call, int] = field(default_factory=lambda: defaultdict(int))  # calls that began and have not ended
    _ended_calls: set[_Call] = field(default_factory=set)
    _started_runs: set[str] = field(default_factory=set)
    _ended_runs: set[str] = field(default_factory=set)
    _called: set[str] = field(default_factory=set)  # names of the tools that were called
    _pauses: Pauses = field(default_factory=Pauses)

    def translate(self, event: Any) -> Iterator[RunEvent]:
        """Yield what one Agno event (object or stored dictionary) means; nothing for what says nothing new."""
        name = str(get_field(event, "event") or "")
        kind = name.removeprefix("Team")
        base: dict[str, Any] = {
            "run_id": str(get_field(event, "run_id") or ""),
            "parent_run_id": get_field(event, "parent_run_id"),
            "at": to_time(get_field(event, "created_at")),
        }
        if kind in ("ModelRequestStarted", *_ENDINGS):
            yield from self._made_meanwhile(event, base, kind)
        match kind:
            case "RunStarted":
                yield from self._run_started(event, base, team=name.startswith("Team"))
            case "RunContinued":
                yield from self._run_continued(event, base, team=name.startswith("Team"))
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
            case "RunCompleted" | "RunError" | "RunCancelled" | "RunPaused":
                yield from self._run_ended(event, base, kind)
            case "RunContentCompleted" | "RunIntermediateContent":
                pass  # RunContent and ModelRequestCompleted have said it
            case _:
                if kind == "TaskCreated":
                    self.tasks |= to_created_tasks(event)
                yield UnknownEvent(**base, name=name or "unnamed", raw=_raw(event))

    # -- runs -----------------------------------------------------------------------------------------------------

    def _run_started(self, event: Any, base: dict[str, Any], *, team: bool) -> Iterator[RunEvent]:
        if base["run_id"] in self._started_runs:
            yield from self._retried(base)
            return
        self._started_runs.add(base["run_id"])
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
        self._workers.setdefault((leader_id, call.tool_call_id), []).append(base["run_id"])
        if delegation is self._broadcasts.get(leader_id):  # one delegation a member, all of the same call
            yield DelegationStarted(run_id=leader_id, at=base["at"], call=call, member_id=component_id, task=task)
        yield DelegationLinked(
            run_id=leader_id, at=base["at"], tool_call_id=call.tool_call_id, member_run_id=base["run_id"]
        )
        yield RunStarted(**base, **started, question=task)

    def _retried(self, base: dict[str, Any]) -> Iterator[RunEvent]:
        """Forget what the failed attempt of a run left open: a run that begins twice is tried again."""
        run_id = base["run_id"]
        self._ended_runs.discard(run_id)
        self._waiting.pop(run_id, None)
        self._broadcasts.pop(run_id, None)
        for call in [call for call in self._open if call[0] == run_id]:
            del self._open[call]
        yield RunRetried(**base)

    def _run_continued(self, event: Any, base: dict[str, Any], *, team: bool) -> Iterator[RunEvent]:
        run_id = base["run_id"]
        if run_id not in self._started_runs and not self._pauses.waits(run_id) and base["parent_run_id"] is None:
            yield from self._run_started(event, base, team=team)  # a question that is answered anew begins so
            return
        self._ended_runs.discard(run_id)
        yield RunContinued(**base)
        yield from self._pauses.go_on(run_id, base["at"])

    def _made_meanwhile(self, event: Any, base: dict[str, Any], kind: str) -> Iterator[RunEvent]:
        """Yield the calls that were made since a run went on, where Agno reported none of them."""
        if kind in ("ModelRequestStarted", "RunCompleted"):
            yield from self._pauses.take_kept(base["run_id"])
        waiting = list_waiting_tools(get_field(event, "tools")) if kind == "RunPaused" else ()
        again = [to_tool_call(tool).tool_call_id for tool in waiting]
        for call in self._pauses.take_made(base["run_id"], but=again):
            yield ToolStarted(**base, call=call)
            yield ToolEnded(**base, call=replace(call, ended_at=base["at"]))  # at the latest; no start is told

    def _run_ended(self, event: Any, base: dict[str, Any], ending: str) -> Iterator[RunEvent]:
        if base["run_id"] in self._ended_runs:
            stopped_while_waiting = ending in ("RunCancelled", "RunError") and self._pauses.waits(base["run_id"])
            if not stopped_while_waiting:
                return
        self._ended_runs.add(base["run_id"])
        match ending:
            case "RunCompleted":
                tokens = to_tokens(get_field(event, "metrics"))
                content = to_text(get_field(event, "content")) or None
                if content and tells_of_tools(content, self._called):
                    content = None  # a leader that says nothing gets what streamed of its tools and members
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
                waiting = list_waiting_tools(get_field(event, "tools"))
                calls = [to_tool_call(tool) for tool in waiting]
                self._pauses.begin(base["run_id"], calls)
                yield RunEnded(
                    **base,
                    status=RunStatus.PAUSED,
                    waits_for=to_waits_for(get_field(event, "requirements"), waiting),
                    waiting_call_ids=tuple(call.tool_call_id for call in calls),
                )

    # -- calls ----------------------------------------------------------------------------------------------------

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
        self._called.add(call.tool_name)
        self._open[base["run_id"], call.tool_call_id] += 1
        self._pauses.reported(base["run_id"], call.tool_call_id)
        if call.tool_name == DELEGATE_TO_ALL:
            self._broadcasts[base["run_id"]] = _OpenDelegation(call, "", to_task(call, self.tasks))
            return
        delegations = self._delegations(call)
        self._waiting.setdefault(base["run_id"], []).extend(delegations)
        for delegation in delegations:
            yield DelegationStarted(**base, call=call, member_id=delegation.member_id, task=delegation.task)
        if not delegations:
            yield ToolStarted(**base, call=call)

    def _delegations(self, call: ToolCallRecord) -> list[_OpenDelegation]:
        """Return what a call asks of members that it names: of one, or of several, each by a task of its own."""
        if call.tool_name in DELEGATION_TOOLS:
            return [_OpenDelegation(call, str(call.arguments.get("member_id", "")), to_task(call, self.tasks))]
        return [_OpenDelegation(call, task.member_id, task.words) for task in list_tasks_given(call, self.tasks)]

    def _tool_ended(self, event: Any, base: dict[str, Any]) -> Iterator[RunEvent]:
        call = to_tool_call(get_field(event, "tool"), ended_at=base["at"])
        key = (base["run_id"], call.tool_call_id)
        if not self._open[key] and key in self._ended_calls:
            return
        self._open[key] = max(self._open[key] - 1, 0)
        self._ended_calls.add(key)
        self._pauses.reported(*key)
        if call.tool_name != DELEGATE_TO_ALL and not self._delegations(call):
            yield ToolEnded(**base, call=call)
            return
        self._broadcasts.pop(base["run_id"], None)
        self._stop_waiting(*key)
        ended = DelegationEnded(**base, call=call)
        if any(self._pauses.waits(member_run_id) for member_run_id in self._workers.pop(key, ())):
            self._pauses.keep(base["run_id"], ended)
        else:
            yield ended

    def _stop_waiting(self, leader_id: str, tool_call_id: str) -> None:
        """Forget a call whose member's run no event told of, so that a later run is not taken for it."""
        waiting = self._waiting.get(leader_id, [])
        ended = next((delegation.call for delegation in waiting if delegation.call.tool_call_id == tool_call_id), None)
        waiting[:] = [delegation for delegation in waiting if delegation.call is not ended]


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
