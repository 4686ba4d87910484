"""Other programs' sessions followed: heads and facts made for what changed since somebody last looked.

What this app writes has its head already; a pass over it finds nothing to do. Agno's times are whole seconds and clocks
differ, so what was written shortly before the newest is looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, and_, insert, or_, select, update

from lib.records import MAX_ID_LENGTH
from lib.storage.connector import Connector
from lib.storage.heads import facts, forget_sessions, heads, note_missing_runs, note_runs, refresh_heads
from lib.storage.keys import to_key
from lib.storage.read_marks import forget_read_marks
from lib.storage.schema import ON_MYSQL, runs, sessions

BATCH = 100
RECHECK_S = 120
RECHECKED_FOR_S = 900
"""Rows older than this, by our own clock, are not looked at again."""
SWEPT_AT_ONCE = 200

_TABLES = MetaData()
progress = Table(
    "roundtable_following",
    _TABLES,
    Column("name", String(20), primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    Column("row_id", String(MAX_ID_LENGTH), nullable=False),
    **ON_MYSQL,
)
_RUNS = (runs, runs.c.run_id)
_SESSIONS = (sessions, sessions.c.session_id)


def create_following_table(connection: Connection) -> None:
    """Make the table of how far was looked, where it is missing. Runs under the set-up lock."""
    _TABLES.create_all(connection, checkfirst=True)
    known = set(connection.execute(select(progress.c.name)).scalars())
    for name in ("runs", "sessions", "sweep"):
        if name not in known:
            connection.execute(insert(progress).values(name=name, updated_at=0, row_id=""))


def follow_sessions(connector: Connector) -> int:
    """Take in the next batch of changed runs and sessions; return how many rows were new (0: all is in)."""
    plan = connector.read(_look)
    if plan.is_empty:
        return 0
    connector.write(plan.apply)
    return plan.size


class _Plan:
    """What one look found: rows to take in, and how far it looked."""

    def __init__(self) -> None:
        self.run_ids: list[str] = []
        self.session_ids: set[str] = set()
        self.gone: list[str] = []
        self.places: dict[str, tuple[int, str]] = {}
        self.size = 0

    @property
    def is_empty(self) -> bool:
        return not (self.run_ids or self.session_ids or self.gone or self.places)

    def apply(self, connection: Connection) -> None:
        chosen = sorted(self.session_ids)
        # In one order, so that two processes that follow wait for each other and do not meet crosswise.
        locked = select(sessions.c.session_id).where(sessions.c.session_id.in_(chosen)).order_by(sessions.c.session_id)
        connection.execute(locked.with_for_update()).all()
        note_runs(connection, self.run_ids)
        note_missing_runs(connection, chosen)
        refresh_heads(connection, chosen)
        if self.gone:
            forget_sessions(connection, self.gone)
            forget_read_marks(connection, self.gone)
        for name, (updated_at, row_id) in self.places.items():
            here = update(progress).where(progress.c.name == name)
            connection.execute(here.values(updated_at=updated_at, row_id=row_id))


def _look(connection: Connection) -> _Plan:
    plan = _Plan()
    places = {row.name: (row.updated_at, row.row_id) for row in connection.execute(select(progress))}
    _look_at_runs(connection, plan, places.get("runs", (0, "")))
    if not plan.run_ids:
        _look_at_sessions(connection, plan, places.get("sessions", (0, "")))
    if plan.is_empty:
        _sweep(connection, plan, places.get("sweep", (0, ""))[1])
    return plan


def _look_at_runs(connection: Connection, plan: _Plan, place: tuple[int, str]) -> None:
    columns = (runs.c.run_id, runs.c.session_id, runs.c.status, runs.c.updated_at)
    new = _read_after(connection, columns, _RUNS, place)
    rows = new or _read_again(connection, columns, _RUNS, place)
    keys = [to_key(row.run_id) for row in rows]
    known = {
        row.run_key: (row.status, row.written_at)
        for row in connection.execute(
            select(facts.c.run_key, facts.c.status, facts.c.written_at).where(facts.c.run_key.in_(keys))
        )
    }
    for row, key in zip(rows, keys, strict=True):
        if known.get(key) != ((row.status or "")[:20].upper(), row.updated_at or 0):
            plan.run_ids.append(row.run_id)
            plan.session_ids.add(row.session_id)
    plan.run_ids = plan.run_ids[:BATCH]
    if new:
        plan.places["runs"] = (new[-1].updated_at, new[-1].run_id)
        plan.size += len(new)


def _look_at_sessions(connection: Connection, plan: _Plan, place: tuple[int, str]) -> None:
    columns = (sessions.c.session_id, sessions.c.updated_at)
    new = _read_after(connection, columns, _SESSIONS, place)
    rows = new or _read_again(connection, columns, _SESSIONS, place)
    keys = [to_key(row.session_id) for row in rows]
    statement = select(heads.c.session_key, heads.c.written_at).where(heads.c.session_key.in_(keys))
    known = {row.session_key: (row.written_at,) for row in connection.execute(statement)}
    changed = [row.session_id for row, key in zip(rows, keys, strict=True) if known.get(key) != (row.updated_at,)]
    plan.session_ids.update(changed[:BATCH])
    if new:
        plan.places["sessions"] = (new[-1].updated_at, new[-1].session_id)
        plan.size += len(new)


def _read_after(connection: Connection, columns: Any, source: Any, place: tuple[int, str]) -> Sequence[Any]:
    table, row_id = source
    moment = table.c.updated_at
    later = and_(moment >= place[0], or_(moment > place[0], row_id > place[1]))
    return connection.execute(select(*columns).where(later).order_by(moment, row_id).limit(BATCH)).all()


def _read_again(connection: Connection, columns: Any, source: Any, place: tuple[int, str]) -> Sequence[Any]:
    """Return what was written shortly before the newest, while that is not long ago, and rows without a time."""
    table, row_id = source
    moment = table.c.updated_at
    undated = list(connection.execute(select(*columns).where(moment.is_(None)).order_by(row_id).limit(10 * BATCH)))
    if place[0] < time.time() - RECHECKED_FOR_S:
        return undated
    lately = select(*columns).where(moment >= place[0] - RECHECK_S).order_by(moment, row_id).limit(20 * BATCH)
    return [*undated, *connection.execute(lately)]


def _sweep(connection: Connection, plan: _Plan, after_key: str) -> None:
    """Look at the next heads, in turn, for such whose sessions another program has deleted."""
    statement = select(heads.c.session_key, heads.c.session_id).where(heads.c.session_key > after_key)
    rows = connection.execute(statement.order_by(heads.c.session_key).limit(SWEPT_AT_ONCE)).all()
    ids = [row.session_id for row in rows]
    there = set(connection.execute(select(sessions.c.session_id).where(sessions.c.session_id.in_(ids))).scalars())
    plan.gone = [session_id for session_id in ids if session_id not in there]
    last = rows[-1].session_key if len(rows) == SWEPT_AT_ONCE else ""
    if last != after_key:
        plan.places["sweep"] = (0, last)
