"""The question is stored before the model is called, the answer is read back, what is refused is kept and written later."""

from __future__ import annotations

import sqlite3
import time

import pytest

from lib.errors import DatabaseUnavailable
from lib.events import RunEnded, RunSaved
from lib.records import RunStatus, SavedState
from lib.storage import open_database, sessions
from tests.conftest import build_settings
from tests.runs.scripted import ask, build_desk, build_engine, say, use, wait_for_words
from tests.services.ports import wait_until


def test_the_question_is_stored_before_the_model_is_asked(open_engine, database):
    found = []

    def script(messages):
        found.append(database.sessions.list_runs("s1", user_id="ada").items[0])
        return ["An answer."]

    engine = open_engine(script)
    run = engine.start("The question?", user_id="ada", team="desk", session_id="s1").wait(20)
    assert run.saved is SavedState.STORED
    assert [(before.run_id, before.question, before.status) for before in found] == [
        (run.run_id, "The question?", RunStatus.RUNNING)
    ]


def test_an_engine_that_closes_leaves_what_was_said_as_interrupted(open_engine, database):
    engine = open_engine(ask(("a", "task"), first="I ask."), a=say("Half of it.", 30.0))
    running = engine.start("The question?", user_id="ada", team="desk", session_id="s1")
    waiting = engine.start("The next?", user_id="ada", team="desk", session_id="s1")
    wait_for_words(running, "Half of it.")
    since = time.monotonic()
    engine.close()
    assert time.monotonic() - since < 3
    assert running.wait(5).status is RunStatus.INTERRUPTED
    assert waiting.wait(5).status is RunStatus.INTERRUPTED
    first, second = database.sessions.list_runs("s1", user_id="ada").items
    assert (first.status, second.status) == (RunStatus.INTERRUPTED, RunStatus.INTERRUPTED)
    assert first.answer == "I ask. "
    assert [member.answer for member in first.member_runs] == ["Half of it. "]
    assert (second.question, second.segments) == ("The next?", ())


@pytest.mark.slow
def test_an_answer_that_sqlite_refuses_is_kept_said_so_and_written_later(settings):
    database = open_database(settings, busy_timeout_s=0.5)
    engine = build_engine(database, settings, build_desk(ask(("a", "task")), a=say("A little.", 1.5, "The rest.")))
    handle = engine.start("The question?", user_id="ada", team="desk", session_id="s1")
    wait_for_words(handle, "A little.")
    other = sqlite3.connect(settings.database_url.get_secret_value().removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    run = handle.wait(30)
    assert run.status is RunStatus.COMPLETED
    assert run.saved is SavedState.KEPT_ON_DISK
    assert "kept on disk" in run.notes[0]
    assert run.answer == "The final answer. "
    other.execute("ROLLBACK")
    other.close()
    wait_until(lambda: handle.snapshot().saved is SavedState.STORED, timeout_s=20, what="the kept answer to be written")
    assert [event.saved for event in handle.events() if isinstance(event, RunSaved)] == [
        SavedState.KEPT_ON_DISK,
        SavedState.STORED,
    ]
    stored = database.sessions.get_run(run.run_id, user_id="ada")
    assert (stored.status, stored.answer) == (RunStatus.COMPLETED, run.answer)
    assert [member.answer for member in stored.member_runs] == ["A little. The rest. "]
    assert len(database.sessions.list_runs("s1", user_id="ada").items) == 1
    engine.close()
    database.close()


@pytest.mark.slow
def test_a_mariadb_that_dies_in_mid_run_loses_nothing(mariadb, tmp_path):
    name = mariadb.create_database()
    settings = build_settings(tmp_path, database_url=mariadb.url(name))
    database = open_database(settings)
    engine = build_engine(
        database, settings, build_desk(ask(("a", "task")), delay_s=0.01, a=use("look_up", then="word " * 100))
    )
    handle = engine.start("The question?", user_id="ada", team="desk", session_id="s1")
    wait_for_words(handle, "word")
    mariadb.kill()
    try:
        run = handle.wait(40)
        assert run.status is RunStatus.COMPLETED
        assert run.saved is SavedState.KEPT_ON_DISK
        assert run.answer == "The final answer. "
        with pytest.raises(DatabaseUnavailable):
            engine.start("Another?", user_id="ada", team="desk", session_id="s2")
        assert engine.live(user_id="ada") == ()
    finally:
        mariadb.start()
    wait_until(lambda: handle.snapshot().saved is SavedState.STORED, timeout_s=40, what="the kept answer to be written")
    stored = database.sessions.get_run(run.run_id, user_id="ada")
    assert (stored.status, stored.answer, stored.total_tokens) == (run.status, run.answer, run.total_tokens)
    assert [member.answer for member in stored.member_runs] == [member.answer for member in run.member_runs]
    again = engine.start("And again?", user_id="ada", team="desk", session_id="s1").wait(20)
    assert again.saved is SavedState.STORED
    assert [stored.question for stored in database.sessions.list_runs("s1", user_id="ada").items] == [
        "The question?",
        "And again?",
    ]
    engine.close()
    database.close()
    mariadb.drop_database(name)


def test_deleting_a_session_stops_what_is_answered_in_it(open_engine, database):
    engine = open_engine(say("First.", 10.0, "Last."))
    handle = engine.start("The question?", user_id="ada", team="desk", session_id="s1")
    wait_for_words(handle, "First.")
    database.sessions.delete_session("s1", user_id="ada")
    assert handle.wait(20).status is RunStatus.STOPPED
    assert database.sessions.list_sessions(user_id="ada").items == ()


def test_an_answer_that_comes_after_its_session_was_deleted_does_not_bring_it_back(open_engine, database, monkeypatch):
    monkeypatch.setattr(sessions, "STOP_PATIENCE_S", 0.0)  # the deletion does not wait until the run has stopped
    engine = open_engine(say("First.", 1.0, "Last."))
    handle = engine.start("The question?", user_id="ada", team="desk", session_id="s1")
    wait_for_words(handle, "First.")
    database.sessions.delete_session("s1", user_id="ada")
    run = handle.wait(20)
    assert run.saved is SavedState.LIVE
    assert "deleted" in run.notes[0]
    assert database.sessions.list_sessions(user_id="ada").items == ()


def test_the_end_is_published_before_what_became_of_it(open_engine):
    engine = open_engine(say("An answer."))
    handle = engine.start("The question?", user_id="ada", team="desk")
    kinds = [type(event) for event in handle.events()]
    assert kinds[-2:] == [RunEnded, RunSaved]
