"""Requests to a model as Agno makes them, in few words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from agno.models.message import Message
from agno.models.response import ModelResponse

from lib.models import OfflineModel

ROSTER = """<team>
<team_members>
<member id="wx" name="Sky">
  Role: Weather today and in the next days, by city
</member>
<member id="money-1" name="Ledger">
  Role: Prices of shares, by ticker
</member>
<member id="trips" name="Journeys" type="team">
  Role: Trains and hotels
  <member name="Rails">
    Role: Trains between cities
  </member>
</member>
</team_members>
</team>"""


def function(name: str, description: str = "", **parameters: str) -> dict[str, Any]:
    """Return a tool's schema; every parameter is required unless its type ends in `?`."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {key: {"type": kind.rstrip("?")} for key, kind in parameters.items()},
                "required": [key for key, kind in parameters.items() if not kind.endswith("?")],
            },
        },
    }


DELEGATE = function("delegate_task_to_member", "Delegate a task.", member_id="string", task="string")


def user(text: str, **more: Any) -> Message:
    return Message(role="user", content=text, **more)


def assistant(text: str, **more: Any) -> Message:
    return Message(role="assistant", content=text, **more)


def system(text: str) -> Message:
    return Message(role="system", content=text)


def called(name: str, arguments: dict[str, Any], result: str, *, failed: bool = False) -> list[Message]:
    """Return the two messages of a tool call: the request and its result."""
    call_id = f"call_{name}_{len(result)}"
    request = {"id": call_id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    return [
        Message(role="assistant", content=None, tool_calls=[request]),
        Message(role="tool", content=result, tool_call_id=call_id, tool_name=name, tool_call_error=failed),
    ]


def ask(*messages: Message | str, tools: Sequence[dict[str, Any]] = (), **more: Any) -> ModelResponse:
    """Return what the offline model replies; a plain text is a user message."""
    given = [user(message) if isinstance(message, str) else message for message in messages]
    return OfflineModel(token_delay_s=0).invoke(given, tools=list(tools), **more)


def words_of(*messages: Message | str, tools: Sequence[dict[str, Any]] = (), **more: Any) -> str:
    """Return the words of the offline model's reply."""
    return str(ask(*messages, tools=tools, **more).content or "")


def calls_of(*messages: Message | str, tools: Sequence[dict[str, Any]] = ()) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls of the offline model's reply: tool name and arguments."""
    reply = ask(*messages, tools=tools)
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in reply.tool_calls]


def tasks_of(question: str, *before: Message) -> dict[str, str]:
    """Return member id -> task of what a leader delegates."""
    calls = calls_of(system(ROSTER), *before, question, tools=[DELEGATE])
    return {arguments["member_id"]: arguments["task"] for _, arguments in calls}


def streamed(model: OfflineModel, messages: list[Message], **more: Any) -> list[ModelResponse]:
    """Return the deltas of an async stream."""

    async def collect() -> list[ModelResponse]:
        return [delta async for delta in model.ainvoke_stream(messages, **more)]

    return asyncio.run(collect())
