"""Who may read whose sessions, and that an admin writes none."""

from __future__ import annotations

import pytest

from lib.errors import NotAllowed, RunNotFound, SessionNotFound
from lib.records import Reader, SessionFilter
from tests.storage.stored import listed, rows_of, session_of
from tests.storage.workers import stage

ADMIN = Reader(user_id="root", admin=True)


def test_an_admin_reads_every_session_and_writes_none(database):
    session_id = session_of(database, user_id="bob")
    store = database.sessions
    (run,) = store.list_runs(session_id, user_id=ADMIN).items
    assert store.get_session(session_id, user_id=ADMIN).user_id == "bob"
    assert store.get_run(run.run_id, user_id=ADMIN).run_id == run.run_id
    assert store.get_session_row(session_id, user_id=ADMIN)["user_id"] == "bob"
    assert listed(database, user_id=ADMIN) == listed(database, user_id=ADMIN, owner="bob") == {session_id}
    assert listed(database, user_id=ADMIN, owner="Bob") == set()
    assert listed(database, user_id=ADMIN, text="paris") == {session_id}

    before = rows_of(database, session_id)
    for who, refusal in ((ADMIN, NotAllowed), ("root", SessionNotFound)):
        for write in (
            lambda who=who: store.rename_session(session_id, "mine", user_id=who),
            lambda who=who: store.set_tags(session_id, ["mine"], user_id=who),
            lambda who=who: store.change_tags([session_id], add=["mine"], user_id=who),
            lambda who=who: store.set_collection(session_id, "mine", user_id=who),
            lambda who=who: store.delete_session(session_id, user_id=who),
            lambda who=who: store.fork_session(session_id, user_id=who),
            lambda who=who: store.describe_loss([session_id], user_id=who),
            lambda who=who: store.create_session(session_id=session_id, component_id="x", user_id=who),
            lambda who=who: stage(database, session_id, user_id=who),
        ):
            with pytest.raises(refusal):
                write()
        with pytest.raises((NotAllowed, RunNotFound)):
            store.delete_run(run.run_id, user_id=who)
    assert rows_of(database, session_id) == before


def test_nobody_else_lists_counts_or_finds_anothers_sessions(database):
    session_id = session_of(database, user_id="bob")
    store = database.sessions
    for other in ("Bob", "bob ", "ann", Reader(user_id="root")):
        assert listed(database, user_id=other) == listed(database, user_id=other, text="paris") == set()
        assert store.count_sessions(user_id=other).total == 0
        assert store.find_session(session_id, user_id=other) is None
        with pytest.raises(NotAllowed):
            store.list_sessions(user_id=other, where=SessionFilter(owner="bob"))
    for nobody in ("", " ", Reader(user_id="", admin=True)):
        with pytest.raises(NotAllowed):
            store.list_sessions(user_id=nobody)
