"""The change token: another one whenever a list of sessions shows something else, whoever changed it, and else the same."""

from __future__ import annotations

import json
import time

import pytest
from agno.agent import Agent
from agno.db.base import SessionType
from sqlalchemy import text

from benchmarks.databases import open_plain_db
from benchmarks.turns import engine_of
from lib.errors import NotAllowed
from lib.models import OfflineModel
from lib.records import Reader, SessionKind
from lib.storage import open_database
from tests.storage.workers import finished_run, new_id, stage, store_runs


class Watcher:
    """A tab of Ann's: whether its list changed since it last looked, by token and by the list itself."""

    def __init__(self, database, user_id="ann", limit=15):
        self.store, self.user_id, self.limit = database.sessions, user_id, limit
        self.token, self.items = self.look()
        self.run_id = ""

    def look(self):
        token = self.store.get_change_token(user_id=self.user_id, limit=self.limit)
        return token, self.store.list_sessions(user_id=self.user_id, limit=self.limit).items

    def changed(self):
        before, (self.token, self.items) = (self.token, self.items), self.look()
        if before[1] != self.items:
            assert before[0] != self.token, "the list is another one, the token the same"
        return before[0] != self.token


def follow(database):
    while database.follow():
        pass


def test_every_change_of_our_own_is_told_at_once_also_several_within_a_second(database):
    store, watcher = database.sessions, Watcher(database)
    other = Watcher(database, "bob")
    mine = new_id()

    def ask():
        watcher.run_id = stage(database, mine)

    def end():
        run = finished_run(mine, run_id=watcher.run_id)
        database.adapter.upsert_run(run, session_id=mine, user_id="ann")

    for change in (
        lambda: store.create_session(session_id=mine, user_id="ann", component_id="market-desk", kind=SessionKind.TEAM),
        lambda: store.rename_session(mine, "One", user_id="ann"),
        lambda: store.rename_session(mine, "Two", user_id="ann"),
        lambda: store.set_tags(mine, ["a"], user_id="ann"),
        lambda: store.set_collection(mine, "c", user_id="ann"),
        ask,
        end,
        lambda: database.queue.leave(watcher.run_id),
        ask,
        lambda: database.queue.leave(watcher.run_id),  # interrupted
        lambda: store.delete_run(watcher.run_id, user_id="ann"),
        lambda: store.fork_session(mine, user_id="ann"),
        lambda: database.outbox.keep("session", session_id=mine, user_id="ann", run_id=None, payload={}, reason="test"),
        lambda: store.delete_session(mine, user_id="ann"),
    ):  # fmt: skip
        assert not watcher.changed(), "nothing happened"
        change()
        assert watcher.changed()
    assert not other.changed()


def test_a_change_in_another_process_is_told(database, database_settings):
    (run_id,) = store_runs(database, "one", 1)
    watcher = Watcher(database)
    another = open_database(database_settings)
    another.sessions.rename_session("one", "Renamed", user_id="ann")
    assert watcher.changed()
    another.sessions.delete_run(run_id, user_id="ann")
    assert watcher.changed() and not watcher.changed()
    another.close()


def test_that_an_answer_was_read_is_told_to_its_reader_only(database):
    marks = database.read_marks
    marks.list_unread((), user_id="ann")
    (run_id,) = store_runs(database, "one", 1)
    watcher, admin = Watcher(database), Watcher(database, Reader(user_id="root", admin=True))
    marks.note_read(run_id, user_id="ann")
    assert watcher.changed() and not watcher.changed()
    assert not admin.changed()


def test_what_plain_agno_does_is_told_before_and_after_it_is_followed(database, database_url):
    plain = open_plain_db(database_url)
    agent = Agent(id="solo", name="Solo", model=OfflineModel(token_delay_s=0.0), db=plain, telemetry=False)
    watcher = Watcher(database)
    for followed in (lambda: None, lambda: follow(database)):
        for act in (
            lambda: agent.run("Where is Timbuktu?", session_id="plain", user_id="ann"),
            lambda: plain.rename_session("plain", SessionType.AGENT, f"First {time.time()}"),
            lambda: plain.rename_session("plain", SessionType.AGENT, f"Second {time.time()}"),
            lambda: agent.run("And Mali?", session_id="plain", user_id="ann"),
        ):
            act()
            assert watcher.changed()
            followed()
            watcher.changed()
            assert not watcher.changed()
    plain.delete_session("plain")
    assert watcher.changed() and watcher.items == ()
    engine_of(plain).dispose()


def test_a_title_written_without_a_new_time_is_told(database):
    """Two writes of another program within one second leave the row's time as it was."""
    store_runs(database, "one", 1)
    watcher = Watcher(database)
    statement = text("UPDATE agno_sessions SET session_data = :data WHERE session_id = 'one'")
    for title in ("A", "B"):
        data = json.dumps({"session_name": title})
        database.connector.write(lambda connection, data=data: connection.execute(statement, {"data": data}))
        assert watcher.changed() and watcher.items[0].title == title


def test_what_is_beyond_the_page_is_not_told_but_that_there_is_more_is(database):
    for number in range(3):
        store_runs(database, f"s{number}", 1)
        database.connector.write(
            lambda connection, number=number: connection.execute(
                text("UPDATE agno_sessions SET updated_at = :at WHERE session_id = :id"),
                {"at": 1000 + number, "id": f"s{number}"},
            )
        )
    follow(database)
    watcher = Watcher(database, limit=2)  # the third is looked at, too: whether there is more
    database.sessions.delete_session("s0", user_id="ann")
    assert watcher.changed()
    watcher = Watcher(database, limit=1)
    follow(database)
    watcher.changed()
    assert not watcher.changed()


def test_an_admin_is_told_of_everybodys_and_nobody_of_none(database):
    watcher = Watcher(database, Reader(user_id="root", admin=True))
    store_runs(database, "bobs", 1, user_id="bob")
    assert watcher.changed()
    with pytest.raises(NotAllowed):
        database.sessions.get_change_token(user_id="")
