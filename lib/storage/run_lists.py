"""The queries behind a session's runs: page by page, each at the cost of its page, with the member runs under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select, true

from lib.storage.cursors import check_limit, read_cursor, write_cursor
from lib.storage.identity import exactly
from lib.storage.legacy_runs import find_legacy_row, place_of, read_legacy_rows
from lib.storage.schema import runs, sessions


def read_run_page(
    connection: Connection, *, session_id: str, limit: int, before: str | None
) -> tuple[list[Mapping[str, Any]], dict[str, list[Mapping[str, Any]]], str | None]:
    """Return a page of top-level run rows, newest first, the member rows under each, and the cursor of older ones."""
    limit = check_limit(limit)
    condition: ColumnElement[bool] = true()
    last: tuple[Any, ...] | None = None
    if before is not None:
        last = tuple(read_cursor(before, (int, type(None)), int, str))
        condition = _older_than(*last)
    keys: list[Mapping[str, Any]] = [
        dict(row)
        for row in connection.execute(
            select(runs.c.run_id, runs.c.run_index, runs.c.created_at)
            .where(runs.c.session_id == session_id, runs.c.parent_run_id.is_(None), condition)
            .order_by(runs.c.run_index.desc(), runs.c.created_at.desc(), runs.c.run_id.desc())
            .limit(limit + 1)
        ).mappings()
    ]
    legacy = read_legacy_rows(connection, [session_id])
    older_rows = {row["run_id"]: row for row in legacy.get(session_id, ()) if row["parent_run_id"] is None}
    if older_rows:
        place = None if last is None else place_of(dict(zip(("run_index", "created_at", "run_id"), last, strict=True)))
        keys += [row for row in older_rows.values() if place is None or place_of(row) < place]
        keys = sorted(keys, key=place_of, reverse=True)[: limit + 1]
    shown = keys[:limit]
    stored = {row["run_id"]: row for row in _read_rows(connection, [key["run_id"] for key in shown])}
    rows = [found for key in shown if (found := older_rows.get(key["run_id"]) or stored.get(key["run_id"]))]
    end = shown[-1] if len(keys) > limit else None
    older = write_cursor(end["run_index"], end["created_at"], end["run_id"]) if end else None
    return rows, read_members(connection, rows, legacy=legacy), older


def _older_than(run_index: int | None, created_at: int, run_id: str) -> ColumnElement[bool]:
    """Return the condition of the runs that come before one in Agno's order; runs without a place come first."""
    earlier = or_(runs.c.created_at < created_at, and_(runs.c.created_at == created_at, runs.c.run_id < run_id))
    if run_index is None:
        return and_(runs.c.run_index.is_(None), earlier)
    return or_(runs.c.run_index < run_index, and_(runs.c.run_index == run_index, earlier), runs.c.run_index.is_(None))


def _read_rows(connection: Connection, run_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the rows with these ids, in their order."""
    found = connection.execute(select(runs).where(runs.c.run_id.in_(run_ids))).mappings().all()
    by_id = {row["run_id"]: dict(row) for row in found}
    return [by_id[run_id] for run_id in run_ids if run_id in by_id]


def read_members(
    connection: Connection,
    parents: Iterable[Mapping[str, Any]],
    *,
    bodies: bool = True,
    legacy: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, list[Mapping[str, Any]]]:
    """Return all member rows under each of some runs, nested ones too, by the id of the run they are under.

    `legacy` are the runs in the rows of these runs' sessions, where somebody has read them already.
    """
    members: dict[str, list[Mapping[str, Any]]] = {}
    root_of: dict[str, str] = {}
    sessions_of: set[str] = set()
    for parent in parents:
        root_of[parent["run_id"]] = parent["run_id"]
        sessions_of.add(parent["session_id"])
    older = read_legacy_rows(connection, sessions_of) if legacy is None else legacy
    level = list(root_of)
    columns = (runs,) if bodies else (runs.c.run_id, runs.c.parent_run_id)
    while level:
        found = connection.execute(
            select(*columns)
            .where(runs.c.session_id.in_(sessions_of), runs.c.parent_run_id.in_(level))
            .order_by(runs.c.run_index, runs.c.created_at, runs.c.run_id)
        ).mappings()
        within = set(level)
        in_rows = [row for stored in older.values() for row in stored if row["parent_run_id"] in within]
        level = []
        for row in (*in_rows, *found):
            run_id, parent_id = row["run_id"], row["parent_run_id"]
            if run_id in root_of or parent_id not in root_of:
                continue  # runs that name each other as parent
            root_of[run_id] = root_of[parent_id]
            members.setdefault(root_of[run_id], []).append(dict(row))
            level.append(run_id)
    return members


def find_run(connection: Connection, *, run_id: str, user_id: str | None) -> Mapping[str, Any] | None:
    """Return a run row of one of the user's sessions; with None, of anybody's."""
    row = connection.execute(_of_run(runs, run_id)).mappings().first()
    if row is None:
        return find_legacy_row(connection, run_id, user_id=user_id)
    if user_id is not None and row["owner"] != user_id:
        return None
    return {name: value for name, value in row.items() if name != "owner"}


def has_row(connection: Connection, *, run_id: str, user_id: str) -> bool:
    """Whether there is a row with this run id in one of the user's sessions."""
    row = connection.execute(_of_run(runs.c.run_id, run_id)).first()
    return row is not None and row.owner == user_id


def _of_run(columns: Any, run_id: str) -> Select[Any]:
    return (
        select(columns, sessions.c.user_id.label("owner"))
        .join_from(runs, sessions, sessions.c.session_id == runs.c.session_id)
        .where(exactly(runs.c.run_id, run_id))
    )
