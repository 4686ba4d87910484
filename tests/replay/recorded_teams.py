"""Plain Agno teams whose models keep every request they were given: the truth that the Context view is held against."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.exceptions import ModelProviderError
from agno.metrics import MessageMetrics
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.team import Team
from agno.tools import tool

USER = "ann"
SESSION = "s1"

Shape = tuple[tuple[Any, ...], ...]


@dataclass
class RecordingModel(Model):
    """Follows the words of the newest user message: `tool 2`, `ask weather finance`, `approve`, `fail`; else it answers.

    `failing` fails after its tools; `broken` makes the members that are asked fail.
    """

    id: str = "recording"
    name: str = "Recording"
    provider: str = "Tests"
    reports_tokens: bool = False
    requests: list[Shape] = field(default_factory=list)

    def _answer(self, messages: list[Message], tools: list[dict[str, Any]] | None) -> tuple[str, list[dict[str, Any]]]:
        self.requests.append(shape_of(messages))
        asked = max(place for place, message in enumerate(messages) if message.role == "user")
        words = str(messages[asked].content).split()
        if "fail" in words:
            raise ModelProviderError("this model was told to fail")
        if any(message.role == "assistant" for message in messages[asked:]):
            if "failing" in words:
                raise ModelProviderError("this model was told to fail in the end")
            return f"answer to {' '.join(words)}", []
        known = {tool["function"]["name"] for tool in tools or []}
        calls: list[dict[str, Any]] = []
        if "tool" in words and "note" in known:
            count = int(words[words.index("tool") + 1])
            calls += [_call("note", {"text": f"{number} of {' '.join(words)}"}) for number in range(count)]
        if "approve" in words and "approve" in known:
            calls.append(_call("approve", {"text": " ".join(words)}))
        if "ask" in words and "delegate_task_to_member" in known:
            named = [
                word for word in words[words.index("ask") + 1 :] if word in ("weather", "finance", "desk2", "deep")
            ]
            for member_id in named:
                what = "ask deep of" if member_id == "desk2" else f"tool 1 for {member_id}"
                task = f"{f'please fail for {member_id}' if 'broken' in words else what} {uuid4().hex[:6]}"
                calls.append(_call("delegate_task_to_member", {"member_id": member_id, "task": task}))
        if calls:
            return ("Let me see. " if "aloud" in words else ""), calls
        return f"answer to {' '.join(words)}", []

    def _usage(self, messages: list[Message]) -> MessageMetrics | None:
        if not self.reports_tokens:
            return None
        texts = (f"{message.content or ''} {json.dumps(message.tool_calls or '')}" for message in messages)
        count = sum(len(text) // 4 + 1 for text in texts)  # not the way we count, on purpose
        return MessageMetrics(input_tokens=count, output_tokens=1, total_tokens=count + 1)

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        text, calls = self._answer(kwargs["messages"], kwargs.get("tools"))
        usage = self._usage(kwargs["messages"])
        return ModelResponse(role="assistant", content=text or None, tool_calls=calls, response_usage=usage)

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return self.invoke(*args, **kwargs)

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        text, calls = self._answer(kwargs["messages"], kwargs.get("tools"))
        for word in text.split(" "):
            yield ModelResponse(role="assistant", content=f"{word} ")
        yield ModelResponse(response_usage=self._usage(kwargs["messages"]))
        if calls:
            yield ModelResponse(role="assistant", tool_calls=calls)

    async def ainvoke_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ModelResponse]:
        for response in self.invoke_stream(*args, **kwargs):
            await asyncio.sleep(0)
            yield response

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


def _call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": f"call-{uuid4().hex[:12]}", "type": "function", "function": function}


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


@tool(requires_confirmation=True)
def approve(text: str) -> str:
    """Do what somebody has to agree to first."""
    return f"approved {text}"


def shape_of(messages: list[Message]) -> Shape:
    """Return what is compared of the messages of a request."""
    return tuple(
        (message.id, message.role, message.content or "", tuple(call["id"] for call in message.tool_calls or []))
        for message in messages
    )


def _new_run() -> dict[str, Any]:
    return {"session_id": SESSION, "user_id": USER, "run_id": str(uuid4())}


class RecordedTeam:
    """A team over one SQLite file: a leader, two members and a nested team with a member of its own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.file = folder / "agno.db"
        self.db = SqliteDb(db_file=str(self.file))
        tokens = settings.pop("reports_tokens", False)
        self.models = {
            name: RecordingModel(reports_tokens=tokens) for name in ("desk", "weather", "finance", "desk2", "deep")
        }
        member_settings = settings.pop("members", {})
        store = settings.get("store_history_messages", True)
        weather, finance, deep = (
            Agent(
                id=name,
                name=name,
                model=self.models[name],
                tools=[note],
                telemetry=False,
                **{"store_history_messages": store, **member_settings},
            )
            for name in ("weather", "finance", "deep")
        )
        nested = Team(
            id="desk2",
            name="desk2",
            model=self.models["desk2"],
            members=[deep],
            telemetry=False,
            store_history_messages=store,
            store_member_responses=True,
        )
        self.team = Team(
            id="desk",
            name="desk",
            model=self.models["desk"],
            members=[weather, finance, nested],
            tools=[note, approve],
            db=self.db,
            telemetry=False,
            add_history_to_context=True,
            store_events=True,
            stream_member_events=True,
            store_member_responses=True,
            **settings,
        )

    def ask(self, question: str, *, stream: bool = True, stop: bool = False, concurrent: bool = False) -> str:
        """Run one question to its end, or stop it at its first word; return the run's id."""
        options = _new_run()
        if concurrent:
            asyncio.run(self._ask_async(question, options, stop=stop))
        elif stream or stop:
            for event in self.team.run(question, stream=True, stream_events=True, **options):
                if stop and event.event == "TeamRunContent":
                    Team.cancel_run(options["run_id"])
        else:
            self.team.run(question, **options)
        return str(options["run_id"])

    def ask_together(self, questions: Sequence[str]) -> list[str]:
        """Run several questions at the same time in the one session, none of which finds another; return the runs' ids."""
        asked = [_new_run() for _ in questions]

        async def ask_all() -> None:
            await asyncio.gather(
                *(self._ask_async(question, options) for question, options in zip(questions, asked, strict=True))
            )

        asyncio.run(ask_all())
        return [str(options["run_id"]) for options in asked]

    async def _ask_async(self, question: str, options: dict[str, Any], *, stop: bool = False) -> None:
        async for event in self.team.arun(question, stream=True, stream_events=True, **options):
            if stop and event.event == "TeamRunContent":
                Team.cancel_run(options["run_id"])

    def regenerate(self, run_id: str) -> str:
        """Answer a question again, in place of its first answer; return the new run's id."""
        known = {row["run_id"] for row in self.rows()}
        for _ in self.team.continue_run(  # type: ignore[call-overload]  # Agno's overloads leave `regenerate` out
            run_id=run_id, session_id=SESSION, user_id=USER, regenerate=True, stream=True, stream_events=True
        ):
            pass
        (new,) = (row["run_id"] for row in self.rows() if row["run_id"] not in known and not row["parent_run_id"])
        return str(new)

    def resume(self, run_id: str) -> None:
        """Agree to what a paused run asks for, and let it go on to its end."""
        paused: Any = self.team.get_run_output(run_id=run_id, session_id=SESSION, user_id=USER)
        for requirement in paused.requirements:
            requirement.confirm()
        self.team.continue_run(
            run_id=run_id, requirements=paused.requirements, session_id=SESSION, user_id=USER, stream=False
        )

    def delete(self, run_id: str) -> None:
        """Delete a run and its members' runs from the database, and let ten seconds pass.

        Agno gives the next run a place that is taken (F8); within one second nothing would tell which of the two was first.
        """
        self.pass_time()
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute("DELETE FROM agno_runs WHERE run_id = ? OR parent_run_id = ?", (run_id, run_id))

    def pass_time(self) -> None:
        """Let ten seconds pass: everything that is stored becomes so much older."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            for row_id, data in connection.execute("SELECT run_id, run_data FROM agno_runs").fetchall():
                older = re.sub(r'("created_at": )(\d+)', lambda found: f"{found[1]}{int(found[2]) - 10}", data)
                connection.execute(
                    "UPDATE agno_runs SET run_data = ?, created_at = created_at - 10, updated_at = updated_at - 10"
                    " WHERE run_id = ?",
                    (older, row_id),
                )

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as Agno reads them, their data parsed."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.row_factory = sqlite3.Row
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'agno_runs'").fetchone():
                return []
            found = connection.execute("SELECT * FROM agno_runs ORDER BY run_index, created_at, run_id").fetchall()
        return [dict(row) | {"run_data": json.loads(row["run_data"])} for row in found]

    def close(self) -> None:
        """Let go of the file."""
        self.db.db_engine.dispose()
