"""Lists and search in a large database: 100,000 sessions of 500 users, some with 1,000 runs of 20 kB.

One user has more than a thousand pages of 50; another has 2,000 sessions to search and to sort. Measured are the app's
own calls, whole; `database_ms` is what their queries alone take, the driver's work included. Agno lists the same rows with
its own adapter and the defaults of its `get_sessions`, in turn with ours.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agno.db.base import SessionType
from agno.session import TeamSession
from sqlalchemy import Engine, event, insert

from benchmarks.databases import Server, open_plain_db
from benchmarks.turns import engine_of, settings_of
from lib.records import Page, SessionFilter, SessionKind, SessionOrder, SessionSort, SessionState, SessionSummary
from lib.storage import Database, open_database
from lib.storage.schema import runs, sessions

PAGE = 50
PLAIN_REPEATS = 15
WANTED_PAGE = 1000
LISTING, SEARCHING = "lists much", "searches much"
CITIES = ("Paris", "Köln", "Rome", "Tokyo", "Lisbon", "München", "北京", "Nairobi")
BEGAN = 1_700_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is stored."""

    sessions: int
    users: int
    of_listing: int  # sessions of the user whose pages are listed
    of_searching: int  # sessions of the user who searches
    page: int  # the far page
    long_sessions: int  # on the first page, and as many on the far one
    runs_of_long: int
    run_bytes: int = 20_000


FULL = Size(
    sessions=100_000, users=500, of_listing=51_000, of_searching=2_000, page=WANTED_PAGE, long_sessions=3, runs_of_long=1000
)  # fmt: skip
QUICK = Size(
    sessions=300, users=5, of_listing=160, of_searching=60, page=3, long_sessions=1, runs_of_long=5, run_bytes=2_000
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCost:
    """What one call costs, as the median of several, with the plans of its queries."""

    server: str
    call: str
    rows: int
    ours_ms: float
    database_ms: float
    plain_ms: float | None  # Agno's, where it has such a call
    goal_ms: float
    plans: tuple[str, ...]


def measure_sessions(server: Server, *, size: Size, repeats: int) -> list[CallCost]:
    """Fill the database and measure the pages, the filters and both searches."""
    database = open_database(settings_of(server))
    plain_db = open_plain_db(server.ours)  # the same rows
    try:
        began = time.perf_counter()
        seed(database, size)
        print(f"  {server.name}: {size.sessions:,} sessions stored and taken in in {time.perf_counter() - began:.0f} s")
        store, search = database.sessions, database.search
        cursor = _cursor_of(database, size.page)
        one = size.of_listing + size.of_searching // 2

        def list_page(where: SessionFilter | None = None, after: str | None = None) -> Page[SessionSummary]:
            return store.list_sessions(user_id=LISTING, limit=PAGE, cursor=after, where=where)

        def search_titles(words: str) -> Page[SessionSummary]:
            return store.list_sessions(user_id=SEARCHING, limit=PAGE, where=SessionFilter(text=words))

        def list_plain(page: int) -> list[str]:
            found = plain_db.get_sessions(
                session_type=SessionType.TEAM, user_id=LISTING, limit=PAGE, page=page,
                sort_by="updated_at", sort_order="desc",
            )  # fmt: skip
            return [session.session_id for session in found if isinstance(session, TeamSession)]

        def sort(by: SessionSort, user_id: str) -> Page[SessionSummary]:
            return store.list_sessions(user_id=user_id, limit=PAGE, order=SessionOrder(by=by))

        calls: list[tuple[str, Callable[[], Any], float, Callable[[], list[str]] | None]] = [
            ("first page", list_page, 10, lambda: list_plain(1)),
            (f"page {size.page:,}", lambda: list_page(after=cursor), 10, lambda: list_plain(size.page)),
            ("title search, many hits", lambda: search_titles("weather"), 50, None),
            ("title search, one hit", lambda: search_titles(f"nummer {one} of"), 50, None),
            ("title search, no hit", lambda: search_titles("zyzzyva"), 50, None),
            ("one tag", lambda: store.list_sessions(user_id=SEARCHING, where=SessionFilter(tag="seldom")), 50, None),
            ("counts", lambda: store.count_sessions(user_id=SEARCHING), 50, None),
            ("full text, many hits", lambda: search.search("weather köln", user_id=SEARCHING), 200, None),
            (
                "full text, one hit",
                lambda: search.search(f"answer{one}", user_id=SEARCHING),
                200,
                None,
            ),
            (
                "full text, under filters",
                lambda: search.search(
                    "weather köln",
                    user_id=SEARCHING,
                    where=SessionFilter(state=SessionState.COMPLETED, kind=SessionKind.TEAM),
                ),
                200,
                None,
            ),
            ("full text, half a word", lambda: search.search("weath", user_id=SEARCHING), 200, None),
            ("full text, no hit", lambda: search.search("zyzzyva", user_id=SEARCHING), 200, None),
            ("sorted by title", lambda: sort(SessionSort.TITLE, LISTING), 10, None),
            ("sorted by creation", lambda: sort(SessionSort.CREATED, LISTING), 10, None),
            ("sorted by tokens", lambda: sort(SessionSort.TOKENS, SEARCHING), 50, None),
            ("sorted by failures", lambda: sort(SessionSort.FAILED, SEARCHING), 50, None),
        ]
        return [_measure(server, database, *call, repeats=repeats) for call in calls]
    finally:
        database.close()
        engine_of(plain_db).dispose()


def _cursor_of(database: Database, page: int) -> str | None:
    cursor = None
    for _ in range((page - 1) // 10):
        cursor = database.sessions.list_sessions(user_id=LISTING, limit=10 * PAGE, cursor=cursor).next_cursor
    for _ in range((page - 1) % 10):
        cursor = database.sessions.list_sessions(user_id=LISTING, limit=PAGE, cursor=cursor).next_cursor
    return cursor


def _measure(
    server: Server,
    database: Database,
    name: str,
    call: Callable[[], Any],
    goal_ms: float,
    plain: Callable[[], list[str]] | None,
    *,
    repeats: int,
) -> CallCost:
    found = call()  # and the database has read what it keeps in memory
    rows = found.total if hasattr(found, "total") else len(found.items)
    if plain is not None and plain() != [summary.session_id for summary in found.items]:
        raise RuntimeError("Agno lists other rows")
    reader = database.connector.reader
    statements = _record(reader, call)
    ours, databases, plains = [], [], []
    for number in range(repeats):
        ours.append(_spent_ms(call))
        databases.append(_time_of(reader, statements))
        if plain is not None and number < PLAIN_REPEATS:
            plains.append(_spent_ms(plain))
    return CallCost(
        server=server.name,
        call=name,
        rows=rows,
        ours_ms=statistics.median(ours),
        database_ms=statistics.median(databases),
        plain_ms=statistics.median(plains) if plains else None,
        goal_ms=goal_ms,
        plans=tuple(_explain(reader, statements)),
    )


def _spent_ms(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def _record(engine: Engine, call: Callable[[], Any]) -> list[tuple[str, Any]]:
    """Return the queries that a call makes."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return statements


def _time_of(engine: Engine, statements: Sequence[tuple[str, Any]]) -> float:
    """Return the milliseconds that queries take in the database and its driver, from being sent to the last row."""
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        began = time.perf_counter()
        for statement, parameters in statements:
            cursor.execute(statement, parameters)
            cursor.fetchall()
        ended = time.perf_counter()
        cursor.close()
    return (ended - began) * 1000


def _explain(engine: Engine, statements: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Yield a line for each table that queries look into."""
    on_sqlite = engine.dialect.name == "sqlite"
    prefix = "EXPLAIN QUERY PLAN " if on_sqlite else "EXPLAIN "
    with engine.connect() as connection:
        for statement, parameters in statements:
            for row in connection.exec_driver_sql(prefix + statement, parameters).mappings():
                yield str(row["detail"]) if on_sqlite else _plan_of_mysql(row)


def _plan_of_mysql(row: Any) -> str:
    told = f"{row['table']}: {row['type']} key={row['key']} rows={row['rows']}"
    return f"{told} {row['Extra']}" if row["Extra"] else told


# -- what is stored ----------------------------------------------------------------------------------------------------


def seed(database: Database, size: Size) -> None:
    """Fill both Agno tables as programs would have done, and let the app take everything in."""
    if database.dialect == "sqlite":  # a seeded database need not outlive a power cut
        event.listen(database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA synchronous = OFF"))
    batch_of_sessions: list[dict[str, Any]] = []
    batch_of_runs: list[dict[str, Any]] = []

    def flush(*, at_least: int) -> None:
        if len(batch_of_sessions) >= at_least or len(batch_of_runs) >= at_least:
            database.connector.write(lambda connection: _insert(connection, batch_of_sessions, batch_of_runs))
            batch_of_sessions.clear()
            batch_of_runs.clear()

    far_from = (size.page - 1) * PAGE
    for number in range(size.sessions):
        user_id, place = _owner(number, size)
        batch_of_sessions.append(_session(number, user_id))
        # The user's newest sessions have the lowest places.
        is_long = user_id == LISTING and (place < size.long_sessions or 0 <= place - far_from < size.long_sessions)
        numbers = range(size.runs_of_long if is_long else 1)
        batch_of_runs += [_run(number, user_id, index, size.run_bytes if is_long else 0) for index in numbers]
        flush(at_least=200 if is_long else 1000)
    flush(at_least=1)
    while database.follow():
        pass
    if database.dialect == "mysql":
        with database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE TABLE agno_sessions, agno_runs, roundtable_session_heads").all()


def _insert(connection: Any, of_sessions: Sequence[dict[str, Any]], of_runs: Sequence[dict[str, Any]]) -> None:
    if of_sessions:
        connection.execute(insert(sessions), list(of_sessions))
    for start in range(0, len(of_runs), 200):  # more would be larger than MariaDB takes at once
        connection.execute(insert(runs), list(of_runs[start : start + 200]))


def _owner(number: int, size: Size) -> tuple[str, int]:
    if number < size.of_listing:
        return LISTING, number
    if number < size.of_listing + size.of_searching:
        return SEARCHING, number - size.of_listing
    return f"user-{number % (size.users - 2)}", number


def _question(number: int) -> str:
    return f"What is the weather in {CITIES[number % len(CITIES)]}, nummer {number} of many?"


def _session(number: int, user_id: str) -> dict[str, Any]:
    ours: dict[str, Any] = {"first_question": _question(number), "title_by": "question"}
    if number % 3 == 0:
        ours["tags"] = ["course", f"week {number % 7}"]
    if number % 500 == 1:
        ours["tags"] = ["seldom"]
    if number % 5 == 0:
        ours["collection"] = f"Client {number % 20}"
    return {
        "session_id": f"bench-{number:06d}",
        "session_type": "team",
        "team_id": ("market-desk", "trip-desk")[number % 2],
        "user_id": user_id,
        "session_data": {"session_name": _question(number)[:60], "session_state": {"seen": number}, "roundtable": ours},
        "team_data": {"team_id": "market-desk", "name": "Market desk"},
        "created_at": BEGAN - number,
        "updated_at": BEGAN - number,
    }


def _run(number: int, user_id: str, index: int, run_bytes: int) -> dict[str, Any]:
    answer = f"It is sunny in {CITIES[number % len(CITIES)]}. This is answer{number}, part {index}. "
    data = {
        "run_id": f"bench-{number:06d}-{index}",
        "session_id": f"bench-{number:06d}",
        "team_id": "market-desk",
        "status": "COMPLETED",
        "input": {"input_content": _question(number)},
        "content": answer,
        "messages": [
            {"id": f"q{number}-{index}", "role": "user", "content": _question(number)},
            {"id": f"a{number}-{index}", "role": "assistant", "content": answer},
        ],
        "metrics": {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30, "duration": 1.25},
    }
    data["metadata"] = {"filler": "x" * max(0, run_bytes - len(json.dumps(data)))}
    return {
        "run_id": data["run_id"],
        "session_id": data["session_id"],
        "run_type": "team",
        "team_id": "market-desk",
        "user_id": user_id,
        "status": "COMPLETED",
        "run_index": index,
        "run_data": data,
        "created_at": BEGAN - number,
        "updated_at": BEGAN - number,
    }
