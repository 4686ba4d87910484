"""Stored tool calls -> records, and which of them are delegations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lib.records import MessageRecord, ToolCallRecord, ToolRequest
from lib.storage.delegating import BROADCAST_TOOLS, DELEGATION_TOOLS
from lib.storage.event_values import asks_nobody
from lib.storage.reading.loose import is_exact, parse_json, to_mapping, to_optional_text, to_text, to_time


def is_delegation(call: ToolCallRecord) -> bool:
    """Whether a call hands a task to one member."""
    return call.tool_name in DELEGATION_TOOLS and bool(call.arguments.get("member_id"))


def to_tool_call(stored: Any) -> ToolCallRecord:
    """Return a tool call from Agno's stored `ToolExecution`."""
    tool = to_mapping(stored)
    metrics = to_mapping(tool.get("metrics"))
    tool_name, arguments = to_text(tool.get("tool_name")), to_arguments(tool.get("tool_args"))
    # The metrics of a delegation stop when its generator is created (agno-facts 1.5): not a time to show.
    timed = tool_name not in DELEGATION_TOOLS | BROADCAST_TOOLS
    rejected = tool.get("confirmed") is False
    result = tool.get("confirmation_note") if rejected and tool.get("result") is None else tool.get("result")
    return ToolCallRecord(
        tool_call_id=to_text(tool.get("tool_call_id")),
        tool_name=tool_name,
        arguments=arguments,
        result=None if result is None else to_text(result),
        failed=tool.get("tool_call_error") is True or rejected or asks_nobody(tool_name, arguments, result),
        started_at=to_time(metrics.get("start_time")) if timed and is_exact(metrics.get("start_time")) else None,
        ended_at=to_time(metrics.get("end_time")) if timed and is_exact(metrics.get("end_time")) else None,
    )


def to_unmade_call(request: ToolRequest, answer: MessageRecord | None) -> ToolCallRecord:
    """Return a call that a model asked for and that was never made, with what Agno told the model in place of a result.

    Agno marks an answer of its own as failed where there was one call too many, and not where there is no such tool or
    the arguments are no JSON object. Those it writes without the mark that the answer of every call that was made has,
    true or false, and without the arguments that stand beside an answer by a person.
    """
    refused = (
        answer is not None
        and answer.tool_name
        and answer.raw.get("tool_call_error") is None
        and not answer.raw.get("tool_args")
    )
    return ToolCallRecord(
        tool_call_id=request.tool_call_id,
        tool_name=request.tool_name,
        arguments=to_arguments(request.arguments),
        result=answer.content if answer else None,
        failed=bool(refused or (answer and answer.tool_failed)),
    )


def to_arguments(stored: Any) -> Mapping[str, Any]:
    """Return the arguments of a call; text that is no JSON object, or half of one, is kept whole under one name."""
    value, damage = parse_json(stored)
    if isinstance(value, Mapping) and not damage:
        return value
    if (value is None and not damage) or (isinstance(stored, str) and not stored.strip()):
        return {}
    return {"arguments": stored if isinstance(stored, str) else value}


def member_of(call: ToolCallRecord) -> str:
    """Return the id of the member a delegation names."""
    return to_text(call.arguments.get("member_id"))


def expected_output_of(call: ToolCallRecord) -> str | None:
    """Return the expected output that older leaders add to a task."""
    return to_optional_text(call.arguments.get("expected_output"))
