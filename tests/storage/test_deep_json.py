"""JSON nested deeper than Python reads makes no part of the session store fail."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from lib.errors import SessionDamaged
from lib.records import SessionFilter
from tests.storage.workers import finished_run, new_id, stage

DEEP = "[" * 100_000 + "]" * 100_000


def store_deep_run(database) -> tuple[str, str]:
    session_id = new_id()
    run_id = stage(database, session_id, user_id="ann", question="What is deep?")
    run = finished_run(session_id, run_id=run_id, user_id="ann", question="What is deep?")
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
    database.queue.leave(run_id)
    if (
        database.dialect == "mysql"
    ):  # MariaDB's own JSON is nested at most 32 deep; other programs' columns are plain text
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE agno_runs MODIFY run_data LONGTEXT"))
            connection.execute(text("ALTER TABLE agno_sessions MODIFY session_data LONGTEXT"))
    with database.engine.begin() as connection:
        connection.execute(
            text("UPDATE agno_runs SET run_data = :deep, updated_at = updated_at + 5 WHERE run_id = :run_id"),
            {"deep": f'{{"content": {DEEP}}}', "run_id": run_id},
        )
        connection.execute(
            text("UPDATE agno_sessions SET session_data = :deep WHERE session_id = :session_id"),
            {"deep": f'{{"session_name": {DEEP}}}', "session_id": session_id},
        )
    return session_id, run_id


def test_a_run_nested_too_deeply_is_listed_and_opened_with_a_note(database):
    session_id, run_id = store_deep_run(database)
    store = database.sessions
    while database.follow():
        pass
    run = store.get_run(run_id, user_id="ann")
    assert any("nested too deeply" in note for note in run.notes)
    assert isinstance(store.get_run_row(run_id, user_id="ann")["run_data"], str)
    assert [item.run_id for item in store.list_runs(session_id, user_id="ann").items] == [run_id]
    assert store.get_session(session_id, user_id="ann").session_id == session_id
    assert isinstance(store.get_session_row(session_id, user_id="ann")["session_data"], str)
    assert [item.session_id for item in store.list_sessions(user_id="ann").items] == [session_id]
    store.list_sessions(user_id="ann", where=SessionFilter(text="deep"))
    with pytest.raises(SessionDamaged, match="is left as it is"):
        store.rename_session(session_id, "Renamed", user_id="ann")
    assert DEEP in store.get_session_row(session_id, user_id="ann")["session_data"]
