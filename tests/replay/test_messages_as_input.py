"""A question that is asked with a list of messages: what it came with is given to the model and not said by it."""

from __future__ import annotations

from typing import Any

import pytest
from agno.models.message import Message

from tests.replay.plain_agno import in_words

TURNS = [("user", "An old question"), ("assistant", "An old answer"), ("user", "The question?")]


@pytest.mark.parametrize("as_dictionaries", [False, True], ids=["messages", "dictionaries"])
def test_the_old_answer_is_no_word_of_the_run(agno, as_dictionaries):
    asked = agno.build_agent("A new answer.", "The next one.", add_history_to_context=True, store_history_messages=True)
    given: list[Any] = [
        {"role": role, "content": text} if as_dictionaries else Message(role=role, content=text) for role, text in TURNS
    ]
    agno.run(asked, given)
    agno.run(asked, "And now?", run_id="r2")
    replay = agno.replay()
    first, second = replay.runs
    assert first.question == "The question?"
    assert in_words(replay.steps(first)) == ["question The question?", "request 1", "text A new answer."]
    (request,) = replay.requests(first)
    asked_of_the_model = [given.message.content for given in request.messages if given.message.role != "system"]
    assert asked_of_the_model == ["An old question", "An old answer", "The question?"]
    question = next(message for message in first.messages if message.message_id == first.question_message_id)
    assert question.content == "The question?"
    assert in_words(replay.steps(second)) == ["question And now?", "request 1", "text The next one."]
    assert replay.findings() == ()


def test_a_team_is_given_what_people_said_as_one_question(agno):
    agno.run(agno.build_team("A new answer."), [Message(role=role, content=text) for role, text in TURNS])
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == ["question The question?", "request 1", "text A new answer."]
    (request,) = replay.requests(run)
    assert request.messages[-1].message.content == "An old question\nThe question?"


def test_tool_calls_among_them_are_not_made_by_the_run(agno):
    call = {"id": "call-old", "type": "function", "function": {"name": "note", "arguments": "{}"}}
    given = [
        Message(role="user", content="An old question"),
        Message(role="assistant", content=None, tool_calls=[call]),
        Message(role="tool", content="noted", tool_call_id="call-old", tool_name="note"),
        Message(role="assistant", content="An old answer"),
        Message(role="user", content="The question?"),
    ]
    agno.run(agno.build_agent("A new answer."), given)
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == ["question The question?", "request 1", "text A new answer."]
    assert [len(request.messages) for request in replay.requests(run)] == [5]
    assert replay.findings() == ()
