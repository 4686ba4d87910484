"""`python -m benchmarks`: run the benchmarks and print their tables. Every number is measured in this run."""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence

from benchmarks.databases import Server, open_servers
from benchmarks.latency import Latency, measure_latency
from benchmarks.lists import PAGE, ListCost, measure_lists
from benchmarks.recall import SweepCost, measure_sweep
from benchmarks.replay import ReplayCost, measure_replay
from benchmarks.sessions import FULL, QUICK, CallCost, measure_sessions
from benchmarks.sidebar import SidebarCost, measure_sidebar
from benchmarks.turns import TurnCost, measure_turns

FLAT_GOAL = 1.3
FASTER_GOAL = 20.0
OPENS_WITHIN_MS = 1500.0
RUN_WITHIN_MS = 300.0
SIDEBAR_WITHIN_MS = 300.0
SWEEP_WITHIN_S = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--database", choices=("SQLite", "MariaDB"), action="append", help="only this one")
    parser.add_argument(
        "--only", choices=("turns", "lists", "sessions", "replay", "recall", "latency"), help="only this benchmark"
    )
    parser.add_argument("--quick", action="store_true", help="small sessions: does it run, not how fast it is")
    parser.add_argument("--plans", action="store_true", help="print the query plans of lists and searches")
    chosen = parser.parse_args(arguments)
    os.environ["AGNO_TELEMETRY"] = "false"
    for name in ("agno", "agno-team"):
        logging.getLogger(name).setLevel(logging.ERROR)
    began = time.perf_counter()
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, offline model without delay, medians in ms")
    with open_servers(tuple(chosen.database or ("SQLite", "MariaDB"))) as servers:
        if chosen.only in (None, "turns"):
            print_turns(servers, quick=chosen.quick)
        if chosen.only in (None, "lists"):
            print_lists(servers, quick=chosen.quick)
        if chosen.only in (None, "sessions"):
            print_sessions(servers, quick=chosen.quick, plans=chosen.plans)
        if chosen.only in (None, "replay"):
            print_replay(servers, quick=chosen.quick)
        if chosen.only in (None, "recall"):
            print_sweeps(servers, quick=chosen.quick)
        if chosen.only in (None, "latency"):
            print_latency([measure_latency(server) for server in servers])
    print(f"\nMeasured in {time.perf_counter() - began:.0f} s.")
    return 0


def print_turns(servers: Sequence[Server], *, quick: bool) -> None:
    print("\nOne run in a session of so many stored runs")
    sizes = (2, 4, 8) if quick else (10, 100, 1000)
    head("database", "stored runs", "plain Agno", "engine", "faster")
    for server in servers:
        costs = measure_turns(server, sizes=sizes, repeats=1 if quick else 4)
        for cost in costs:
            row(cost.server, cost.stored_runs, cost.plain_ms, cost.ours_ms, f"{cost.plain_ms / cost.ours_ms:.1f}x")
        print_goals(costs)


def print_goals(costs: Sequence[TurnCost]) -> None:
    first, last = costs[0], costs[-1]
    growth = last.ours_ms / first.ours_ms
    print(
        f"  {first.server}: from {first.stored_runs} to {last.stored_runs:,} runs the engine takes {growth:.2f} times as long "
        f"(goal: at most {FLAT_GOAL}, {'met' if growth <= FLAT_GOAL else 'MISSED'}), "
        f"plain Agno {last.plain_ms / first.plain_ms:.1f} times."
    )
    if first.server == "MariaDB":
        faster = last.plain_ms / last.ours_ms
        print(
            f"  MariaDB: at {last.stored_runs:,} runs the engine is {faster:.1f} times faster than plain Agno "
            f"(goal: at least {FASTER_GOAL:.0f}, {'met' if faster >= FASTER_GOAL else 'MISSED'})."
        )


def print_lists(servers: Sequence[Server], *, quick: bool) -> None:
    print(f"\nThe first page of sessions ({PAGE} of them) that hold so many runs each")
    head("database", "runs each", "get_sessions", "ours", "faster")
    for server in servers:
        sizes, sessions, repeats = ((1, 2), 3, 2) if quick else ((5, 50), PAGE, 3)
        costs: list[ListCost] = measure_lists(server, sessions=sessions, sizes=sizes, repeats=repeats)
        for cost in costs:
            row(cost.server, cost.runs_each, cost.plain_ms, cost.ours_ms, f"{cost.plain_ms / cost.ours_ms:.1f}x")


def print_sessions(servers: Sequence[Server], *, quick: bool, plans: bool) -> None:
    size = QUICK if quick else FULL
    print(
        f"\n{size.sessions:,} sessions of {size.users} users, some with {size.runs_of_long:,} runs of {size.run_bytes:,} "
        f"bytes: pages of one with {size.of_listing:,}, searches of one with {size.of_searching:,}\n"
        "(goal: what the queries take; against plain Agno, the whole call is to be 100 times faster)"
    )
    for server in servers:
        print_session_costs(measure_sessions(server, size=size, repeats=2 if quick else 31), plans=plans)
        print_sidebar_costs(measure_sidebar(server, repeats=2 if quick else 9))


def print_session_costs(costs: Sequence[CallCost], *, plans: bool) -> None:
    head("database", "ours, whole", "its queries", "plain Agno", "faster", "goal", "", "rows")
    for cost in costs:
        faster = f"{cost.plain_ms / cost.ours_ms:.0f}x" if cost.plain_ms else ""
        met = cost.database_ms <= cost.goal_ms and (cost.plain_ms is None or cost.plain_ms >= 100 * cost.ours_ms)
        row(cost.server, cost.ours_ms, cost.database_ms, cost.plain_ms or "", faster, f"{cost.goal_ms:.0f} ms",
            "met" if met else "MISSED", f"{cost.rows}", f"  {cost.call}")  # fmt: skip
    if plans:
        for cost in costs:
            print(f"\n  {cost.server}, {cost.call}:")
            for plan in cost.plans:
                print(f"    {plan}")


def print_sidebar_costs(costs: Sequence[SidebarCost]) -> None:
    print("\n  The sidebar of a page that is reloaded, in the browser; the goal is for the app's part of it")
    head("database", "whole reload", "the app", "goal", "", "user")
    for cost in costs:
        met = "met" if cost.app_ms <= SIDEBAR_WITHIN_MS else "MISSED"
        row(cost.server, cost.reload_ms, cost.app_ms, f"{SIDEBAR_WITHIN_MS:.0f} ms", met, cost.user_id)


def print_replay(servers: Sequence[Server], *, quick: bool) -> None:
    print("\nReading a session back: Agno's get_session and its messages, our replay, and the page in a browser")
    head("database", "runs", "tool calls", "plain Agno", "opened", "any run", "page opened", "page, run")
    for server in servers:
        costs = measure_replay(server, sizes=(2, 4) if quick else (10, 1000), repeats=1 if quick else 7)
        for cost in costs:
            row(
                *(cost.server, cost.runs, cost.tool_calls, cost.plain_ms, cost.open_ms, cost.run_ms),
                *(cost.page_ms, cost.page_run_ms),
            )
        print_replay_goals(costs[-1])


def print_replay_goals(cost: ReplayCost) -> None:
    for what, took, goal in (
        ("the page opens", cost.page_ms, OPENS_WITHIN_MS),
        ("the page shows another run", cost.page_run_ms, RUN_WITHIN_MS),
    ):
        met = "met" if took <= goal else "MISSED"
        print(f"  {cost.server}: with {cost.runs:,} runs {what} in {took:.0f} ms (goal: at most {goal:.0f}, {met}).")


def print_sweeps(servers: Sequence[Server], *, quick: bool) -> None:
    windows, distances, repeats = (2, 2, 1) if quick else (10, 10, 5)
    print(
        f"\nA sweep of {windows} windows x {distances} distances x {repeats} repeats (times in s), and the first page of "
        "sessions meanwhile (in ms)"
    )
    head("database", "probes", "runs", "took", "processor", "list", "worst list")
    costs = [measure_sweep(server, windows=windows, distances=distances, repeats=repeats) for server in servers]
    for cost in costs:
        row(
            *(cost.server, cost.probes, cost.runs, cost.seconds, cost.cpu_s),
            *(cost.list_ms, cost.worst_list_ms),
        )
    for cost in costs:
        print_sweep_goals(cost)


def print_sweep_goals(cost: SweepCost) -> None:
    met = "met" if cost.seconds <= SWEEP_WITHIN_S else "MISSED"
    print(
        f"  {cost.server}: {cost.probes} probes in {cost.seconds:.0f} s (goal: at most {SWEEP_WITHIN_S:.0f}, {met}), "
        f"{cost.alarms} alarms, {cost.failed} not measured."
    )


def print_latency(latencies: Sequence[Latency]) -> None:
    print("\nFrom the model's word to its watcher (plain Agno: in its own stream; engine: in another thread)")
    head("database", "", "plain Agno", "engine")
    for latency in latencies:
        row(latency.server, "p50", latency.plain_p50_ms, latency.ours_p50_ms)
        row(latency.server, "p95", latency.plain_p95_ms, latency.ours_p95_ms)


def head(*columns: str) -> None:
    print("  " + "".join(f"{column:>14}" for column in columns))


def row(*values: str | float) -> None:
    print("  " + "".join(f"{value:>14.2f}" if isinstance(value, float) else f"{value:>14}" for value in values))


if __name__ == "__main__":
    sys.exit(main())
