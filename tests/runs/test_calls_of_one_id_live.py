"""A run whose model gives every call the same id is seen live as it is read back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.team import Team

from lib.records import RunStatus
from lib.settings import Settings
from lib.storage import Database
from tests.runs.scripted import Script, ScriptedModel, Step, build_desk
from tests.runs.test_live_equals_stored import compared, run_once


@dataclass
class OneId(ScriptedModel):
    """Calls every call the same."""

    async def ainvoke_stream(
        self, messages: list[Message], assistant_message: Message, **options: Any
    ) -> AsyncIterator[ModelResponse]:
        async for response in super().ainvoke_stream(messages, assistant_message, **options):
            for call in response.tool_calls or []:
                call["id"] = "call_0"
            yield response


def rounds(*steps: Sequence[Step]) -> Script:
    """Return a script of one round of steps after the other, by how many answers the run has."""

    def script(messages: list[Message]) -> Sequence[Step]:
        asked = max(place for place, message in enumerate(messages) if message.role == "user")
        return steps[sum(message.role == "assistant" for message in messages[asked:])]

    return script


def look_up(city: str) -> list[tuple[str, dict[str, Any]]]:
    return [("look_up", {"city": city})]


def ask(task: str) -> list[tuple[str, dict[str, Any]]]:
    return [("delegate_task_to_member", {"member_id": "a", "task": task})]


CASES = {
    "tools": rounds(["First.", look_up("Paris")], [look_up("Rome")], ["Both are sunny."]),
    "delegations": rounds([ask("one")], ["And now:", ask("two")], [look_up("Rome")], ["Done."]),
    "a missing tool after one that is there": rounds([look_up("Paris")], [[("no_such_tool", {})]], ["Done."]),
}


@pytest.mark.parametrize("leader", CASES.values(), ids=CASES.keys())
def test_live_is_what_is_read_back(database: Database, database_settings: Settings, leader: Script) -> None:
    plain = build_desk(leader, a=rounds([look_up("Oslo")], ["Oslo is sunny."]))

    def make() -> Team:
        team: Any = plain()
        for part in (team, *team.members):
            part.model = OneId(script=part.model.script)
        return cast(Team, team)

    seen, stored = run_once(database, database_settings, make)
    assert seen.status is RunStatus.COMPLETED
    assert compared(stored) == compared(seen)
