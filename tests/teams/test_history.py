"""How far back a team reads: the window, unless some part of it reads the whole session."""

from __future__ import annotations

import pytest
from agno.agent import Agent
from agno.session.summary import SessionSummaryManager
from agno.team import Team
from agno.tools import Toolkit
from agno.tools.function import Function

from lib.teams.history import history_reach


def a_team(member=None, **flags):
    return Team(id="desk", members=[member or Agent(id="clerk")], **flags)


def looks_back(team):
    """A tool that Agno hands the team."""
    return str(team)


def make_members():
    """A function that makes the members for a run."""
    return []


def answers(question: str):
    """A tool that Agno hands nothing but its arguments."""
    return question


@pytest.mark.parametrize("name", ["market-desk", "trip-desk", "weather-desk"])
def test_the_sample_teams_read_no_more_than_the_window(load, name, parts):
    catalogue = load()
    for window in (0, 3, 40):
        team = catalogue.build_team(name, **{**parts, "window": window})
        assert history_reach(team, window) == window


def test_a_member_talked_to_directly_reads_the_window(load, parts):
    member = load().build_member("market-desk", "finance", **parts)
    assert history_reach(member, 3) == 3


@pytest.mark.parametrize(
    "team",
    [
        a_team(read_chat_history=True),
        a_team(search_past_sessions=True),
        a_team(enable_session_summaries=True),
        a_team(session_summary_manager=SessionSummaryManager()),
        a_team(member=Agent(id="clerk", add_history_to_context=True)),
        a_team(member=Agent(id="clerk", read_tool_call_history=True)),
        a_team(member=Agent(id="clerk", compaction=True)),
        a_team(member=a_team(read_chat_history=True)),
        a_team(member=a_team(add_history_to_context=True)),
        a_team(tools=[looks_back]),
        a_team(tools=[Function.from_callable(looks_back)]),
        a_team(tools=[Toolkit(name="kit", tools=[looks_back])]),
        a_team(member=Agent(id="clerk", tools=lambda agent: [])),
        a_team(pre_hooks=[lambda session: None]),
        a_team(post_hooks=[lambda **handed: None]),
        a_team(instructions=looks_back),
        Team(id="desk", members=make_members),
    ],
)
def test_a_team_with_a_part_that_reads_the_whole_session_is_given_all_of_it(team):
    assert history_reach(team, 3) is None


def test_a_team_that_reads_no_further_than_its_window_is_given_no_more():
    assert history_reach(a_team(tools=[answers], post_hooks=[lambda run_output: None]), 3) == 3


def test_history_that_is_passed_on_to_members_may_reach_further_than_the_window():
    team = a_team(add_team_history_to_members=True, num_team_history_runs=8)
    assert history_reach(team, 3) == 8
    assert history_reach(team, 20) == 20
