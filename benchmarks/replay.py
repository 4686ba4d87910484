"""What reading one long session back costs: Agno's get_session with its messages, our replay, and the page in a browser."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from agno.db.base import BaseDb, SessionType
from playwright.sync_api import Page

from benchmarks.databases import Server, open_plain_db
from benchmarks.seeding import copy_runs
from benchmarks.turns import USER, engine_of, settings_of
from lib.roundtable import Roundtable, open_roundtable
from lib.storage.replaying import Replay
from lib.storage.session_overview import SessionOverviews
from tests.services.app_server import AppServer
from tests.services.browser import open_chromium

QUESTION = (
    "What is the weather in Paris and in London and in Rome and in Berlin "
    "and the price of ACME and of AAPL and of MSFT and of SAP?"
)
TEAM = "market-desk"
TEMPLATE = "replay-template"
SESSION = "replayed"
FIRST_VIEW = "[data-testid=stChatMessage]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayCost:
    """Median times of reading back a session of `runs` runs, in milliseconds."""

    server: str
    runs: int
    tool_calls: int
    plain_ms: float  # Agno: get_session, get_messages
    open_ms: float  # ours: the heads of all runs and the last run with its steps
    run_ms: float  # ours: any run with its steps
    page_ms: float  # browser: from the address to the first view
    page_run_ms: float  # browser: from a click to another run's first step


def measure_replay(server: Server, *, sizes: Sequence[int], repeats: int) -> list[ReplayCost]:
    """Measure a session of each size; both sides read the same rows."""
    plain_db = open_plain_db(server.ours)
    roundtable = open_roundtable(settings_of(server))
    overviews = SessionOverviews(roundtable.database.connector, queue=roundtable.database.queue)
    costs = []
    with ExitStack() as opened:
        opened.callback(lambda: engine_of(plain_db).dispose())
        opened.callback(roundtable.close)
        tool_calls, ids = _ask_template(roundtable)
        page, url = opened.enter_context(_open_app(server))
        for size in sizes:
            session_id = f"{SESSION}-{size}"
            copy_runs(
                roundtable.database.engine, from_session=TEMPLATE, to_session=session_id, runs=size, other_ids=ids
            )
            run_ids = [head.run_id for head in overviews.get_overview(session_id, user_id=USER).heads]
            page_ms, page_run_ms = _measure_page(page, url, session_id, size, repeats)
            read = partial(_read_run, overviews, session_id)
            costs.append(
                ReplayCost(
                    server=server.name,
                    runs=size,
                    tool_calls=tool_calls * size,
                    plain_ms=_median_ms([partial(_read_plain, plain_db, session_id)] * max(1, repeats // 2)),
                    open_ms=_median_ms([partial(read, run_ids[-1])] * repeats),
                    run_ms=_median_ms([partial(read, run_id) for run_id in run_ids[:: max(1, size // 20)]]),
                    page_ms=page_ms,
                    page_run_ms=page_run_ms,
                )
            )
        return costs


def _ask_template(roundtable: Roundtable) -> tuple[int, list[str]]:
    """Ask the question once; return how many tools were called, delegations included, and the ids of the messages."""
    run = roundtable.engine.start(QUESTION, user_id=USER, team=TEAM, session_id=TEMPLATE).wait(120)
    parts = list(run.walk())
    calls = sum(hasattr(segment, "call") for part in parts for segment in part.segments)
    return calls, [message.message_id for part in parts for message in part.messages if not message.from_history]


def _read_plain(db: BaseDb, session_id: str) -> int:
    session: Any = db.get_session(session_id=session_id, session_type=SessionType.TEAM, user_id=USER)
    return len(session.get_messages())


def _read_run(overviews: SessionOverviews, session_id: str, run_id: str) -> int:
    replay = Replay(overviews.get_runs(overviews.get_overview(session_id, user_id=USER), [run_id]))
    return len(replay.steps(replay.get_run(run_id)))


# Timed by the page itself, from the click's own event to the frame in which the other run stands: a test driver's waits
# before and after would be measured along otherwise.
_WATCH = """(title) => {
    window.shownAfterMs = new Promise((resolve) => {
        document.addEventListener("click", () => {
            const clicked = performance.now();
            const look = () => {
                const line = document.querySelector(".st-key-replay_run");
                const there = line && line.textContent.includes(title);
                if (there && document.querySelector("[class*='st-key-step_d0_']")) resolve(performance.now() - clicked);
                else requestAnimationFrame(look);
            };
            look();
        }, { capture: true, once: true });
    });
}"""


@contextmanager
def _open_app(server: Server) -> Iterator[tuple[Page, str]]:
    """Give a browser's page and the address of the app."""
    app = AppServer(settings_of(server, local_user=USER), log=server.folder / "replay.log").start()
    try:
        with open_chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(60_000)
            yield page, app.url
    finally:
        app.stop()


def _measure_page(page: Page, url: str, session_id: str, size: int, repeats: int) -> tuple[float, float]:
    """Return how long the page takes to open, and to show another run, as a person waits for it."""
    opened, moved = [], []
    for number in range(repeats + 1):
        began = time.perf_counter()
        page.goto(f"{url}/replay?session={session_id}")
        page.locator(FIRST_VIEW).first.wait_for()
        took = time.perf_counter() - began
        if number:  # the first visitor of a process waits for its imports
            opened.append(took * 1000)
    page.goto(f"{url}/replay?session={session_id}&view=steps")
    here = size
    page.get_by_text(f"Run {here:,} of {size:,}").wait_for()
    for _ in range(min(repeats + 2, size - 1)):
        here -= 1
        page.evaluate(_WATCH, f"Run {here:,} of {size:,}")
        page.locator(".st-key-previous_run button").click()
        moved.append(page.evaluate("window.shownAfterMs"))
    return statistics.median(opened), statistics.median(moved or [0.0])


def _median_ms(reads: Sequence[Callable[[], int]]) -> float:
    times = []
    for read in reads:
        began = time.perf_counter()
        found = read()
        times.append((time.perf_counter() - began) * 1000)
        if not found:
            raise RuntimeError("nothing was read")
    return statistics.median(times)
