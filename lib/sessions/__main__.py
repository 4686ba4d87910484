"""Sessions on the command line, for operators and scripts: the same store as the pages use.

    python -m lib.sessions list [--text WORDS] [--team ID] [--collection NAME] [--tag TAG] [--state STATE] [--cursor C]
                                 [--sort used|created|title|runs|tokens|duration|failed] [--reverse]
    python -m lib.sessions show SESSION_ID
    python -m lib.sessions rename SESSION_ID TITLE
    python -m lib.sessions tag SESSION_ID [TAG ...] [--remove TAG]
    python -m lib.sessions fork SESSION_ID [--run RUN_ID]
    python -m lib.sessions delete SESSION_ID ... [--yes]
    python -m lib.sessions search WORDS [--team ID] [--collection NAME] [--tag TAG] [--state STATE] [--cursor C]

Works on the sessions of --user, else of LOCAL_USER. An admin (ADMIN_USERS) lists, shows and searches with --everybody.
Exit status: 0, done; 1, not found, not allowed or the database is away; 2, the arguments are wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from lib.errors import InvalidInput, NotAllowed, RoundtableError
from lib.records import (
    Page,
    Reader,
    SearchHit,
    SessionFilter,
    SessionKind,
    SessionOrder,
    SessionSort,
    SessionState,
    SessionSummary,
)
from lib.settings import load_settings
from lib.storage import Database, open_database
from lib.terminal import escape_controls, read_arguments, to_user_id

CATCH_UP_S = 20.0
"""How long a list or search waits for what other programs wrote to be taken in."""
ROW = (
    *("session_id", "title", "first_question", "collection", "tags", "kind", "component_id", "user_id", "runs"),
    *("last_status", "created_at", "updated_at", "tokens", "duration_s", "failed_runs", "forked_from_session_id"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = read_arguments(_build_parser(), arguments)
    try:
        settings = load_settings()
        user_id = options.user or settings.local_user
        if options.everybody and user_id not in settings.admin_users:
            raise NotAllowed(f"{user_id!r} is not one of ADMIN_USERS, who may read everybody's sessions.")
        reader = Reader(user_id=user_id, admin=options.everybody)
        database = open_database(settings)
        try:
            return int(options.command(database, reader, options))
        finally:
            database.close()
    except InvalidInput as error:
        print(escape_controls(str(error)), file=sys.stderr)
        return 2
    except RoundtableError as error:
        print(escape_controls(str(error)), file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


# -- commands ----------------------------------------------------------------------------------------------------------


def list_sessions(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Print a page of sessions."""
    where = _to_filter(options, text=options.text)
    by = SessionSort(options.sort)
    order = SessionOrder(by=by, descending=(by is not SessionSort.TITLE) is not options.reverse)
    _catch_up(database)
    page = database.sessions.list_sessions(
        user_id=reader, limit=options.limit, cursor=options.cursor, where=where, order=order
    )
    if options.json:
        _print_json({"sessions": [to_row(summary) for summary in page.items], "next_cursor": page.next_cursor})
        return 0
    for summary in page.items:
        print(_to_line(summary))
    if not page.items:
        print("No sessions.")
    if page.next_cursor:
        print(f"More: --cursor {page.next_cursor}")
    return 0


def show_session(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Print one session with its newest runs."""
    store = database.sessions
    summary = store.get_session(options.session_id, user_id=reader)
    runs = store.list_runs(options.session_id, user_id=reader, limit=options.limit)
    forks = store.list_forks(options.session_id, user_id=reader)
    if options.json:
        told = [
            {"run_id": run.run_id, "status": run.status, "question": run.question, "answer": run.answer,
             "started_at": run.started_at, "duration_s": run.duration_s, "tokens": run.total_tokens.total}
            for run in runs.items
        ]  # fmt: skip
        _print_json({**to_row(summary), "forks": [dataclasses.asdict(fork) for fork in forks], "recent_runs": told})
        return 0
    for name, value in to_row(summary).items():
        if value not in (None, [], ""):
            print(f"{name:<24}{escape_controls(', '.join(value) if isinstance(value, list) else str(_to_json(value)))}")
    for fork in forks:
        print(f"{'fork':<24}{escape_controls(fork.source_session_id)} -> {escape_controls(fork.session_id)}")
    for run in runs.items:
        print(f"\n{run.run_id}  {run.status}\n  > {escape_controls(_one_line(run.question, 200))}")
        print(f"  {escape_controls(_one_line(run.answer or run.error or '', 400))}")
    return 0


def rename_session(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Give a session a title."""
    database.sessions.rename_session(options.session_id, options.title, user_id=reader.user_id)
    return _print_changed(database, reader, options)


def tag_session(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Add tags to a session, take some away, or put it into a collection."""
    database.sessions.change_tags(
        [options.session_id],
        user_id=reader.user_id,
        add=options.tags,
        remove=options.remove,
        collection=options.collection,
    )
    return _print_changed(database, reader, options)


def fork_session(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Copy a session up to a run."""
    fork = database.sessions.fork_session(options.session_id, user_id=reader.user_id, upto_run_id=options.run)
    if options.json:
        _print_json(to_row(fork))
    else:
        print(_to_line(fork))
    return 0


def delete_sessions(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Delete sessions, or one run, after saying what is lost."""
    store, user_id = database.sessions, reader.user_id
    if options.run:
        if (
            len(options.session_id) != 1
            or store.get_run(options.run, user_id=user_id).session_id != options.session_id[0]
        ):
            raise InvalidInput(f"The run {options.run!r} is not in the one session that is named with it.")
        loss = store.describe_run_loss(options.run, user_id=user_id)
    else:
        loss = store.describe_loss(options.session_id, user_id=user_id)
    told = {name: number for name, number in dataclasses.asdict(loss).items() if number}
    parts = [f"{number} {name.replace('_', ' ')}" for name, number in told.items() if name != "title"]
    words = ", ".join([*parts, *(["the title made from its question"] if loss.title else ())]) or "nothing"
    if not options.yes and sys.stdin.isatty():
        print(f"This deletes {words}, for good. Type yes to go on: ", end="", flush=True)
        if sys.stdin.readline().strip().casefold() != "yes":
            print("Nothing was deleted.")
            return 1
    if options.run:
        store.delete_run(options.run, user_id=user_id)
    else:
        store.delete_sessions(options.session_id, user_id=user_id)
    if options.json:
        _print_json({"deleted": told})
    else:
        print(f"Deleted: {words}.")
    return 0


def search(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    """Print the questions and answers that hold some words."""
    _catch_up(database)
    page = database.search.search(
        options.words, user_id=reader, where=_to_filter(options), limit=options.limit, cursor=options.cursor
    )
    if options.json:
        hits = [dataclasses.asdict(hit) for hit in page.items]
        _print_json({"hits": hits, "next_cursor": page.next_cursor})
        return 0
    _print_hits(page)
    return 0


def _to_filter(options: argparse.Namespace, *, text: str = "") -> SessionFilter:
    return SessionFilter(
        text=text,
        component_id=options.team,
        kind=SessionKind(options.kind) if options.kind else None,
        collection=options.collection,
        tag=options.tag,
        state=SessionState(options.state) if options.state else None,
        hidden=options.hidden,
    )


def _print_hits(page: Page[SearchHit]) -> None:
    for hit in page.items:
        print(f"{hit.session_id}  run {hit.run_id}  {hit.found_in} of {_to_json(hit.asked_at)}")
        print(f"  {escape_controls(_one_line(f'{hit.before}[{hit.hit}]{hit.after}', 300))}")
    if not page.items:
        print("Nothing found.")
    if page.next_cursor:
        print(f"More: --cursor {page.next_cursor}")


def _print_changed(database: Database, reader: Reader, options: argparse.Namespace) -> int:
    summary = database.sessions.get_session(options.session_id, user_id=reader)
    if options.json:
        _print_json(to_row(summary))
    else:
        print(_to_line(summary))
    return 0


# -- words -------------------------------------------------------------------------------------------------------------


def to_row(summary: SessionSummary) -> dict[str, Any]:
    """Return what a list tells of a session."""
    row = {name: getattr(summary, name) for name in ROW}
    row["tags"] = list(summary.tags)
    return row


def _to_line(summary: SessionSummary) -> str:
    marks = [f"[{summary.collection}]"] if summary.collection else []
    marks += [f"#{tag}" for tag in summary.tags]
    status = summary.last_status.value if summary.last_status else "empty"
    told = f"{summary.kind} {summary.component_id}  {summary.runs} runs  {status}"
    line = "  ".join((summary.session_id, summary.updated_at.strftime("%Y-%m-%d %H:%M"), told, summary.name, *marks))
    return escape_controls(_one_line(line, 300))


def _one_line(text: str, length: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= length else f"{words[: length - 1]}…"


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=_to_json))


def _to_json(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case _:
            return str(value)


def _catch_up(database: Database) -> None:
    """Take in what other programs wrote; for so long that a first look at a large database ends some time."""
    deadline = time.monotonic() + CATCH_UP_S
    while database.follow() and time.monotonic() < deadline:
        pass


# -- arguments ---------------------------------------------------------------------------------------------------------


def _build_parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--user", metavar="USER_ID", type=to_user_id, help="whose sessions (LOCAL_USER)")
    common.add_argument("--json", action="store_true", help="as JSON, for other programs")
    common.set_defaults(everybody=False)
    reading = argparse.ArgumentParser(add_help=False, parents=[common])
    reading.add_argument("--everybody", action="store_true", help="for admins: everybody's sessions")
    reading.add_argument("--limit", type=int, default=50, metavar="ROWS", help="rows of a page (50)")
    narrowing = argparse.ArgumentParser(add_help=False, parents=[reading])
    narrowing.add_argument("--team", metavar="ID", help="the team, member or workflow it is held with")
    narrowing.add_argument("--kind", choices=[kind.value for kind in SessionKind])
    narrowing.add_argument("--collection", metavar="NAME")
    narrowing.add_argument("--tag", metavar="TAG")
    narrowing.add_argument("--state", choices=[state.value for state in SessionState], help="how its last run stands")
    narrowing.add_argument("--hidden", action="store_true", help="also the recall lab's sessions")
    parser = argparse.ArgumentParser(
        prog="python -m lib.sessions",
        description="Find, name, tag, fork and delete sessions.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Any, parent: argparse.ArgumentParser, *, session: bool = True) -> Any:
        added = commands.add_parser(name, parents=[parent], help=(command.__doc__ or "").split("\n")[0].rstrip("."))
        added.set_defaults(command=command)
        if session:
            added.add_argument("session_id", metavar="SESSION_ID")
        return added

    listing = add("list", list_sessions, narrowing, session=False)
    listing.add_argument("--text", default="", help="words in the title, the first question or a tag")
    listing.add_argument(
        "--sort",
        choices=[sort.value for sort in SessionSort],
        default=SessionSort.USED.value,
        help="titles from A to Z, all else the latest or the most first (used)",
    )
    listing.add_argument("--reverse", action="store_true", help="the other way round")
    listing.add_argument("--cursor", help="the page after one that ended with this cursor")
    add("show", show_session, reading)
    add("rename", rename_session, common).add_argument("title", metavar="TITLE")
    tagging = add("tag", tag_session, common)
    tagging.add_argument("tags", nargs="*", metavar="TAG", help="tags to add")
    tagging.add_argument("--remove", action="append", default=[], metavar="TAG")
    tagging.add_argument("--collection", metavar="NAME", help="put it into this collection; empty: into none")
    add("fork", fork_session, common).add_argument("--run", metavar="RUN_ID", help="up to and with this run (all)")
    deleting = add("delete", delete_sessions, common, session=False)
    deleting.add_argument("session_id", nargs="+", metavar="SESSION_ID")
    deleting.add_argument("--run", metavar="RUN_ID", help="only this run of the session, with its member runs")
    deleting.add_argument("--yes", action="store_true", help="do not ask; a script is never asked")
    searching = add("search", search, narrowing, session=False)
    searching.add_argument("words", metavar="WORDS", help='what questions or answers hold; "in quotes": together')
    searching.add_argument("--cursor", help="the page after one that ended with this cursor")
    return parser


if __name__ == "__main__":
    sys.exit(main())
