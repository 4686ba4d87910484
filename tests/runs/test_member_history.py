"""A member with a history of its own is shown it, however narrow the leader's window is."""

from __future__ import annotations

import pytest

from lib.records import MessageRecord
from lib.teams.recording import listed_members
from tests.runs.scripted import ask, build_desk, build_engine, say


@pytest.fixture
def engine(database, database_settings):
    """An engine for a desk whose leader asks its clerk about questions that say so, and whose clerk keeps a history."""

    def lead(messages):
        question = next(str(message.content) for message in reversed(messages) if message.role == "user")
        return ask(("clerk", question))(messages) if question.startswith("clerk:") else ["No need to ask."]

    def make():
        team = build_desk(lead, clerk=say("Noted."))()
        for member in listed_members(team):
            member.add_history_to_context = True
        return team

    opened = build_engine(database, database_settings, make)
    yield opened
    opened.close()


def test_a_member_reads_its_own_runs_beyond_the_leaders_window(engine, database):
    def put(question):
        return engine.start(question, user_id="ada", team="desk", session_id="s1", window=1).wait(20).run_id

    put("clerk: the word is bird")
    put("hello")
    put("hello again")
    last = database.sessions.get_run(put("clerk: what is the word?"), user_id="ada")

    def history(messages: tuple[MessageRecord, ...]) -> str:
        return " ".join(message.content for message in messages if message.from_history)

    assert "bird" in history(last.member_runs[0].messages)
    assert "bird" not in history(last.messages)
