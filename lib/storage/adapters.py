"""Agno's SQLite and MySQL adapters made safe: `SafeSqliteDb` and `SafeMySQLDb`, by one mixin.

What plain Agno does that these do not: answer a failed read with an empty history (F3), log a failed write and forget it
(F4), let any user into any session (F5, F6), number runs by what the turn happened to have loaded (F8), undo a rename
that happened during the run (F9), and read and serialise the whole session for every turn (F13).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from agno.db.base import SessionType
from agno.db.mysql import MySQLDb
from agno.db.sqlite import SqliteDb
from agno.db.utils import (
    HISTORY_SKIP_STATUSES,
    build_single_run_row,
    deserialize_run,
    deserialize_session,
    filter_context_runs,
)
from agno.session import AgentSession, TeamSession, WorkflowSession
from sqlalchemy import JSON, Connection, event, or_, select

from lib.errors import DatabaseUnavailable, HistoryNotSaved, NotAllowed, RunNotFound, SessionDamaged, SessionNotFound
from lib.storage.connector import Connector
from lib.storage.faults import DATABASE_ERRORS, FaultKind, to_fault, told_as_storage_errors
from lib.storage.heads import note_runs, refresh_heads, touch_head
from lib.storage.identity import check_id, check_user, exactly
from lib.storage.legacy_runs import find_legacy_row, in_stored_order, read_legacy_rows
from lib.storage.outbox import Delivery, KeptWrite, Outbox
from lib.storage.schema import runs, sessions
from lib.storage.sessions import SessionStore
from lib.storage.writing import (
    OUR_KEY,
    UNUSED,
    RunWrite,
    SessionWrite,
    Written,
    is_deleted,
    to_session_data,
    write_run,
    write_session,
)

_window: ContextVar[int | None] = ContextVar("roundtable_window", default=None)

_JSON_COLUMNS = frozenset(
    {"session_data", "agent_data", "team_data", "workflow_data", "metadata", "summary", "run_data", "runs"}
)
_PAUSE_AFTER_FAILURE_S = 3.0


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
    outbox: Outbox
    store: SessionStore
    _no_attempt_before: float = 0.0
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
        self._settle(session_id)
        limit = _window.get() if runs_limit is None else runs_limit

        def work(connection: Connection) -> dict[str, Any] | None:
            row = _owned_session(connection, session_id, user_id)
            if row is not None:
                older = read_legacy_rows(connection, [session_id]).get(session_id)
                row["runs"] = (
                    _with_older(connection, older, limit) if older else _history(connection, session_id, limit)
                )
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
        row = self.connector.read(lambda connection: _owned_run(connection, run_id, user_id))
        return row if row is None or not deserialize else deserialize_run(row["run_type"], row["run_data"])

    def get_runs(self, session_id: str | None = None, user_id: str | None = None, *_: Any, **filters: Any) -> Any:
        """Return the runs of one of the user's sessions, as Agno does. A session must be named."""
        user_id = check_user(user_id)
        if session_id is None:
            raise NotAllowed("Runs are read session by session; name one.")
        owned = self.connector.read(lambda connection: _owned_session(connection, session_id, user_id))
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
        written = self._store(write)
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
        self._store(RunWrite(session_id=session_id, user_id=user_id, run_id=run_id, row=row, comes_first=introduces))

    def _store(self, write: SessionWrite | RunWrite) -> Written:
        """Write now, or keep on disk and say so."""
        if self.outbox.pending_for(session_id=write.session_id):
            # Earlier writes of this session go first; where they cannot, this one queues up behind them.
            if time.monotonic() >= self._no_attempt_before:
                self.outbox.flush()
            if self.outbox.pending_for(session_id=write.session_id):
                raise self._keep(write, "earlier writes of the session still wait")
        try:
            return self.connector.write_raw(lambda connection: _apply(connection, write))
        except DATABASE_ERRORS as error:
            fault = to_fault(error)
            if fault.kind is not FaultKind.REFUSED:
                self._no_attempt_before = time.monotonic() + _PAUSE_AFTER_FAILURE_S
            number = f" ({fault.code})" if fault.code is not None else ""
            raise self._keep(write, f"{fault.told}{number}") from None

    def _keep(self, write: SessionWrite | RunWrite, reason: str) -> HistoryNotSaved:
        is_run = isinstance(write, RunWrite)
        self.outbox.keep(
            "run" if is_run else "session",
            session_id=write.session_id,
            user_id=write.user_id,
            run_id=write.run_id if isinstance(write, RunWrite) else None,
            payload=dict(write.row)
            if isinstance(write, RunWrite)
            else {"values": dict(write.values), "is_new": write.is_new},
            reason=reason,
        )
        return HistoryNotSaved(
            f"The database {self.connector.address} did not take a write of session {write.session_id!r}: {reason}. "
            "It is kept on disk and will be written when the database is there again."
        )

    def _settle(self, session_id: str) -> None:
        """Write what is kept of a session before it is read: a history without it would be a false one."""
        if not self.outbox.pending_for(session_id=session_id):
            return
        self.outbox.flush()
        if self.outbox.pending_for(session_id=session_id):
            raise DatabaseUnavailable(
                f"Earlier answers of session {session_id!r} still wait on disk for the database "
                f"{self.connector.address}. Try again when it is reachable."
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

    def __init__(self, connector: Connector, *, outbox: Outbox, store: SessionStore) -> None:
        super().__init__(db_engine=connector.engine)
        self.connector, self.outbox, self.store = connector, outbox, store
        self._made_for_a_question = set()


class SafeMySQLDb(_SafeDb, MySQLDb):
    """Agno's MySQLDb, safe, in the database that DATABASE_URL names."""

    def __init__(self, connector: Connector, *, outbox: Outbox, store: SessionStore) -> None:
        # Without db_schema Agno writes into a database called "ai" (agno-facts 11.3).
        super().__init__(db_engine=connector.engine, db_schema=connector.database, create_schema=False)
        self.connector, self.outbox, self.store = connector, outbox, store
        self._made_for_a_question = set()

        @event.listens_for(self.metadata, "column_reflect")
        def _json(inspector: Any, table: Any, column: dict[str, Any]) -> None:
            if column["name"] in _JSON_COLUMNS:  # MariaDB says LONGTEXT (F2)
                column["type"] = JSON()


def build_deliver(connector: Connector) -> Any:
    """Return how a kept write is brought to the database."""

    def attempt(write: SessionWrite | RunWrite) -> tuple[Delivery, bool]:
        """Return what became of it, and whether the connection broke over it."""
        try:
            connector.write_raw(lambda connection: _apply(connection, write), patience_s=1.0)
        except DATABASE_ERRORS as error:
            kind = to_fault(error).kind
            return Delivery.REFUSED if kind is FaultKind.REFUSED else Delivery.LATER, kind is FaultKind.UNREACHABLE
        except (SessionNotFound, SessionDamaged, NotAllowed):
            return Delivery.REFUSED, False
        return Delivery.DONE, False

    def deliver(kept: KeptWrite) -> Delivery:
        write = _to_write(kept)
        delivery, broke = attempt(write)
        if broke and _answers(connector):
            # A write larger than the server takes looks like a broken connection: it is the write if that happens twice.
            delivery, broke = attempt(write)
            if broke and _answers(connector):
                return Delivery.REFUSED
        return delivery

    return deliver


def _answers(connector: Connector) -> bool:
    try:
        connector.check()
    except DatabaseUnavailable:
        return False
    return True


def _to_write(kept: KeptWrite) -> SessionWrite | RunWrite:
    if kept.kind == "run" and kept.run_id is not None:
        return RunWrite(session_id=kept.session_id, user_id=kept.user_id, run_id=kept.run_id, row=kept.payload)
    return SessionWrite(
        session_id=kept.session_id,
        user_id=kept.user_id,
        values=kept.payload["values"],
        is_new=bool(kept.payload["is_new"]),
    )


def _apply(connection: Connection, write: SessionWrite | RunWrite) -> Written:
    if isinstance(write, SessionWrite):
        written = write_session(connection, write)
        if written is Written.STORED:
            touch_head(connection, write.session_id)
        return written
    written = write_run(connection, write)
    if written is Written.STORED:
        note_runs(connection, [write.run_id])
        if write.row.get("parent_run_id") is None:  # a leader's row comes last, its members' before it
            refresh_heads(connection, [write.session_id])
    return written


def _owned_session(connection: Connection, session_id: str, user_id: str) -> dict[str, Any] | None:
    """Return the user's session row, None where none was ever stored."""
    found = connection.execute(select(sessions).where(exactly(sessions.c.session_id, session_id))).mappings().first()
    if found is None:
        if is_deleted(connection, "session", session_id):
            raise SessionNotFound(session_id)
        return None
    if found["user_id"] != user_id:
        raise SessionNotFound(session_id)
    return dict(found)


def _owned_run(connection: Connection, run_id: str, user_id: str) -> dict[str, Any] | None:
    statement = (
        select(runs)
        .join(sessions, sessions.c.session_id == runs.c.session_id)
        .where(exactly(runs.c.run_id, run_id), exactly(sessions.c.user_id, user_id))
    )
    found = connection.execute(statement).mappings().first()
    return find_legacy_row(connection, run_id, user_id=user_id) if found is None else dict(found)


def _history(connection: Connection, session_id: str, limit: int | None) -> list[Any]:
    """Return the run data a turn reads, oldest first: all, or the newest that Agno would put into a prompt."""
    if limit == 0:
        return []
    order = (runs.c.run_index, runs.c.created_at, runs.c.run_id)
    statement = select(runs.c.run_data).where(runs.c.session_id == session_id)
    if limit is None:
        return list(connection.execute(statement.order_by(*order)).scalars())
    relevant = or_(runs.c.status.is_(None), runs.c.status.not_in(HISTORY_SKIP_STATUSES))
    statement = statement.where(runs.c.parent_run_id.is_(None), relevant)
    newest_first = [part.desc() for part in order]
    return list(connection.execute(statement.order_by(*newest_first).limit(limit)).scalars())[::-1]


def _with_older(connection: Connection, older: Sequence[Mapping[str, Any]], limit: int | None) -> list[Any]:
    """Return the same of a session that Agno 2 wrote, which holds runs in its row: those first, as Agno does."""
    columns = (runs.c.run_id, runs.c.run_index, runs.c.created_at, runs.c.run_data)
    of_session = runs.c.session_id == older[0]["session_id"]
    rows = connection.execute(select(*columns).where(of_session)).mappings()
    found = [row["run_data"] for row in in_stored_order([*older, *rows])]
    relevant = found if limit is None else filter_context_runs(found)
    return relevant if limit is None else relevant[len(relevant) - min(limit, len(relevant)) :]


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
