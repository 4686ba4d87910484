"""Other programs' sessions followed: heads and facts made for what changed since somebody last looked.

What this app writes has its head already; a pass over it finds nothing to do. New rows are found by their times. Times
are whole seconds, clocks differ, and databases are restored or merged: so when nothing is new, the newest rows and, slice
by slice, all others are compared with what is known of them (`stale_heads`), and heads without a session are dropped.
A session that was deleted by hand and is written back by a program that still held it is deleted again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table, insert, select, update

from lib.records import MAX_ID_LENGTH
from lib.storage.connector import Connector
from lib.storage.deleting import delete_session, find_returned, forget_deletion
from lib.storage.first_words import drop_words_of_the_deleted
from lib.storage.heads import (
    facts,
    forget_sessions,
    heads,
    note_changed_runs,
    note_runs,
    refresh_heads,
    to_known_status,
)
from lib.storage.keys import to_key
from lib.storage.read_marks import forget_read_marks
from lib.storage.schema import ON_MYSQL, runs, sessions
from lib.storage.search_index import SearchIndex
from lib.storage.stale_heads import find_stale_runs, find_stale_sessions
from lib.storage.sweeping import Order, Place, Sweep

BATCH = 100
NEWEST_SESSIONS, SESSIONS_AT_ONCE = 30, 70
NEWEST_RUNS, RUNS_AT_ONCE = 100, 300
HEADS_AT_ONCE = 200

_TABLES = MetaData()
progress = Table(
    "roundtable_following",
    _TABLES,
    Column("name", String(20), primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    Column("row_id", String(MAX_ID_LENGTH), nullable=False),
    **ON_MYSQL,
)
_RUNS = Order(runs.c.updated_at, runs.c.run_id)
_SESSIONS = Order(sessions.c.updated_at, sessions.c.session_id)


def create_following_table(connection: Connection) -> None:
    """Make the table of how far was looked, where it is missing. Runs under the set-up lock."""
    _TABLES.create_all(connection, checkfirst=True)
    known = set(connection.execute(select(progress.c.name)).scalars())
    for name in ("runs", "sessions", "sweep"):  # "sweep" is read by processes of an older version
        if name not in known:
            connection.execute(insert(progress).values(name=name, updated_at=0, row_id=""))


class SessionFollowing:
    """Follows the sessions of a database; how far it swept is this process's own, so that idle looks write nothing."""

    def __init__(self, connector: Connector, search: SearchIndex) -> None:
        """Follow what `create_following_table` has made room for; what is deleted again leaves the index of searches."""
        self._connector = connector
        self._search = search
        self._sessions = Sweep(_SESSIONS, newest=NEWEST_SESSIONS, slice_size=SESSIONS_AT_ONCE)
        self._runs = Sweep(_RUNS, newest=NEWEST_RUNS, slice_size=RUNS_AT_ONCE)
        self._last_head = ""

    def follow(self) -> int:
        """Take in the next batch of changed runs and sessions; return how many rows were new (0: rest a while)."""
        plan = self._connector.read(self._look)
        if plan.is_empty:
            return 0
        self._connector.write(lambda connection: plan.apply(connection, self._search))
        return plan.size

    def _look(self, connection: Connection) -> _Plan:
        plan = _Plan()
        places = {row.name: Place(row.updated_at, row.row_id) for row in connection.execute(select(progress))}
        _look_at_new_runs(connection, plan, places.get("runs", Place(0, "")))
        if not plan.run_ids:
            _look_at_new_sessions(connection, plan, places.get("sessions", Place(0, "")))
        if plan.is_empty:
            self._sweep(connection, plan)
        plan.returned, plan.reused = find_returned(connection, plan.session_ids)
        return plan

    def _sweep(self, connection: Connection, plan: _Plan) -> None:
        rows = self._sessions.read(connection)
        stale = find_stale_sessions(connection, [row.row_id for row in rows])
        plan.session_ids |= stale
        plan.note_runs(_read_runs(connection, find_stale_runs(connection, self._runs.read(connection))))
        self._look_at_next_heads(connection, plan)
        # Where much is stale it goes on at once; but never round and round, should a row be one that stays so.
        if self._sessions.has_begun and stale & {row.row_id for row in rows[NEWEST_SESSIONS:]}:
            plan.size += len(stale)
        if self._runs.has_begun:
            plan.size += len(plan.run_ids)

    def _look_at_next_heads(self, connection: Connection, plan: _Plan) -> None:
        """Look at the next heads, in turn, for such whose sessions another program has deleted."""
        statement = select(heads.c.session_key, heads.c.session_id).where(heads.c.session_key > self._last_head)
        rows = connection.execute(statement.order_by(heads.c.session_key).limit(HEADS_AT_ONCE)).all()
        ids = [row.session_id for row in rows]
        there = set(connection.execute(select(sessions.c.session_id).where(sessions.c.session_id.in_(ids))).scalars())
        plan.gone = [session_id for session_id in ids if session_id not in there]
        self._last_head = rows[-1].session_key if len(rows) == HEADS_AT_ONCE else ""


class _Plan:
    """What one look found: rows to take in, and how far it looked."""

    def __init__(self) -> None:
        self.run_ids: list[str] = []
        self.session_ids: set[str] = set()
        self.gone: list[str] = []
        self.returned: list[str] = []  # deleted by hand, and written back by a program that still held them
        self.reused: list[str] = []  # ids of deleted sessions that new ones have
        self.places: dict[str, Place] = {}
        self.size = 0

    @property
    def is_empty(self) -> bool:
        return not (self.run_ids or self.session_ids or self.gone or self.places)

    def note_runs(self, rows: list[Any]) -> None:
        self.run_ids += [row.run_id for row in rows]
        self.session_ids.update(row.session_id for row in rows)

    def apply(self, connection: Connection, search: SearchIndex) -> None:
        chosen = sorted(self.session_ids)
        # In one order, so that two processes that follow wait for each other and do not meet crosswise.
        locked = select(sessions.c.session_id).where(sessions.c.session_id.in_(chosen)).order_by(sessions.c.session_id)
        connection.execute(locked.with_for_update()).all()
        note_runs(connection, self.run_ids)
        for session_id in sorted(note_changed_runs(connection, chosen)):
            drop_words_of_the_deleted(connection, session_id)
        refresh_heads(connection, chosen)
        for session_id in self.returned:  # its files went with it the first time
            delete_session(connection, session_id, search=search)
        for session_id in self.reused:
            forget_deletion(connection, session_id)
        if self.gone:
            forget_sessions(connection, self.gone)
            forget_read_marks(connection, self.gone)
        for name, (updated_at, row_id) in self.places.items():
            here = update(progress).where(progress.c.name == name)
            connection.execute(here.values(updated_at=updated_at, row_id=row_id))


def _look_at_new_runs(connection: Connection, plan: _Plan, place: Place) -> None:
    new = _read_new(connection, plan, "runs", _RUNS, place)
    moments = {row.row_id: row.moment for row in new}
    rows = _read_runs(connection, list(moments))
    keys = [to_key(row.run_id) for row in rows]
    statement = select(facts.c.run_key, facts.c.status, facts.c.written_at).where(facts.c.run_key.in_(keys))
    known = {row.run_key: (row.status, row.written_at) for row in connection.execute(statement)}
    plan.note_runs(
        [
            row
            for row, key in zip(rows, keys, strict=True)
            if known.get(key) != (to_known_status(row.status), moments[row.run_id])
        ]
    )


def _look_at_new_sessions(connection: Connection, plan: _Plan, place: Place) -> None:
    new = _read_new(connection, plan, "sessions", _SESSIONS, place)
    keys = [to_key(row.row_id) for row in new]
    statement = select(heads.c.session_key, heads.c.written_at).where(heads.c.session_key.in_(keys))
    known = {row.session_key: row.written_at for row in connection.execute(statement)}
    plan.session_ids.update(row.row_id for row, key in zip(new, keys, strict=True) if known.get(key) != row.moment)


def _read_new(connection: Connection, plan: _Plan, name: str, order: Order, place: Place) -> list[Any]:
    """Return the next rows after the last that was looked at; what has no number for a time is left to the sweep."""
    new = [row for row in order.read_after(connection, place, BATCH) if row.moment is not None]
    if new:
        plan.places[name] = Place(new[-1].moment, new[-1].row_id)
        plan.size += len(new)
    return new


def _read_runs(connection: Connection, run_ids: list[str]) -> list[Any]:
    """Return id, session and status of some runs."""
    statement = select(runs.c.run_id, runs.c.session_id, runs.c.status).where(runs.c.run_id.in_(run_ids))
    return list(connection.execute(statement)) if run_ids else []
