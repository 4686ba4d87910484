"""What the search index lacks: new runs by their times; and, when nothing is new, whatever changed, came late or is gone.

Times are whole seconds, clocks differ, and databases are restored: so the newest runs and, slice by slice, all others are
compared with what is held of them, and so are the texts held with the runs there are. No body is read for it, but of the
few runs written last: their sizes tell a change within a second.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, literal, select, update

from lib.storage.legacy_texts import list_kept
from lib.storage.schema import runs, sessions
from lib.storage.search_tables import progress, texts
from lib.storage.sweeping import Order, Place, Sweep

BATCH = 100
RUNS_AT_ONCE = 200
NEWEST = 20
"""So many of the latest runs and texts are looked at each time."""
SIZED_FOR_S = 900
"""For so long after it was written, by our own clock, one of the newest runs is known by its size too."""

_RUNS = Order(runs.c.updated_at, runs.c.run_id, (runs.c.parent_run_id.is_(None),))


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found."""

    place: Place  # where the new rows were looked for
    new: Sequence[Any] = ()  # rows after it, of columns `row_id` and `moment`
    changed: list[str] = field(default_factory=list)  # runs to take in
    gone: list[str] = field(default_factory=list)  # runs whose texts are to be dropped
    goes_on: bool = False  # a sweep is on its way, and found something

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.new or self.changed or self.gone)


class SearchLooks:
    """Looks at the runs and at the texts; how far it swept is this process's own, so that idle looks write nothing."""

    def __init__(self) -> None:
        self._runs = Sweep(_RUNS, newest=NEWEST, slice_size=RUNS_AT_ONCE)
        self._last_text = ""

    def look(self, connection: Connection) -> Look:
        """Return what is new, else what the newest rows and the next ones in turn lack."""
        place = read_place(connection)
        # What has no number for a time is left to the sweep.
        new = [row for row in _RUNS.read_after(connection, place, BATCH) if row.moment is not None]
        if new:
            ids = [row.row_id for row in new]
            return Look(place, new, list_changed(connection, ids, sized=ids))
        rows = self._runs.read(connection)
        sized = [row.row_id for row in rows[:NEWEST] if (row.moment or 0) > time.time() - SIZED_FOR_S]
        changed = list_changed(connection, [row.row_id for row in rows], sized=sized)
        later = {row.row_id for row in rows[NEWEST:]}
        # Never round and round, should a row be one that is never held as it is.
        goes_on = self._runs.has_begun and not later.isdisjoint(changed)
        return Look(place, (), changed, list_gone(connection, self._next_texts(connection)), goes_on)

    def _next_texts(self, connection: Connection) -> list[str]:
        """Return the runs of the latest texts and of the next ones in turn."""
        newest = select(texts.c.run_id).order_by(texts.c.number.desc()).limit(NEWEST)
        turn = select(texts.c.run_id).where(texts.c.run_id > self._last_text).order_by(texts.c.run_id)
        rows = connection.execute(turn.limit(RUNS_AT_ONCE)).scalars().all()
        self._last_text = rows[-1] if len(rows) == RUNS_AT_ONCE else ""
        return [*connection.execute(newest).scalars(), *rows]


def read_place(connection: Connection) -> Place:
    """Return how far was looked."""
    row = connection.execute(select(progress.c.updated_at, progress.c.run_id)).one()
    return Place(row.updated_at, row.run_id)


def note_place(connection: Connection, look: Look) -> None:
    """Note how far was looked, unless another process has gone on meanwhile; `progress` is locked."""
    if look.new and read_place(connection) == look.place:
        last = look.new[-1]
        connection.execute(update(progress).values(updated_at=last.moment, run_id=last.row_id))


def list_changed(connection: Connection, run_ids: Sequence[str], *, sized: Collection[str]) -> list[str]:
    """Return which of some runs are not held, or otherwise than they are now, or as another user's.

    Those that are `sized` are compared by the size of their bodies too. A run without a session is nobody's to find.
    """
    statement = select(texts.c.run_id, texts.c.fingerprint, texts.c.user_id).where(texts.c.run_id.in_(run_ids))
    held = {row.run_id: row for row in connection.execute(statement)}
    rows: list[Any] = []
    for ids, size in (
        ([one for one in run_ids if one in sized], func.length(runs.c.run_data)),
        ([one for one in run_ids if one not in sized], literal("")),
    ):
        columns = runs.c.run_id, runs.c.status, runs.c.updated_at, size.label("size"), sessions.c.user_id.label("owner")
        found = select(*columns).join_from(runs, sessions, runs.c.session_id == sessions.c.session_id)
        rows += connection.execute(found.where(runs.c.run_id.in_(ids))).mappings() if ids else ()
    return [row["run_id"] for row in rows if not _is_held(held.get(row["run_id"]), row)]


def _is_held(held: Any, row: Any) -> bool:
    if held is None or held.user_id != (row["owner"] or ""):
        return False
    fingerprint = to_fingerprint(row)
    return bool(held.fingerprint == fingerprint if row["size"] != "" else held.fingerprint.startswith(fingerprint))


def to_fingerprint(row: Any) -> str:
    """Return what tells a run's row from an earlier one; without a size, how that begins."""
    return f"{row['status'] or ''}:{row['updated_at'] or 0}:{row['size']}"[:80]


def list_gone(connection: Connection, run_ids: Sequence[str]) -> list[str]:
    """Return which of some runs are not there."""
    if not run_ids:
        return []
    there = set(connection.execute(select(runs.c.run_id).where(runs.c.run_id.in_(run_ids))).scalars())
    if len(there) < len(set(run_ids)):
        there |= list_kept(connection, set(run_ids) - there)
    return [run_id for run_id in dict.fromkeys(run_ids) if run_id not in there]
