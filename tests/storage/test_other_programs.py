"""Sessions that plain Agno wrote, of this version and of Agno 2: listed, opened and searched."""

from __future__ import annotations

import json

import pytest
from agno.agent import Agent
from sqlalchemy import text

from benchmarks.databases import open_plain_db
from benchmarks.turns import engine_of
from lib.errors import SessionNotFound
from lib.models import OfflineModel
from lib.records import Reader, RunStatus, SessionFilter, SessionKind
from tests.storage.stored import follow, listed

ADMIN = Reader(user_id="root", admin=True)


def test_sessions_that_plain_agno_wrote_are_listed_at_once_and_searched_when_followed(database, database_url):
    plain = open_plain_db(database_url)
    agent = Agent(id="solo", name="Solo", model=OfflineModel(token_delay_s=0.0), db=plain, telemetry=False)
    odd = "Ödd id/…%_ 1"
    agent.run("Where is Timbuktu?", session_id=odd, user_id="ann")
    agent.run("Whose is this?", session_id="nobodys")
    (summary,) = database.sessions.list_sessions(user_id="ann").items
    assert (summary.session_id, summary.kind, summary.component_id, summary.name, summary.runs, summary.title) == (
        odd, SessionKind.AGENT, "solo", "Where is Timbuktu?", 1, None,
    )  # fmt: skip
    assert database.sessions.list_runs(odd, user_id="ann").items[0].question == "Where is Timbuktu?"
    follow(database)
    (found,) = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text="timbuk")).items
    assert (found.session_id, found.component_name, found.runs) == (odd, "Solo", 1)
    assert [hit.session_id for hit in database.search.search("timbuktu", user_id="ann").items] == [odd]
    assert "nobodys" in listed(database, user_id=ADMIN)
    assert listed(database, user_id=ADMIN, text="whose") == {"nobodys"}
    with pytest.raises(SessionNotFound):
        database.sessions.get_session("nobodys", user_id="ann")

    plain.delete_session(odd)
    for _ in range(3):
        follow(database)
    assert database.sessions.count_sessions(user_id="ann").total == 0
    assert listed(database, text="timbuk") == set()
    engine_of(plain).dispose()


def test_a_session_of_agno_2_is_listed_and_opens(database):
    blob = [
        {"run_id": f"old-{number}", "team_id": "desk", "session_id": "old", "status": "COMPLETED",
         "input": {"input_content": f"Old question {number}"}, "content": f"Old answer {number}",
         "messages": [{"role": "user", "content": f"Old question {number}"},
                      {"role": "assistant", "content": f"Old answer {number}"}]}
        for number in range(3)
    ]  # fmt: skip

    def write(connection):
        connection.execute(text("ALTER TABLE agno_sessions ADD COLUMN runs TEXT"))
        connection.execute(
            text(
                "INSERT INTO agno_sessions (session_id, session_type, team_id, user_id, created_at, updated_at, runs) "
                "VALUES ('old', 'team', 'desk', 'ann', 1, 2, :runs)"
            ),
            {"runs": json.dumps(blob)},
        )

    database.connector.write(write)
    for _ in range(2):  # before it is followed, and after
        summary = database.sessions.get_session("old", user_id="ann")
        assert (summary.runs, summary.name, summary.last_status) == (3, "Old question 0", RunStatus.COMPLETED)
        found = database.sessions.list_runs("old", user_id="ann").items
        assert [run.question for run in found] == [f"Old question {number}" for number in range(3)]
        follow(database)
    assert listed(database, text="old question") == {"old"}
