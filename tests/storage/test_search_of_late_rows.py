"""Questions and answers that come late, with older times or for another user are found; those of deleted runs are gone."""

from __future__ import annotations

import json
import time

import pytest
from sqlalchemy import event, insert, select, text

from benchmarks.databases import open_plain_db
from lib.errors import InvalidInput
from lib.records import Reader, SessionFilter
from lib.storage import search_looks
from lib.storage.schema import runs, sessions
from lib.storage.search_tables import texts

NOW = int(time.time())
TEN_DAYS = 10 * 86_400
ADMIN = Reader(user_id="root", admin=True)


def follow(database):
    while database.follow():
        pass


def write(database, *run_ids, session_id="one", at=NOW, words="zebra", dated=True):
    """Write a session and runs as another program does."""

    def work(connection):
        known = connection.execute(select(sessions.c.session_id).where(sessions.c.session_id == session_id)).first()
        times = {"created_at": at, "updated_at": at if dated else None}
        if known is None:
            values = {"session_id": session_id, "session_type": "agent", "agent_id": "solo", "user_id": "ann", **times}
            connection.execute(insert(sessions).values(**values))
        for run_id in run_ids:
            data = {"run_id": run_id, "input": {"input_content": f"{words} {run_id}"}, "content": "yes"}
            row = {"run_id": run_id, "session_id": session_id, "run_type": "agent", "agent_id": "solo", **times}
            connection.execute(insert(runs).values(**row, status="COMPLETED", run_index=0, run_data=data))

    database.connector.write(work)


def orphan(database, run_id):
    """Leave a run without its session, as a database that was copied table by table."""
    statement = "UPDATE agno_runs SET session_id = 'nowhere' WHERE run_id = :run_id"
    unchecked = "PRAGMA foreign_keys = OFF" if database.dialect == "sqlite" else "SET SESSION foreign_key_checks = 0"
    with database.engine.connect() as connection:
        connection.connection.cursor().execute(unchecked)  # before a transaction begins
        connection.execute(text(statement), {"run_id": run_id})
        connection.commit()
        connection.invalidate()


def found(database, words, user_id="ann"):
    return {hit.run_id for hit in database.search.search(words, user_id=user_id, limit=500).items}


def held(database):
    return json.dumps(
        database.connector.read(lambda connection: connection.execute(select(texts.c.question)).scalars().all())
    )


@pytest.mark.parametrize("late_s", [1, 300, TEN_DAYS])
def test_a_run_with_an_older_time_is_found(database, late_s):
    write(database, "now", session_id="now", words="now")
    follow(database)
    write(database, "late", at=NOW - late_s)
    follow(database)
    assert found(database, "zebra") == {"late"}


def test_a_run_without_a_time_is_found(database):
    write(database, "now", session_id="now", words="now")
    follow(database)
    write(database, "undated", dated=False)
    follow(database)
    assert found(database, "zebra") == {"undated"}


def test_many_late_runs_are_found_slice_by_slice_and_in_one_go(database):
    number = 2 * search_looks.RUNS_AT_ONCE + 50
    write(database, "now", session_id="now", words="now")
    follow(database)
    write(database, *(f"r{place:04}" for place in range(number)), at=NOW - TEN_DAYS)
    for _ in range(3):
        follow(database)
    assert len(found(database, "zebra")) == number


def test_the_words_of_runs_that_another_program_deletes_are_gone(database, database_url):
    write(database, "r1", "r2", at=NOW - TEN_DAYS)
    write(database, "r3", session_id="two")
    follow(database)
    plain = open_plain_db(database_url)
    plain.delete_run("r1")
    plain.delete_session("two")
    follow(database)
    assert json.loads(held(database)) == ["zebra r2"]
    assert found(database, "zebra") == {"r2"}


def test_a_session_given_to_another_user_is_theirs_to_search(database):
    write(database, "r1", at=NOW - TEN_DAYS)
    follow(database)
    database.connector.write(
        lambda connection: connection.execute(text("UPDATE agno_sessions SET user_id = 'bob'"))  # as Agno does it
    )
    assert found(database, "zebra") == set()
    follow(database)
    assert (found(database, "zebra"), found(database, "zebra", "bob")) == (set(), {"r1"})


def test_nobodys_sessions_are_searched_alone(database):
    write(database, "r1")
    write(database, "r2", session_id="stray")
    database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_sessions SET user_id = NULL WHERE session_id = 'stray'")
        )
    )
    follow(database)
    assert {
        hit.run_id for hit in database.search.search("zebra", user_id=ADMIN, where=SessionFilter(owner="")).items
    } == {"r2"}
    assert found(database, "zebra", ADMIN) == {"r1", "r2"}


def test_looks_that_find_nothing_write_nothing_and_read_no_body(database):
    number = search_looks.RUNS_AT_ONCE + 20
    write(database, *(f"r{place:04}" for place in range(number)), at=NOW - TEN_DAYS)
    orphan(database, "r0007")  # nobody's to find, and not looked for again and again
    follow(database)
    statements = []
    for engine in {database.engine, database.connector.reader}:
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    for _ in range(4):
        assert database.search.update() == 0
    assert statements
    assert not [one for one in statements if "run_data" in one or not one.lstrip().startswith(("SELECT", "BEGIN"))]
    assert not [one for one in statements if "IMMEDIATE" in one]


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_of_hits_has_a_size(database, limit):
    with pytest.raises(InvalidInput):
        database.search.search("zebra", user_id="ann", limit=limit)
