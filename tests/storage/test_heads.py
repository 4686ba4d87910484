"""What a list shows of a session without reading its runs: what they add up to, whoever wrote them."""

from __future__ import annotations

import json
import time

from sqlalchemy import insert, select, text

from lib.records import RunStatus
from lib.storage.forks import forks
from lib.storage.heads import facts, heads
from lib.storage.schema import runs
from tests.storage.stored import follow, session_of
from tests.storage.workers import finished_run, new_id, stage, store_runs


def test_a_row_says_what_its_runs_add_up_to_without_reading_them(database):
    session_id = new_id()
    run_ids = store_runs(database, session_id, 2)
    adapter = database.adapter
    metrics = {"total_tokens": 12, "input_tokens": 10, "output_tokens": 2, "duration": 1.5}
    data = finished_run(session_id, run_id=run_ids[0]).to_dict() | {"metrics": metrics}
    member = data | {"run_id": new_id(), "parent_run_id": run_ids[0]}
    database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_runs SET run_data = :data, updated_at = updated_at + 1 WHERE run_id = :id"),
            {"data": json.dumps(data, default=str), "id": run_ids[0]},
        )
    )
    row = {"run_id": member["run_id"], "session_id": session_id, "run_type": "team", "parent_run_id": run_ids[0],
           "run_data": member, "status": "COMPLETED", "created_at": 1, "updated_at": int(time.time())}  # fmt: skip
    database.connector.write(lambda connection: connection.execute(insert(runs).values(**row)))
    follow(database)
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.runs, summary.tokens, summary.duration_s, summary.failed_runs) == (2, 24, 1.5, 0)
    failing = stage(database, session_id)
    assert database.sessions.get_session(session_id, user_id="ann").failed_runs == 0  # live
    database.queue.leave(failing)
    assert database.sessions.get_session(session_id, user_id="ann").failed_runs == 1  # interrupted
    adapter.upsert_run(finished_run(session_id, run_id=failing), session_id=session_id, user_id="ann")
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.runs, summary.failed_runs, summary.last_status) == (3, 0, RunStatus.COMPLETED)


def test_heads_are_the_same_whether_written_along_or_made_anew(database):
    store = database.sessions
    ids = [session_of(database, f"question {number}") for number in range(3)]
    store.rename_session(ids[0], "A title", user_id="ann")
    store.set_tags(ids[1], ["a"], user_id="ann")
    store.fork_session(ids[1], user_id="ann")
    store.delete_session(ids[2], user_id="ann")
    stage(database, ids[0])

    def read(connection):
        return (
            connection.execute(select(heads).order_by(heads.c.session_key)).all(),
            connection.execute(select(facts).order_by(facts.c.run_key)).all(),
        )

    written = database.connector.read(read)
    for table in ("roundtable_session_heads", "roundtable_run_facts"):
        database.connector.write(lambda connection, table=table: connection.execute(text(f"DELETE FROM {table}")))
    database.connector.write(
        lambda connection: connection.execute(text("UPDATE roundtable_following SET updated_at = 0, row_id = ''"))
    )
    follow(database)
    assert database.connector.read(read) == written


def test_forks_and_heads_forget_what_is_deleted(database):
    store, session_id = database.sessions, session_of(database)
    fork = store.fork_session(session_id, user_id="ann")
    store.delete_sessions([fork.session_id], user_id="ann")
    assert store.list_forks(session_id, user_id="ann") == ()
    assert database.connector.read(lambda connection: len(connection.execute(select(forks)).all())) == 1
