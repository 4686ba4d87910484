"""What other programs write late, with older times or in the same second, or delete, shows in lists, filters and counts."""

from __future__ import annotations

import json
import time

import pytest
from agno.session import AgentSession
from sqlalchemy import delete, insert, select, text

from benchmarks.databases import open_plain_db
from lib.errors import NotAllowed
from lib.records import Reader, RunStatus, SessionFilter, SessionKind, SessionOrder, SessionSort, SessionState
from lib.storage import following, open_database
from lib.storage.heads import facts, heads
from lib.storage.schema import runs, sessions
from tests.storage.workers import finished_run, new_id, stage, store_runs

ADMIN = Reader(user_id="root", admin=True)
NOW = int(time.time())
TEN_DAYS = 10 * 86_400


def follow(database):
    while database.follow():
        pass


def write(database, session_id, *run_ids, at=NOW, status="COMPLETED", question=None, **session):
    """Write a session and runs as another program does."""
    with_time = {"created_at": at, "updated_at": at}
    values = {"session_type": "agent", "agent_id": "solo", "user_id": "ann", "session_data": {}, **with_time, **session}

    def work(connection):
        if connection.execute(select(sessions.c.session_id).where(sessions.c.session_id == session_id)).first() is None:
            connection.execute(insert(sessions).values(session_id=session_id, **values))
        first = len(connection.execute(select(runs.c.run_id).where(runs.c.session_id == session_id)).all())
        for place, run_id in enumerate(run_ids, start=first):
            asked = question or f"question {run_id}"
            data = {
                "run_id": run_id,
                "input": {"input_content": asked},
                "content": "yes",
                "metrics": {"total_tokens": 5},
            }
            row = {
                "run_id": run_id,
                "session_id": session_id,
                "run_type": "agent",
                "agent_id": "solo",
                "user_id": "ann",
            }
            row |= {"status": status, "run_index": place, "run_data": data, **with_time}
            connection.execute(insert(runs).values(**row))

    database.connector.write(work)


def listed(database, *, user_id="ann", **where):
    page = database.sessions.list_sessions(user_id=user_id, where=SessionFilter(**where))
    return [summary.session_id for summary in page.items]


def count_writes(database, work):
    """Return how many transactions are written while `work` is done."""
    from sqlalchemy import event

    number = 0

    def note(_connection, _cursor, statement, *_):
        nonlocal number
        number += statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE"))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return number


# -- late, with older times --------------------------------------------------------------------------------------------


def test_a_session_that_plain_agno_stores_with_an_older_time_is_listed_filtered_and_counted(database, database_url):
    write(database, "seed", "seed-1")
    follow(database)
    plain = open_plain_db(database_url)
    plain.upsert_session(
        AgentSession(
            session_id="imported", agent_id="weather", user_id="ann", created_at=NOW - TEN_DAYS,
            session_data={"session_name": "Imported zebra"},
        )
    )  # fmt: skip
    follow(database)
    assert listed(database, text="zebra") == listed(database, component_id="weather") == ["imported"]
    assert set(listed(database, kind=SessionKind.AGENT)) == {"seed", "imported"}
    assert database.sessions.count_sessions(user_id="ann").total == 2


@pytest.mark.parametrize("late_s", [1, 300, TEN_DAYS])
def test_sessions_of_a_clock_that_is_behind_are_taken_in(database, late_s):
    write(database, "now", "n1")
    follow(database)
    write(database, "late", "l1", "l2", at=NOW - late_s, session_data={"session_name": "Late zebra"})
    follow(database)
    (summary,) = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text="zebra")).items
    assert (summary.runs, summary.tokens, summary.last_run_id) == (2, 10, "l2")


def test_a_run_that_comes_late_into_an_old_session_is_counted(database):
    write(database, "old", "o1", at=NOW - TEN_DAYS)
    write(database, "now", "n1")
    follow(database)
    write(database, "old", "o2", at=NOW - TEN_DAYS, status="ERROR")
    follow(database)
    summary = database.sessions.get_session("old", user_id="ann")
    assert (summary.runs, summary.tokens, summary.last_status) == (2, 10, RunStatus.FAILED)
    assert listed(database, state=SessionState.FAILED) == ["old"]


def test_many_late_sessions_are_found_slice_by_slice_and_in_one_go(database, monkeypatch):
    number = 3 * following.SESSIONS_AT_ONCE
    write(database, "now", "n1")
    follow(database)

    def restore(connection):
        rows = [
            {"session_id": f"s{place:04}", "session_type": "agent", "agent_id": "solo", "user_id": "ann",
             "session_data": {"session_name": "Restored"}, "created_at": NOW - TEN_DAYS, "updated_at": NOW - TEN_DAYS}
            for place in range(number)
        ]  # fmt: skip
        connection.execute(insert(sessions), rows)

    database.connector.write(restore)
    looks = 0
    while database.follow():
        looks += 1
    database.follow()
    database.follow()
    assert looks <= number // following.SESSIONS_AT_ONCE + 2
    assert database.sessions.count_sessions(user_id="ann", where=SessionFilter(text="restored")).total == number


def test_rows_without_a_time_are_taken_in_too(database):
    write(database, "now", "n1")
    follow(database)
    write(database, "undated", "u1", at=NOW, updated_at=None, session_data={"session_name": "Undated zebra"})
    database.connector.write(
        lambda connection: connection.execute(text("UPDATE agno_runs SET updated_at = NULL WHERE run_id = 'u1'"))
    )
    follow(database)
    assert listed(database, text="zebra") == ["undated"]
    rename_without_a_time(database, "undated", "Undated okapi")
    follow(database)
    assert listed(database, text="okapi") == ["undated"]


# -- in the same second ------------------------------------------------------------------------------------------------


def rename_without_a_time(database, session_id, title):
    database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_sessions SET session_data = :data WHERE session_id = :session_id"),
            {"data": json.dumps({"session_name": title}), "session_id": session_id},
        )
    )


def test_a_title_changed_in_the_second_of_the_last_look_is_searched_and_sorted(database):
    write(database, "one", "r1", session_data={"session_name": "Mule"})
    write(database, "two", "r2", session_data={"session_name": "Lion"})
    follow(database)
    rename_without_a_time(database, "one", "Aardvark")  # the row's time stays the same second
    follow(database)
    assert (listed(database, text="aardvark"), listed(database, text="mule")) == (["one"], [])
    order = SessionOrder(by=SessionSort.TITLE, descending=False)
    assert [one.title for one in database.sessions.list_sessions(user_id="ann", order=order).items] == [
        "Aardvark",
        "Lion",
    ]


def test_a_session_given_to_another_user_is_theirs_in_filtered_lists(database):
    write(database, "one", "r1", session_data={"session_name": "Mule"})
    follow(database)
    database.connector.write(
        lambda connection: connection.execute(text("UPDATE agno_sessions SET user_id = 'bob'"))  # as Agno does it
    )
    follow(database)
    assert (listed(database, text="mule"), listed(database, user_id="bob", text="mule")) == ([], ["one"])
    assert database.sessions.count_sessions(user_id="ann").total == 0


def test_a_status_changed_in_the_second_of_the_last_look_is_filtered(database):
    write(database, "one", "r1", status="RUNNING")
    follow(database)
    database.connector.write(
        lambda connection: connection.execute(text("UPDATE agno_runs SET status = 'ERROR' WHERE run_id = 'r1'"))
    )
    follow(database)
    assert listed(database, state=SessionState.FAILED) == ["one"]


# -- deleted -----------------------------------------------------------------------------------------------------------


def test_a_run_that_plain_agno_deletes_counts_no_longer(database, database_url):
    write(database, "one", "r1")
    write(database, "one", "r2", status="ERROR")
    follow(database)
    assert listed(database, state=SessionState.FAILED) == ["one"]
    assert open_plain_db(database_url).delete_run("r2")
    follow(database)
    summary = database.sessions.get_session("one", user_id="ann")
    assert (summary.runs, summary.tokens, summary.failed_runs) == (1, 5, 0)
    assert (summary.last_run_id, summary.last_status) == ("r1", RunStatus.COMPLETED)
    assert listed(database, state=SessionState.FAILED) == []


def test_the_question_of_a_first_run_that_plain_agno_deletes_is_forgotten(database, database_url):
    session_id = new_id()
    stored = []
    for question in ("my salary is quokkas", "a second question"):
        stored.append(stage(database, session_id, question=question))
        run = finished_run(session_id, run_id=stored[-1], question=question)
        database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
        database.queue.leave(stored[-1])
    follow(database)
    assert listed(database, text="quokkas") == [session_id]
    open_plain_db(database_url).delete_run(stored[0])
    follow(database)
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.title, summary.first_question) == ("a second question", "a second question")
    assert listed(database, text="quokkas") == [] and listed(database, text="second") == [session_id]
    row = database.sessions.get_session_row(session_id, user_id="ann")
    assert "quokkas" not in json.dumps(row["session_data"])


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_looks_that_find_nothing_write_nothing_though_rows_are_damaged(database):
    half = "\ud83d" if database.dialect == "sqlite" else "\x01"  # MariaDB refuses half a character itself
    damaged = json.dumps({"session_name": f"half {half} and \x00", "roundtable": {"tags": [f"t{half}", 7]}})
    for place in range(3):
        write(database, f"s{place}", f"r{place}", question=f"odd \x00 {half} question" * 300)

    def spoil(connection):
        change = "UPDATE agno_sessions SET session_data = :data WHERE session_id = 's0'"
        connection.execute(text(change), {"data": damaged})
        connection.execute(text("UPDATE agno_sessions SET session_type = 'odd' WHERE session_id = 's1'"))
        connection.execute(
            text("UPDATE agno_runs SET status = 'an odd status of more than twenty' WHERE run_id = 'r1'")
        )

    database.connector.write(spoil)
    store_runs(database, new_id(), 2)
    follow(database)
    assert count_writes(database, lambda: [database.follow() for _ in range(5)]) == 0


def test_a_look_that_finds_nothing_reads_no_body(database):
    write(database, "one", "r1", "r2")
    store_runs(database, new_id(), 2)
    follow(database)
    from sqlalchemy import event

    statements = []
    engines = {database.engine, database.connector.reader}
    for engine in engines:
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert database.following.follow() == 0
    assert statements and not any("run_data" in statement for statement in statements)


def test_heads_of_the_version_before_are_listed_at_once_and_its_processes_may_go_on(database, database_settings):
    write(database, "one", "r1", session_data={"session_name": "Mule"}, at=NOW - 5)
    write(database, "two", "r2", session_data={"session_name": "Lion"})
    follow(database)
    older = [column.name for column in heads.columns if column.name not in ("created_at", "sort_name")]

    def make_old(connection):
        rows = [dict(row) for row in connection.execute(select(heads)).mappings()]
        heads.drop(connection)
        table = text(
            "CREATE TABLE roundtable_session_heads (session_key VARCHAR(64) PRIMARY KEY, session_id VARCHAR(128) NOT NULL, "
            "user_id VARCHAR(128), written_at BIGINT, used_at BIGINT NOT NULL, kind VARCHAR(20) NOT NULL, "
            "component_id VARCHAR(128) NOT NULL, component_name TEXT, collection VARCHAR(200), tags TEXT NOT NULL, "
            "first_question TEXT, search_text TEXT NOT NULL, runs BIGINT NOT NULL, failed_runs BIGINT NOT NULL, "
            "unfinished_runs BIGINT NOT NULL, tokens BIGINT, duration_s DOUBLE, last_run_id VARCHAR(128), "
            "last_status VARCHAR(20))"
        )
        connection.execute(table)
        for row in rows:
            connection.execute(insert(heads).values({name: row[name] for name in older}))

    database.connector.write(make_old)
    again = open_database(database_settings)
    try:
        assert listed(again, kind=SessionKind.AGENT) == ["two", "one"]  # before anything was followed

        def as_an_older_process(connection):
            row = dict(connection.execute(select(heads).where(heads.c.session_id == "one")).mappings().one())
            connection.execute(delete(heads).where(heads.c.session_id == "one"))
            connection.execute(insert(heads).values({name: row[name] for name in older}))

        follow(again)
        again.connector.write(as_an_older_process)
        follow(again)
        for by, names in ((SessionSort.TITLE, ["Lion", "Mule"]), (SessionSort.CREATED, ["Mule", "Lion"])):
            order = SessionOrder(by=by, descending=False)
            page = again.sessions.list_sessions(user_id="ann", order=order)
            assert [one.title for one in page.items] == names
    finally:
        again.close()


def test_the_facts_of_other_sessions_stay(database, database_url):
    write(database, "one", "r1", "r2")
    write(database, "two", "r3")
    follow(database)
    open_plain_db(database_url).delete_run("r1")
    follow(database)
    assert len(database.connector.read(lambda connection: connection.execute(select(facts)).all())) == 2


# -- whose, and in which state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("nobody", [None, ""])
def test_nobodys_sessions_are_listed_alone_as_they_are_counted(database, nobody):
    write(database, "one", "r1", session_data={"session_name": "Mule"})
    write(database, "stray", "r2", user_id=nobody, session_data={"session_name": "Stray"})
    follow(database)
    assert database.sessions.count_sessions(user_id=ADMIN).owners == {"ann": 1, "": 1}
    assert database.sessions.count_sessions(user_id=ADMIN, where=SessionFilter(owner="")).total == 1
    for more in ({}, {"text": "stray"}, {"kind": SessionKind.AGENT}):
        assert listed(database, user_id=ADMIN, owner="", **more) == ["stray"]
    assert listed(database, user_id=ADMIN, owner="ann") == ["one"]
    with pytest.raises(NotAllowed):
        listed(database, owner="")


def test_every_state_that_a_row_names_can_be_filtered_by(database):
    for status in ("RUNNING", "PENDING", "PAUSED", "CANCELLED", "ERROR", "COMPLETED", "SOMETHING NEW"):
        write(database, status.lower(), f"r-{status}", status=status)
    write(database, "empty")
    follow(database)
    found = {state: set(listed(database, state=state)) for state in SessionState}
    assert found == {
        SessionState.LIVE: {"running", "pending"},
        SessionState.COMPLETED: {"completed"},
        SessionState.STOPPED: {"cancelled"},
        SessionState.FAILED: {"error"},
        SessionState.PAUSED: {"paused"},
        SessionState.EMPTY: {"empty"},
        SessionState.UNKNOWN: {"something new"},
    }
