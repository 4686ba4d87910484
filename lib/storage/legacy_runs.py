"""Runs inside older session rows: Agno 2 kept them there, in a column `runs` that newer databases do not have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Text, column, inspect, select

from lib.storage.schema import sessions

_has_column: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def read_legacy_runs(connection: Connection, session_ids: Sequence[str]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the runs in the rows of some sessions, oldest first, by session id; only sessions that hold any."""
    if not session_ids or not _has_runs_column(connection):
        return {}
    blob = column("runs", Text())
    statement = select(sessions.c.session_id, blob).where(sessions.c.session_id.in_(session_ids), blob.is_not(None))
    found = {row.session_id: _to_runs(row.runs) for row in connection.execute(statement)}
    return {session_id: stored for session_id, stored in found.items() if stored}


def _has_runs_column(connection: Connection) -> bool:
    known = _has_column.get(connection.engine)
    if known is None:
        known = "runs" in {found["name"] for found in inspect(connection).get_columns(sessions.name)}
        _has_column[connection.engine] = known
    return known


def _to_runs(blob: Any) -> list[Mapping[str, Any]]:
    try:
        value = json.loads(blob) if isinstance(blob, str | bytes) else blob
        value = json.loads(value) if isinstance(value, str) else value  # some versions stored the text of the text
    except ValueError:
        return []
    return [run for run in value if isinstance(run, Mapping)] if isinstance(value, list) else []
