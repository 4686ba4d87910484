"""What is unread: told by the last run that was read, over restarts, other processes and other programs' writing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from agno.db.base import SessionType
from sqlalchemy import insert, select, update

from benchmarks.databases import open_plain_db
from lib.storage import open_database
from lib.storage.schema import read_marks, runs, sessions


def write(database, session_id, *run_ids, began, user_id="ann", status="COMPLETED"):
    """Store runs as another program does; `began` is the first one's second, the others follow each a second later."""

    def work(connection):
        known = connection.execute(select(runs.c.run_index).where(runs.c.session_id == session_id)).all()
        if not known:
            connection.execute(
                insert(sessions).values(
                    session_id=session_id, session_type="agent", agent_id="solo", user_id=user_id,
                    session_data={"session_name": session_id}, created_at=began, updated_at=began,
                )
            )  # fmt: skip
        for place, run_id in enumerate(run_ids):
            connection.execute(
                insert(runs).values(
                    run_id=run_id, session_id=session_id, run_type="agent", agent_id="solo", user_id=user_id,
                    status=status, run_index=len(known) + place, created_at=began + place, updated_at=began + place,
                    run_data={"run_id": run_id, "content": "An answer."},
                )
            )  # fmt: skip
        connection.execute(update(sessions).where(sessions.c.session_id == session_id).values(updated_at=began + 60))

    database.connector.write(work)


def unread(database, user_id="ann"):
    page = database.sessions.list_sessions(user_id=user_id)
    return set(database.read_marks.list_unread(page.items, user_id=user_id))


NOW = int(time.time())
LATER = NOW + 86_400  # after every first visit of these tests, however long the tests before them take


def test_what_was_there_before_the_first_visit_counts_as_read_and_what_comes_later_does_not(database):
    write(database, "old", "r1", began=NOW - 1000)
    assert unread(database) == set()
    write(database, "new", "r2", began=LATER)
    write(database, "old", "r3", began=LATER)
    assert unread(database) == {"old", "new"}
    write(database, "of-bob", "r4", began=LATER, user_id="bob")
    assert unread(database) == {"old", "new"}
    assert unread(database, "bob") == set()  # this is bob's first visit, though others came before


def test_marks_survive_a_restart_and_are_shared_between_processes(database, database_settings):
    unread(database)
    write(database, "one", "r1", began=LATER)
    write(database, "two", "r2", began=LATER)
    database.read_marks.note_read("r1", user_id="ann")
    other = open_database(database_settings)
    try:
        assert unread(other) == {"two"}
        other.read_marks.note_read("r2", user_id="ann")
        assert unread(database) == set()
    finally:
        other.close()


def test_a_later_run_is_unread_even_of_the_same_second_and_one_that_goes_on_is_not_yet(database):
    unread(database)
    write(database, "one", "r1", began=LATER)
    database.read_marks.note_read("r1", user_id="ann")
    write(database, "one", "r2", began=LATER)
    assert unread(database) == {"one"}
    database.read_marks.note_read("r2", user_id="ann")
    database.read_marks.note_read("r1", user_id="ann")  # an older answer looked at again makes nothing unread
    assert unread(database) == set()
    write(database, "one", "r3", began=LATER + 100, status="RUNNING")
    assert unread(database) == set()


def test_another_programs_new_title_makes_nothing_unread(database, database_url):
    unread(database)
    write(database, "one", "r1", began=LATER)
    database.read_marks.note_read("r1", user_id="ann")
    before = database.sessions.get_session("one", user_id="ann")
    open_plain_db(database_url).rename_session("one", SessionType.AGENT, "Renamed elsewhere", user_id="ann")
    after = database.sessions.get_session("one", user_id="ann")
    assert (after.title, after.updated_at) != (before.title, before.updated_at)
    assert unread(database) == set()


def test_a_deleted_run_makes_nothing_unread_and_the_next_answer_is(database):
    unread(database)
    write(database, "one", "r1", "r2", began=LATER)
    database.read_marks.note_read("r2", user_id="ann")
    database.sessions.delete_run("r2", user_id="ann")
    assert unread(database) == set()
    write(database, "one", "r3", began=LATER + 100)
    assert unread(database) == {"one"}


def test_nobody_marks_what_is_not_theirs(database):
    write(database, "one", "r1", began=NOW)
    for user_id, run_id in (("bob", "r1"), ("ann", "missing"), ("ann", "x" * 500), ("ANN", "r1")):
        database.read_marks.note_read(run_id, user_id=user_id)
    assert database.connector.read(lambda connection: connection.execute(select(read_marks)).all()) == []


def test_marks_go_with_their_session_whoever_deletes_it(database, database_url):
    write(database, "here", "r1", began=NOW)
    write(database, "elsewhere", "r2", began=NOW)
    while database.following.follow():
        pass
    for run_id in ("r1", "r2"):
        database.read_marks.note_read(run_id, user_id="ann")
    database.sessions.delete_session("here", user_id="ann")
    open_plain_db(database_url).delete_session("elsewhere", user_id="ann")
    while database.following.follow():
        pass
    assert database.connector.read(lambda connection: connection.execute(select(read_marks)).all()) == []


def test_many_tabs_at_once_leave_one_mark(database):
    write(database, "one", "r1", "r2", began=NOW)
    with ThreadPoolExecutor(8) as pool:
        for run_id in ("r1", "r2") * 8:
            pool.submit(database.read_marks.note_read, run_id, user_id="ann")
            pool.submit(unread, database)
    marks = database.connector.read(lambda connection: connection.execute(select(read_marks)).all())
    assert len(marks) == 2  # the session's, and when ann came
    assert unread(database) == set()
