"""What the database refuses is kept on disk, told, and written when the database is there again."""

from __future__ import annotations

import json
import logging
import sqlite3
import stat
from contextlib import suppress

import pytest

from lib.errors import DatabaseUnavailable, HistoryNotSaved
from lib.records import RunStatus
from lib.storage import RunOutcome, open_database
from tests.conftest import build_settings
from tests.storage.workers import build_team, finished_run, flush, in_processes, new_id, stage

SECRET = "the-secret-word-is-bird"


@pytest.fixture
def outage(database, database_url, request, tmp_path):
    """(begin, end): the database stops taking anything and comes back: a stopped server, a locked file."""
    if "mysql" in database_url:
        server = request.getfixturevalue("mariadb")
        yield server.stop, server.start
        server.start()
        return
    other = sqlite3.connect(tmp_path / "roundtable.db", isolation_level=None)
    database.engine.dispose()
    # Five seconds for each write would be five minutes here.
    from sqlalchemy import event

    event.listen(
        database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 100"), insert=False
    )
    yield lambda: other.execute("BEGIN IMMEDIATE"), lambda: other.execute("ROLLBACK")
    other.close()


def run_during_an_outage(database, outage, session_id, run_id, question=f"Remember: {SECRET}"):
    """Run a staged question whose end meets an outage."""
    begin, _ = outage
    stage(database, session_id, run_id=run_id, question=question)

    def interrupt(**_):
        begin()

    team = build_team(database, post_hooks=[interrupt])
    return team.run(question, session_id=session_id, user_id="ann", run_id=run_id)


def test_a_run_that_the_database_refuses_is_kept_told_and_written_later(database, database_settings, outage, caplog):
    session_id, run_id = new_id(), new_id()
    with caplog.at_level(logging.DEBUG):
        run_during_an_outage(database, outage, session_id, run_id)
        assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.KEPT_ON_DISK
        assert database.kept_for("ann") == len(database.outbox.pending()) >= 2
        assert database.kept_for("bob") == 0
        assert database.outbox.pending_for(session_id=session_id, run_id=run_id) == 1
    assert SECRET not in caplog.text
    assert "INSERT" not in caplog.text
    assert "kept on disk" in caplog.text

    outage[1]()
    assert database.outbox.flush() == 0
    run = database.sessions.get_run(run_id, user_id="ann")
    database.queue.leave(run_id)
    assert SECRET in database.sessions.get_run(run_id, user_id="ann").question
    assert run.run_index == 0
    assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.STORED
    assert database.kept_for("ann") == 0


def test_what_was_kept_is_written_by_the_next_start_of_the_app(database, database_settings, outage):
    session_id, run_id = new_id(), new_id()
    run_during_an_outage(database, outage, session_id, run_id)
    database.close()
    outage[1]()
    assert in_processes(flush, [(database_settings,)] * 2) == [0, 0]  # two at once: each write once
    again = open_database(database_settings)
    again.queue.leave(run_id)
    assert again.sessions.get_run(run_id, user_id="ann").status is RunStatus.COMPLETED
    assert len(again.sessions.list_runs(session_id, user_id="ann").items) == 1
    again.close()


def test_the_next_turn_sees_what_was_kept_and_never_a_history_without_it(database, outage):
    session_id = new_id()
    run_during_an_outage(database, outage, session_id, new_id(), "Remember: the secret word is bird")
    with pytest.raises(DatabaseUnavailable, match="still wait on disk"):
        database.adapter.get_session(session_id, user_id="ann")
    outage[1]()
    database.adapter.writer._no_attempt_before = 0.0
    answer = build_team(database).run("What is the secret word?", session_id=session_id, user_id="ann")
    assert "bird" in str(answer.content)
    assert database.outbox.pending() == ()


def test_an_introduction_that_was_kept_stands_before_the_question(database, outage, monkeypatch):
    session_id, run_id = new_id(), new_id()
    stage(database, session_id, run_id=run_id)
    begin, end = outage
    read = database.adapter.get_session

    def read_before_the_outage(*given, **named):
        monkeypatch.undo()
        found = read(*given, **named)
        begin()
        return found

    monkeypatch.setattr(database.adapter, "get_session", read_before_the_outage)
    with suppress(HistoryNotSaved):
        build_team(database, introduction="Welcome.").run("Hello", session_id=session_id, user_id="ann", run_id=run_id)
    end()
    assert database.outbox.flush() == 0
    first, second = database.sessions.list_runs(session_id, user_id="ann").items
    assert first.raw["run_data"]["content"] == "Welcome."
    assert second.run_id == run_id


def test_a_session_deleted_meanwhile_is_not_brought_back(database, outage):
    session_id, run_id = new_id(), new_id()
    run_during_an_outage(database, outage, session_id, run_id)
    outage[1]()
    database.sessions.delete_session(session_id, user_id="ann")
    assert database.outbox.flush() == 0
    assert database.outbox.set_aside() == ()
    assert database.sessions.list_sessions(user_id="ann").items == ()
    assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.SESSION_DELETED


def test_a_rename_after_the_outage_and_before_the_flush_holds(database, outage):
    session_id = new_id()
    run_during_an_outage(database, outage, session_id, new_id())
    outage[1]()
    database.sessions.rename_session(session_id, "By hand", user_id="ann")
    database.outbox.flush()
    assert database.sessions.get_session(session_id, user_id="ann").title == "By hand"


@pytest.fixture
def kept(database):
    """A database with one run kept on disk, as if it had been away for a moment."""
    session_id = new_id()
    run_id = stage(database, session_id)
    run = finished_run(session_id, run_id=run_id, content=SECRET)
    from agno.db.utils import build_single_run_row

    row = build_single_run_row(run, session_id=session_id, user_id="ann")
    for _ in range(2):
        database.outbox.keep(
            "run", session_id=session_id, user_id="ann", run_id=run_id, payload=row, reason="for this test"
        )
    return session_id, run_id


def test_kept_files_are_whole_private_and_in_order(database, kept):
    files = database.outbox.pending()
    assert [json.loads(file.read_text())["kind"] for file in files] == ["run", "run"]
    assert [file.name for file in files] == sorted(file.name for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(database.outbox.folder.stat().st_mode) == 0o700
    assert list(database.outbox.folder.glob("*.draft")) == []


def test_flushing_twice_changes_nothing(database, kept):
    _, run_id = kept
    copies = [(file, file.read_bytes()) for file in database.outbox.pending()]
    assert database.outbox.flush() == 0
    before = database.sessions.get_run_row(run_id, user_id="ann")
    for file, content in copies:  # as after a crash between the commit and the removal of the file
        file.write_bytes(content)
    assert database.outbox.flush() == 0
    after = database.sessions.get_run_row(run_id, user_id="ann")
    assert {**before, "updated_at": 0} == {**after, "updated_at": 0}


def test_files_that_hold_no_kept_write_are_set_aside_with_a_note_and_block_nothing(database, kept):
    _, run_id = kept
    broken = {"00000000000000000001.cut.json": '{"version": 1, "kind": "ru', "00000000000000000002.x.json": "[]"}
    broken["00000000000000000003.y.json"] = '{"version": 99}'
    broken["notes.json"] = "\x00\xff"
    for name, content in broken.items():
        (database.outbox.folder / name).write_text(content, encoding="latin-1")
    assert database.outbox.flush() == 0
    assert database.sessions.get_run_row(run_id, user_id="ann")["status"] == "COMPLETED"
    aside = database.outbox.set_aside()
    assert {file.name for file in aside} == set(broken)
    for file in aside:
        assert file.read_text(encoding="latin-1") == broken[file.name]
        assert "Nothing was lost" in file.with_name(f"{file.name}.note.txt").read_text()


def test_a_write_the_database_will_never_take_is_set_aside_and_the_rest_is_written(database):
    good, bad = new_id(), new_id()
    run_id = stage(database, good)
    stage(database, bad)
    created_at = None  # the column takes no NULL
    refused = {
        "created_at": created_at,
        "user_id": "ann",
        "run_id": "r",
        "session_id": bad,
        "run_type": "team",
        "status": "COMPLETED",
        "run_data": {"a": 1},
    }
    database.outbox.keep("run", session_id=bad, user_id="ann", run_id="r", payload=refused, reason="for this test")
    from agno.db.utils import build_single_run_row

    row = build_single_run_row(finished_run(good, run_id=run_id), session_id=good, user_id="ann")
    database.outbox.keep("run", session_id=good, user_id="ann", run_id=run_id, payload=row, reason="for this test")
    assert database.outbox.flush() == 0
    assert len(database.outbox.set_aside()) == 1
    assert database.kept_for("ann") == 1  # still told
    assert database.sessions.get_run_row(run_id, user_id="ann")["status"] == "COMPLETED"


def test_a_run_larger_than_the_server_takes_is_kept_and_told_and_blocks_nothing(mariadb, tmp_path):
    name = mariadb.create_database()
    database = open_database(build_settings(tmp_path, database_url=mariadb.url(name)))
    session_id = new_id()
    run_id = stage(database, session_id)
    run = finished_run(session_id, run_id=run_id, content="x" * 17_000_000)
    with pytest.raises(HistoryNotSaved, match="kept on disk"):
        database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
    assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.KEPT_ON_DISK
    assert database.outbox.flush() == 0
    assert len(database.outbox.set_aside()) == 1
    assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.KEPT_ON_DISK
    build_team(database).run("hello", session_id=session_id, user_id="ann")
    assert len(database.sessions.list_runs(session_id, user_id="ann").items) == 2
    database.close()
    mariadb.drop_database(name)


def test_when_not_even_the_disk_takes_it_that_is_said(database, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HistoryNotSaved, match=r"cannot be kept.*No space left"):
        database.outbox.keep("run", session_id="s", user_id="ann", run_id="r", payload={}, reason="for this test")
    assert database.outbox.pending() == ()
