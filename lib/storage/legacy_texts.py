"""What the search index lacks of runs that lie in their sessions' rows (`legacy_runs`), which no run row tells of.

Such a session is read when this process first comes to it, and again when it was used since: its column is one text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from lib.storage.legacy_runs import has_legacy_runs, holders, read_legacy_rows
from lib.storage.schema import sessions
from lib.storage.search_tables import texts
from lib.storage.sweeping import Order, Sweep

SESSIONS_AT_ONCE = 20
MARK = "row:"
"""Begins the fingerprint of a text whose run lies in its session's row."""

_HOLDERS = Order(holders.c.updated_at, holders.c.session_id, (holders.c.runs.is_not(None),))


@dataclass(frozen=True, slots=True)
class LegacyLook:
    """Sessions whose rows were looked into, what is to be taken in of them, and what is to be dropped."""

    seen: Mapping[str, int | None] = field(default_factory=dict)  # session ids and when these were written
    changed: Sequence[Mapping[str, Any]] = ()  # run rows, with `owner` and `fingerprint`
    gone: Sequence[str] = ()  # run ids


class LegacyLooks:
    """Looks into the sessions that hold runs, a few at a time; which it has seen is this process's own."""

    def __init__(self) -> None:
        self._sweep = Sweep(_HOLDERS, newest=SESSIONS_AT_ONCE, slice_size=SESSIONS_AT_ONCE)
        self._seen: dict[str, int | None] = {}

    def look(self, connection: Connection) -> LegacyLook:
        """Return what the next sessions lack."""
        if not has_legacy_runs(connection):
            return LegacyLook()
        missing = object()
        rows = self._sweep.read(connection)
        seen = {row.row_id: row.moment for row in rows if self._seen.get(row.row_id, missing) != row.moment}
        look = compare(connection, seen)
        if not (look.changed or look.gone):
            self.note(look)
        return look

    def note(self, look: LegacyLook) -> None:
        """Have what was taken in be seen."""
        self._seen.update(look.seen)


def compare(connection: Connection, seen: Mapping[str, int | None]) -> LegacyLook:
    """Return what the index lacks of some sessions."""
    if not seen:
        return LegacyLook()
    statement = select(texts.c.run_id, texts.c.fingerprint, texts.c.user_id).where(texts.c.session_id.in_(list(seen)))
    held = {row.run_id: row for row in connection.execute(statement)}
    changed: list[Mapping[str, Any]] = []
    there: set[str] = set()
    for rows in read_legacy_rows(connection, list(seen)).values():
        for row in (row for row in rows if row["parent_run_id"] is None):
            known, told = held.get(row["run_id"]), _to_fingerprint(row)
            there.add(row["run_id"])
            if known is None or (known.fingerprint, known.user_id) != (told, row["user_id"] or ""):
                changed.append({**row, "owner": row["user_id"], "fingerprint": told})
    gone = [row.run_id for row in held.values() if row.fingerprint.startswith(MARK) and row.run_id not in there]
    return LegacyLook(seen=seen, changed=changed, gone=gone)


def _to_fingerprint(row: Mapping[str, Any]) -> str:
    return f"{MARK}{row['status'] or ''}:{len(json.dumps(row['run_data'], default=str))}"[:80]


def list_present(connection: Connection, found: Iterable[Mapping[Any, Any]]) -> set[str]:
    """Return the runs of some texts that lie in their sessions' rows now, and still are the same user's."""
    marked = [row for row in found if row["fingerprint"].startswith(MARK)]
    there = read_legacy_rows(connection, {row["session_id"] for row in marked})
    owners = {row["run_id"]: row["user_id"] or "" for rows in there.values() for row in rows}
    return {row["run_id"] for row in marked if owners.get(row["run_id"]) == row["user_id"]}


def list_kept(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Return those of some runs whose texts came from a session's row, while the session is there: `look` drops them."""
    # Two queries: the columns' collations may differ.
    marked = select(texts.c.run_id, texts.c.session_id).where(
        texts.c.run_id.in_(list(run_ids)), texts.c.fingerprint.startswith(MARK)
    )
    found = {row.run_id: row.session_id for row in connection.execute(marked)}
    statement = select(sessions.c.session_id).where(sessions.c.session_id.in_(set(found.values())))
    there = set(connection.execute(statement).scalars()) if found else set()
    return {run_id for run_id, session_id in found.items() if session_id in there}
