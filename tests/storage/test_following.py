"""Other programs' sessions are followed: by several at once, past damaged rows, and while the database is away."""

from __future__ import annotations

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import insert, select, text

from lib.records import SessionFilter
from lib.runs import following
from lib.runs.following import Follower
from lib.storage.heads import facts, heads
from lib.storage.schema import runs, sessions
from lib.storage.search_tables import texts

NUMBER = 450


def write_as_another_program(database, number=NUMBER, *, began=1_700_000_000):
    def work(connection):
        connection.execute(
            insert(sessions),
            [
                {"session_id": f"s{place}", "session_type": "agent", "agent_id": "solo", "user_id": "ann",
                 "session_data": {"session_name": f"Session {place}"}, "created_at": began, "updated_at": began + place}
                for place in range(number)
            ],
        )  # fmt: skip
        connection.execute(
            insert(runs),
            [
                {"run_id": f"r{place}", "session_id": f"s{place}", "run_type": "agent", "agent_id": "solo",
                 "user_id": "ann", "status": "COMPLETED", "run_index": 0, "created_at": began, "updated_at": began + place,
                 "run_data": {"run_id": f"r{place}", "input": {"input_content": f"question {place}"},
                              "content": f"reply {place}", "metrics": {"total_tokens": 3}}}
                for place in range(number)
            ],
        )  # fmt: skip

    database.connector.write(work)


def follow(database):
    while database.follow():
        pass


def count(database, table):
    return len(database.connector.read(lambda connection: connection.execute(select(table)).all()))


def test_several_follow_at_once_and_everything_is_taken_in_once(database):
    write_as_another_program(database)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(follow, database) for _ in range(4)]:
            done.result(120)
    assert [count(database, table) for table in (heads, facts, texts)] == [NUMBER] * 3
    counts = database.sessions.count_sessions(user_id="ann")
    assert (counts.total, counts.components) == (NUMBER, {"solo": NUMBER})
    assert len(database.search.search("reply 449", user_id="ann").items) == 1


def test_what_another_program_changes_later_is_seen(database):
    write_as_another_program(database, 3)
    follow(database)
    data = {"session_name": "Renamed elsewhere"}
    database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_sessions SET session_data = :data, updated_at = :now WHERE session_id = 's1'"),
            {"data": json.dumps(data), "now": int(time.time())},
        )
    )
    (shown,) = [one for one in database.sessions.list_sessions(user_id="ann").items if one.session_id == "s1"]
    assert shown.title == "Renamed elsewhere"  # at once: titles come from Agno's own row
    follow(database)
    where = SessionFilter(text="renamed")
    assert [one.session_id for one in database.sessions.list_sessions(user_id="ann", where=where).items] == ["s1"]


def test_rows_that_no_database_likes_do_not_stop_it(database):
    write_as_another_program(database, 2)
    half = "\ud83d" if database.dialect == "sqlite" else "\x01"  # MariaDB refuses half a character itself
    damaged = json.dumps(
        {"session_name": f"half {half} and \x00", "roundtable": {"tags": [f"t{half}", 7], "collection": f"c{half}"}}
    )

    def spoil(connection):
        connection.execute(
            text("UPDATE agno_sessions SET session_data = :data WHERE session_id = 's0'"), {"data": damaged}
        )
        connection.execute(
            text("INSERT INTO agno_sessions (session_id, session_type, agent_id, user_id, created_at) "
                 "VALUES ('undated', 'odd kind', 'solo', 'ann', 5)")
        )  # fmt: skip
        connection.execute(
            text('UPDATE agno_runs SET run_data = \'{"metrics": {"total_tokens": "many"}}\' WHERE run_id = \'r1\'')
        )

    database.connector.write(spoil)
    follow(database)
    follow(database)
    assert database.sessions.count_sessions(user_id="ann").total == 3
    assert {one.session_id for one in database.sessions.list_sessions(user_id="ann").items} == {"s0", "s1", "undated"}


def test_the_follower_waits_for_a_database_that_is_away_and_goes_on(database, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    for name in ("LOOK_S", "AWAY_S"):
        monkeypatch.setattr(following, name, 0.05)
    rename = "ALTER TABLE roundtable_following RENAME TO away"
    database.connector.write(lambda connection: connection.execute(text(rename)))
    follower = Follower(database)
    try:
        time.sleep(0.6)
        database.connector.write(
            lambda connection: connection.execute(text("ALTER TABLE away RENAME TO roundtable_following"))
        )
        write_as_another_program(database, 2)
        deadline = time.monotonic() + 15
        while min(count(database, heads), count(database, texts)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert count(database, heads) == count(database, texts) == 2
    finally:
        follower.close()
    told = [record.getMessage() for record in caplog.records if record.name == following.__name__]
    assert len(told) == 1 and "wait for the database" in told[0]


def back_as_it_was(database, row, **changed):
    database.connector.write(lambda connection: connection.execute(insert(sessions).values(**{**row, **changed})))


def test_a_deleted_session_that_a_program_writes_back_is_deleted_again(database):
    write_as_another_program(database, 2)
    follow(database)
    read = select(sessions).where(sessions.c.session_id == "s0")
    row = database.connector.read(lambda connection: dict(connection.execute(read).mappings().one()))
    database.sessions.delete_session("s0", user_id="ann")
    back_as_it_was(database, row)
    follow(database)
    assert [one.session_id for one in database.sessions.list_sessions(user_id="ann").items] == ["s1"]
    assert database.sessions.find_session("s0", user_id="ann") is None
    assert database.sessions.was_deleted("s0")
    assert count(database, heads) == 1


def test_a_new_session_of_another_program_may_have_the_id_of_a_deleted_one(database):
    write_as_another_program(database, 1)
    follow(database)
    database.sessions.delete_session("s0", user_id="ann")
    later = int(time.time()) + 5
    row = {"session_id": "s0", "session_type": "agent", "agent_id": "solo", "user_id": "ann", "session_data": {}}
    back_as_it_was(database, row, created_at=later, updated_at=later)
    follow(database)
    assert [one.session_id for one in database.sessions.list_sessions(user_id="ann").items] == ["s0"]
    assert not database.sessions.was_deleted("s0")
    database.sessions.rename_session("s0", "New", user_id="ann")
