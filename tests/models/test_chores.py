"""Titles, summaries and memories: what Agno asks its model for besides answers, with Agno's own prompts."""

from __future__ import annotations

import json

import pytest
from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.memory import MemoryManager
from agno.models.message import Message
from agno.session.summary import SessionSummaryManager
from agno.team import Team

from lib.models import OfflineModel
from tests.models.messages import assistant, system, user, words_of


@pytest.mark.parametrize(
    ("request_text", "conversation"),
    [
        (
            "Give this conversation a title of at most six words.",
            "User: What is the weather in Paris and the price of ACME?",
        ),
        (
            "Please provide a suitable name for this conversation in maximum 5 words.",
            "USER: weather in Paris?\nASSISTANT: sunny",
        ),
        (
            "Write a title, no more than 6 words",
            "What about the quarterly report of the whole Lisbon office [slow 5s]?",
        ),
    ],
)
def test_a_title_has_one_to_five_words_of_the_conversation(request_text: str, conversation: str) -> None:
    title = words_of(system(request_text), conversation)
    assert 1 <= len(title.split()) <= 5
    assert all(word.casefold() in conversation.casefold() for word in title.split())


def test_a_title_request_without_anything_to_name_gets_a_plain_title() -> None:
    assert words_of(system("Title in at most six words"), "") == "New conversation"


def test_agno_names_a_session_through_the_offline_model() -> None:
    team = Team(
        model=OfflineModel(token_delay_s=0), members=[Agent(id="a", name="A")], db=InMemoryDb(), telemetry=False
    )
    team.run("Remember: the secret word is bird", session_id="s", user_id="u")
    team.set_session_name(session_id="s", autogenerate=True)
    assert team.get_session_name(session_id="s") == "Secret word bird"


def test_agno_sums_a_session_up_through_the_offline_model() -> None:
    agent = Agent(
        model=OfflineModel(token_delay_s=0),
        db=InMemoryDb(),
        session_summary_manager=SessionSummaryManager(model=OfflineModel(token_delay_s=0)),
        enable_session_summaries=True,
        telemetry=False,
    )
    agent.run("Remember: the secret word is bird", session_id="s", user_id="u")
    agent.run("the secret word is now fish", session_id="s", user_id="u")
    summary = agent.get_session_summary(session_id="s")
    assert summary is not None
    assert summary.summary == "The secret word is now fish."


def test_a_summary_without_facts_says_what_was_asked() -> None:
    request = system("Give a Summary.<conversation>User: weather in Paris?\nAssistant: sunny\n</conversation>")
    summary = json.loads(words_of(request, "Provide the summary.", response_format={"type": "json_object"}))
    assert summary == {"summary": "The user asked: weather in Paris?", "topics": []}


def test_agno_keeps_and_changes_memories_through_the_offline_model() -> None:
    memory = MemoryManager(model=OfflineModel(token_delay_s=0), db=InMemoryDb())
    memory.create_user_memories(message="my budget is 40k", user_id="u")
    memory.create_user_memories(message="my budget is 50k", user_id="u")
    memory.create_user_memories(message="what a day", user_id="u")
    assert [kept.memory for kept in memory.get_user_memories(user_id="u") or []] == ["My budget is 50k."]


def test_a_memory_is_there_in_another_session() -> None:
    def agent() -> Agent:
        return Agent(
            model=OfflineModel(token_delay_s=0),
            db=database,
            update_memory_on_run=True,
            add_memories_to_context=True,
            telemetry=False,
        )

    database = InMemoryDb()
    agent().run("my budget is 40k", session_id="one", user_id="u")
    assert "40k" in str(agent().run("What is my budget?", session_id="two", user_id="u").content)
    assert "40k" not in str(agent().run("What is my budget?", session_id="three", user_id="other").content)


def test_a_chat_that_speaks_of_titles_is_not_taken_for_a_title_request() -> None:
    given: list[Message] = [user("hello"), assistant("hi"), user("what is the title of my book?")]
    assert words_of(*given).startswith("I don't know")
