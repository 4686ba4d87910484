"""A session is its owner's: compared exactly, on every way in, whatever the database thinks of letters."""

from __future__ import annotations

import pytest
from agno.session import TeamSession
from sqlalchemy import insert, select

from lib.errors import InvalidInput, NotAllowed, NotFound, RunNotFound, SessionNotFound
from lib.storage import open_database
from lib.storage.schema import runs, sessions
from tests.conftest import build_settings
from tests.storage.workers import build_team, finished_run, new_id, stage, store_runs

OTHERS = ["bob", "Bob ", " Bob", "Böb", "BOB", "Bob\u200b", "eve"]


@pytest.fixture(params=["sqlite", "utf8mb4_nopad_bin", "utf8mb4_general_ci", "latin1_swedish_ci"])
def any_collation(request, tmp_path):
    """A database of each kind, also such as take 'bob' for 'Bob '."""
    if request.param == "sqlite":
        database = open_database(build_settings(tmp_path))
        yield database
        database.close()
        return
    server = request.getfixturevalue("mariadb")
    name = server.create_database(collation=request.param)
    database = open_database(build_settings(tmp_path, database_url=server.url(name)))
    yield database
    database.close()
    server.drop_database(name)


@pytest.mark.parametrize("other", OTHERS)
def test_a_session_is_not_found_for_anybody_else_on_any_way_in(any_collation, other):
    database = any_collation
    store, adapter = database.sessions, database.adapter
    session_id = new_id()
    (run_id,) = store_runs(database, session_id, 1, user_id="Bob")
    live_id = stage(database, session_id, user_id="Bob")

    ways_in = {
        "get_session": lambda: store.get_session(session_id, user_id=other),
        "get_session_row": lambda: store.get_session_row(session_id, user_id=other),
        "create_session": lambda: store.create_session(session_id=session_id, user_id=other, component_id="x"),
        "list_runs": lambda: store.list_runs(session_id, user_id=other),
        "get_run": lambda: store.get_run(run_id, user_id=other),
        "get_run_row": lambda: store.get_run_row(run_id, user_id=other),
        "rename": lambda: store.rename_session(session_id, "mine", user_id=other),
        "tags": lambda: store.set_tags(session_id, ["mine"], user_id=other),
        "collection": lambda: store.set_collection(session_id, "mine", user_id=other),
        "delete": lambda: store.delete_session(session_id, user_id=other),
        "delete_run": lambda: store.delete_run(run_id, user_id=other),
        "stage": lambda: stage(database, session_id, user_id=other),
        "adapter read": lambda: adapter.get_session(session_id, user_id=other),
        "adapter runs": lambda: adapter.get_runs(session_id=session_id, user_id=other),
        "adapter rename": lambda: adapter.rename_session(session_id, None, "mine", user_id=other),
        "adapter write": lambda: adapter.upsert_session(TeamSession(session_id=session_id, user_id=other)),
        "adapter run": lambda: adapter.upsert_run(
            finished_run(session_id, user_id=other), session_id=session_id, user_id=other
        ),
    }
    for name, way_in in ways_in.items():
        with pytest.raises(NotFound):
            pytest.fail(f"{name} let {other!r} in: {way_in()}")
    assert store.list_sessions(user_id=other).items == ()
    assert adapter.get_sessions(user_id=other) == []
    assert adapter.get_run(run_id, user_id=other) is None
    assert adapter.delete_session(session_id, user_id=other) is False
    adapter.delete_sessions([session_id], user_id=other)
    assert adapter.delete_run(run_id, user_id=other) is False
    adapter.delete_runs([run_id], user_id=other)
    assert database.queue.request_stop(live_id, user_id=other) is False
    assert database.queue.live(user_id=other) == ()

    mine = store.get_session(session_id, user_id="Bob")
    assert (mine.runs, mine.tags, mine.title) == (2, (), "What is the weather in Paris?")
    assert database.outbox.pending() == ()


@pytest.mark.parametrize("nobody", [None, "", "   ", 7])
def test_nobody_may_do_anything(database, nobody):
    store, adapter = database.sessions, database.adapter
    session_id = new_id()
    (run_id,) = store_runs(database, session_id, 1)
    for way_in in (
        lambda: store.list_sessions(user_id=nobody),
        lambda: store.get_session(session_id, user_id=nobody),
        lambda: store.list_runs(session_id, user_id=nobody),
        lambda: store.get_run(run_id, user_id=nobody),
        lambda: store.create_session(user_id=nobody, component_id="x"),
        lambda: store.rename_session(session_id, "x", user_id=nobody),
        lambda: store.delete_session(session_id, user_id=nobody),
        lambda: stage(database, session_id, user_id=nobody),
        lambda: adapter.get_session(session_id, user_id=nobody),
        lambda: adapter.get_run(run_id),
        lambda: adapter.get_runs(session_id=session_id, user_id=nobody),
        lambda: adapter.get_sessions(user_id=nobody),
        lambda: adapter.delete_run(run_id),
        lambda: adapter.delete_session(session_id, user_id=nobody),
        lambda: adapter.upsert_session(TeamSession(session_id=session_id, user_id=nobody)),
        lambda: adapter.upsert_run(finished_run(session_id), session_id=session_id, user_id=nobody),
        lambda: database.queue.enter(session_id=session_id, run_id="r", user_id=nobody),
        lambda: database.queue.request_stop(run_id, user_id=nobody),
    ):
        with pytest.raises(NotAllowed, match="Nobody is signed in"):
            way_in()


def test_a_session_without_owner_is_nobodys_and_is_never_taken_over(database):
    session_id = new_id()
    row = {"session_id": session_id, "session_type": "team", "team_id": "x", "created_at": 1, "updated_at": 1}
    database.connector.write(lambda connection: connection.execute(insert(sessions).values(**row)))
    team = build_team(database)
    with pytest.raises(SessionNotFound):
        team.run("hello", session_id=session_id, user_id="ann")
    with pytest.raises(SessionNotFound):
        database.sessions.get_session(session_id, user_id="ann")
    owner = database.connector.read(
        lambda connection: connection.execute(select(sessions.c.user_id, sessions.c.session_data)).one()
    )
    assert owner == (None, None)


def test_an_intruder_is_refused_before_the_model_is_called(database):
    session_id = new_id()
    build_team(database).run("Remember: the secret word is bird", session_id=session_id, user_id="ann")
    with pytest.raises(SessionNotFound):
        build_team(database).run("What is the secret word?", session_id=session_id, user_id="Ann")
    assert len(database.sessions.list_runs(session_id, user_id="ann").items) == 1


BAD_IDS = ["", "  ", "x" * 129, "a\x00b", "a\nb", "half \ud800", 7, None]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_an_id_that_cannot_be_stored_is_refused_before_anything_is_written(database, bad):
    for values in ({"session_id": bad, "run_id": "r"}, {"session_id": "s", "run_id": bad}):
        with pytest.raises(InvalidInput, match="Nothing was written"):
            database.sessions.stage_question(
                **values,
                user_id="ann",
                component_id="x",
                component_name="X",
                kind="team",
                question="a question",
                settings={},
            )
    with pytest.raises(InvalidInput):
        database.adapter.upsert_session(TeamSession(session_id=bad, user_id="ann"))
    counted = [
        database.connector.read(lambda connection, table=table: len(connection.execute(select(table)).all()))
        for table in (sessions, runs)
    ]
    assert counted == [0, 0]
    for read in (database.sessions.get_session, database.sessions.list_runs, database.sessions.delete_session):
        with pytest.raises(SessionNotFound):
            read(bad, user_id="ann")
    with pytest.raises(RunNotFound):
        database.sessions.get_run(bad, user_id="ann")


@pytest.mark.parametrize("bad", ["x" * 129, "a\x00b", "half \ud800"])
def test_a_user_name_that_cannot_be_stored_is_refused(database, bad):
    with pytest.raises(InvalidInput, match="user name"):
        stage(database, new_id(), user_id=bad)


def test_ids_and_users_of_128_characters_fit(database):
    session_id, user_id, run_id = "s" * 128, "ü" * 128, "r" * 128
    stage(database, session_id, user_id=user_id, run_id=run_id)
    assert database.sessions.get_run(run_id, user_id=user_id).session_id == session_id


def test_ids_that_differ_only_in_what_a_collation_ignores_never_meet(any_collation):
    store = any_collation.sessions
    store.create_session(session_id="CaseA", user_id="ann", component_id="x")
    for similar in ("casea", "CaseA ", "Cäsea"):
        with pytest.raises(SessionNotFound):
            store.get_session(similar, user_id="ann")
        try:
            made = store.create_session(session_id=similar, user_id="ann", component_id="x")
        except SessionNotFound:
            continue  # the database cannot hold both: refused, not mixed up
        assert made.session_id == similar
    assert store.get_session("CaseA", user_id="ann").session_id == "CaseA"


def test_an_id_that_the_databases_letters_cannot_spell_is_not_found(any_collation):
    store = any_collation.sessions
    store.create_session(session_id="there", user_id="ann", component_id="x")
    for unspelt in ("🦊", "天气", "x" * 5_000, "tab\t", "nul\x00"):
        for read in (store.get_session, store.list_runs, store.delete_session, store.get_session_row):
            with pytest.raises(SessionNotFound):
                read(unspelt, user_id="ann")
        with pytest.raises(RunNotFound):
            store.get_run(unspelt, user_id="ann")
        assert store.was_deleted(unspelt) is False
