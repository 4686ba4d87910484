"""A model that follows a script, a plain Agno database, and a desk of one's own, for the tests of the catalogue."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from agno.db.sqlite import SqliteDb
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse

from lib.teams.catalogue import TeamCatalogue, load_catalogue


@dataclass
class ScriptedModel(Model):
    """Calls the tools that the last user message lists as `[[name, arguments], ...]`, then repeats their results.

    A delegated task is such a list too, so a question holds what a whole tree of members will do.
    """

    id: str = "scripted"
    name: str = "Scripted"
    provider: str = "tests"
    prompts: list[list[Message]] = field(default_factory=list)

    def invoke(self, messages: list[Message], **_: Any) -> ModelResponse:
        self.prompts.append(list(messages))
        if messages[-1].role != "user":
            results = [str(message.content) for message in messages[_last_user(messages) :] if message.role == "tool"]
            return ModelResponse(role="assistant", content=" / ".join(results))
        text = str(messages[-1].content)
        if not text.startswith("["):
            return ModelResponse(role="assistant", content=f"You said {text!r}.")
        calls = [
            {
                "id": f"call_{len(messages)}_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(json.loads(text))
        ]
        return ModelResponse(role="assistant", tool_calls=calls)

    async def ainvoke(self, messages: list[Message], **_: Any) -> ModelResponse:
        return self.invoke(messages)

    def invoke_stream(self, messages: list[Message], **_: Any) -> Iterator[ModelResponse]:
        yield self.invoke(messages)

    async def ainvoke_stream(self, messages: list[Message], **_: Any) -> AsyncIterator[ModelResponse]:
        yield self.invoke(messages)

    def _parse_provider_response(self, response: ModelResponse, **_: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: ModelResponse) -> ModelResponse:
        return response


def _last_user(messages: list[Message]) -> int:
    return max(number for number, message in enumerate(messages) if message.role == "user")


@pytest.fixture
def scripted_model():
    return ScriptedModel()


@pytest.fixture
def delegate():
    """Write the script of one delegation: the member calls the tools it is given."""

    def write(member_id: str, *tasks: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        return ("delegate_task_to_member", {"member_id": member_id, "task": json.dumps(tasks)})

    return write


@pytest.fixture
def db(tmp_path):
    """Agno's own SQLite database, empty."""
    adapter = SqliteDb(db_file=str(tmp_path / "history.db"))
    yield adapter
    adapter.db_engine.dispose()


@pytest.fixture
def parts(db, scripted_model, tmp_path):
    """What `build_team` needs beside a name."""
    return {"db": db, "model": scripted_model, "window": 3, "media_dir": tmp_path / "media"}


@pytest.fixture
def load(settings):
    """Load the catalogue with these paths in CHAT_TEAMS."""

    def load_with(*chat_teams: str) -> TeamCatalogue:
        return load_catalogue(settings.model_copy(update={"chat_teams": chat_teams}))

    return load_with


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Write a module of one's own into the working directory; each has a name no other test uses."""
    monkeypatch.chdir(tmp_path)
    written: list[str] = []

    def write(source: str, name: str = "") -> str:
        module = name or f"desk_{tmp_path.name.replace('-', '_')}_{len(written)}"
        written.append(module)
        path = Path(*module.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        return module

    path_before = list(sys.path)
    yield write
    sys.path[:] = path_before
    for module in written:
        sys.modules.pop(module, None)
