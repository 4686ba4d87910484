"""The first question of a session that another program wrote is the same in lists, in its replay and among its runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from lib.records import SessionFilter, SessionKind
from lib.storage.session_overview import SessionOverviews

PARTS = [{"type": "text", "text": "Where is Timbuktu?"}]
LONG = "Where is Timbuktu? " * 500


def put(database, *run_datas: Any, session_type="team", **ids: str | None) -> None:
    """Store a session of another program with these runs."""
    row = {"team_id": "desk", "agent_id": None, "workflow_id": None, "session_type": session_type} | ids

    def write(connection):
        connection.execute(
            text(
                "INSERT INTO agno_sessions (session_id, session_type, team_id, agent_id, workflow_id, user_id, created_at, "
                "updated_at) VALUES ('s1', :session_type, :team_id, :agent_id, :workflow_id, 'ann', 1, 2)"
            ),
            row,
        )
        for place, data in enumerate(run_datas):
            connection.execute(
                text(
                    "INSERT INTO agno_runs (run_id, session_id, run_type, team_id, user_id, status, run_index, run_data, "
                    "created_at, updated_at) VALUES (:run_id, 's1', 'team', 'desk', 'ann', 'COMPLETED', :place, :data, 1, 1)"
                ),
                {"run_id": f"r{place}", "place": place, "data": json.dumps(data)},
            )

    database.connector.write(write)


def follow(database):
    while database.follow():
        pass


@pytest.mark.parametrize(
    ("run_data", "asked"),
    [
        ({"input": {"input_content": "Where is Timbuktu?"}}, "Where is Timbuktu?"),
        ({"input": {"input_content": [{"role": "user", "content": PARTS}]}}, "Where is Timbuktu?"),
        ({"input": {"input_content": [{"role": "user", "content": LONG}]}}, LONG),
        ({"input": {"input_content": {"topic": "apples", "n": 3}}}, '{"topic": "apples", "n": 3}'),
        ({"input": {"input_content": {"role": "user", "content": "Where is Timbuktu?"}}}, "Where is Timbuktu?"),
        ({"input": {"input_content": ["Where is", "Timbuktu?"]}}, "Where is\nTimbuktu?"),
        ({"input": "Where is Timbuktu?"}, "Where is Timbuktu?"),
        ({"input": {"input_content": LONG}}, LONG),
        ({"messages": [{"role": "user", "content": "Where is Timbuktu?"}]}, "Where is Timbuktu?"),
        ({"input": {"input_content": "[1, 2"}}, "[1, 2"),
    ],
)
def test_a_first_question_is_the_same_wherever_it_is_shown(database, run_data, asked):
    put(database, run_data)
    assert database.sessions.list_runs("s1", user_id="ann").items[0].question.strip() == asked.strip()
    shown = asked.strip()[:500]
    overviews = SessionOverviews(database.connector, queue=database.queue)
    for _ in range(2):  # before it is followed, and after
        (listed,) = database.sessions.list_sessions(user_id="ann").items
        assert listed.first_question == shown
        summary = overviews.get_overview("s1", user_id="ann").summary
        assert (summary.first_question, summary.name) == (shown, listed.name)
        follow(database)
    found = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text=shown.split()[0])).items
    assert [session.session_id for session in found] == ["s1"]


def test_an_introduction_is_not_the_first_question(database):
    put(database, {"content": "Hello, I am the desk."}, {"input": {"input_content": "Where is Timbuktu?"}})
    for _ in range(2):
        assert database.sessions.get_session("s1", user_id="ann").name == "Where is Timbuktu?"
        follow(database)
    overview = SessionOverviews(database.connector).get_overview("s1", user_id="ann")
    assert overview.summary.name == "Where is Timbuktu?"
    assert SessionOverviews(database.connector).get_runs(overview).summary.name == "Where is Timbuktu?"


@pytest.mark.parametrize(
    ("session_type", "ids", "kind", "component_id"),
    [
        ("crew", {}, SessionKind.TEAM, "desk"),
        ("crew", {"team_id": None, "agent_id": "solo"}, SessionKind.AGENT, "solo"),
        ("crew", {"team_id": None, "workflow_id": "flow"}, SessionKind.WORKFLOW, "flow"),
        ("agent", {}, SessionKind.AGENT, "desk"),
    ],
)
def test_whose_session_it_is_is_told_alike_by_lists_and_replay(database, session_type, ids, kind, component_id):
    put(database, session_type=session_type, **ids)
    listed = database.sessions.get_session("s1", user_id="ann")
    replayed = SessionOverviews(database.connector).get_overview("s1", user_id="ann").summary
    for session in (listed, replayed):
        assert (session.kind, session.component_id) == (kind, component_id)
