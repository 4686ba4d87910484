"""Agno's SQLite and MySQL adapters made safe: `SafeSqliteDb` and `SafeMySQLDb`, by one mixin.

What plain Agno does that these do not: answer a failed read with an empty history (F3), log a failed write and forget it
(F4), let any user into any session (F5, F6), number runs by what the turn happened to have loaded (F8), undo a rename
that happened during the run (F9), and read and serialise the whole session for every turn (F13).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from agno.db.base import SessionType
from agno.db.mysql import MySQLDb
from agno.db.sqlite import SqliteDb
from agno.db.utils import build_single_run_row, deserialize_run, deserialize_session
from agno.session import AgentSession, TeamSession, WorkflowSession
from sqlalchemy import JSON, Connection, event

from lib.errors import NotAllowed, RunNotFound, SessionNotFound
from lib.storage.connector import Connector
from lib.storage.delivering import SafeWriter
from lib.storage.faults import told_as_storage_errors
from lib.storage.identity import check_id, check_user
from lib.storage.sessions import SessionStore
from lib.storage.turn_reads import read_history, read_owned_run, read_owned_session
from lib.storage.writing import OUR_KEY, UNUSED, RunWrite, SessionWrite, Written, to_session_data

_window: ContextVar[int | None] = ContextVar("roundtable_window", default=None)

_JSON_COLUMNS = frozenset(
    {"session_data", "agent_data", "team_data", "workflow_data", "metadata", "summary", "run_data", "runs"}
)


@contextmanager
def window_read(runs: int | None) -> Iterator[None]:
    """Within the block a session is read with its newest `runs` history-relevant runs only; None: with all."""
    token = _window.set(runs)
    try:
        yield
    finally:
        _window.reset(token)


class _SafeDb:
    """What both adapters do in the place of Agno's own reads and writes of sessions and runs."""

    connector: Connector
    store: SessionStore
    writer: SafeWriter
    _made_for_a_question: set[str]

    # -- reading ---------------------------------------------------------------------------------------------------

    def get_session(
        self,
        session_id: str,
        session_type: SessionType | None = None,
        user_id: str | None = None,
        deserialize: bool | None = True,
        runs_limit: int | None = None,
    ) -> Any:
        """Return the user's session with the runs of the window, or None where there is none yet.

        Raises:
            SessionNotFound: it is another user's, nobody's, or was deleted.
            SessionDamaged: what is stored of it cannot be read.
            StorageError: it could not be read. Agno would take None for "no history" (F3).
        """
        user_id, session_id = check_user(user_id), check_id(session_id, "session id")
        self.writer.settle(session_id)
        limit = _window.get() if runs_limit is None else runs_limit

        def work(connection: Connection) -> dict[str, Any] | None:
            row = read_owned_session(connection, session_id, user_id)
            if row is not None:
                row["runs"] = read_history(connection, session_id, limit)
            return row

        row = self.connector.read(work)
        if row is not None and deserialize:
            to_session_data(row)
        if row is not None and deserialize and _is_unused(row):
            # Made for a staged question. As a new one Agno gives it the team's own state, metadata and introduction.
            self._made_for_a_question.add(session_id)
            return None
        return row if row is None or not deserialize else deserialize_session(session_type, row)

    def get_run(self, run_id: str, deserialize: bool | None = True, *, user_id: str | None = None) -> Any:
        """Return a run of the user's own sessions, or None."""
        user_id = check_user(user_id)
        row = self.connector.read(lambda connection: read_owned_run(connection, run_id, user_id))
        return row if row is None or not deserialize else deserialize_run(row["run_type"], row["run_data"])

    def get_runs(self, session_id: str | None = None, user_id: str | None = None, *_: Any, **filters: Any) -> Any:
        """Return the runs of one of the user's sessions, as Agno does. A session must be named."""
        user_id = check_user(user_id)
        if session_id is None:
            raise NotAllowed("Runs are read session by session; name one.")
        owned = self.connector.read(lambda connection: read_owned_session(connection, session_id, user_id))
        if owned is None:
            return [] if filters.get("deserialize", True) else ([], 0)
        with told_as_storage_errors(self.connector.address):
            return super().get_runs(session_id=session_id, **filters)  # type: ignore[misc]

    def get_sessions(
        self, session_type: SessionType | None = None, user_id: str | None = None, *_: Any, **filters: Any
    ) -> Any:
        """Return the user's sessions, as Agno does."""
        user_id = check_user(user_id)
        if not self.store.list_sessions(user_id=user_id, limit=1).items:
            return [] if filters.get("deserialize", True) else ([], 0)
        with told_as_storage_errors(self.connector.address):
            found = super().get_sessions(session_type=session_type, user_id=user_id, **filters)  # type: ignore[misc]
        if isinstance(found, tuple):
            rows = [row for row in found[0] if row.get("user_id") == user_id]
            return rows, found[1] - (len(found[0]) - len(rows))
        return [session for session in found if session.user_id == user_id]

    # -- writing ---------------------------------------------------------------------------------------------------

    def upsert_session(self, session: Any, deserialize: bool | None = True) -> Any:
        """Store what the run changed in the session; None where the session was deleted meanwhile.

        Raises:
            SessionNotFound: it is somebody else's.
            HistoryNotSaved: the database did not take it; it is kept on disk.
        """
        user_id, session_id = check_user(session.user_id), check_id(session.session_id, "session id")
        write = SessionWrite(
            session_id=session_id,
            user_id=user_id,
            values=_session_values(session),
            is_new=session.updated_at is None and session_id not in self._made_for_a_question,
        )
        written = self.writer.write(write)
        if session_id in self._made_for_a_question:
            session.updated_at = write.values["updated_at"]  # from now on one that was found stored
            self._made_for_a_question.discard(session_id)
        if written is Written.DELETED_MEANWHILE:
            return None
        if deserialize:
            return session
        return {"session_id": session_id, **write.values, "runs": [_as_dict(run) for run in session.runs or []]}

    def upsert_sessions(self, sessions: list[Any], deserialize: bool | None = True, *_: Any, **__: Any) -> list[Any]:
        """Store several sessions, each as `upsert_session` does."""
        stored = (self.upsert_session(session, deserialize=deserialize) for session in sessions)
        return [session for session in stored if session is not None]

    def upsert_run(self, run: Any, session_id: str, user_id: str | None = None, run_index: int | None = None) -> None:
        """Store one run of the user's session. Its place is found here: the one Agno counted is not used (F8).

        Raises:
            SessionNotFound: the session is somebody else's.
            HistoryNotSaved: the database did not take it; it is kept on disk.
        """
        user_id, session_id = check_user(user_id), check_id(session_id, "session id")
        row = build_single_run_row(run=run, session_id=session_id, user_id=user_id)
        run_id = check_id(row["run_id"], "run id")
        introduces = run_index == 0 and row["parent_run_id"] is None and not _as_dict(run).get("input")
        self.writer.write(
            RunWrite(session_id=session_id, user_id=user_id, run_id=run_id, row=row, comes_first=introduces)
        )

    # -- deleting and renaming: by the session store, which knows the rules -------------------------------------------

    def rename_session(
        self,
        session_id: str,
        session_type: SessionType | None,
        session_name: str,
        user_id: str | None = None,
        deserialize: bool | None = True,
    ) -> Any:
        """Give the user's session a title."""
        self.store.rename_session(session_id, session_name, user_id=check_user(user_id))
        with window_read(0):
            return self.get_session(session_id, session_type, user_id=user_id, deserialize=deserialize)

    def delete_session(self, session_id: str, user_id: str | None = None) -> bool:
        """Delete the user's session with its runs; whether there was one."""
        try:
            self.store.delete_session(session_id, user_id=check_user(user_id))
        except SessionNotFound:
            return False
        return True

    def delete_sessions(self, session_ids: list[str], user_id: str | None = None) -> None:
        """Delete those of the sessions that are the user's."""
        for session_id in session_ids:
            self.delete_session(session_id, user_id=user_id)

    def delete_run(self, run_id: str, *, user_id: str | None = None) -> bool:
        """Delete a run of the user's with its member runs; whether there was one."""
        try:
            self.store.delete_run(run_id, user_id=check_user(user_id))
        except RunNotFound:
            return False
        return True

    def delete_runs(self, run_ids: list[str], *, user_id: str | None = None) -> None:
        """Delete those of the runs that are the user's."""
        for run_id in run_ids:
            self.delete_run(run_id, user_id=user_id)


class SafeSqliteDb(_SafeDb, SqliteDb):
    """Agno's SqliteDb, safe."""

    def __init__(self, connector: Connector, *, store: SessionStore, writer: SafeWriter) -> None:
        super().__init__(db_engine=connector.engine)
        self.connector, self.store, self.writer = connector, store, writer
        self._made_for_a_question = set()


class SafeMySQLDb(_SafeDb, MySQLDb):
    """Agno's MySQLDb, safe, in the database that DATABASE_URL names."""

    def __init__(self, connector: Connector, *, store: SessionStore, writer: SafeWriter) -> None:
        # Without db_schema Agno writes into a database called "ai" (agno-facts 11.3).
        super().__init__(db_engine=connector.engine, db_schema=connector.database, create_schema=False)
        self.connector, self.store, self.writer = connector, store, writer
        self._made_for_a_question = set()

        @event.listens_for(self.metadata, "column_reflect")
        def _json(inspector: Any, table: Any, column: dict[str, Any]) -> None:
            if column["name"] in _JSON_COLUMNS:  # MariaDB says LONGTEXT (F2)
                column["type"] = JSON()


def _session_values(session: Any) -> dict[str, Any]:
    """Return the columns of agno_sessions for a session object, without its runs."""
    kinds = ((TeamSession, "team"), (AgentSession, "agent"), (WorkflowSession, "workflow"))
    kind = next((kind for type_, kind in kinds if isinstance(session, type_)), None)
    if kind is None:
        raise TypeError(f"{type(session).__name__} is no session that Agno stores")
    told = session.to_dict(include_runs=False)
    now = int(time.time())
    return {
        "session_type": kind,
        f"{kind}_id": told.get(f"{kind}_id"),
        f"{kind}_data": told.get(f"{kind}_data"),
        "user_id": told.get("user_id"),
        "session_data": told.get("session_data"),
        "summary": told.get("summary"),
        "metadata": told.get("metadata"),
        "created_at": told.get("created_at") or now,
        "updated_at": now,
    }


def _is_unused(row: Mapping[str, Any]) -> bool:
    data = row["session_data"]
    ours = data.get(OUR_KEY) if isinstance(data, Mapping) else None
    return isinstance(ours, Mapping) and ours.get(UNUSED) is True


def _as_dict(run: Any) -> Mapping[str, Any]:
    return run if isinstance(run, Mapping) else run.to_dict()
