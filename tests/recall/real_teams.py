"""Real Agno teams on a real database, with a model that keeps every prompt it was given.

Used to hold lib.recall against what Agno does. The reading of rows here is a small one of its own on purpose: it must
not share a mistake with the app's.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.exceptions import ModelProviderError
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.team import Team

from lib.records import MessageRecord, RunRecord, RunStatus, SessionKind, ToolRequest

USER = "ann"


@dataclass
class RecordingModel(Model):
    """Keeps the history part of every first request of a run, and follows simple words in the newest user message.

    `tool 2` calls a tool twice, `ask weather` delegates, `fail` raises; anything else is answered at once.
    """

    id: str = "recording"
    name: str = "Recording"
    provider: str = "Tests"
    prompts: list[list[Message]] = field(default_factory=list)

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        messages: list[Message] = kwargs["messages"]
        tools: list[dict[str, Any]] = kwargs.get("tools") or []
        asked = next(index for index in range(len(messages) - 1, -1, -1) if messages[index].role == "user")
        if not any(message.role == "assistant" for message in messages[asked:]):
            self.prompts.append([message.model_copy() for message in messages])
            text = str(messages[asked].content).rsplit("\n", 1)[-1]
            if text.startswith("fail"):
                raise ModelProviderError("this model was told to fail")
            calls = list(_calls(text, {tool["function"]["name"] for tool in tools}))
            if calls:
                content = "let me see" if "aloud" in text else None
                return ModelResponse(role="assistant", content=content, tool_calls=calls)
        return ModelResponse(role="assistant", content=f"answer to {messages[asked].content}")

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return self.invoke(*args, **kwargs)

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        yield self.invoke(*args, **kwargs)

    async def ainvoke_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ModelResponse]:
        yield self.invoke(*args, **kwargs)

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response

    @property
    def last_prompt(self) -> list[Message]:
        """The first request of the newest run."""
        return self.prompts[-1]

    @property
    def last_history(self) -> list[Message]:
        """What the newest run was given of earlier ones."""
        return [message for message in self.last_prompt if message.from_history]


def _calls(text: str, tools: set[str]) -> Iterator[dict[str, Any]]:
    words = text.split()
    if words[0] == "tool" and "note" in tools:
        for _ in range(int(words[1])):
            yield _call("note", {"text": "n"})
    for who in ("weather", "finance", "desk"):
        if words[0] == "ask" and who in words and "delegate_task_to_member" in tools:
            task = "fail" if "failing" in words else f"task for {who}: {text}"
            yield _call("delegate_task_to_member", {"member_id": who, "task": task})


def _call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"call-{uuid4()}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


def open_adapter(folder: Path) -> SqliteDb:
    """Return Agno's own adapter over a new file."""
    return SqliteDb(db_file=str(folder / "agno.db"))


def build_real_team(db: SqliteDb, model: Model, members: list[Agent | Team] | None = None, **settings: Any) -> Team:
    """Return a plain Agno team; history is on unless `settings` say otherwise."""
    settings.setdefault("add_history_to_context", True)
    settings.setdefault("tools", [note])
    return Team(id="desk", name="Desk", model=model, members=members or [], db=db, telemetry=False, **settings)


def build_real_member(member_id: str, model: Model, **settings: Any) -> Agent:
    """Return a plain Agno agent to be a member."""
    return Agent(id=member_id, name=member_id, model=model, telemetry=False, **settings)


def read_runs(db: SqliteDb, session_id: str) -> tuple[RunRecord, ...]:
    """Return the session's top-level runs in stored order, with the member runs that are rows under them."""
    table = db._get_table(table_type="runs")
    if table is None:  # nothing was stored yet
        return ()
    with db.Session() as session:
        rows = session.execute(
            table.select()
            .where(table.c.session_id == session_id)
            .order_by(table.c.run_index, table.c.created_at, table.c.run_id)
        ).fetchall()
    return build_tree([to_record(row.run_data, row.run_index) for row in rows])


def build_tree(records: list[RunRecord]) -> tuple[RunRecord, ...]:
    """Return top-level runs with their members under them; a member of no stored run stands at the top, as in the app."""
    known = {record.run_id for record in records}

    def with_members(record: RunRecord) -> RunRecord:
        under = tuple(with_members(child) for child in records if child.parent_run_id == record.run_id)
        return replace(record, member_runs=under)

    return tuple(with_members(record) for record in records if record.parent_run_id not in known)


def to_record(data: Any, run_index: int | None = None) -> RunRecord:
    """Turn a stored run into a record."""
    if isinstance(data, str):
        data = json.loads(data)
    names = {"COMPLETED": "completed", "CANCELLED": "stopped", "ERROR": "failed", "PENDING": "waiting"}
    status = data.get("status", "RUNNING")
    return RunRecord(
        run_id=data["run_id"],
        session_id=data.get("session_id", ""),
        user_id=data.get("user_id"),
        kind=SessionKind.TEAM if "team_id" in data else SessionKind.AGENT,
        component_id=data.get("team_id") or data.get("agent_id") or "",
        component_name="",
        status=RunStatus(names.get(status, status.lower())),
        question=str((data.get("input") or {}).get("input_content", "")),
        parent_run_id=data.get("parent_run_id"),
        messages=tuple(to_message(message, data["run_id"]) for message in data.get("messages") or []),
        run_index=run_index,
        raw={"status": status, "run_data": data},
    )


def to_message(data: dict[str, Any], run_id: str) -> MessageRecord:
    """Turn a stored message into a record."""
    content = data.get("content")
    return MessageRecord(
        message_id=data["id"],
        role=data["role"],
        content=content if isinstance(content, str) else json.dumps(content) if content else "",
        run_id=run_id,
        from_history=bool(data.get("from_history")),
        tool_requests=tuple(
            ToolRequest(
                tool_call_id=call.get("id", ""),
                tool_name=call["function"]["name"],
                arguments=call["function"]["arguments"],
            )
            for call in data.get("tool_calls") or []
        ),
        tool_call_id=data.get("tool_call_id"),
    )


def shape_given(messages: list[Message]) -> list[tuple[Any, ...]]:
    """Return what is compared of messages that a model was given."""
    return [
        (
            message.id,
            message.role,
            message.content or "",
            tuple(call["id"] for call in message.tool_calls or []),
            message.tool_call_id,
        )
        for message in messages
    ]


def shape_predicted(messages: tuple[MessageRecord, ...]) -> list[tuple[Any, ...]]:
    """Return the same of predicted messages."""
    return [
        (
            message.message_id,
            message.role,
            message.content,
            tuple(request.tool_call_id for request in message.tool_requests),
            message.tool_call_id,
        )
        for message in messages
    ]
