"""Print a stored session: python -m lib.replay SESSION_ID [--user USER_ID] [--run RUN_ID] [--view VIEW] [--json].

Reads the database that DATABASE_URL names, and writes nothing to it. Without --user the session of any user is read: who
holds the address of the database can read all of it anyway.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lib.errors import RoundtableError
from lib.records import RunRecord
from lib.replay import export, text
from lib.replay.delegations import write_sequence_diagram
from lib.settings import load_settings
from lib.storage.reading.loose import dump_json, parse_json
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import open_stored_sessions

VIEWS = ("steps", "timeline", "delegations", "context", "findings", "raw")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the view that is asked for; return 1 where the session cannot be read."""
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        sessions = open_stored_sessions(settings)
        try:
            session = sessions.get_session(given.session_id, user_id=given.user)
        finally:
            sessions.close()
        replay = Replay(session, assumed_window=settings.num_history_runs if given.window is None else given.window)
        runs = (replay.get_run(given.run),) if given.run else replay.runs
    except RoundtableError as error:
        print(text.escape_controls(str(error)), file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(_to_json(replay, runs, given.view), indent=2, default=str))
        return 0
    try:
        for line in _to_lines(replay, runs, given.view):
            print(line)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.replay",
        description="Read a stored session back: what happened, and what each model was shown.",
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


def _to_json(replay: Replay, runs: Iterable[RunRecord], view: str) -> Any:
    match view:
        case "steps":
            return [step for run in runs for step in export.export_steps(replay.steps(run))]
        case "timeline":
            return [export.export_timeline(run, replay.timeline(run)) for run in runs]
        case "delegations":
            return [item for run in runs for item in export.export_delegations(replay.delegations(run))]
        case "context":
            return [item for run in runs for item in export.export_requests(replay.requests(run))]
        case "findings":
            wanted = {part.run_id for run in runs for part in run.walk()}
            found = [item for item in replay.findings() if item.run_id is None or item.run_id in wanted]
            return export.export_findings(found)
        case _:
            wanted = {part.run_id for run in runs for part in run.walk()}
            rows = [row for row in replay.session.run_rows if row.get("run_id") in wanted]
            return {"session": _parsed(replay.session.row), "runs": [_parsed(row) for row in rows]}


def _parsed(row: Any) -> dict[str, Any]:
    """Return a row with its JSON columns parsed; what is no JSON stays as it is stored."""
    return {name: value if _is_plain(value) else parse_json(value)[0] for name, value in row.items()}


def _is_plain(value: Any) -> bool:
    if not isinstance(value, str) or value[:1] not in ("{", "[", '"'):
        return not isinstance(value, bytes)
    return parse_json(value)[1] is not None


def _to_lines(replay: Replay, runs: Sequence[RunRecord], view: str) -> Iterator[str]:
    yield from text.write_head(replay.session.summary, runs)
    if view == "findings":
        wanted = {part.run_id for run in runs for part in run.walk()}
        found = [item for item in replay.findings() if item.run_id is None or item.run_id in wanted]
        yield from text.write_findings(found)
        return
    if view == "raw":
        yield text.escape_controls(dump_json(_to_json(replay, runs, view), indent=2))
        return
    for run in runs:
        yield from text.write_run_head(run)
        match view:
            case "timeline":
                yield from text.write_timeline(replay.timeline(run))
            case "delegations":
                yield from text.write_delegations(replay.delegations(run), write_sequence_diagram(run))
            case "context":
                yield from text.write_requests(replay.requests(run))
            case _:
                yield from text.write_steps(replay.steps(run))


if __name__ == "__main__":
    sys.exit(main())
