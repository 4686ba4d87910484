"""A team whose models follow a script, for the engine's tests: the model is the edge, all else is real.

A script is a list of steps for one answer: text is streamed word by word, a number waits so many seconds, a list of
(tool, arguments) is called, an exception is raised.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agno.agent import Agent
from agno.metrics import MessageMetrics
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.team import Team

from lib.records import TextSegment
from lib.runs import RunEngine, RunHandle
from lib.settings import Settings
from lib.storage import Database
from lib.teams.catalogue import TeamCatalogue, to_entry
from lib.teams.importing import TeamSource
from tests.services.ports import wait_until

Step = str | float | Exception | list[tuple[str, dict[str, Any]]]
Script = Callable[[list[Message]], Sequence[Step]]


@dataclass
class ScriptedModel(Model):
    """Says what its script says for the messages it is given, and remembers what it was given."""

    id: str = "scripted"
    name: str = "Scripted"
    provider: str = "tests"
    script: Script = field(default=lambda messages: ["An answer."])
    delay_s: float = 0.0
    prompts: list[list[str]] = field(default_factory=list)

    async def ainvoke_stream(
        self, messages: list[Message], assistant_message: Message, **_: Any
    ) -> AsyncIterator[ModelResponse]:
        self.prompts.append([str(message.content) for message in messages])
        for step in self.script(messages):
            match step:
                case Exception():
                    raise step
                case float():
                    await asyncio.sleep(step)
                case list():
                    calls = [
                        {
                            "id": f"call_{uuid.uuid4().hex[:8]}",
                            "type": "function",
                            "function": {"name": name, "arguments": json.dumps(arguments)},
                        }
                        for name, arguments in step
                    ]
                    yield ModelResponse(role="assistant", tool_calls=calls)
                case str():
                    for word in step.split(" "):
                        yield ModelResponse(role="assistant", content=word + " ")
                        await asyncio.sleep(self.delay_s)
        yield ModelResponse(response_usage=MessageMetrics(input_tokens=10, output_tokens=5, total_tokens=15))

    def invoke(self, *_: Any, **__: Any) -> ModelResponse:
        raise NotImplementedError("the engine streams")

    def invoke_stream(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError("the engine streams asynchronously")

    async def ainvoke(self, *_: Any, **__: Any) -> ModelResponse:
        raise NotImplementedError("the engine streams")

    def _parse_provider_response(self, response: Any, **_: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


def ask(*calls: tuple[str, str], first: str = "", then: str = "The final answer.") -> Script:
    """Return a leader's script: delegate each (member, task), then answer."""

    def script(messages: list[Message]) -> Sequence[Step]:
        if messages[-1].role == "tool":
            return [then]
        delegations = [("delegate_task_to_member", {"member_id": member_id, "task": task}) for member_id, task in calls]
        return [first, delegations] if first else [delegations]

    return script


def use(tool: str, first: str = "Let me look.", then: str = "This is what I found.") -> Script:
    """Return a script that calls a tool once and then answers."""

    def script(messages: list[Message]) -> Sequence[Step]:
        return [then] if messages[-1].role == "tool" else [first, [(tool, {"city": "Paris"})]]

    return script


def say(*steps: Step) -> Script:
    """Return a script that always answers the same."""
    return lambda messages: steps


def look_up(city: str) -> str:
    """Return a fact about a city."""
    return f"{city} is sunny"


def look_up_slowly(city: str) -> str:
    """Return a fact about a city, blocking for a second."""
    time.sleep(1.0)
    return f"{city} is sunny"


def fail_to_look_up(city: str) -> str:
    """Fail."""
    raise RuntimeError(f"no data for {city}")


def block(city: str) -> str:
    """Block for longer than anybody waits."""
    time.sleep(60.0)
    return city


TOOLS = [look_up, look_up_slowly, fail_to_look_up, block]


def build_desk(leader: Script, *, delay_s: float = 0.0, **members: Script) -> Callable[[], Team]:
    """Return what makes a desk: a leader with tools, and a member with tools for each further script.

    A member called `nested` is a team with one member `inner` of its own.
    """
    inner = members.pop("inner", use("look_up"))

    def model(script: Script) -> ScriptedModel:
        return ScriptedModel(script=script, delay_s=delay_s)

    def make_member(member_id: str, script: Script) -> Agent | Team:
        if member_id == "nested":
            below = Agent(id="inner", name="Inner", model=model(inner), tools=list(TOOLS))
            return Team(id="nested", name="Nested", model=model(script), members=[below])
        return Agent(id=member_id, name=member_id.title(), model=model(script), tools=list(TOOLS))

    def make() -> Team:
        return Team(
            id="desk",
            name="Desk",
            model=model(leader),
            members=[make_member(member_id, script) for member_id, script in members.items()],
            tools=list(TOOLS),
        )

    return make


def build_own_team() -> Team:
    """Return a desk as somebody's own team, with a model of its own: for CHAT_TEAMS."""
    return build_desk(say("An answer."))()


def build_engine(database: Database, settings: Settings, make: Callable[[], Team]) -> RunEngine:
    """Return an engine whose only team is the desk."""
    catalogue = TeamCatalogue([(to_entry(make(), source="tests"), TeamSource("tests", make))])
    return RunEngine(database=database, catalogue=catalogue, settings=settings)


def wait_for_words(handle: RunHandle, words: str) -> None:
    """Wait until a run, or one under it, has said these words: on a busy machine that takes longer than one would think."""

    def said() -> bool:
        parts = (part for run in handle.snapshot().walk() for part in run.segments)
        return any(isinstance(part, TextSegment) and words in part.text for part in parts)

    wait_until(said, timeout_s=20, what=f"{words!r}")
