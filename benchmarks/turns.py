"""What one run costs in a session of 10, 100 and 1,000 stored runs: plain Agno, and the run engine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agno.db.base import BaseDb
from agno.team import Team
from sqlalchemy import Engine

from benchmarks.databases import Server, open_plain_db
from benchmarks.seeding import copy_runs
from lib.models import build_model
from lib.records import RunRecord, SavedState
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings, load_settings
from lib.teams.catalogue import TeamCatalogue, load_catalogue

USER = "bench"
TEAM = "weather-desk"
QUESTION = "What is the weather in Paris?"
TEMPLATE = "template"
WINDOW = 3
OURS_MORE_OFTEN = 5
"""How many times as often our side is measured: it takes a fraction of the time, so noise weighs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCost:
    """The median time of one run with `stored_runs` before it, in milliseconds."""

    server: str
    stored_runs: int
    plain_ms: float
    ours_ms: float


def settings_of(server: Server, **changes: object) -> Settings:
    """Return the settings of our side: the offline model without delay, everything in the benchmark's folder."""
    return load_settings(
        database_url=server.ours,
        chat_model="offline",
        num_history_runs=WINDOW,
        media_dir=server.folder / "media",
        outbox_dir=server.folder / "outbox",
        offline_token_delay=0.0,
        **{"chat_teams": (), **changes},
    )


def measure_turns(server: Server, *, sizes: tuple[int, ...], repeats: int) -> list[TurnCost]:
    """Measure one run at each size, on both sides; each side's session holds its own runs."""
    settings = settings_of(server)
    plain_db = open_plain_db(server.plain)
    plain = build_plain_team(settings, db=plain_db)
    roundtable = open_roundtable(settings)
    try:
        ask_plain(plain, TEMPLATE)
        ask_ours(roundtable, TEMPLATE)
        for size in sizes:
            for engine in (engine_of(plain_db), roundtable.database.engine):
                copy_runs(engine, from_session=TEMPLATE, to_session=_session_of(size), runs=size)
        plain_ms = _medians_ms(partial(ask_plain, plain), sizes, repeats)
        ours_ms = _medians_ms(partial(ask_ours, roundtable), sizes, repeats * OURS_MORE_OFTEN)
        return [
            TurnCost(server=server.name, stored_runs=size, plain_ms=plain_ms[size], ours_ms=ours_ms[size])
            for size in sizes
        ]
    finally:
        roundtable.close()
        engine_of(plain_db).dispose()


def build_plain_team(settings: Settings, *, db: BaseDb) -> Team:
    """Build the same team with the same flags for plain Agno: nothing of ours is between it and its database."""
    catalogue: TeamCatalogue = load_catalogue(settings)
    model = build_model("offline", settings=settings)
    return catalogue.build_team(TEAM, db=db, model=model, window=WINDOW, media_dir=Path(settings.media_dir))


def ask_plain(team: Team, session_id: str) -> str:
    """Ask the question as an Agno application does, streamed, and return the answer."""
    events = team.run(QUESTION, stream=True, stream_events=True, session_id=session_id, user_id=USER)
    said = [str(event.content) for event in events if event.event == "TeamRunContent" and event.content]
    return "".join(said)


def ask_ours(roundtable: Roundtable, session_id: str) -> str:
    """Ask the question through the engine, and return the answer when it is read back."""
    run: RunRecord = roundtable.engine.start(QUESTION, user_id=USER, team=TEAM, session_id=session_id).wait(120)
    if run.saved is not SavedState.STORED:
        raise RuntimeError(f"The run was not stored: {run.status}, {run.error}")
    return run.answer


def engine_of(db: BaseDb) -> Engine:
    """Return the SQLAlchemy engine of Agno's own adapter."""
    engine: Engine = vars(db)["db_engine"]  # both SQL adapters have one
    return engine


def _session_of(size: int) -> str:
    return f"long-{size}"


def _medians_ms(ask: Callable[[str], str], sizes: Sequence[int], repeats: int) -> dict[int, float]:
    """Return the median time at each size. The sizes take turns, so that a busy machine slows them all alike."""
    times: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(repeats + 1):
        for size in sizes:
            began = time.perf_counter()
            answer = ask(_session_of(size))
            took_ms = (time.perf_counter() - began) * 1000
            if "Paris" not in answer:
                raise RuntimeError(f"Not the answer: {answer!r}")
            if number:  # the first one opens connections and warms caches, on both sides
                times[size].append(took_ms)
    return {size: statistics.median(each) for size, each in times.items()}
