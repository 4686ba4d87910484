"""A run that Agno tries again after a failure is seen live as it is read back, also if it is stopped or fails then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from agno.exceptions import ModelProviderError
from agno.team import Team

from lib.records import RunStatus
from lib.settings import Settings
from lib.storage import Database
from tests.runs.scripted import Script, Step, build_desk
from tests.runs.test_live_equals_stored import calls_of, compared, run_once


def attempts(*answers: Sequence[Step]) -> Script:
    """Return a script that gives its answers one after the other, whatever it is asked."""
    left = list(answers)
    return lambda messages: left.pop(0) if left else ["Nothing more."]


def look_up(city: str) -> list[tuple[str, dict[str, Any]]]:
    return [("look_up", {"city": city})]


def ask(task: str) -> list[tuple[str, dict[str, Any]]]:
    return [("delegate_task_to_member", {"member_id": "a", "task": task})]


def fail() -> ModelProviderError:
    return ModelProviderError("the provider broke")


CASES: dict[str, tuple[list[list[Step]], RunStatus]] = {
    "at once": ([[fail()], ["The answer."]], RunStatus.COMPLETED),
    "in its words": ([["Half an", fail()], ["The answer."]], RunStatus.COMPLETED),
    "after a tool": (
        [["First.", look_up("Paris")], [fail()], ["Again.", look_up("Rome")], ["The answer."]],
        RunStatus.COMPLETED,
    ),
    "after a delegation": (
        [["First.", ask("one")], [fail()], ["Again.", ask("two")], ["The answer."]],
        RunStatus.COMPLETED,
    ),
    "and fails again": ([["Half an", fail()], ["Another half", fail()]], RunStatus.FAILED),
    "and fails again after a tool": (
        [["First.", look_up("Paris")], [fail()], ["Again.", look_up("Rome")], ["half", fail()]],
        RunStatus.FAILED,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_live_is_what_is_read_back(database: Database, database_settings: Settings, name: str) -> None:
    answers, status = CASES[name]
    leader = attempts(*answers)

    def make() -> Team:
        team: Any = build_desk(leader, a=lambda messages: ["Done."])()
        team.retries, team.delay_between_retries = 1, 0
        return cast(Team, team)

    seen, stored = run_once(database, database_settings, make)
    assert seen.status is status
    assert compared(stored) == compared(seen)
    made = [call.given_up for call in calls_of(seen)]
    assert made in ([], [True, False])
