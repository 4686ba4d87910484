"""The recall lab on the command line.

    python -m lib.recall sweep --facts F --distances 0-10 --windows 1,3,10 --repeats 3 --json

F is a number of sample facts, a file with one fact a line, or facts apart by semicolons: "the secret word is bird".
Without --json a grid is printed; with it one row a cell: fact, distance (runs between planting and asking; 0 is the very
next question), window (num_history_runs), repeat, predicted_in_context, in_context, answered, tokens, run_ids, and more,
of which `subject` says whose memory it was: `leader`, or a member's id (--subjects leader,weather --member-history own).
`list`, `show ID`, `resume ID`, `compare ID ID` and `delete ID` work on stored experiments.

Exit status: 0, all is measured; 1, a run failed or an alarm was raised; 2, the arguments are wrong; 3, interrupted.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from lib.errors import InvalidInput, RoundtableError
from lib.recall.experiment import (
    LEADER,
    SAMPLE_FACTS,
    CellResult,
    CellState,
    Fact,
    MemberHistory,
    Plan,
    build_grid,
    csv_rows,
    estimate_tokens,
    read_fact,
    read_numbers,
    split_by_subject,
)
from lib.recall.lab import RecallLab, RunningExperiment
from lib.roundtable import open_roundtable
from lib.terminal import read_arguments, to_user_id

MOST_TROUBLES = 10
"""Troubles beyond these are only counted."""
MARKS = {CellState.ANSWERED: "#", CellState.MISSED: "o", CellState.NOT_IN_CONTEXT: "."}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = read_arguments(_build_parser(), arguments)
    try:
        roundtable = open_roundtable()
    except RoundtableError as error:
        print(error, file=sys.stderr)
        return 1
    lab = RecallLab(roundtable)
    user_id = options.user or roundtable.settings.local_user
    try:
        return int(options.command(lab, user_id, options))
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return 2
    except RoundtableError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("Interrupted. What was measured is kept; `resume` goes on.", file=sys.stderr)
        return 3
    finally:
        lab.close()
        roundtable.close()


def read_facts(text: str) -> tuple[Fact, ...]:
    """Return the facts of a number, a file or a list apart by semicolons. Raises InvalidInput."""
    if text.isdecimal():
        if not 1 <= int(text) <= len(SAMPLE_FACTS):
            raise InvalidInput(f"There are 1 to {len(SAMPLE_FACTS)} sample facts, not {text}.")
        return SAMPLE_FACTS[: int(text)]
    path = Path(text)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else text.split(";")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The file {path} cannot be read as text: {error}.") from None
    return tuple(read_fact(line) for line in lines if line.strip())


# -- commands ----------------------------------------------------------------------------------------------------------


def _sweep(lab: RecallLab, user_id: str, options: argparse.Namespace) -> int:
    plan = Plan(
        name=options.name or f"Sweep of windows {options.windows}",
        team=options.team,
        facts=read_facts(options.facts),
        distances=read_numbers(options.distances),
        windows=read_numbers(options.windows),
        repeats=options.repeats,
        source_session_id=options.session,
        model=options.model,
        subjects=tuple(dict.fromkeys(part.strip() for part in options.subjects.split(",") if part.strip())),
        member_history=MemberHistory(options.member_history),
        fillers_to_subject=options.fillers_to_subject,
        share_windows=not options.own_sessions,
    )
    if options.estimate:
        tokens = estimate_tokens(plan, lab.measure_cost(plan.team, user_id=user_id))
        print(f"{len(plan.cells)} cells in {plan.run_count} runs, about {tokens:,} tokens.")
        return 0
    return _follow(lab.start(plan, user_id=user_id), options)


def _resume(lab: RecallLab, user_id: str, options: argparse.Namespace) -> int:
    return _follow(lab.resume(options.experiment_id, user_id=user_id), options)


def _follow(running: RunningExperiment, options: argparse.Namespace) -> int:
    """Wait for an experiment, its progress on standard error, and print what it measured."""
    while not running.wait(1.0):
        if not options.quiet:
            progress = running.progress()
            left = "" if progress.left_s is None else f", about {progress.left_s:.0f} s left"
            print(f"{progress.done} of {progress.total} cells{left}", file=sys.stderr)
    results = running.results()
    _print_results(results, options)
    if running.note:
        print(f"Experiment {running.experiment_id} failed: {running.note}", file=sys.stderr)
    elif not options.quiet:
        print(f"Experiment {running.experiment_id}, {running.progress().elapsed_s:.1f} s.", file=sys.stderr)
    return _status(results, expected=len(running.plan.cells))


def _show(lab: RecallLab, user_id: str, options: argparse.Namespace) -> int:
    experiment = lab.get(options.experiment_id, user_id=user_id)
    results = lab.list_results(options.experiment_id, user_id=user_id)
    _print_results(results, options)
    return _status(results, expected=len(experiment.plan.cells))


def _list(lab: RecallLab, user_id: str, options: argparse.Namespace) -> int:
    for each in lab.list_experiments(user_id=user_id):
        total = len(each.plan.cells)
        print(
            f"{each.experiment_id}  {each.state:<10} {each.done}/{total}  {each.created_at:%Y-%m-%d %H:%M}  {each.plan.name}"
        )
    return 0


def _compare(lab: RecallLab, user_id: str, options: argparse.Namespace) -> int:
    differences = lab.compare(options.experiment_id, options.other_id, user_id=user_id)
    for each in differences:
        cell = each.cell
        print(
            f"{cell.fact}, window {cell.window}, distance {cell.distance}, repeat {cell.repeat}: {each.first} -> {each.second}"
        )
    print(f"{len(differences)} cells differ.")
    return 0


def _delete(lab: RecallLab, user_id: str, options: argparse.Namespace) -> int:
    lab.delete(options.experiment_id, user_id=user_id)
    return 0


# -- printing ----------------------------------------------------------------------------------------------------------


def _print_results(results: Sequence[CellResult], options: argparse.Namespace) -> None:
    if options.json:
        for result in results:
            print(json.dumps(result.to_row(), ensure_ascii=False))
    elif options.csv:
        csv.writer(sys.stdout).writerows(csv_rows(results))
    else:
        _print_grids(results)
    troubles = [f"ALARM: prediction and measurement differ in {each.cell}." for each in results if each.alarm]
    troubles += [f"Not measured: {each.cell}: {each.failed}" for each in results if each.failed]
    print(*troubles[:MOST_TROUBLES], sep="\n", end="\n" if troubles else "", file=sys.stderr)
    if len(troubles) > MOST_TROUBLES:
        print(f"... and {len(troubles) - MOST_TROUBLES} more.", file=sys.stderr)


def _print_grids(results: Iterable[CellResult]) -> None:
    groups = split_by_subject(results)
    for subject, group in groups.items():
        if len(groups) > 1 or subject != LEADER:
            print(f"{subject}:")
        _print_grid(group)
    print("# in context and answered   o in context, not answered   . not in context   | predicted cliff")


def _print_grid(results: Iterable[CellResult]) -> None:
    grid = {(point.window, point.distance): point for point in build_grid(results)}
    distances = sorted({distance for _, distance in grid})
    print("window  distance " + " ".join(f"{distance:>3}" for distance in distances))
    for window in sorted({window for window, _ in grid}):
        marks, behind = [], False
        for distance in distances:
            point = grid.get((window, distance))
            cliff = "|" if point is not None and point.forgotten and not behind else " "
            behind = point.forgotten if point is not None else behind
            marks.append(f"{cliff} {MARKS[point.state] if point else ' '}")
        print(f"{window:>6}           " + " ".join(marks))


def _status(results: Sequence[CellResult], *, expected: int) -> int:
    troubled = any(result.alarm or result.failed for result in results)
    return 1 if troubled or len(results) < expected else 0


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.recall", description="Measure what a team remembers.")
    parser.add_argument("--user", type=to_user_id, help="whose experiments (default: LOCAL_USER)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    printing = argparse.ArgumentParser(add_help=False)
    printing.add_argument("--json", action="store_true", help="one JSON row a cell")
    printing.add_argument("--csv", action="store_true", help="one CSV row a cell")
    printing.add_argument("--quiet", action="store_true", help="no progress")

    sweep = commands.add_parser("sweep", parents=[printing], help="plant, let pass, ask, for every combination")
    sweep.set_defaults(command=_sweep)
    sweep.add_argument("--facts", default="1", help="a number of sample facts, a file, or facts apart by semicolons")
    sweep.add_argument("--distances", default="0-10", help="runs between planting and asking, such as 0-10 or 0,2,5")
    sweep.add_argument("--windows", default="1,3,10", help="values of num_history_runs")
    sweep.add_argument("--repeats", type=int, default=1)
    sweep.add_argument("--team", default="market-desk")
    sweep.add_argument("--model", help="offline, or provider:model-id (default: CHAT_MODEL)")
    sweep.add_argument("--subjects", default=LEADER, help="whose memory: leader, members by their ids, or several")
    sweep.add_argument(
        "--member-history",
        default=MemberHistory.AS_BUILT.value,
        choices=[history.value for history in MemberHistory],
        help="what members are given: what the team is built with, nothing, their own runs, or the team's runs",
    )
    sweep.add_argument(
        "--fillers-to-subject", action="store_true", help="what passes in between is handed on to the member too"
    )
    sweep.add_argument("--session", help="measure on forks of this stored session")
    sweep.add_argument("--name", help="what to call the experiment")
    sweep.add_argument("--own-sessions", action="store_true", help="plant and fill anew for every window: more runs")
    sweep.add_argument("--estimate", action="store_true", help="only say how many runs and tokens it takes")

    for name, command, text in (
        ("resume", _resume, "go on with a stopped experiment"),
        ("show", _show, "print what was measured"),
        ("delete", _delete, "delete an experiment with its sessions"),
        ("compare", _compare, "print the cells that two experiments measured differently"),
    ):
        sub = commands.add_parser(name, parents=[printing], help=text)
        sub.set_defaults(command=command)
        sub.add_argument("experiment_id")
        if name == "compare":
            sub.add_argument("other_id")
    commands.add_parser("list", help="list stored experiments").set_defaults(command=_list)
    return parser


if __name__ == "__main__":
    sys.exit(main())
