"""The queries behind a session's runs: page by page, each at the cost of its page, with the member runs under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from lib.storage.cursors import check_limit, read_cursor, write_cursor
from lib.storage.identity import exactly
from lib.storage.schema import runs, sessions


def read_run_page(
    connection: Connection, *, session_id: str, limit: int, before: str | None
) -> tuple[list[Mapping[str, Any]], dict[str, list[Mapping[str, Any]]], str | None]:
    """Return a page of top-level run rows, newest first, the member rows under each, and the cursor of older ones."""
    limit = check_limit(limit)
    condition: ColumnElement[bool] = true()
    if before is not None:
        condition = _older_than(*read_cursor(before, (int, type(None)), int, str))
    keys = connection.execute(
        select(runs.c.run_id, runs.c.run_index, runs.c.created_at)
        .where(runs.c.session_id == session_id, runs.c.parent_run_id.is_(None), condition)
        .order_by(runs.c.run_index.desc(), runs.c.created_at.desc(), runs.c.run_id.desc())
        .limit(limit + 1)
    ).all()
    shown = keys[:limit]
    rows = _read_rows(connection, [key.run_id for key in shown])
    older = write_cursor(shown[-1].run_index, shown[-1].created_at, shown[-1].run_id) if len(keys) > limit else None
    return rows, read_members(connection, rows), older


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
    connection: Connection, parents: Iterable[Mapping[str, Any]], *, bodies: bool = True
) -> dict[str, list[Mapping[str, Any]]]:
    """Return all member rows under each of some runs, nested ones too, by the id of the run they are under."""
    members: dict[str, list[Mapping[str, Any]]] = {}
    root_of: dict[str, str] = {}
    sessions_of: set[str] = set()
    for parent in parents:
        root_of[parent["run_id"]] = parent["run_id"]
        sessions_of.add(parent["session_id"])
    level = list(root_of)
    columns = (runs,) if bodies else (runs.c.run_id, runs.c.parent_run_id)
    while level:
        found = connection.execute(
            select(*columns)
            .where(runs.c.session_id.in_(sessions_of), runs.c.parent_run_id.in_(level))
            .order_by(runs.c.run_index, runs.c.created_at, runs.c.run_id)
        ).mappings()
        level = []
        for row in found:
            run_id, parent_id = row["run_id"], row["parent_run_id"]
            if run_id in root_of or parent_id not in root_of:
                continue  # runs that name each other as parent
            root_of[run_id] = root_of[parent_id]
            members.setdefault(root_of[run_id], []).append(dict(row))
            level.append(run_id)
    return members


def find_run(connection: Connection, *, run_id: str, user_id: str | None) -> Mapping[str, Any] | None:
    """Return a run row of one of the user's sessions; with None, of anybody's."""
    statement = (
        select(runs, sessions.c.user_id.label("owner"))
        .join(sessions, sessions.c.session_id == runs.c.session_id)
        .where(exactly(runs.c.run_id, run_id))
    )
    row = connection.execute(statement).mappings().first()
    if row is None or (user_id is not None and row["owner"] != user_id):
        return None
    return {name: value for name, value in row.items() if name != "owner"}
