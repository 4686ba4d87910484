"""What Agno itself writes into a cancelled run is not shown as words of the leader or of a member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agno.team import Team

from lib.records import RunRecord, RunStatus, TextSegment
from lib.replay.steps import StepKind
from lib.replay.text import write_steps
from lib.storage.replaying import Replay
from tests.replay.plain_agno import PlainAgno, ask

When = Callable[[Any], bool]


def get_weather(city: str) -> str:
    """Return the weather."""
    return f"{city}: 14 degrees, light (very light) rain"


def after_the_members_tool(event: Any) -> bool:
    return bool(event.event == "ToolCallCompleted")


def amid_the_members_words(event: Any) -> bool:
    return bool(event.event == "RunContent" and "degrees" in str(event.content))


def amid_the_leaders_words(event: Any) -> bool:
    return bool(event.event == "TeamRunContent" and "know" in str(event.content))


def at_the_start(event: Any) -> bool:
    return bool(event.event == "TeamRunStarted")


@pytest.fixture
def agno(tmp_path) -> PlainAgno:
    return PlainAgno(tmp_path / "agno.db")


def cancel(agno: PlainAgno, when: When, *, before: str = "", city: str = "Paris", **options: Any) -> Replay:
    """Ask a team, and stop it at an event."""
    looks = ("", [("get_weather", {"city": city})])
    member = agno.build_member(looks, "It is fourteen degrees in Paris now.", tools=[get_weather])
    team = agno.build_team(
        (before, [ask("m", "look")]), "Now you know all that can be told.", members=[member], **options
    )
    for event in team.run("How?", stream=True, stream_events=True, session_id="s1", user_id="ann", run_id="r1"):
        if when(event):
            Team.cancel_run("r1")
    return agno.replay()


def texts(run: RunRecord) -> list[str]:
    return [part.text.strip() for part in run.segments if isinstance(part, TextSegment)]


@pytest.mark.parametrize("store_events", [True, False])
def test_the_reason_of_a_cancelled_member_is_the_reason_of_its_end(agno, store_events):
    replay = cancel(agno, after_the_members_tool, store_events=store_events)
    (run,) = replay.runs
    (member_run,) = run.member_runs
    assert member_run.raw["run_data"]["content"] == f"Run {member_run.run_id} was cancelled"
    assert (member_run.status, texts(member_run), member_run.notes) == (RunStatus.STOPPED, [], ())
    ends = [step.text for step in replay.steps(run) if step.kind is StepKind.STOPPED]
    assert ends[0] == f"Run {member_run.run_id} was cancelled"
    if store_events:
        assert ends[1] == "Run r1 was cancelled"
    assert any(f"stopped: Run {member_run.run_id} was cancelled" in line for line in write_steps(replay.steps(run)))


def test_a_run_cancelled_before_it_began_says_nothing(agno):
    (run,) = cancel(agno, at_the_start).runs
    assert (run.stop_reason, texts(run), run.notes) == ("Run r1 was cancelled", [], ())


@pytest.mark.parametrize("city", ["Paris", "Paris (Texas)"])
def test_what_a_tool_of_a_member_reported_is_not_said_by_the_leader(agno, city):
    (run,) = cancel(agno, after_the_members_tool, city=city).runs
    assert run.messages[-1].content.startswith("get_weather(city="), "Agno fills the leader's message with it"
    assert texts(run) == []
    assert any("not shown as its words" in note for note in run.notes)


def test_nor_is_it_where_no_event_was_stored_but_the_call_is_known(agno):
    (run,) = cancel(agno, after_the_members_tool, store_events=False).runs
    assert texts(run) == []


def test_what_a_member_said_is_said_by_the_member_alone(agno):
    (run,) = cancel(agno, amid_the_members_words).runs
    assert texts(run) == []
    assert texts(run.member_runs[0]) == ["It is fourteen degrees in"]


def test_what_the_leader_said_before_is_kept(agno):
    for when in (after_the_members_tool, amid_the_members_words):
        agno.file.unlink(missing_ok=True)
        (run,) = cancel(PlainAgno(agno.file), when, before="I ask.").runs
        assert (texts(run), run.notes) == (["I ask."], ())


def test_what_the_leader_said_last_is_kept(agno):
    (run,) = cancel(agno, amid_the_leaders_words).runs
    assert (texts(run), run.notes) == (["Now you know all"], ())
