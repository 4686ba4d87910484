"""Print a stored session: python -m lib.replay SESSION_ID [--user USER_ID] [--run RUN_ID] [--view VIEW] [--json].

Reads the database that DATABASE_URL names, and writes nothing to it. Without --user the session of any user is read: who
holds the address of the database can read all of it anyway.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lib.errors import NotFound, RoundtableError
from lib.records import Reader, RunRecord
from lib.replay import export, text
from lib.replay.findings import Finding
from lib.replay.sequence import write_sequence_diagram
from lib.settings import Settings, load_settings
from lib.storage.connector import Connector
from lib.storage.json_text import to_json
from lib.storage.reading.loose import dump_json, parse_json
from lib.storage.replaying import Replay
from lib.storage.run_findings import find_for_run, find_for_session
from lib.storage.session_overview import SessionOverview, SessionOverviews
from lib.storage.stored_sessions import open_for_reading
from lib.terminal import escape_controls, print_any_character

VIEWS = ("steps", "timeline", "delegations", "context", "findings", "raw")

AT_ONCE = 20
"""Runs whose bodies are held at a time."""

LATER = 1000
"""Messages said later that are listed with each request of a whole session: all of them would be every message again."""

_NOTES = f"""\
Each run is read when it is printed: a view of one run (--run) costs the same in a long session as in a short one, and a
whole session is printed run by run. Two views look further. context names every other message of the session, so it reads
the whole session; of the messages that were said later than a request, a whole session lists the first {LATER:,} with each
request (with --json: "later_left_out" says how many more there are), --run lists all. findings of a whole session read all
of it; with --run they are those of that run, for which the columns of the session and the runs near it are read.

Exit status: 0 printed; 1 it cannot be read, for the reason in one line; 2 wrong arguments.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the view that is asked for; return 1 where the session cannot be read."""
    print_any_character()
    given = _parser().parse_args(arguments)  # whatever they hold: of what names nothing, nothing is found
    try:
        settings = load_settings()
        connector = open_for_reading(settings)
        try:
            printed = _open(given, settings, connector)
            for line in _write_json(printed.to_json()) if given.json else printed.to_lines():
                print(line)
        finally:
            connector.close()
    except RoundtableError as error:
        told = error.to_anybody() if isinstance(error, NotFound) and given.user is None else str(error)
        print(escape_controls(" ".join(told.split())), file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.replay",
        description="Read a stored session back: what happened, and what each model was shown.",
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("session_id", help="the session to read")
    parser.add_argument("--user", metavar="USER_ID", help="whose session it must be; without it, anybody's")
    parser.add_argument("--run", metavar="RUN_ID", help="only this run (a member's run too), with the runs under it")
    parser.add_argument("--view", choices=VIEWS, default="steps", help="what to show (steps)")
    parser.add_argument("--json", action="store_true", help="as JSON, for other programs")
    parser.add_argument(
        "--window",
        type=int,
        metavar="RUNS",
        help="the history window to assume where the messages of the history were not stored (NUM_HISTORY_RUNS)",
    )
    return parser


def _open(given: argparse.Namespace, settings: Settings, connector: Connector) -> _Printed:
    overviews = SessionOverviews(connector)
    reader = Reader(user_id="", admin=True) if given.user is None else Reader(user_id=given.user)
    overview = overviews.get_overview(given.session_id, user_id=reader)
    if given.run is not None:
        overview.place_of(given.run)  # raises RunNotFound before anything is printed
    window = settings.num_history_runs if given.window is None else given.window
    return _Printed(connector, overviews, overview, given.run, given.view, window)


@dataclass(frozen=True, slots=True)
class _Printed:
    """What is asked for: one view of a session or of one run of it, as JSON or as lines."""

    connector: Connector
    overviews: SessionOverviews
    overview: SessionOverview
    run_id: str | None
    view: str
    window: int

    def to_json(self) -> dict[str, Any] | Iterator[Any]:
        """Return the values of the view, made one by one; of raw rows, the session beside its runs."""
        match self.view:
            case "steps":
                return (step for replay, run in self._runs() for step in export.export_steps(replay.steps(run)))
            case "timeline":
                return (export.export_timeline(run, replay.timeline(run)) for replay, run in self._runs())
            case "delegations":
                return (
                    item for replay, run in self._runs() for item in export.export_delegations(replay.delegations(run))
                )
            case "context":
                later = LATER if self.run_id is None else None
                return (
                    item
                    for replay, run in self._runs()
                    for item in export.export_requests(replay.requests(run), later=later)
                )
            case "findings":
                return iter(export.export_findings(self._findings()))
            case _:
                return {"session": _parsed(self.overview.session.row), "runs": self._rows()}

    def to_lines(self) -> Iterator[str]:
        """Yield the view for a terminal."""
        yield from text.write_head(self.overview.summary, self.overview.session.notes)
        match self.view:
            case "findings":
                yield from text.write_findings(self._findings())
                for _, run in self._runs():  # what could not be read was not searched
                    yield from text.write_notes(run)
            case "raw":
                raw = {"session": _parsed(self.overview.session.row), "runs": list(self._rows())}
                yield escape_controls(dump_json(raw, indent=2))
            case _:
                for replay, run in self._runs():
                    yield from text.write_run_head(run)
                    yield from self._lines_of(replay, run)

    def _lines_of(self, replay: Replay, run: RunRecord) -> Iterator[str]:
        match self.view:
            case "timeline":
                return text.write_timeline(replay.timeline(run))
            case "delegations":
                diagram = write_sequence_diagram(run, replay.events(run.run_id))
                return text.write_delegations(replay.delegations(run), diagram, runs_under=len(run.member_runs))
            case "context":
                return text.write_requests(replay.requests(run))
            case _:
                return text.write_steps(replay.steps(run))

    def _replays(self) -> Iterator[Replay]:
        """Yield the session with the bodies of some runs at a time; for the context with all, which it names."""
        ids: list[list[str]] | list[None]
        if self.view == "context" or self.overview.older_format:
            ids = [None]
        elif self.run_id is not None:
            ids = [[self.overview.tops[self.run_id]]]
        else:
            heads = [head.run_id for head in self.overview.heads]
            ids = [heads[start : start + AT_ONCE] for start in range(0, len(heads), AT_ONCE)]
        for some in ids:
            yield Replay(self.overviews.get_runs(self.overview, some), assumed_window=self.window)

    def _runs(self) -> Iterator[tuple[Replay, RunRecord]]:
        for replay in self._replays():
            for run in replay.runs if self.run_id is None else (replay.get_run(self.run_id),):
                yield replay, run

    def _rows(self) -> Iterator[dict[str, Any]]:
        for replay in self._replays():
            runs = replay.runs if self.run_id is None else (replay.get_run(self.run_id),)
            wanted = {part.run_id for run in runs for part in run.walk()}
            yield from (_parsed(row) for row in replay.session.run_rows if row.get("run_id") in wanted)

    def _findings(self) -> tuple[Finding, ...]:
        if self.run_id is not None:
            return find_for_run(self.connector, self.overviews, self.overview, self.run_id, assumed_window=self.window)
        return find_for_session(self.connector, self.overviews, self.overview)


def _write_json(value: dict[str, Any] | Iterable[Any]) -> Iterator[str]:
    """Yield JSON text as its values are made, so that a long session is never held as a whole."""
    if isinstance(value, dict):
        for place, (name, part) in enumerate(value.items()):
            yield f"{',' if place else '{'} {json.dumps(name)}:"
            yield from _write_json(part) if isinstance(part, Iterator) else (_dump(part),)
        yield "}"
        return
    before = "["
    for item in value:
        yield before + _dump(item)
        before = ","
    yield "[]" if before == "[" else "]"


def _dump(value: Any) -> str:
    try:
        return json.dumps(value, indent=2, default=str, allow_nan=False)
    except ValueError:  # NaN and the like, for which JSON has no word
        return json.dumps(json.loads(to_json(value)), indent=2)


def _parsed(row: Any) -> dict[str, Any]:
    """Return a row with its JSON columns parsed; what is no JSON stays as it is stored."""
    return {name: value if _is_plain(value) else parse_json(value)[0] for name, value in row.items()}


def _is_plain(value: Any) -> bool:
    if not isinstance(value, str) or value[:1] not in ("{", "[", '"'):
        return not isinstance(value, bytes)
    return parse_json(value)[1] is not None


if __name__ == "__main__":
    sys.exit(main())
