"""A team in tasks mode: the leader writes tasks down and gives them to members by their ids alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from agno.models.response import ModelResponse
from agno.team import Team
from agno.team.mode import TeamMode

from lib.records import DelegationSegment, RunRecord
from lib.replay.delegations import list_delegations
from lib.replay.used_results import find_own_facts
from tests.replay.plain_agno import Answer, ListedModel, PlainAgno, in_words, seen_in, watch

CREATED = re.compile(r"Task (?:created|already exists): \[(\w+)\]")


class TaskModel(ListedModel):
    """Gives its answers one after the other, with the ids of the tasks that were written down in place of `#1`, `#2`."""

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return self._with_ids(kwargs["messages"], super().invoke())

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        for response in super().invoke_stream():
            yield self._with_ids(kwargs["messages"], response)

    def _with_ids(self, messages: list[Any], response: ModelResponse) -> ModelResponse:
        ids = [found for message in messages for found in CREATED.findall(str(message.content or ""))]
        for call in response.tool_calls or ():
            for number, task_id in enumerate(ids, start=1):
                call["function"]["arguments"] = call["function"]["arguments"].replace(f"#{number}", task_id)
        return response


def create(title: str, member_id: str, description: str = "") -> tuple[str, dict[str, Any]]:
    return "create_task", {"title": title, "description": description, "assignee": member_id}


def execute(task_id: str, member_id: str) -> tuple[str, dict[str, Any]]:
    return "execute_task", {"task_id": task_id, "member_id": member_id}


DONE: Answer = ("", [("mark_all_complete", {"summary": "done"})])
PLAN: Answer = ("Plan.", [create("sky", "m", "Is it dry?"), create("sea", "n")])


@pytest.fixture
def build(agno: PlainAgno) -> Callable[..., Team]:
    def build_team(*answers: Answer, **options: Any) -> Team:
        members = [agno.build_member(f"{one} says so.", member_id=one) for one in ("m", "n")]
        model = TaskModel(answers=list(answers))
        return agno.build_team(model=model, members=members, mode=TeamMode.tasks, **options)

    return build_team


def calls_and_words(run: RunRecord) -> list[Any]:
    """Return what is shown, without what is written down and ticked off."""
    return [part for part in seen_in(run) if part[0] not in ("create_task", "mark_all_complete")]


ASKED = [
    "Plan.",
    ("m", "Is it dry?", ["m says so."]),
    ("n", "sea", ["n says so."]),
    "All done.",
]


@pytest.mark.parametrize("stored_events", [True, False])
def test_a_task_given_by_its_id_is_a_delegation_in_the_words_of_the_task(
    agno: PlainAgno, build: Callable[..., Team], stored_events: bool
) -> None:
    steps = ("", [execute("#1", "m")]), ("", [execute("#2", "n")])
    agno.run(build(PLAN, *steps, DONE, "All done.", store_events=stored_events))
    (run,) = agno.replay().runs
    assert calls_and_words(run) == ASKED
    assert [(item.member_name, item.task) for item in list_delegations(run)] == [("M", "Is it dry?"), ("N", "sea")]
    lines = in_words(agno.replay().steps(run))
    assert lines[lines.index(next(line for line in lines if line.startswith("asks m: Is it dry?"))) + 1].startswith(
        "  "
    )
    assert "run of m" not in lines
    if stored_events:
        assert calls_and_words(watch(agno.events, run)) == ASKED


def test_without_streaming_a_task_is_found_in_the_state(agno: PlainAgno, build: Callable[..., Team]) -> None:
    agno.run(build(PLAN, ("", [execute("#1", "m")]), ("", [execute("#2", "n")]), DONE, "All done."), stream=False)
    assert calls_and_words(agno.replay().runs[0]) == ASKED


@pytest.mark.parametrize("stream", [True, False])
def test_tasks_given_side_by_side_are_a_delegation_each(
    agno: PlainAgno, build: Callable[..., Team], stream: bool
) -> None:
    both = ("", [("execute_tasks_parallel", {"task_ids": ["#1", "#2"]})])
    agno.run(build(PLAN, both, DONE, "All done."), stream=stream)
    (run,) = agno.replay().runs
    assert calls_and_words(run) == ASKED
    if stream:  # Agno reports nothing of members that work side by side, but to whom the tasks went
        asked = [part for part in watch(agno.events, run).segments if isinstance(part, DelegationSegment)]
        assert [(part.member_id, part.task, part.run) for part in asked] == [
            ("m", "Is it dry?", None),
            ("n", "sea", None),
        ]


def test_a_task_of_an_earlier_run_keeps_its_words(agno: PlainAgno, build: Callable[..., Team]) -> None:
    again = ("", [create("sky", "m")])  # Agno names the task that is there already
    team = build(PLAN, "Later.", again, ("", [execute("#1", "m")]), DONE, "All done.", max_iterations=1)
    agno.run(team)
    agno.run(team, run_id="r2")
    assert ("m", "Is it dry?", ["m says so."]) in seen_in(agno.replay().runs[1])


def test_a_task_that_is_refused_asked_nobody(agno: PlainAgno, build: Callable[..., Team]) -> None:
    calls = [("", [execute("#1", "m")]), ("", [execute("#1", "m"), execute("lost", "m"), execute("#2", "ghost")])]
    agno.run(build(PLAN, *calls, ("", [execute("#2", "n")]), DONE, "All done."))
    (run,) = agno.replay().runs
    told = [(item.member_id, item.task, item.failed) for item in list_delegations(run)]
    assert told == [
        ("m", "Is it dry?", False),
        ("m", "Is it dry?", True),
        ("m", "task lost, whose words are not known", True),
        ("ghost", "sea", True),
        ("n", "sea", False),
    ]
    assert [bool(item.member_run) for item in list_delegations(run)] == [True, False, False, False, True]


def test_the_id_of_a_task_is_no_fact_that_the_member_found(agno: PlainAgno, build: Callable[..., Team]) -> None:
    agno.run(build(PLAN, ("", [execute("#1", "m")]), DONE, "All done."))
    replay = agno.replay()
    known = next(iter(CREATED.findall(json.dumps(replay.session.run_rows))))
    rows = json.loads(json.dumps(replay.session.run_rows).replace(known, "12 May 2031, 47 EUR"))
    (run,) = type(replay)(type(replay.session)(row=replay.session.row, run_rows=rows)).runs
    (part,) = (part for part in run.segments if isinstance(part, DelegationSegment))
    assert "47 EUR" in (part.call.result or "")
    assert find_own_facts(run, part) == []


def test_words_that_nothing_else_holds_are_those_the_member_was_given(
    agno: PlainAgno, build: Callable[..., Team]
) -> None:
    agno.run(build(PLAN, ("", [execute("#1", "m")]), DONE, "All done."), stream=False)
    replay = agno.replay()
    for row in replay.session.run_rows:
        row["run_data"].pop("session_state", None)
    assert "session_state" not in json.dumps(replay.session.run_rows)
    (run,) = type(replay)(type(replay.session)(row=replay.session.row, run_rows=replay.session.run_rows)).runs
    assert ("m", "Is it dry?", ["m says so."]) in seen_in(run)
