"""What the offline model remembers: what its messages hold, and nothing else."""

from __future__ import annotations

import json

import pytest

from lib.models import DONT_KNOW, WHAT_I_AM
from tests.models.messages import DELEGATE, ROSTER, assistant, called, calls_of, function, system, user, words_of


@pytest.mark.parametrize(
    ("told", "question", "holds"),
    [
        ("Remember: the secret word is bird", "What is the secret word?", "bird"),
        ("the secret word is bird", "what's the secret word", "bird"),
        ("the secret word is bird", "Please answer in one word: what is the secret word?", "bird"),
        ("the secret word is bird", "Can you tell me what the secret word is? Be brief.", "bird"),
        ("my budget is 40k", "What is my budget?", "40k"),
        ("My budget is 40.5k.", "Tell me my budget", "40.5k"),
        ("Please remember that my name is Ada Lovelace.", "What's my name?", "Ada Lovelace"),
        ("Remember: codename = falcon", "What is the codename?", "falcon"),
        ("Remember: I fly on Friday.", "When do I fly?", "Friday"),
        ("Note that our deadline is 3 May", "When is our deadline?", "3 May"),
        ("Remember:\nmy dog is called Rex", "Who is my dog?", "Rex"),
        ("Remember: the secret word is bird and my budget is 40k", "What is my budget?", "40k"),
        ("Merke dir nichts. Remember: das Passwort is Ünï", "What is das Passwort?", "Ünï"),
        ("Remember: the launch code is 0042 [slow 3s]", "What is the launch code?", "0042"),
    ],
)
def test_a_fact_that_a_message_holds_is_answered(told: str, question: str, holds: str) -> None:
    assert words_of(told).startswith("Noted: ")
    answer = words_of(told, assistant("Noted."), question)
    assert holds in answer
    assert "[slow" not in answer


@pytest.mark.parametrize(
    "question", ["What is the secret word?", "What's my budget?", "Who is my boss?", "When do I fly?"]
)
def test_a_fact_that_no_message_holds_is_not_known(question: str) -> None:
    assert words_of(system("You are helpful."), "hello", assistant("hi"), question) == DONT_KNOW
    assert DONT_KNOW == "I don't know: it is not in the messages I was given."


def test_the_newest_of_two_statements_counts() -> None:
    told = [user("the secret word is bird"), assistant("Noted."), user("the secret word is now fish")]
    answer = words_of(*told, "What is the secret word?")
    assert "fish" in answer
    assert "bird" not in answer


def test_a_question_is_no_statement() -> None:
    assert words_of("What is the secret word?", assistant(DONT_KNOW), "What is the secret word?") == DONT_KNOW


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
def test_a_fact_counts_whoever_said_it(role: str) -> None:
    said = user("The secret word is bird.")
    said.role = role
    assert "bird" in words_of(said, "What is the secret word?")


@pytest.mark.parametrize("block", ["memories_from_previous_interactions", "summary_of_previous_interactions"])
def test_a_fact_in_a_memory_or_summary_that_agno_injects_is_answered(block: str) -> None:
    injected = system(f"{ROSTER}\n<{block}>\n- The user's budget is 40k\n</{block}>")
    assert "40k" in words_of(injected, "What is my budget?", tools=[DELEGATE])


@pytest.mark.parametrize("name", ["get_chat_history", "read_chat_history"])
def test_the_chat_history_tool_is_asked_once_where_it_is_offered(name: str) -> None:
    tools = [function(name, "Get the chat history.", num_chats="integer?")]
    question = "What is the secret word?"
    assert calls_of(question, tools=tools) == [(name, {})]
    history = json.dumps(
        [{"role": "user", "content": "the secret word is bird"}, {"role": "assistant", "content": "Ok"}]
    )
    assert "bird" in words_of(question, *called(name, {}, history), tools=tools)
    assert words_of(question, *called(name, {}, "[]"), tools=tools) == DONT_KNOW


def test_a_leader_does_not_delegate_what_it_was_told() -> None:
    told = [system(ROSTER), user("my share price target is 400"), assistant("Noted.")]
    assert calls_of(*told, "What is my share price target?", tools=[DELEGATE]) == []
    assert "400" in words_of(*told, "What is my share price target?", tools=[DELEGATE])


def test_a_leader_does_not_delegate_what_is_the_users_own() -> None:
    assert words_of(system(ROSTER), "What is my hotel budget?", tools=[DELEGATE]) == DONT_KNOW


def test_repeat_that_gives_the_last_answer_without_delegating() -> None:
    answer = "Sky reports: Paris is sunny."
    turn = [user("What is the weather in Paris?"), *called("delegate_task_to_member", {"member_id": "wx"}, "x")]
    request = [system(ROSTER), *turn, assistant(answer), user("repeat that")]
    assert words_of(*request, tools=[DELEGATE]) == answer
    assert calls_of(*request, tools=[DELEGATE]) == []


def test_nothing_can_be_repeated_where_no_answer_is_in_the_messages() -> None:
    assert words_of("repeat that").startswith("There is nothing to repeat")


def test_a_fact_and_a_question_in_one_message_are_both_answered() -> None:
    assert calls_of(system(ROSTER), "My budget is 40k. What is the weather in Paris?", tools=[DELEGATE])
    assert "40k" in words_of("My budget is 40k. What is my budget?")


@pytest.mark.parametrize("text", ["hello", "", "tell me a joke", "😀", "[", "<member id="])
def test_it_says_what_it_is_where_it_cannot_help(text: str) -> None:
    assert WHAT_I_AM in words_of(text)
    assert WHAT_I_AM == "I am the offline model: fixed rules, no language understanding."


def test_a_fact_that_was_meant_for_a_member_is_known_to_whoever_is_given_the_words() -> None:
    told = user("Ask Sky: Remember: the secret word is bird.")
    assert words_of(told, assistant("Sky reports: Noted."), "What is the secret word?") == "The secret word is bird."


def test_what_a_team_history_tells_is_known_and_is_no_part_of_the_question() -> None:
    history = (
        "<team_history_context>\n[run-1]\ninput: Ask Sky: Remember: the secret word is bird.\nresponse: Noted.\n\n"
    )
    task = f"{history}</team_history_context>\n\n\nWhat is the secret word?"
    assert words_of(task) == "The secret word is bird."
