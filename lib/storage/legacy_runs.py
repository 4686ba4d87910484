"""Runs inside older session rows: Agno 2 kept them there, in a column `runs` that newer databases do not have.

Agno 3 leaves that column as it is, also where its own migration has copied the runs into rows: it reads both, and a row
wins over its copy. So do we. Here such runs become rows, each as Agno's migration would make it, so that whatever reads
rows reads them alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, String, Text, column, func, inspect, select, table, update

from lib.errors import SessionDamaged
from lib.storage.identity import exactly
from lib.storage.json_text import from_json, to_json
from lib.storage.reading.loose import to_int, to_list, to_optional_text
from lib.storage.schema import StoredNumber, runs, sessions

Row = Mapping[str, Any]

holders = table(
    sessions.name,
    *(column(name, String()) for name in ("session_id", "user_id")),
    *(column(name, StoredNumber()) for name in ("created_at", "updated_at")),
    column("runs", Text()),
)
_EMPTY = 4
"""Letters of a column that holds no run: null, or the text of an empty list."""
_has_column: WeakKeyDictionary[Dialect, bool] = WeakKeyDictionary()


# -- without a database ------------------------------------------------------------------------------------------------


def to_legacy_rows(session: Row, run_rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the runs in a session's row that have no row of their own, as rows of agno_runs, oldest first.

    A run without an id is left out, as Agno does. What came later has rows and stands after them.
    """
    stored = [run for run in to_list(session.get("runs")) if isinstance(run, Mapping) and run.get("run_id")]
    if not stored:
        return []
    ids = {str(run["run_id"]) for run in stored}
    rows = list(run_rows)
    known = {row["run_id"] for row in rows}
    later = [row["run_index"] for row in rows if row["run_id"] not in ids and row["run_index"] is not None]
    first_place = min(0, min(later, default=len(stored)) - len(stored))
    return [
        _to_row(run, session, first_place + place)
        for place, run in enumerate(stored)
        if str(run["run_id"]) not in known
    ]


def _to_row(run: Row, session: Row, place: int) -> dict[str, Any]:
    ids = {name: to_optional_text(run.get(name)) for name in ("agent_id", "team_id", "workflow_id")}
    return {
        "run_id": str(run["run_id"]),
        "session_id": session["session_id"],
        "run_type": "agent" if ids["agent_id"] else "team" if ids["team_id"] else "workflow",
        **ids,
        "user_id": session["user_id"],
        "parent_run_id": to_optional_text(run.get("parent_run_id")),
        "status": to_optional_text(run.get("status")),
        "run_index": place,
        "run_data": run,
        "created_at": to_int(run.get("created_at")) or to_int(session.get("created_at")) or 0,
        "updated_at": to_int(session.get("updated_at")),
    }


def in_stored_order(rows: Iterable[Row]) -> list[Row]:
    """Return run rows in the order in which Agno reads a session back."""
    return sorted(rows, key=place_of)


def place_of(row: Row) -> tuple[Any, ...]:
    """Return where a run stands in its session: runs without a place come first."""
    return row["run_index"] is not None, row["run_index"] or 0, row["created_at"] or 0, row["run_id"]


# -- in a database -----------------------------------------------------------------------------------------------------


def read_legacy_rows(connection: Connection, session_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the runs in the rows of some sessions, as `to_legacy_rows` does, by session id; only sessions with any."""
    if not session_ids or not has_legacy_runs(connection):
        return {}
    holding = (holders.c.session_id.in_(list(session_ids)), func.length(holders.c.runs) > _EMPTY)
    found = [dict(row) for row in connection.execute(select(holders).where(*holding)).mappings()]
    known: dict[str, list[Row]] = {}
    if found:
        of_these = runs.c.session_id.in_([session["session_id"] for session in found])
        for row in connection.execute(select(runs.c.session_id, runs.c.run_id, runs.c.run_index).where(of_these)):
            known.setdefault(row.session_id, []).append({"run_id": row.run_id, "run_index": row.run_index})
    rows = {session["session_id"]: to_legacy_rows(session, known.get(session["session_id"], ())) for session in found}
    return {session_id: legacy for session_id, legacy in rows.items() if legacy}


def find_legacy_row(connection: Connection, run_id: str, *, user_id: str | None) -> dict[str, Any] | None:
    """Return a run that lies in the row of one of the user's sessions (None: of anybody's), as a row."""
    if not has_legacy_runs(connection):
        return None
    # A part of the id that stands in the text as it is, however often that was encoded.
    part = max(re.split(r"[^A-Za-z0-9-]+", run_id), key=len)
    stored = holders.c.runs
    statement = select(holders.c.session_id).where(func.length(stored) > _EMPTY, func.instr(stored, part) > 0)
    if user_id is not None:
        statement = statement.where(exactly(holders.c.user_id, user_id))
    for session_id in connection.execute(statement).scalars().all():
        for row in read_legacy_rows(connection, [session_id]).get(session_id, ()):
            if row["run_id"] == run_id:
                return row
    return None


def remove_legacy_runs(connection: Connection, session_id: str, run_ids: Collection[str]) -> None:
    """Take runs out of a session's row; a copy that were left would bring a deleted run back.

    Raises:
        SessionDamaged: the column cannot be read, and holds one of them.
    """
    if not has_legacy_runs(connection):
        return
    here = exactly(holders.c.session_id, session_id)
    blob = connection.execute(select(holders.c.runs).where(here)).scalar() or "[]"
    try:
        stored = from_json(blob)
    except (ValueError, RecursionError):
        if any(run.get("run_id") in run_ids for run in to_list(blob) if isinstance(run, Mapping)):
            raise SessionDamaged(session_id) from None
        return
    kept = [run for run in stored or () if not (isinstance(run, Mapping) and run.get("run_id") in run_ids)]
    if stored and len(kept) < len(stored):
        told = to_json(kept)
        twice = isinstance(json.loads(blob), str)
        connection.execute(update(holders).where(here).values(runs=to_json(told) if twice else told))


def has_legacy_runs(connection: Connection) -> bool:
    """Whether sessions can hold runs in their rows here: the column is there."""
    known = _has_column.get(connection.dialect)
    if known is None:
        known = "runs" in {found["name"] for found in inspect(connection).get_columns(sessions.name)}
        _has_column[connection.dialect] = known
    return known
