"""Runs that wait for a person (Agno's human in the loop), between their pause and what follows it.

Agno reports a pause as an end and, for a team's own tool, never reports that the call was made once a person had
decided. A leader whose member waits is told at once that the delegation is over, with a sentence in place of a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lib.events import DelegationEnded
from lib.records import ToolCallRecord
from lib.storage.event_values import get_field


@dataclass(slots=True)
class _Pause:
    """One run that waits, or waited until a moment ago."""

    calls: list[ToolCallRecord]  # that a person decides on, fills in or makes, and that no event reported since
    delegations: list[DelegationEnded] = field(default_factory=list)  # of its members that wait
    over: bool = False  # the run went on


class Pauses:
    """The runs of one translator that wait, and those that went on and whose calls were not reported yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self._pauses: dict[str, _Pause] = {}

    def waits(self, run_id: str) -> bool:
        """Whether a run waits now."""
        pause = self._pauses.get(run_id)
        return pause is not None and not pause.over

    def begin(self, run_id: str, calls: Sequence[ToolCallRecord]) -> None:
        """Note that a run waits for `calls`."""
        before = self._pauses.get(run_id)
        self._pauses[run_id] = _Pause(list(calls), before.delegations if before else [])

    def keep(self, run_id: str, delegation: DelegationEnded) -> None:
        """Keep the end of a delegation whose member waits until its leader `run_id` goes on."""
        self._pauses.setdefault(run_id, _Pause([])).delegations.append(delegation)

    def go_on(self, run_id: str, at: datetime) -> list[DelegationEnded]:
        """Note that a run goes on; return the ends of its delegations, whose results are not told."""
        pause = self._pauses.setdefault(run_id, _Pause([]))
        pause.over = True
        kept, pause.delegations = pause.delegations, []
        return [replace(ended, at=at, call=replace(ended.call, result=None, ended_at=at)) for ended in kept]

    def take_kept(self, run_id: str) -> list[DelegationEnded]:
        """Return the ends of delegations of a leader that does not wait for its members, as they were told."""
        pause = self._pauses.get(run_id)
        if pause is None or pause.over:
            return []
        del self._pauses[run_id]
        return pause.delegations

    def reported(self, run_id: str, tool_call_id: str) -> None:
        """Note that an event tells of a call that was waited for."""
        if pause := self._pauses.get(run_id):
            pause.calls = [call for call in pause.calls if call.tool_call_id != tool_call_id]

    def take_made(self, run_id: str, *, but: Sequence[str] = ()) -> list[ToolCallRecord]:
        """Return the calls that were made since the run went on, `but` those that it waits for again; once."""
        pause = self._pauses.get(run_id)
        if pause is None or not pause.over:
            return []
        if not but:
            del self._pauses[run_id]
        return [call for call in pause.calls if call.tool_call_id not in but]


def list_waiting_tools(tools: Any) -> list[Any]:
    """Return those of a run's tools, objects or dictionaries, that wait for a person."""
    waiting = ("requires_confirmation", "requires_user_input", "external_execution_required")
    listed = tools if isinstance(tools, Sequence) and not isinstance(tools, str) else ()
    return [
        tool
        for tool in listed
        if get_field(tool, "result") is None and any(get_field(tool, name) is True for name in waiting)
    ]


def to_waits_for(requirements: Any, tools: Sequence[Any]) -> tuple[str, ...]:
    """Return what a paused run waits for, one phrase a requirement; by its tools where it states no requirement."""
    listed = requirements if isinstance(requirements, Sequence) and not isinstance(requirements, str) else ()
    phrases = [
        _phrase(get_field(requirement, "tool_execution"), get_field(requirement, "member_agent_name"))
        for requirement in listed
    ]
    return tuple(phrases or [_phrase(tool, None) for tool in tools])


def _phrase(tool: Any, member: Any) -> str:
    name = get_field(tool, "tool_name") or "a tool"
    if get_field(tool, "external_execution_required"):
        phrase = f"the result of {name}, which runs elsewhere"
    elif get_field(tool, "requires_user_input"):
        phrase = f"input for {name}"
    else:
        phrase = f"a decision on {name}"
    return f"{phrase}, asked for by {member}" if member else phrase
