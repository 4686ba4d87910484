"""Sessions that Agno 2 stored are changed without loss: their JSON may be encoded twice, their runs lie in their rows."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agno.db.base import SessionType
from sqlalchemy import text

from benchmarks.databases import open_plain_db
from benchmarks.turns import engine_of
from lib.errors import SessionDamaged
from lib.records import SessionFilter, SessionKind
from lib.roundtable import open_roundtable
from lib.storage import open_database
from tests.storage.workers import stage

FOLDER = Path(__file__).parents[1] / "data" / "stored_sessions"
VERSIONS = ("agno-2.0.11", "agno-2.3.26", "agno-2.6.22")
DATA = {"session_state": {"budget": "40k"}, "session_name": "Paris trip", "of another app": {"kept": True}}


@pytest.fixture
def database(database_settings):
    """A database that Agno 2 made: its sessions have a column for their runs."""
    made = open_database(database_settings)
    kind = "JSON" if made.dialect == "mysql" else "TEXT"
    made.connector.write(
        lambda connection: connection.execute(text(f"ALTER TABLE agno_sessions ADD COLUMN runs {kind}"))
    )
    made.close()
    opened = open_database(database_settings)
    yield opened
    opened.close()


def once(value: Any) -> str:
    return json.dumps(value)


def twice(value: Any) -> str:
    return json.dumps(json.dumps(value))


def put(database, version="agno-2.6.22", **changes: Any) -> str:
    """Store a session as this version of Agno did, text for text, and return its id."""
    row = json.loads((FOLDER / f"{version}.json").read_text())["agno_sessions"][0] | changes
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    insert = text(f"INSERT INTO agno_sessions ({columns}) VALUES ({values})")
    database.connector.write(lambda connection: connection.execute(insert, row))
    return str(row["session_id"])


def raw(database, session_id="s1", column="session_data") -> Any:
    """Return what a column of the session's row holds, as it is stored."""
    query = text(f"SELECT {column} FROM agno_sessions WHERE session_id = :session_id")
    return database.connector.read(lambda connection: connection.execute(query, {"session_id": session_id}).scalar())


def read_plainly(url: str, session_id="s1", kind=SessionType.TEAM) -> Any:
    """Return the session as plain Agno 3 reads it."""
    plain = open_plain_db(url)
    try:
        return plain.get_session(session_id, session_type=kind)
    finally:
        engine_of(plain).dispose()


def follow(database):
    while database.follow():
        pass


# -- what is stored of the session itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", [once, twice])
def test_a_title_that_agno_2_stored_is_listed_and_found(database, encode):
    put(database, session_data=encode(DATA), team_data=encode({"name": "Desk of old"}))
    for _ in range(2):  # before it is followed, and after
        (listed,) = database.sessions.list_sessions(user_id="ann").items
        assert (listed.title, listed.component_name) == ("Paris trip", "Desk of old")
        follow(database)
    found = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text="paris")).items
    assert [session.session_id for session in found] == ["s1"]


@pytest.mark.parametrize("encode", [once, twice])
def test_changing_a_session_of_agno_2_keeps_its_state_and_what_other_apps_stored(database, database_url, encode):
    put(database, session_data=encode(DATA))
    database.sessions.set_tags("s1", ["holiday"], user_id="ann")
    database.sessions.set_collection("s1", "travel", user_id="ann")
    database.sessions.rename_session("s1", "Rome trip", user_id="ann")
    told = read_plainly(database_url).session_data
    assert told["session_state"] == {"budget": "40k"}
    assert told["session_name"] == "Rome trip"
    assert told["of another app"] == {"kept": True}
    assert told["roundtable"] == {"tags": ["holiday"], "collection": "travel", "title_by": "hand"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_s_session_is_tagged_without_loss(database, database_url, version):
    put(database, version)
    stored = json.loads(json.loads(raw(database)))
    before = [raw(database, column=name) for name in ("runs", "team_data", "metadata", "summary")]
    database.sessions.set_tags("s1", ["holiday"], user_id="ann")
    told = read_plainly(database_url)
    assert told.session_data == {**stored, "roundtable": {"tags": ["holiday"]}}
    assert [run.run_id for run in told.runs] == [run["run_id"] for run in json.loads(json.loads(before[0]))]
    assert [raw(database, column=name) for name in ("runs", "team_data", "metadata", "summary")] == before


def test_a_question_in_a_session_of_agno_2_keeps_its_title_and_state(database, database_url):
    put(database, session_data=twice(DATA))
    stage(database, "s1", question="And in winter?")
    told = read_plainly(database_url).session_data
    assert (told["session_name"], told["session_state"]) == ("Paris trip", {"budget": "40k"})


def test_a_session_of_agno_2_goes_on_with_all_it_held(database, database_settings):
    fact = {
        "run_id": "old", "team_id": "market-desk", "session_id": "s1", "status": "COMPLETED", "content": "Noted.",
        "input": {"input_content": "Remember: the secret word is bird"},
        "messages": [{"id": "a", "role": "user", "content": "Remember: the secret word is bird"},
                     {"id": "b", "role": "assistant", "content": "Noted."}],
    }  # fmt: skip
    put(database, session_data=twice(DATA), team_id="market-desk", runs=twice([fact]))
    with closing(open_roundtable(database_settings)) as roundtable:
        handle = roundtable.engine.start("What is the secret word?", user_id="ann", team="market-desk", session_id="s1")
        assert "bird" in handle.wait(60).answer
    data = json.loads(raw(database))
    assert (data["session_name"], data["session_state"]) == ("Paris trip", {"budget": "40k"})


# -- what cannot be read is left as it is ------------------------------------------------------------------------------

DAMAGED = '{"session_name": "Paris trip", "session_st'


@pytest.fixture
def damaged(database):
    if database.dialect == "mysql":  # MariaDB's own JSON takes no damaged text; other programs' columns are plain text
        database.connector.write(
            lambda connection: connection.execute(text("ALTER TABLE agno_sessions MODIFY session_data LONGTEXT"))
        )
    return database


@pytest.mark.parametrize("stored", [DAMAGED, twice("no object"), '["a list"]', "true"])
def test_nothing_is_written_into_a_session_whose_data_cannot_be_read(damaged, stored):
    put(damaged, session_data=stored, runs=None)
    store = damaged.sessions
    changes = [
        lambda: store.rename_session("s1", "Rome trip", user_id="ann"),
        lambda: store.set_tags("s1", ["holiday"], user_id="ann"),
        lambda: store.set_collection("s1", "travel", user_id="ann"),
        lambda: stage(damaged, "s1"),
        lambda: damaged.adapter.get_session("s1", SessionType.TEAM, user_id="ann"),
    ]
    for change in changes:
        with pytest.raises(SessionDamaged, match=r"s1.*is left as it is"):
            change()
    assert raw(damaged) == stored
    assert store.list_runs("s1", user_id="ann").items == ()


def test_a_run_s_late_results_replace_nothing_that_cannot_be_read(damaged):
    put(damaged)
    session = damaged.adapter.get_session("s1", SessionType.TEAM, user_id="ann")
    with damaged.engine.begin() as connection:
        connection.execute(text("UPDATE agno_sessions SET session_data = :damaged"), {"damaged": DAMAGED})
    with pytest.raises(SessionDamaged):
        damaged.adapter.upsert_session(session)
    assert raw(damaged) == DAMAGED


def test_a_session_whose_data_cannot_be_read_is_forked_with_its_runs(damaged):
    put(damaged, session_data=DAMAGED, runs=None)
    fork = damaged.sessions.fork_session("s1", user_id="ann")
    assert (fork.kind, fork.forked_from_session_id) == (SessionKind.TEAM, "s1")
    assert raw(damaged) == DAMAGED
