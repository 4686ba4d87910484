"""The queries behind lists of sessions, page by page, and the counts beside the filters.

The first list, the last used first, is read from Agno's own rows; filtered and otherwise ordered ones from session heads.
The rows of a page come with their heads, in one query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    union_all,
)

from lib.records import (
    LAB_SESSION_PREFIX,
    RunStatus,
    SessionCounts,
    SessionFilter,
    SessionOrder,
    SessionSort,
    SessionState,
)
from lib.storage.cursors import check_limit, read_cursor, write_cursor
from lib.storage.heads import HEAD_COLUMNS, TAG_MARK, heads
from lib.storage.identity import exactly, owned_by
from lib.storage.keys import content_of, key_of, to_key
from lib.storage.listing import SESSION_COLUMNS
from lib.storage.schema import read_marks, run_queue, sessions
from lib.storage.search_words import to_search_question

_STATUSES = {
    SessionState.COMPLETED: (RunStatus.COMPLETED, RunStatus.REGENERATED),
    SessionState.STOPPED: (RunStatus.STOPPED,),
    SessionState.FAILED: (RunStatus.FAILED, RunStatus.INTERRUPTED),
    SessionState.PAUSED: (RunStatus.PAUSED,),
    SessionState.UNKNOWN: (RunStatus.UNKNOWN,),
}
_ROW_COLUMNS = (*SESSION_COLUMNS, *HEAD_COLUMNS)
_HAS_HEAD = heads.c.session_key == key_of(sessions.c.session_id)
_SHOWN = (
    *(sessions.c[name] for name in ("session_type", "user_id", "agent_id", "team_id", "workflow_id", "created_at")),
    *(sessions.c[name] for name in ("session_data", "agent_data", "team_data", "workflow_data")),
    *(label.element for label in HEAD_COLUMNS),
)
"""All that lists show is made of these columns."""
_IS_READ = and_(
    read_marks.c.user_key == bindparam("user_key", type_=String), read_marks.c.session_key == heads.c.session_key
)
_CONTENTS = (
    *(sessions.c.session_id, sessions.c.updated_at),
    *(heads.c[name].label(f"head_{name}") for name in ("session_key", "written_at")),
    content_of(*_SHOWN, read_marks.c.run_key).label("content"),
)
_ROWS = (
    select(*_ROW_COLUMNS)
    .select_from(sessions.outerjoin(heads, _HAS_HEAD))
    .where(sessions.c.session_id.in_(bindparam("session_ids", expanding=True)))
)
_ROW = (
    select(*_ROW_COLUMNS)
    .select_from(sessions.outerjoin(heads, _HAS_HEAD))
    .where(exactly(sessions.c.session_id, bindparam("session_id", type_=String)))
)
_USER_ID = bindparam("user_id", type_=String)
_OF_THE_LAB = sessions.c.session_id.startswith(LAB_SESSION_PREFIX, autoescape=True)


def is_plain(where: SessionFilter, order: SessionOrder) -> bool:
    """Whether a list is narrowed by its owner only and in the first order, so that Agno's own table gives it."""
    return where == SessionFilter(owner=where.owner, hidden=where.hidden) and order == SessionOrder()


def read_recent_page(
    connection: Connection, *, user_id: str | None, limit: int, cursor: str | None, hidden: bool = False
) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return a page of a user's session rows (None: anybody's), the last used first, and the cursor of the next one.

    Each row says in `queued_runs` how many of the user's runs are queued in all, so that mostly nobody need ask which.
    """
    limit = check_limit(limit)
    used_at, last_id = (None, None) if cursor is None else read_cursor(cursor, int, str)
    statement = _recent_page(_ROW_COLUMNS, of=_to_owner(user_id), later=cursor is not None, hidden=hidden)
    given = {"user_id": user_id or None, "used_at": used_at, "last_id": last_id, "rows": limit + 1}
    found = connection.execute(statement, {name: value for name, value in given.items() if value is not None})
    rows: list[Mapping[str, Any]] = [dict(row) for row in found.mappings()]
    last = rows[limit - 1] if len(rows) > limit else None
    next_cursor = None if last is None else write_cursor(last["page_used_at"], last["session_id"])
    return rows[:limit], next_cursor


def read_recent_contents(
    connection: Connection, *, user_id: str | None, limit: int, read_by: str
) -> list[Mapping[str, Any]]:
    """Return the rows of a user's first page and one more: their times, and what tells whether anything else changed.

    What `read_by` has read of them counts, too.
    """
    statement = _recent_page(_CONTENTS, of=_to_owner(user_id), later=False, hidden=False)
    given = {"rows": check_limit(limit) + 1, "user_key": to_key(read_by)}
    given |= {} if user_id is None else {"user_id": user_id}
    return [dict(row) for row in connection.execute(statement, given).mappings()]


def _to_owner(user_id: str | None) -> str | BindParameter[str] | None:
    """Return whose rows a page holds, the user's name left open."""
    return _USER_ID if user_id else user_id


@cache  # put together once: with its many columns that costs as much as running it
def _recent_page(
    columns: tuple[ColumnElement[Any], ...], *, of: str | BindParameter[str] | None, later: bool, hidden: bool
) -> Select[Any]:
    """Return the query behind a page; it is given user_id, used_at and last_id, as far as they apply, and rows."""
    rows: BindParameter[int] = bindparam("rows", type_=Integer)
    owned = owned_by(sessions.c.user_id, of)
    shown = true() if hidden else ~_OF_THE_LAB
    # Rows that old programs left without updated_at are placed by created_at. Two branches, so that the many others are
    # read along the index and not sorted.
    dated, undated = sessions.c.updated_at, sessions.c.created_at
    branches = []
    for moment, condition in ((dated, dated.is_not(None)), (undated, dated.is_(None))):
        before: ColumnElement[bool] = true()
        if later:
            used_at, last_id = bindparam("used_at", type_=BigInteger), bindparam("last_id", type_=String)
            before = and_(moment <= used_at, or_(moment < used_at, sessions.c.session_id < last_id))
        branch = (
            select(sessions.c.session_id, moment.label("page_used_at"))
            .where(owned, condition, before, shown)
            .order_by(moment.desc(), sessions.c.session_id.desc())
            .limit(rows)
        )
        branches.append(select(branch.subquery()))
    found = union_all(*branches).subquery()
    page = select(found).order_by(found.c.page_used_at.desc(), found.c.session_id.desc()).limit(rows).subquery()
    queued = owned_by(run_queue.c.user_id, of)
    live = select(func.count()).select_from(run_queue).where(queued).scalar_subquery()
    tables = page.join(sessions, sessions.c.session_id == page.c.session_id).outerjoin(heads, _HAS_HEAD)
    return (
        select(page.c.page_used_at, live.label("queued_runs"), *columns)
        .select_from(tables.outerjoin(read_marks, _IS_READ) if columns is _CONTENTS else tables)
        .order_by(page.c.page_used_at.desc(), page.c.session_id.desc())
    )


def read_rows(connection: Connection, session_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the session rows with these ids and their heads, in the order of the ids."""
    rows = connection.execute(_ROWS, {"session_ids": list(session_ids)}).mappings()
    by_id = {row["session_id"]: dict(row) for row in rows}
    return [by_id[session_id] for session_id in session_ids if session_id in by_id]


def read_row(connection: Connection, session_id: str) -> Mapping[str, Any] | None:
    """Return the session row with this id, which somebody may have made up, and its head."""
    row = connection.execute(_ROW, {"session_id": session_id}).mappings().first()
    return None if row is None else dict(row)


def read_filtered_page(
    connection: Connection,
    where: SessionFilter,
    *,
    order: SessionOrder,
    user_id: str | None,
    live: Mapping[str, int],
    limit: int,
    cursor: str | None,
) -> tuple[list[str], str | None]:
    """Return the ids of a page of sessions and the cursor of the next one.

    `live` are the ids of the sessions in which something runs, and how many runs that is in each.
    """
    limit = check_limit(limit)
    conditions = _to_conditions(where, user_id=user_id, live=live)
    places, types, name = _to_places(order, live)
    if cursor is not None:
        conditions += _to_later(places, read_cursor(cursor, *types, order=name), descending=order.descending)
    statement = (
        select(heads.c.session_id, *(place.label(f"place_{number}") for number, place in enumerate(places)))
        .where(*conditions)
        .order_by(*(place.desc() if order.descending else place.asc() for place in places))
        .limit(limit + 1)
    )
    found = connection.execute(statement).all()
    last = found[limit - 1] if len(found) > limit else None
    next_cursor = None if last is None else write_cursor(*last[1:], order=name)
    return [row.session_id for row in found[:limit]], next_cursor


def _to_places(
    order: SessionOrder, live: Mapping[str, int]
) -> tuple[Sequence[ColumnElement[Any]], Sequence[Any], str | None]:
    """Return what places a session in an order, most important first, of which types, and what cursors call the order."""
    used, session_id = heads.c.used_at, heads.c.session_id
    name = f"{order.by.value} {'down' if order.descending else 'up'}"
    match order.by:
        case SessionSort.USED:
            return (used, session_id), (int, str), None if order.descending else name
        case SessionSort.CREATED:
            return (heads.c.created_at, session_id), (int, str), name
        case SessionSort.TITLE:
            return (heads.c.sort_name, used, session_id), (str, int, str), name
        case SessionSort.RUNS:
            return (heads.c.runs, used, session_id), (int, int, str), name
        case SessionSort.TOKENS:
            return (func.coalesce(heads.c.tokens, -1), used, session_id), (int, int, str), name
        case SessionSort.DURATION:
            return (func.coalesce(heads.c.duration_s, -1.0), used, session_id), (float, int, str), name
        case SessionSort.FAILED:
            return (_failed_runs(live), used, session_id), (int, int, str), name


def _failed_runs(live: Mapping[str, int]) -> ColumnElement[int]:
    """Return how many runs of a session failed; questions without a result did too, unless they are live."""
    failed = heads.c.failed_runs + heads.c.unfinished_runs
    if not live:
        return failed
    return failed - case(*((heads.c.session_id == session_id, number) for session_id, number in live.items()), else_=0)


def _to_later(
    places: Sequence[ColumnElement[Any]], values: Sequence[Any], *, descending: bool
) -> list[ColumnElement[bool]]:
    """Return the conditions of all that comes after a place."""
    beyond: ColumnElement[bool] | None = None
    for place, value in reversed(list(zip(places, values, strict=True))):
        further = place < value if descending else place > value
        beyond = further if beyond is None else or_(further, and_(place == value, beyond))
    first, value = places[0], values[0]
    # The plain bound too: along it an index is entered.
    bound = first <= value if descending else first >= value
    return [bound] if beyond is None else [bound, beyond]


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


def select_fitting(where: SessionFilter, *, user_id: str | None, live: Collection[str]) -> Select[Any]:
    """Return the query for the ids of the sessions that fit, for narrowing what hangs on sessions to them."""
    return select(heads.c.session_id).where(*_to_conditions(where, user_id=user_id, live=live))


def _to_conditions(where: SessionFilter, *, user_id: str | None, live: Collection[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [owned_by(heads.c.user_id, user_id)]
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
            # Another program's run too, as far as its row says so.
            return or_(is_live, heads.c.last_status.in_([status.value for status in RunStatus if status.live]))
        case SessionState.EMPTY:
            return and_(heads.c.last_run_id.is_(None), ~is_live)
        case _:
            return and_(heads.c.last_status.in_([status.value for status in _STATUSES[state]]), ~is_live)
