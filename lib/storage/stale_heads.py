"""Which heads and facts no longer say what Agno's rows say, whatever the rows' times are; no run's body is read for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from lib.storage import listing
from lib.storage.heads import facts, heads, to_head, to_known_status
from lib.storage.keys import key_of, to_key
from lib.storage.schema import runs, sessions

COUNTED_AT_ONCE = 5_000
"""About so many runs are counted in one look; the sessions beyond them wait for another one."""

_OF_THE_ROW = (
    *("user_id", "written_at", "used_at", "created_at", "sort_name", "kind", "component_id", "component_name"),
    *("collection", "tags", "search_text"),
)
"""What a head says of its session's row alone, and of the first question it holds itself."""
_ROWS = select(
    *listing.SESSION_COLUMNS,
    *(heads.c[name].label(f"head_{name}") for name in ("session_key", "first_question", "runs", *_OF_THE_ROW)),
).select_from(sessions.outerjoin(heads, heads.c.session_key == key_of(sessions.c.session_id)))


def find_stale_sessions(connection: Connection, session_ids: Sequence[str]) -> set[str]:
    """Return which of some sessions have no head, or one that says something else than their row or their runs.

    A title changed within the second of the last look counts, a run deleted by another program, and a run that came late.
    """
    rows = connection.execute(_ROWS.where(sessions.c.session_id.in_(session_ids))).mappings().all()
    stale = {row["session_id"] for row in rows if not _says_its_row(row)}
    ids = list(_with_few_runs([row for row in rows if row["session_id"] not in stale]))
    stored, known = _count_stored(connection, ids), _count_known(connection, ids)
    return stale | {session_id for session_id in ids if stored[to_key(session_id)] != known[to_key(session_id)]}


def find_stale_runs(connection: Connection, rows: Sequence[Any]) -> list[str]:
    """Return the ids of runs of which no facts are known, or those of another time; `rows` are ids and times."""
    keys = {row.row_id: to_key(row.row_id) for row in rows}
    statement = select(facts.c.run_key, facts.c.written_at).where(facts.c.run_key.in_(list(keys.values())))
    known = {row.run_key: row.written_at for row in connection.execute(statement)}
    return [row.row_id for row in rows if known.get(keys[row.row_id]) != (row.moment or 0)]


def _says_its_row(row: Mapping[Any, Any]) -> bool:
    if row["head_session_key"] is None:
        return False
    told = row["head_first_question"]
    summary = listing.to_session_summary(
        row, listing.Details(first_questions={row["session_id"]: told} if told else {})
    )
    made = to_head(row, summary, None)
    return all(made[name] == row[f"head_{name}"] for name in _OF_THE_ROW)


def _with_few_runs(rows: Sequence[Mapping[Any, Any]]) -> Iterator[str]:
    """Yield the ids of sessions until their runs are enough to count; at least one."""
    number = 0
    for row in rows:
        if number and number + row["head_runs"] > COUNTED_AT_ONCE:
            return
        number += row["head_runs"]
        yield row["session_id"]


_Counts = defaultdict[str, Counter[tuple[bool, str]]]


def _count_stored(connection: Connection, ids: Sequence[str]) -> _Counts:
    """Return how many runs there are in each session, by its key, at which level and with which status."""
    is_top = runs.c.parent_run_id.is_(None)
    statement = (
        select(runs.c.session_id, is_top.label("is_top"), runs.c.status, func.count().label("number"))
        .where(runs.c.session_id.in_(ids))
        .group_by(runs.c.session_id, is_top, runs.c.status)
    )
    counts: _Counts = defaultdict(Counter)
    for row in connection.execute(statement):
        counts[to_key(row.session_id)][bool(row.is_top), to_known_status(row.status)] += row.number
    return counts


def _count_known(connection: Connection, ids: Sequence[str]) -> _Counts:
    statement = (
        select(facts.c.session_key, facts.c.is_top, facts.c.status, func.count().label("number"))
        .where(facts.c.session_key.in_([to_key(session_id) for session_id in ids]))
        .group_by(facts.c.session_key, facts.c.is_top, facts.c.status)
    )
    counts: _Counts = defaultdict(Counter)
    for row in connection.execute(statement):
        counts[row.session_key][bool(row.is_top), row.status] += row.number
    return counts
