"""One run at a time in a session, across processes, and never blocked by one that died."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest
from sqlalchemy import update

from lib.errors import RunNotFound
from lib.records import RunStatus
from lib.storage.schema import run_queue
from tests.storage.workers import enter_and_die, enter_and_wait, in_processes, new_id, stage


def change_entry(database, run_id, **values):
    statement = update(run_queue).where(run_queue.c.run_id == run_id).values(**values)
    database.connector.write(lambda connection: connection.execute(statement))


def test_runs_of_a_session_wait_in_the_order_in_which_they_came(database):
    session_id = new_id()
    run_ids = [stage(database, session_id) for _ in range(3)]
    other = stage(database, new_id())
    assert [database.queue.ahead(run_id) for run_id in (*run_ids, other)] == [0, 1, 2, 0]
    live = database.queue.live(session_id=session_id)
    assert [(run.run_id, run.state, run.here) for run in live] == [
        (run_ids[0], RunStatus.RUNNING, True),
        (run_ids[1], RunStatus.WAITING, True),
        (run_ids[2], RunStatus.WAITING, True),
    ]
    database.queue.leave(run_ids[0])
    assert [database.queue.ahead(run_id) for run_id in run_ids[1:]] == [0, 1]
    with pytest.raises(RunNotFound):
        database.queue.ahead(run_ids[0])
    assert {run.run_id for run in database.queue.live(user_id="ann")} == {*run_ids[1:], other}


def test_entering_twice_keeps_the_place_and_staging_twice_changes_nothing(database):
    session_id = new_id()
    first, second = stage(database, session_id), stage(database, session_id)
    database.queue.enter(session_id=session_id, run_id=first, user_id="ann")
    stage(database, session_id, run_id=first)
    assert [database.queue.ahead(run_id) for run_id in (first, second)] == [0, 1]
    assert database.sessions.get_session(session_id, user_id="ann").runs == 2


def test_a_run_whose_process_died_blocks_nobody_and_reads_as_interrupted(database_settings, database):
    session_id, dead = new_id(), new_id()
    in_processes(enter_and_die, [(database_settings, session_id, dead)])
    mine = stage(database, session_id)
    assert database.queue.ahead(mine) == 0
    assert [run.run_id for run in database.queue.live(session_id=session_id)] == [mine]
    statuses = {run.run_id: run.status for run in database.sessions.list_runs(session_id, user_id="ann").items}
    assert statuses == {dead: RunStatus.INTERRUPTED, mine: RunStatus.RUNNING}
    assert database.sessions.get_run(dead, user_id="ann").question == "What is the weather in Paris?"
    database.queue.leave(mine)
    assert database.sessions.get_session(session_id, user_id="ann").last_status is RunStatus.INTERRUPTED


def test_a_living_run_of_another_process_is_waited_for_and_can_be_stopped_from_here(database_settings, database):
    session_id, theirs = new_id(), new_id()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=enter_and_wait, args=(database_settings, session_id, theirs, 60.0))
    process.start()
    deadline = time.monotonic() + 30
    while not database.queue.live(session_id=session_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    mine = stage(database, session_id)
    assert database.queue.ahead(mine) == 1
    (first, second) = database.queue.live(session_id=session_id)
    assert (first.run_id, first.here, second.run_id, second.here) == (theirs, False, mine, True)
    assert database.sessions.get_run(theirs, user_id="ann").status is RunStatus.RUNNING
    assert database.sessions.get_run(mine, user_id="ann").status is RunStatus.WAITING
    assert database.queue.request_stop(theirs, user_id="ann") is True
    process.join(20)
    assert process.exitcode == 0
    assert database.queue.ahead(mine) == 0


def test_a_process_id_that_is_used_again_is_not_taken_for_the_dead_one(database):
    session_id = new_id()
    old, new = stage(database, session_id), stage(database, session_id)
    change_entry(database, old, process_token="1")
    assert database.queue.ahead(new) == 0


def test_another_machine_is_judged_by_its_heartbeat_by_the_databases_clock(database):
    session_id = new_id()
    theirs, mine = stage(database, session_id), stage(database, session_id)
    change_entry(database, theirs, host="elsewhere", heartbeat_at=run_queue.c.heartbeat_at - 20)
    assert database.queue.ahead(mine) == 1
    database.queue.heartbeat([theirs])
    change_entry(database, theirs, heartbeat_at=run_queue.c.heartbeat_at - 29)
    assert database.queue.ahead(mine) == 1
    change_entry(database, theirs, heartbeat_at=run_queue.c.heartbeat_at - 5)
    assert database.queue.ahead(mine) == 0


def test_a_stop_is_asked_for_by_the_owner_only_and_seen_once_asked(database):
    run_id = stage(database, new_id())
    assert database.queue.stop_requested([run_id]) == set()
    assert database.queue.request_stop(run_id, user_id="Ann") is False
    assert database.queue.stop_requested([run_id]) == set()
    assert database.queue.request_stop(run_id, user_id="ann") is True
    assert database.queue.stop_requested([run_id, "other"]) == {run_id}
    assert database.queue.request_stop("missing", user_id="ann") is False


def test_deleting_a_session_asks_its_live_runs_to_stop(database):
    session_id = new_id()
    run_id = stage(database, session_id)
    database.sessions.delete_session(session_id, user_id="ann")
    assert database.queue.stop_requested([run_id]) == {run_id}


def test_the_entry_names_this_process(database):
    run_id = stage(database, new_id())
    with database.engine.connect() as connection:
        entry = connection.execute(run_queue.select().where(run_queue.c.run_id == run_id)).one()
    assert entry.pid == os.getpid()
    assert entry.process_token
