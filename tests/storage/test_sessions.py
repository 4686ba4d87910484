"""What lists show, page by page, of our sessions and of other programs'."""

from __future__ import annotations

import logging
import random
import re

import pytest
from agno.utils.log import log_error, log_warning
from sqlalchemy import event, insert, text, update

from lib.errors import InvalidInput, SessionNotFound
from lib.records import RunStatus, SessionKind
from lib.storage.schema import runs, sessions
from tests.storage.workers import build_team, finished_run, new_id, stage, store_runs


def test_every_page_of_sessions_follows_the_one_before_with_equal_and_missing_times_too(database):
    times = [5, 5, 5, 9, None, 5, 7, None, 7, 5, 1]
    rows = [
        {
            "session_id": f"s{number:02}",
            "session_type": random.choice(["team", "agent", "workflow"]),
            "user_id": "ann",
            "created_at": 5,
            "updated_at": moment,
        }
        for number, moment in enumerate(times)
    ]
    rows += [{**rows[0], "session_id": "other", "user_id": "bob"}]
    database.connector.write(lambda connection: connection.execute(insert(sessions), rows))
    expected = sorted(rows[:-1], key=lambda row: (row["updated_at"] or row["created_at"], row["session_id"]))
    for limit in (1, 3, 4, 50):
        found: list[str] = []
        cursor = None
        while True:
            page = database.sessions.list_sessions(user_id="ann", limit=limit, cursor=cursor)
            found += [session.session_id for session in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == [row["session_id"] for row in reversed(expected)]


def test_a_list_reads_no_run_bodies_and_asks_the_same_for_1_and_for_40_sessions(database):
    counts = []
    for number in (1, 39):
        for _ in range(number):
            store_runs(database, new_id(), 1)
        statements: list[str] = []

        def note(_conn, _cursor, statement, *_, statements=statements):
            statements.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        items = database.sessions.list_sessions(user_id="ann").items
        event.remove(database.engine, "before_cursor_execute", note)
        counts.append(len([statement for statement in statements if "SELECT" in statement]))
        assert not any(re.search(r"(SELECT|,) agno_runs\.run_data", statement) for statement in statements)
    assert len(items) == 40
    assert counts[0] == counts[1]


def test_the_session_list_follows_its_index(database):
    rows = [
        {"session_id": new_id(), "session_type": "team", "user_id": "ann", "created_at": moment, "updated_at": moment}
        for moment in range(300)
    ]
    database.connector.write(lambda connection: connection.execute(insert(sessions), rows))
    statement = (
        "SELECT session_id FROM agno_sessions WHERE user_id = 'ann' AND updated_at IS NOT NULL AND updated_at <= 200 "
        "AND (updated_at < 200 OR session_id < 'x') ORDER BY updated_at DESC, session_id DESC LIMIT 20"
    )
    explain = "EXPLAIN " if database.dialect == "mysql" else "EXPLAIN QUERY PLAN "
    plan = str(database.connector.read(lambda connection: connection.execute(text(explain + statement)).all()))
    assert "roundtable_sessions_recent" in plan
    assert "filesort" not in plan
    assert "TEMP B-TREE" not in plan


def test_a_summary_tells_title_question_runs_and_where_the_last_run_stands(database):
    session_id, store = new_id(), database.sessions
    made = store.create_session(session_id=session_id, user_id="ann", component_id="market-desk", collection="Course")
    assert (made.name, made.runs, made.last_status, made.collection) == ("New session", 0, None, "Course")
    assert store.create_session(session_id=session_id, user_id="ann", component_id="other") == made

    long_question = "What is the weather in Paris,\nand in Rome, and in Berlin, and in Vienna, and in Prague?"
    run_id = stage(database, session_id, question=long_question)
    summary = store.get_session(session_id, user_id="ann")
    assert summary.first_question == long_question
    assert summary.title == "What is the weather in Paris, and in Rome, and in Berlin,…"
    assert (summary.title_by, summary.last_status) == ("question", RunStatus.RUNNING)
    run = finished_run(session_id, run_id=run_id)
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
    database.queue.leave(run_id)
    assert store.get_session(session_id, user_id="ann").last_status is RunStatus.COMPLETED
    assert store.rename_session(session_id, "Better title", user_id="ann", by="model") is True
    assert store.rename_session(session_id, "By hand", user_id="ann") is True
    assert store.rename_session(session_id, "Again", user_id="ann", by="model") is False
    stage(database, session_id, question="Something else")
    summary = store.get_session(session_id, user_id="ann")
    assert (summary.title, summary.first_question, summary.runs) == ("By hand", long_question, 2)
    assert summary.last_status is RunStatus.RUNNING
    assert summary.kind is SessionKind.TEAM


def test_sessions_that_plain_agno_wrote_are_listed_with_their_first_question(database):
    session_id = new_id()
    build_team(database).run('Say "hé 日本 🐦" twice', session_id=session_id, user_id="ann")
    (summary,) = database.sessions.list_sessions(user_id="ann").items
    assert (summary.title, summary.first_question, summary.runs) == (None, 'Say "hé 日本 🐦" twice', 1)
    assert (summary.component_id, summary.last_status) == ("market-desk", RunStatus.COMPLETED)


def test_a_damaged_row_spoils_no_list(database):
    good, bad = new_id(), new_id()
    store_runs(database, good, 1)
    store_runs(database, bad, 1)
    for table, column in ((sessions, "session_data"), (runs, "run_data")):
        value = text('\'{"roundtable": 7, "session_name": [1]}\'') if database.dialect == "mysql" else text("'{cut'")
        changed = update(table).where(table.c.session_id == bad).values({column: value})
        database.connector.write(lambda connection, changed=changed: connection.execute(changed))
    assert {session.session_id for session in database.sessions.list_sessions(user_id="ann").items} == {good, bad}
    assert len(database.sessions.list_runs(bad, user_id="ann").items) == 1
    database.sessions.rename_session(bad, "Named", user_id="ann")
    assert database.sessions.get_session(bad, user_id="ann").title == "Named"


@pytest.mark.parametrize("limit", [1, 2, 7, 30])
def test_runs_come_page_by_page_with_all_their_member_runs(database, limit):
    session_id = new_id()
    run_ids = store_runs(database, session_id, 7)
    for run_id in run_ids:
        for parent, name in ((run_id, "member"), (f"member-{run_id}", "nested")):
            member = finished_run(session_id, run_id=f"{name}-{run_id}", parent_run_id=parent)
            database.adapter.upsert_run(member, session_id=session_id, user_id="ann")
    changed = update(runs).where(runs.c.run_id.in_(run_ids[2:5])).values(run_index=3, created_at=5)
    database.connector.write(lambda connection: connection.execute(changed))  # as plain Agno numbers under load
    expected = [*run_ids[:2], *sorted(run_ids[2:5]), *run_ids[5:]]
    found: list[str] = []
    before = None
    while True:
        page = database.sessions.list_runs(session_id, user_id="ann", limit=limit, before=before)
        found = [run.run_id for run in page.items] + found
        for run in page.items:
            assert {below.run_id for below in run.walk()} == {
                run.run_id,
                f"member-{run.run_id}",
                f"nested-{run.run_id}",
            }
        before = page.next_cursor
        if before is None:
            break
    assert found == expected


@pytest.mark.parametrize("cursor", ["", "x", "WzFd", "WyJhIiwgImIiXQ", "ä" * 50, "e30"])
def test_a_cursor_that_nobody_gave_out_is_refused(database, cursor):
    stage(database, "s")
    with pytest.raises(InvalidInput, match="Start at the first page"):
        database.sessions.list_sessions(user_id="ann", cursor=cursor)
    with pytest.raises(InvalidInput, match="Start at the first page"):
        database.sessions.list_runs("s", user_id="ann", before=cursor)


@pytest.mark.parametrize("bad", ["", "   ", "x" * 201, "two\nlines", "half \ud800", None])
def test_a_title_that_cannot_be_stored_changes_nothing(database, bad):
    session_id = new_id()
    stage(database, session_id)
    before = database.sessions.get_session(session_id, user_id="ann")
    with pytest.raises(InvalidInput, match="Nothing was written"):
        database.sessions.rename_session(session_id, bad, user_id="ann")
    assert database.sessions.get_session(session_id, user_id="ann") == before


def test_what_is_missing_is_not_found(database):
    with pytest.raises(SessionNotFound):
        database.sessions.list_runs("missing", user_id="ann")
    with pytest.raises(SessionNotFound):
        database.sessions.set_tags("missing", ["a"], user_id="ann")


def test_agnos_log_lines_come_through_our_logger_and_hold_no_chat_text(database, caplog, capsys):
    with caplog.at_level(logging.DEBUG):
        log_error('Exception upserting run: [SQL: INSERT] {"content": "secret-word"}')
        log_warning("Could not parse 'secret-word' of the tool")
        try:
            raise ValueError("secret-word")
        except ValueError:
            log_error("It failed", exc_info=True)
    assert [record.name for record in caplog.records] == ["roundtable.agno"] * 3
    assert "Agno: Exception upserting run" in caplog.text
    assert "Agno: It failed (ValueError)" in caplog.text
    out = capsys.readouterr()
    assert "secret-word" not in caplog.text + out.out + out.err


def test_agnos_telemetry_is_off_once_a_database_is_open(monkeypatch, settings):
    import os

    from lib.storage import open_database

    monkeypatch.setenv("AGNO_TELEMETRY", "true")
    database = open_database(settings)
    assert os.environ["AGNO_TELEMETRY"] == "false"
    assert build_team(database).telemetry is False or build_team(database, telemetry=True).db is not None
    database.close()
