"""What a turn reads: its own session, and of the history only the runs of its window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agno.db.utils import HISTORY_SKIP_STATUSES, filter_context_runs
from sqlalchemy import Connection, or_, select

from lib.errors import SessionNotFound
from lib.storage.identity import exactly
from lib.storage.legacy_runs import find_legacy_row, in_stored_order, read_legacy_rows
from lib.storage.schema import runs, sessions
from lib.storage.writing import is_deleted


def read_owned_session(connection: Connection, session_id: str, user_id: str) -> dict[str, Any] | None:
    """Return the user's session row, None where none was ever stored.

    Raises:
        SessionNotFound: it is somebody else's or was deleted.
    """
    found = connection.execute(select(sessions).where(exactly(sessions.c.session_id, session_id))).mappings().first()
    if found is None:
        if is_deleted(connection, "session", session_id):
            raise SessionNotFound(session_id)
        return None
    if found["user_id"] != user_id:
        raise SessionNotFound(session_id)
    return dict(found)


def read_owned_run(connection: Connection, run_id: str, user_id: str) -> dict[str, Any] | None:
    """Return the row of a run in one of the user's sessions, or None."""
    statement = (
        select(runs)
        .join(sessions, sessions.c.session_id == runs.c.session_id)
        .where(exactly(runs.c.run_id, run_id), exactly(sessions.c.user_id, user_id))
    )
    found = connection.execute(statement).mappings().first()
    return find_legacy_row(connection, run_id, user_id=user_id) if found is None else dict(found)


def read_history(connection: Connection, session_id: str, limit: int | None) -> list[Any]:
    """Return the run data a turn reads, oldest first: all (None), or the newest that Agno would put into a prompt."""
    older = read_legacy_rows(connection, [session_id]).get(session_id)
    return _with_older(connection, older, limit) if older else _history(connection, session_id, limit)


def _history(connection: Connection, session_id: str, limit: int | None) -> list[Any]:
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
    """Return the history of a session that Agno 2 wrote, which holds runs in its row: those first, as Agno does."""
    columns = (runs.c.run_id, runs.c.run_index, runs.c.created_at, runs.c.run_data)
    of_session = runs.c.session_id == older[0]["session_id"]
    rows = connection.execute(select(*columns).where(of_session)).mappings()
    found = [row["run_data"] for row in in_stored_order([*older, *rows])]
    relevant = found if limit is None else filter_context_runs(found)
    return relevant if limit is None else relevant[len(relevant) - min(limit, len(relevant)) :]
