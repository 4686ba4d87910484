"""What the first page of sessions costs: Agno's get_sessions, and our list."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from agno.db.base import SessionType

from benchmarks.databases import Server, open_plain_db
from benchmarks.seeding import copy_runs
from benchmarks.turns import USER, ask_ours, ask_plain, build_plain_team, engine_of, settings_of
from lib.roundtable import open_roundtable

PAGE = 20
TEMPLATE = "list-template"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCost:
    """The median time of the first page of sessions that hold `runs_each` runs, in milliseconds."""

    server: str
    sessions: int
    runs_each: int
    plain_ms: float
    ours_ms: float


def measure_lists(server: Server, *, sessions: int, sizes: tuple[int, ...], repeats: int) -> list[ListCost]:
    """Measure the first page of `sessions` sessions, at each size of a session, on both sides."""
    settings = settings_of(server)
    plain_db = open_plain_db(server.plain)
    plain_engine = engine_of(plain_db)
    roundtable = open_roundtable(settings)
    try:
        ask_plain(build_plain_team(settings, db=plain_db), TEMPLATE)
        ask_ours(roundtable, TEMPLATE)
        costs = []
        for size in sizes:
            user = f"{USER}-{size}"
            for number in range(sessions):
                for engine in (plain_engine, roundtable.database.engine):
                    copy_runs(
                        engine, from_session=TEMPLATE, to_session=f"list-{size}-{number}", runs=size, user_id=user
                    )

            def list_plain(user_id: str = user) -> int:
                found = plain_db.get_sessions(
                    session_type=SessionType.TEAM, user_id=user_id, limit=PAGE, sort_by="updated_at", sort_order="desc"
                )
                return len(found)

            def list_ours(user_id: str = user) -> int:
                return len(roundtable.store.list_sessions(user_id=user_id, limit=PAGE).items)

            costs.append(
                ListCost(
                    server=server.name,
                    sessions=sessions,
                    runs_each=size,
                    plain_ms=_median_ms(list_plain, repeats, expected=min(PAGE, sessions)),
                    ours_ms=_median_ms(list_ours, repeats, expected=min(PAGE, sessions)),
                )
            )
        return costs
    finally:
        roundtable.close()
        plain_engine.dispose()


def _median_ms(list_page: Callable[[], int], repeats: int, *, expected: int) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = list_page()
        times.append((time.perf_counter() - began) * 1000)
        if found != expected:
            raise RuntimeError(f"{found} sessions were listed, not {expected}")
    return statistics.median(times)
