"""Values out of Agno's events and tool executions, live objects or stored dictionaries, as values of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from lib.records import ErrorKind, Tokens, ToolCallRecord

DELEGATE_TO_ONE = "delegate_task_to_member"
DELEGATE_TO_ALL = "delegate_task_to_members"
EXECUTE_SEVERAL = "execute_tasks_parallel"

TOOL_REPORT = re.compile(r"(\w+)\([^()]*\) completed in [\d.]+ ?s\.")
"""What Agno writes of a call among the words of the run that made it, or of the leader's."""

_SEVERAL_REFUSED = re.compile(
    r"Task '.*' not found\.$|Task \[.*\] is \w+, cannot execute\.$|Task \[.*\] has no assignee\."
    r"|Member '.*' not found for task \[.*\]\.$|No valid tasks to execute\.$"
)


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


def tells_of_tools(content: str, called: Collection[str] | None = None) -> bool:
    """Whether Agno filled a content that nobody said with what streamed of tools (`called`, if known) and members."""
    return any(called is None or report[1] in called for report in TOOL_REPORT.finditer(content))


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
    """Whether a delegation was refused: no such member or task, or a task that is done. Agno marks it as no failure."""
    given = arguments if isinstance(arguments, Mapping) else {}
    if not isinstance(result, str):
        return False
    member_id, task_id = given.get("member_id"), given.get("task_id")
    match tool_name.removeprefix("a"):
        case "delegate_task_to_member":
            return result.startswith(f"Member with ID {member_id} not found in the team or any subteams.")
        case "execute_task":
            refused = (f"Task with ID '{task_id}' not found.", f"Member with ID {member_id} not found.")
            done = result.startswith(f"Task [{task_id}] is ") and result.endswith(" and cannot be executed.")
            return done or result.startswith(refused)
        case "execute_tasks_parallel":
            return _SEVERAL_REFUSED.match(result) is not None
        case _:
            return False


def get_field(source: Any, name: str) -> Any:
    """Return a field of an Agno object or of its stored dictionary; None where it has none."""
    if isinstance(source, Mapping):
        return source.get(name)
    return getattr(source, name, None)
