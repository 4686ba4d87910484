"""Forks, with all ids new and their images, and deletions, which leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from lib.errors import InvalidInput, RunNotFound, SessionNotFound
from lib.storage.heads import facts, heads
from lib.storage.media import references
from lib.storage.schema import run_queue, runs, sessions
from lib.storage.search_tables import texts
from tests.storage.stored import listed, rows_of, session_of, with_image
from tests.storage.workers import new_id, stage, store_runs


def test_a_fork_goes_on_apart_and_leaves_its_source_as_it_is(database, database_settings):
    store, session_id = database.sessions, new_id()
    first = with_image(database, session_id, database_settings.media_dir)
    second, third = store_runs(database, session_id, 2)
    store.set_tags(session_id, ["a"], user_id="ann")
    before = rows_of(database, session_id)
    fork = store.fork_session(session_id, user_id="ann", upto_run_id=second)
    assert rows_of(database, session_id) == before

    assert fork.name == "What is the weather in Paris? (fork)"
    assert (fork.runs, fork.tags, fork.forked_from_session_id) == (2, ("a",), session_id)
    copies = store.list_runs(fork.session_id, user_id="ann").items
    assert not {run.run_id for run in copies} & {first, second, third}
    assert [run.question for run in copies] == [
        run.question for run in store.list_runs(session_id, user_id="ann").items[:2]
    ]
    assert first not in str(rows_of(database, fork.session_id)[1]) and session_id not in str(
        [row.run_data for row in rows_of(database, fork.session_id)[1]]
    )
    (image,) = copies[0].images
    assert image.storage_key != "images/one.png"
    assert (Path(database_settings.media_dir) / image.storage_key).read_bytes() == b"picture"
    for one in (session_id, fork.session_id):
        (link,) = store.list_forks(one, user_id="ann")
        assert (link.source_session_id, link.source_run_id, link.session_id) == (session_id, second, fork.session_id)

    store.delete_session(session_id, user_id="ann")
    assert store.list_forks(fork.session_id, user_id="ann") == ()
    assert (Path(database_settings.media_dir) / image.storage_key).is_file()
    assert not (Path(database_settings.media_dir) / "images/one.png").exists()
    (again,) = store_runs(database, fork.session_id, 1)
    assert [run.run_id for run in store.list_runs(fork.session_id, user_id="ann").items][-1] == again


def test_a_live_run_is_not_forked(database):
    store, session_id = database.sessions, new_id()
    (done,) = store_runs(database, session_id, 1)
    live = stage(database, session_id)
    with pytest.raises(InvalidInput, match="still goes on"):
        store.fork_session(session_id, user_id="ann", upto_run_id=live)
    assert store.fork_session(session_id, user_id="ann").runs == 1
    assert store.fork_session(session_id, user_id="ann", upto_run_id=done).runs == 1
    with pytest.raises(RunNotFound):
        store.fork_session(session_id, user_id="ann", upto_run_id=new_id())
    assert len(listed(database)) == 3


def test_deleting_says_what_is_lost_and_leaves_nothing_behind(database, database_settings):
    store, session_id = database.sessions, new_id()
    with_image(database, session_id, database_settings.media_dir)
    store_runs(database, session_id, 2)
    database.outbox.keep("session", session_id=session_id, user_id="ann", run_id=None, payload={}, reason="test")
    other = session_of(database)
    assert {one.session_id for one in store.list_sessions(user_id="ann").items if one.unsaved} == {session_id}
    loss = store.describe_loss([session_id, other], user_id="ann")
    assert (loss.sessions, loss.runs, loss.images, loss.live_runs, loss.kept_writes) == (2, 4, 1, 0, 1)

    assert store.delete_sessions([session_id, other, new_id()], user_id="ann") == 2
    for table in (sessions, runs, heads, facts, references, texts, run_queue):
        assert database.connector.read(lambda connection, table=table: connection.execute(select(table)).all()) == []
    assert list(Path(database_settings.media_dir).rglob("*.*")) == []
    assert database.outbox.pending() == ()
    with pytest.raises(SessionNotFound):
        stage(database, session_id)


def test_an_image_that_another_session_uses_stays(database, database_settings):
    store, session_id, other = database.sessions, new_id(), new_id()
    with_image(database, session_id, database_settings.media_dir)
    with_image(database, other, database_settings.media_dir)
    assert store.describe_loss([session_id], user_id="ann").images == 0
    assert store.describe_loss([session_id, other], user_id="ann").images == 1
    store.delete_session(session_id, user_id="ann")
    assert (Path(database_settings.media_dir) / "images/one.png").is_file()
    store.delete_session(other, user_id="ann")
    assert not (Path(database_settings.media_dir) / "images/one.png").exists()


def test_one_run_is_deleted_with_its_image_and_the_others_stay(database, database_settings):
    store, session_id = database.sessions, new_id()
    run_id = with_image(database, session_id, database_settings.media_dir)
    kept = store_runs(database, session_id, 2)
    loss = store.describe_run_loss(run_id, user_id="ann")
    assert (loss.runs, loss.member_runs, loss.images) == (1, 0, 1)
    store.delete_run(run_id, user_id="ann")
    assert [run.run_id for run in store.list_runs(session_id, user_id="ann").items] == kept
    assert store.get_session(session_id, user_id="ann").runs == 2
    assert not (Path(database_settings.media_dir) / "images/one.png").exists()
