"""Filtered lists of sessions and the counts beside the filters: queries over session heads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from lib.errors import NotAllowed
from lib.records import LAB_SESSION_PREFIX, Reader, RunStatus, SessionCounts, SessionFilter, SessionState
from lib.storage.heads import TAG_MARK, heads
from lib.storage.identity import exactly, to_scope
from lib.storage.listing import check_limit, read_cursor, write_cursor
from lib.storage.search_words import to_search_question

_STATUSES = {
    SessionState.COMPLETED: (RunStatus.COMPLETED, RunStatus.REGENERATED),
    SessionState.STOPPED: (RunStatus.STOPPED,),
    SessionState.FAILED: (RunStatus.FAILED, RunStatus.INTERRUPTED),
    SessionState.PAUSED: (RunStatus.PAUSED,),
}


def to_list_scope(user_id: str | Reader, where: SessionFilter) -> str | None:
    """Return whose sessions a list holds. Raises NotAllowed where somebody asks for another user's."""
    scope = to_scope(user_id)
    if where.owner is None:
        return scope
    if scope not in (None, where.owner):
        raise NotAllowed("Only an admin may list another user's sessions.")
    return where.owner


def is_plain(where: SessionFilter) -> bool:
    """Whether a list is narrowed by its owner only, so that Agno's own table gives it."""
    return where == SessionFilter(owner=where.owner, hidden=where.hidden)


def read_filtered_page(
    connection: Connection,
    where: SessionFilter,
    *,
    user_id: str | None,
    live: Collection[str],
    limit: int,
    cursor: str | None,
) -> tuple[list[str], str | None]:
    """Return the ids of a page of sessions, the last used first, and the cursor of the next one.

    `live` are the ids of the sessions in which something runs.
    """
    limit = check_limit(limit)
    conditions = _to_conditions(where, user_id=user_id, live=live)
    if cursor is not None:
        used_at, last_id = read_cursor(cursor, int, str)
        earlier = or_(heads.c.used_at < used_at, heads.c.session_id < last_id)
        conditions += [heads.c.used_at <= used_at, earlier]
    statement = (
        select(heads.c.session_id, heads.c.used_at)
        .where(*conditions)
        .order_by(heads.c.used_at.desc(), heads.c.session_id.desc())
        .limit(limit + 1)
    )
    found = connection.execute(statement).all()
    last = found[limit - 1] if len(found) > limit else None
    next_cursor = None if last is None else write_cursor(last.used_at, last.session_id)
    return [row.session_id for row in found[:limit]], next_cursor


def read_counts(
    connection: Connection, where: SessionFilter, *, user_id: str | None, live: Collection[str]
) -> SessionCounts:
    """Return how many sessions there are, in all and under each name a list can be filtered by."""
    names = (heads.c.component_id, heads.c.collection, heads.c.tags, *([heads.c.user_id] if user_id is None else []))
    statement = (
        select(*names, func.count().label("number"))
        .where(*_to_conditions(where, user_id=user_id, live=live))
        .group_by(*names)
    )
    counts: dict[str, Counter[str]] = {"components": Counter(), "collections": Counter(), "tags": Counter()}
    owners: Counter[str] = Counter()
    total = 0
    for row in connection.execute(statement).mappings():
        number = int(row["number"])
        total += number
        counts["components"][row["component_id"]] += number
        if row["collection"]:
            counts["collections"][row["collection"]] += number
        for tag in filter(None, row["tags"].split(TAG_MARK)):
            counts["tags"][tag] += number
        owners[row.get("user_id") or ""] += number
    return SessionCounts(
        total=total,
        components=_in_order(counts["components"]),
        collections=_in_order(counts["collections"]),
        tags=_in_order(counts["tags"]),
        owners=_in_order(owners) if user_id is None else {},
    )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _to_conditions(where: SessionFilter, *, user_id: str | None, live: Collection[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if user_id is not None:
        conditions.append(exactly(heads.c.user_id, user_id))
    # Not LIKE: SQLite's ignores case, and every % and _ is a letter here.
    terms = to_search_question(where.text).terms
    conditions += [func.instr(heads.c.search_text, term) > 0 for term in terms]
    for column, value in ((heads.c.component_id, where.component_id), (heads.c.collection, where.collection)):
        if value is not None:
            conditions.append(exactly(column, value))
    if where.kind is not None:
        conditions.append(heads.c.kind == where.kind.value)
    if where.tag is not None:
        conditions.append(func.instr(heads.c.tags, f"{TAG_MARK}{where.tag}{TAG_MARK}") > 0)
    if where.since is not None:
        conditions.append(heads.c.used_at >= where.since.timestamp())
    if where.until is not None:
        conditions.append(heads.c.used_at < where.until.timestamp())
    if not where.hidden and where.collection is None:
        conditions.append(~heads.c.session_id.startswith(LAB_SESSION_PREFIX, autoescape=True))
    if where.state is not None:
        conditions.append(_to_state_condition(where.state, live))
    return conditions


def _to_state_condition(state: SessionState, live: Collection[str]) -> ColumnElement[bool]:
    is_live = heads.c.session_id.in_(list(live))
    match state:
        case SessionState.LIVE:
            return is_live
        case SessionState.EMPTY:
            return and_(heads.c.last_run_id.is_(None), ~is_live)
        case _:
            return and_(heads.c.last_status.in_([status.value for status in _STATUSES[state]]), ~is_live)
