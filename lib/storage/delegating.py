"""Which calls of a leader give tasks to members, to whom and in which words; one rule for live runs and stored ones.

The leader of a team in tasks mode writes its tasks down first (`create_task`) and then gives them away by their ids: the
words are told by the event of that moment, and stand in the session's state from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.records import ToolCallRecord
from lib.storage.event_values import DELEGATE_TO_ALL, DELEGATE_TO_ONE, EXECUTE_SEVERAL, get_field, to_text

DELEGATION_TOOLS = frozenset(
    {
        DELEGATE_TO_ONE,
        "adelegate_task_to_member",
        "transfer_task_to_member",
        "forward_task_to_member",
        "execute_task",
        "aexecute_task",
    }
)
"""Names of the tools by which leaders of Agno 2.x and 3.x give one member a task."""

BROADCAST_TOOLS = frozenset({DELEGATE_TO_ALL, "adelegate_task_to_members", EXECUTE_SEVERAL})
"""Names of the tools by which a leader gives several members a task at once."""

_STATE = "_team_tasks"
"""Where Agno keeps the tasks in a session's state."""


@dataclass(frozen=True, slots=True)
class TeamTask:
    """A task that a leader wrote down: its words as the member is given them, and whose it is."""

    words: str
    member_id: str


def to_tasks(session_state: Any) -> dict[str, TeamTask]:
    """Return the tasks that a session's state holds, by id."""
    kept = get_field(get_field(session_state, _STATE), "tasks")
    return {
        task_id: task for item in (kept if isinstance(kept, list) else ()) for task_id, task in _to_task(item, "id")
    }


def to_created_tasks(event: Any) -> dict[str, TeamTask]:
    """Return the task that an event tells of as written down, by id."""
    return dict(_to_task(event, "task_id"))


def _to_task(source: Any, id_name: str) -> list[tuple[str, TeamTask]]:
    task_id = to_text(get_field(source, id_name))
    words = to_text(get_field(source, "description") or get_field(source, "title"))  # as Agno asks the member
    return [(task_id, TeamTask(words, to_text(get_field(source, "assignee"))))] if task_id else []


def to_task(call: ToolCallRecord, tasks: Mapping[str, TeamTask]) -> str:
    """Return the words in which a call gives a task to one member or to all, and where nothing tells them, says so."""
    said = call.arguments.get("task") or call.arguments.get("task_description")
    task_id = to_text(call.arguments.get("task_id"))
    if said or not task_id:
        return to_text(said)
    return tasks[task_id].words if task_id in tasks else untold_task(call)


def untold_task(call: ToolCallRecord) -> str:
    """Return what stands for the words of a task of which only the id is known."""
    return f"task {to_text(call.arguments.get('task_id'))}, whose words are not known"


def list_tasks_given(call: ToolCallRecord, tasks: Mapping[str, TeamTask]) -> list[TeamTask]:
    """Return the tasks that a call gives to several members, each to its own; none where not all of them are known."""
    ids = call.arguments.get("task_ids")
    wanted = [to_text(task_id) for task_id in ids] if isinstance(ids, list) else []
    if call.tool_name != EXECUTE_SEVERAL or not all(
        task_id in tasks and tasks[task_id].member_id for task_id in wanted
    ):
        return []
    return [tasks[task_id] for task_id in wanted]
