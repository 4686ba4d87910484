"""What a sweep of the recall lab costs: windows x distances x repeats on the offline model, and the app meanwhile."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from benchmarks.databases import Server
from benchmarks.turns import USER, settings_of
from lib.recall.experiment import Plan
from lib.recall.lab import RecallLab
from lib.roundtable import Roundtable, open_roundtable

TEAM = "market-desk"
LONGEST_S = 600.0
BETWEEN_LOOKS_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCost:
    """What one sweep took, and how the app answered a reader while it ran."""

    server: str
    probes: int
    runs: int
    seconds: float
    cpu_s: float  # of the process: both cores together
    alarms: int
    failed: int
    list_ms: float  # the first page of sessions, meanwhile: the median
    worst_list_ms: float


def measure_sweep(server: Server, *, windows: int, distances: int, repeats: int) -> SweepCost:
    """Measure a sweep over as many windows and distances, every probe in a session of its own."""
    plan = Plan(
        name="benchmark",
        team=TEAM,
        windows=tuple(range(1, windows + 1)),
        distances=tuple(range(distances)),
        repeats=repeats,
    )
    roundtable = open_roundtable(settings_of(server))
    lab = RecallLab(roundtable)
    try:
        began, cpu_began = time.perf_counter(), time.process_time()
        running = lab.start(plan, user_id=USER)
        looks = []
        while not running.wait(BETWEEN_LOOKS_S) and time.perf_counter() - began < LONGEST_S:
            looks.append(_look(roundtable))
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu_began
        results = running.results()
    finally:
        lab.close()
        roundtable.close()
    return SweepCost(
        server=server.name,
        probes=len(results),
        runs=plan.run_count,
        seconds=seconds,
        cpu_s=cpu_s,
        alarms=sum(result.alarm for result in results),
        failed=sum(result.failed is not None for result in results) + len(plan.cells) - len(results),
        list_ms=statistics.median(looks or [0.0]),
        worst_list_ms=max(looks, default=0.0),
    )


def _look(roundtable: Roundtable) -> float:
    """Return how long a reader waits for the first page of sessions, in milliseconds."""
    began = time.perf_counter()
    roundtable.store.list_sessions(user_id=USER)
    return (time.perf_counter() - began) * 1000
