"""A team in tasks mode is seen live as it is read back: who was asked what, with the member's own steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agno.agent import Agent
from agno.models.message import Message
from agno.team import Team
from agno.team.mode import TeamMode

from lib.records import DelegationSegment, RunRecord, RunStatus
from lib.settings import Settings
from lib.storage import Database
from tests.runs.scripted import TOOLS, ScriptedModel, Step, use
from tests.runs.test_live_equals_stored import compared, run_once


def leader(messages: list[Message]) -> Sequence[Step]:
    """Write two tasks down, give each away and one of them again, and answer."""
    asked = max(place for place, message in enumerate(messages) if message.role == "user")
    said = sum(message.role == "assistant" for message in messages[asked:])
    ids = re.findall(r"Task created: \[(\w+)\]", " ".join(str(message.content) for message in messages))
    rounds: list[Sequence[Step]] = [
        ["Plan.", [_task("Paris", "Is it dry in Paris?"), _task("Rome")]],
        [[_execute(ids[0])] if ids else []],
        [[_execute(ids[0])] if ids else []],
        [[_execute(ids[1])] if ids else []],
        [[("mark_all_complete", {"summary": "done"})]],
        ["All done."],
    ]
    return rounds[said]


def _task(title: str, description: str = "") -> tuple[str, dict[str, Any]]:
    return "create_task", {"title": title, "description": description, "assignee": "a"}


def _execute(task_id: str) -> tuple[str, dict[str, Any]]:
    return "execute_task", {"task_id": task_id, "member_id": "a"}


def make() -> Team:
    member = Agent(id="a", name="A", model=ScriptedModel(script=use("look_up")), tools=list(TOOLS))
    return Team(id="desk", name="Desk", model=ScriptedModel(script=leader), members=[member], mode=TeamMode.tasks)


def asked_in(run: RunRecord) -> list[tuple[str, str, bool]]:
    parts = [part for part in run.segments if isinstance(part, DelegationSegment)]
    return [(part.member_id, part.task, part.run is not None) for part in parts]


def test_live_is_what_is_read_back(database: Database, database_settings: Settings) -> None:
    seen, stored = run_once(database, database_settings, make)
    assert seen.status is RunStatus.COMPLETED
    assert asked_in(seen) == [
        ("a", "Is it dry in Paris?", True),
        ("a", "Is it dry in Paris?", False),  # it was done: Agno refused
        ("a", "Rome", True),
    ]
    assert compared(stored) == compared(seen)
