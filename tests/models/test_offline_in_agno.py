"""The offline model as the model of real Agno teams and agents."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.message import Message
from agno.team import Team

from lib.models import DONT_KNOW, OfflineModel


def get_weather(city: str) -> str:
    """Get today's weather in a city."""
    if "[fail tool]" in city:
        raise RuntimeError("the weather station is down")
    return f"{city}: sunny, 21 °C (sample data)"


def get_price(ticker: str) -> str:
    """Get the latest price of a share."""
    return f"{ticker} at 42.00 USD (sample data)"


def build_team(window: int = 3, heard: Callable[[Sequence[Message]], None] | None = None, **more: Any) -> Team:
    model = OfflineModel(token_delay_s=0, on_request=heard)
    return Team(
        id="desk",
        name="Desk",
        model=model,
        members=[
            Agent(id="sky-7", name="Sky", role="Weather by city", model=model, tools=[get_weather], telemetry=False),
            Agent(id="ledger", name="Ledger", role="Share prices", model=model, tools=[get_price], telemetry=False),
        ],
        db=InMemoryDb(),
        add_history_to_context=window > 0,
        num_history_runs=window,
        telemetry=False,
        **more,
    )


def events_of(team: Team | Agent, question: str, session_id: str = "s") -> list[Any]:
    async def collect() -> list[Any]:
        stream = team.arun(question, stream=True, stream_events=True, session_id=session_id, user_id="u")
        return [event async for event in stream]

    return asyncio.run(collect())


def answer_of(team: Team, question: str, session_id: str = "s") -> str:
    events = events_of(team, question, session_id)
    return "".join(str(event.content) for event in events if event.event == "TeamRunContent")


def delegations_in(events: list[Any]) -> list[str]:
    return [event.tool.tool_args["member_id"] for event in events if event.event == "TeamToolCallStarted"]


def test_two_members_are_asked_at_once_and_one_answer_is_made() -> None:
    events = events_of(build_team(), "What is the weather in Paris and the price of ACME?")
    kinds = [event.event for event in events]
    assert delegations_in(events) == ["sky-7", "ledger"]
    assert kinds.index("TeamToolCallCompleted") > max(
        i for i, kind in enumerate(kinds) if kind == "TeamToolCallStarted"
    )
    assert [event.tool.tool_name for event in events if event.event == "ToolCallStarted"] == [
        "get_weather",
        "get_price",
    ]
    text = "".join(str(event.content) for event in events if event.event == "TeamRunContent")
    assert text == "Sky reports: Paris: sunny, 21 °C (sample data).\n\nLedger reports: ACME at 42.00 USD (sample data)."


def test_without_streaming_the_words_are_the_same() -> None:
    question = "What is the weather in Paris and the price of ACME?"
    assert build_team().run(question, session_id="s", user_id="u").content == answer_of(build_team(), question)


def test_repeat_that_delegates_to_nobody() -> None:
    team = build_team()
    first = answer_of(team, "What is the weather in Paris?")
    events = events_of(team, "repeat that")
    assert delegations_in(events) == []
    assert "".join(str(event.content) for event in events if event.event == "TeamRunContent") == first


def test_a_fact_is_recalled_inside_the_window_and_not_beyond_it() -> None:
    team = build_team(window=2)
    answer_of(team, "the secret word is bird")
    assert "bird" in answer_of(team, "What is the secret word?", "s")
    for _ in range(2):
        answer_of(team, "weather in Rome")
    assert answer_of(team, "What is the secret word?") == DONT_KNOW


def test_without_history_the_model_knows_nothing() -> None:
    team = build_team(window=0)
    answer_of(team, "the secret word is bird")
    assert answer_of(team, "What is the secret word?") == DONT_KNOW


def test_the_chat_history_tool_reaches_beyond_the_window() -> None:
    team = build_team(window=1, read_chat_history=True)
    answer_of(team, "the secret word is bird")
    for _ in range(2):
        answer_of(team, "weather in Rome")
    assert "bird" in answer_of(team, "What is the secret word?")


def test_the_recorder_hears_exactly_what_each_request_was_given() -> None:
    heard: list[Sequence[Message]] = []
    answer_of(build_team(heard=heard.append), "weather in Rome")
    roles = [[message.role for message in messages] for messages in heard]
    assert roles == [
        ["system", "user"],  # the leader delegates
        ["system", "user"],  # the member calls its tool
        ["system", "user", "assistant", "tool"],  # the member reports
        ["system", "user", "assistant", "tool"],  # the leader answers
    ]


@pytest.mark.parametrize(
    ("direction", "event", "reason"),
    [
        ("[fail model]", "TeamRunError", "[fail model]"),
        ("[fail midway]", "TeamRunError", "[fail midway]"),
        ("[fail member]", "RunError", "[fail model]"),
        ("[fail tool]", "ToolCallError", "the weather station is down"),
    ],
)
def test_each_failure_appears_where_it_was_asked_for(direction: str, event: str, reason: str) -> None:
    events = events_of(build_team(), f"weather in Rome {direction}")
    failures = [found for found in events if found.event.endswith("Error")]
    assert [found.event for found in failures] == [event]
    assert reason in str(getattr(failures[0], "content", None) or getattr(failures[0], "error", ""))
    assert ("TeamRunCompleted" in [found.event for found in events]) == (event != "TeamRunError")


def test_a_nested_team_hands_the_task_to_its_own_member() -> None:
    model = OfflineModel(token_delay_s=0)
    rails = Agent(
        id="rails", name="Rails", role="Weather for trains", model=model, tools=[get_weather], telemetry=False
    )
    inner = Team(id="inner", name="Inner", role="Weather and trains", members=[rails], model=model, telemetry=False)
    outer = Team(id="outer", members=[inner], model=model, db=InMemoryDb(), telemetry=False)
    events = events_of(outer, "weather in Rome")
    assert delegations_in(events) == ["inner", "rails"]
    # Agno hands the outer leader everything the inner team streamed, its members' words included.
    answer = [event.content for event in events if event.event == "TeamRunCompleted"][-1]
    assert answer.startswith("Inner reports: ")
    assert answer.endswith("Rails reports: Rome: sunny, 21 °C (sample data).")


def test_tokens_are_reported_for_leader_and_members() -> None:
    events = events_of(build_team(), "weather in Rome")
    completed = [event for event in events if event.event in ("TeamRunCompleted", "RunCompleted")]
    assert len(completed) == 2
    assert all(event.metrics.input_tokens > 0 and event.metrics.output_tokens > 0 for event in completed)


def test_one_agent_alone_calls_its_tool_and_remembers() -> None:
    agent = Agent(
        id="sky",
        model=OfflineModel(token_delay_s=0),
        tools=[get_weather],
        db=InMemoryDb(),
        add_history_to_context=True,
        telemetry=False,
    )
    assert agent.run("weather in Rome", session_id="s", user_id="u").content == "Rome: sunny, 21 °C (sample data)."
    agent.run("my budget is 40k", session_id="s", user_id="u")
    assert agent.run("What is my budget?", session_id="s", user_id="u").content == "Your budget is 40k."
