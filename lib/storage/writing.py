"""How a run's results are written: merged into what is stored now, in order, and never into what was deleted.

Each write is one short transaction that first locks the session's row. So simultaneous writers take turns, a run gets
the next free place in its session (F8), and a rename, tag or deletion that happened meanwhile holds (F9). Every write may
be repeated without harm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects import mysql

from lib.errors import RunNotFound, SessionDamaged, SessionNotFound
from lib.storage.identity import exactly
from lib.storage.json_parts import json_part
from lib.storage.legacy_runs import read_legacy_rows
from lib.storage.schema import deleted, runs, sessions, to_deleted_key

OUR_KEY = "roundtable"
"""Where our own values live in Agno's session_data and in a run's metadata."""

UNUSED = "unused"
"""Our mark on a session that was made for a question and that Agno has not written to yet."""

_KEPT_FROM_STORED = frozenset({OUR_KEY, "session_name"})
_COMPONENT_COLUMNS = ("agent_id", "team_id", "workflow_id")
_DATA_COLUMNS = ("agent_data", "team_data", "workflow_data")


class Written(StrEnum):
    """What became of a write."""

    STORED = "stored"
    DELETED_MEANWHILE = "deleted_meanwhile"  # the session or run was deleted; nothing was written


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWrite:
    """A session as a run left it."""

    session_id: str
    user_id: str
    values: Mapping[str, Any]  # columns of agno_sessions
    is_new: bool  # the run did not find the session stored


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWrite:
    """One run, a leader's or a member's, as Agno wants it stored."""

    session_id: str
    user_id: str
    run_id: str
    row: Mapping[str, Any] = field(repr=False)  # columns of agno_runs
    comes_first: bool = False  # a team's introduction, which stands before the question that was staged


def lock_session(connection: Connection, session_id: str) -> Mapping[str, Any] | None:
    """Return the stored session row and keep other writers of this session out until the transaction ends."""
    statement = select(sessions).where(exactly(sessions.c.session_id, session_id)).with_for_update()
    row = connection.execute(statement).mappings().first()
    return None if row is None else dict(row)


def to_session_data(session: Mapping[str, Any]) -> dict[str, Any]:
    """Return a session row's own data, to be changed and stored again.

    Raises:
        SessionDamaged: what is stored is no JSON object; whatever is written would replace it.
    """
    data = session["session_data"]
    if data is not None and not isinstance(data, Mapping):
        raise SessionDamaged(session["session_id"])
    return dict(data or {})


def is_deleted(connection: Connection, kind: str, value: str) -> bool:
    """Whether a session or run was deleted by hand."""
    key = to_deleted_key(kind, value)
    return connection.execute(select(deleted.c.deleted_key).where(deleted.c.deleted_key == key)).first() is not None


def write_session(connection: Connection, write: SessionWrite) -> Written:
    """Store what a run changed in its session: state, metrics, summary. Titles, tags and our keys stay as stored.

    Raises:
        SessionNotFound: the stored session belongs to somebody else, or to nobody (F5).
        SessionDamaged: what is stored of it cannot be read.
    """
    stored = lock_session(connection, write.session_id)
    if stored is None:
        # A session the run had found stored, and which is gone now, was deleted; so was one that is remembered as such.
        if not write.is_new or is_deleted(connection, "session", write.session_id):
            return Written.DELETED_MEANWHILE
        insert_session_if_missing(connection, {"session_id": write.session_id, **write.values})
        stored = lock_session(connection, write.session_id)
    if stored is None or stored["user_id"] != write.user_id:
        raise SessionNotFound(write.session_id)
    new = write.values
    changed: dict[str, Any] = {
        "session_data": _merged_session_data(to_session_data(stored), new.get("session_data")),
        "updated_at": int(time.time()),
    }
    if stored["metadata"] is None or isinstance(stored["metadata"], Mapping):
        changed["metadata"] = {**_mapping(new.get("metadata")), **_mapping(stored["metadata"])} or None
    if new.get("summary") is not None:
        changed["summary"] = new["summary"]
    if stored["session_type"] == new.get("session_type"):
        for name in _COMPONENT_COLUMNS:
            changed[name] = stored[name] or new.get(name)
        changed |= {name: new[name] for name in _DATA_COLUMNS if new.get(name)}
    connection.execute(update(sessions).where(exactly(sessions.c.session_id, write.session_id)).values(**changed))
    return Written.STORED


def insert_session_if_missing(connection: Connection, values: Mapping[str, Any]) -> None:
    """Insert a session row; where a simultaneous first message was faster, its row is the one."""
    if connection.dialect.name == "sqlite":  # the transaction holds the only writer's lock
        connection.execute(insert(sessions).values(**values))
        return
    # Not INSERT IGNORE, which also lets the server store values other than the given ones.
    statement = mysql.insert(sessions).values(**values)
    connection.execute(statement.on_duplicate_key_update(session_id=sessions.c.session_id))


def _merged_session_data(kept: dict[str, Any], new: object) -> dict[str, Any]:
    given = {name: value for name, value in _mapping(new).items() if not (name in kept and name in _KEPT_FROM_STORED)}
    ours = _mapping(kept.get(OUR_KEY))
    if ours.pop(UNUSED, None):  # now Agno has written what it keeps in a session
        kept[OUR_KEY] = ours
    return {**kept, **given}


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def write_run(connection: Connection, write: RunWrite) -> Written:
    """Store a run in its session: in its own place if it has one, else after the last.

    Raises:
        SessionNotFound: the session belongs to somebody else, or to nobody.
        RunNotFound: the run's id is taken by another session.
    """
    stored = lock_session(connection, write.session_id)
    parent_run_id = write.row.get("parent_run_id")
    if (
        stored is None
        or is_deleted(connection, "run", write.run_id)
        or (parent_run_id and is_deleted(connection, "run", parent_run_id))
    ):
        return Written.DELETED_MEANWHILE
    if stored["user_id"] != write.user_id:
        raise SessionNotFound(write.session_id)
    _mark_used(connection, stored)
    ours = json_part(runs.c.run_data, f"$.metadata.{OUR_KEY}").label("ours")
    found = connection.execute(
        select(runs.c.session_id, runs.c.run_index, runs.c.created_at, ours).where(exactly(runs.c.run_id, write.run_id))
    ).first()
    row = dict(write.row)
    if found is None:
        find_place = _place_before_all if write.comes_first else next_run_index
        row["run_index"] = find_place(connection, write.session_id)
        connection.execute(insert(runs).values(**row))
        return Written.STORED
    if found.session_id != write.session_id:
        raise RunNotFound(write.run_id)
    row["run_data"] = _with_our_metadata(row["run_data"], found.ours)
    place = found.run_index if found.run_index is not None else next_run_index(connection, write.session_id)
    row |= {"run_index": place, "created_at": found.created_at}
    connection.execute(update(runs).where(exactly(runs.c.run_id, write.run_id)).values(**row))
    return Written.STORED


def next_run_index(connection: Connection, session_id: str) -> int:
    """Return the place after the last run, as Agno counts: what lies in the session's row comes first.

    The session's row must be locked.
    """
    last = connection.execute(
        select(func.max(runs.c.run_index)).where(exactly(runs.c.session_id, session_id))
    ).scalar_one()
    if last is None:
        older = read_legacy_rows(connection, [session_id]).get(session_id, ())
        last = older[-1]["run_index"] if older else None
    return 0 if last is None else int(last) + 1


def _mark_used(connection: Connection, session: Mapping[str, Any]) -> None:
    """Take our mark off a session that now holds a run."""
    data = _mapping(session["session_data"])
    ours = _mapping(data.get(OUR_KEY))
    if ours.pop(UNUSED, None):
        changed = update(sessions).where(exactly(sessions.c.session_id, session["session_id"]))
        connection.execute(changed.values(session_data={**data, OUR_KEY: ours}))


def _place_before_all(connection: Connection, session_id: str) -> int:
    first = connection.execute(
        select(func.min(runs.c.run_index)).where(exactly(runs.c.session_id, session_id))
    ).scalar_one()
    return 0 if first is None else int(first) - 1


def _with_our_metadata(run_data: Any, ours: str | None) -> Any:
    """Return the run with what was noted in its marker when it began (settings in force), the mark itself removed."""
    noted = _parsed(ours)
    noted.pop("marker", None)
    if not noted or not isinstance(run_data, Mapping):
        return run_data
    metadata = _mapping(run_data.get("metadata"))
    return {**run_data, "metadata": {**metadata, OUR_KEY: {**noted, **_mapping(metadata.get(OUR_KEY))}}}


def _parsed(value: str | None) -> dict[str, Any]:
    try:
        return _mapping(json.loads(value)) if value else {}
    except ValueError:
        return {}
