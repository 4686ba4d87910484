"""A session forked: copied up to a run under new ids, to go on apart; and who was forked from whom."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, String, Table, insert, or_, select

from lib.errors import InvalidInput, RunNotFound, SessionNotFound
from lib.records import MAX_ID_LENGTH, ForkRecord
from lib.storage.first_words import FORK_MARK, made_title
from lib.storage.forking import Renaming, build_renaming, select_runs, to_forked_row, to_forked_state
from lib.storage.heads import note_runs, refresh_heads
from lib.storage.identity import exactly
from lib.storage.keys import to_key
from lib.storage.legacy_runs import in_stored_order, read_legacy_rows
from lib.storage.listing import find_session, read_details, to_session_summary
from lib.storage.media import MediaFolder
from lib.storage.schema import ON_MYSQL, runs, sessions
from lib.storage.writing import OUR_KEY, lock_session

MARK = " (fork)"

_TABLES = MetaData()
forks = Table(
    "roundtable_forks",
    _TABLES,
    Column("session_key", String(64), primary_key=True),
    Column("session_id", String(MAX_ID_LENGTH), nullable=False),
    Column("source_key", String(64), nullable=False),
    Column("source_session_id", String(MAX_ID_LENGTH), nullable=False),
    Column("source_run_id", String(MAX_ID_LENGTH)),
    Column("forked_at", BigInteger, nullable=False),
    Index("roundtable_forks_source", "source_key"),
    **ON_MYSQL,
)
# What Agno keeps of a session that tells of more than its runs: it would be wrong in a part of them.
_LEFT_BEHIND = ("session_metrics",)


def create_fork_table(connection: Connection) -> None:
    """Make the table of forks where it is missing. Runs under the set-up lock."""
    _TABLES.create_all(connection, checkfirst=True)


def fork(
    connection: Connection,
    session_id: str,
    *,
    user_id: str,
    upto_run_id: str | None,
    live_run_ids: Collection[str],
    media: MediaFolder,
    max_title_length: int,
) -> str:
    """Copy a session up to and with a run (None: all of it) in the user's own name; return the new session's id.

    Raises:
        SessionNotFound, RunNotFound: there is no such session of the user, or no such top-level run in it.
        InvalidInput: the run still goes on, or nothing has ended yet.
    """
    source = lock_session(connection, session_id)
    if source is None or source["user_id"] != user_id:
        raise SessionNotFound(session_id)
    if upto_run_id in live_run_ids:
        raise InvalidInput("This run still goes on. Fork the session when it has ended, or from an earlier run.")
    rows = _read_rows(connection, session_id)
    chosen = _without_live(_select(rows, upto_run_id), live_run_ids)
    if rows and not chosen:
        raise InvalidInput("Nothing in this session has ended yet. Fork it when its first answer is there.")
    new_session_id = str(uuid.uuid4())
    renaming = build_renaming(chosen, session_id=session_id, new_session_id=new_session_id)
    copied = media.copy(renaming.media)
    try:
        here = {key: new for key, new in renaming.media.items() if new in copied}
        complete = len(chosen) == len(rows)
        values = _to_session(connection, source, chosen, renaming, complete, max_title_length)
        connection.execute(insert(sessions).values(**values))
        _insert_runs(connection, chosen, replace(renaming, media=here))
        connection.execute(
            insert(forks).values(
                session_key=to_key(new_session_id),
                session_id=new_session_id,
                source_key=to_key(session_id),
                source_session_id=session_id,
                source_run_id=upto_run_id,
                forked_at=int(time.time()),
            )
        )
        refresh_heads(connection, [new_session_id])
    except BaseException:
        media.remove(copied)
        raise
    return new_session_id


def _select(rows: Sequence[Mapping[str, Any]], upto_run_id: str | None) -> list[Mapping[str, Any]]:
    try:
        return select_runs(rows, upto_run_id=upto_run_id)
    except KeyError:
        raise RunNotFound(upto_run_id or "") from None


def _without_live(rows: Sequence[Mapping[str, Any]], live_run_ids: Collection[str]) -> list[Mapping[str, Any]]:
    """Return the rows without runs that wait or go on, and what is under these."""
    gone = set(live_run_ids)
    grown = True
    while grown:
        children = {row["run_id"] for row in rows if row["parent_run_id"] in gone} - gone
        gone |= children
        grown = bool(children)
    return [row for row in rows if row["run_id"] not in gone]


def _read_rows(connection: Connection, session_id: str) -> list[Mapping[str, Any]]:
    order = (runs.c.run_index, runs.c.created_at, runs.c.run_id)
    statement = select(runs).where(exactly(runs.c.session_id, session_id)).order_by(*order)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    older = read_legacy_rows(connection, [session_id]).get(session_id)
    return in_stored_order([*older, *rows]) if older else list(rows)


def _insert_runs(connection: Connection, chosen: Sequence[Mapping[str, Any]], renaming: Renaming) -> None:
    now = int(time.time())
    for row in chosen:  # one by one: together they may be more than the server takes at once
        # `updated_at` is new, so that whoever follows the table sees the row.
        connection.execute(insert(runs).values(**{**to_forked_row(row, renaming), "updated_at": now}))
    new_ids = [renaming.runs[str(row["run_id"])] for row in chosen]
    for start in range(0, len(new_ids), 100):
        note_runs(connection, new_ids[start : start + 100])


def _to_session(
    connection: Connection,
    source: Mapping[str, Any],
    chosen: Sequence[Mapping[str, Any]],
    renaming: Renaming,
    complete: bool,
    max_title_length: int,
) -> dict[str, Any]:
    """Return the fork's session row: as the source was after its last copied run."""
    data = dict(source["session_data"]) if isinstance(source["session_data"], Mapping) else {}
    ours = dict(data[OUR_KEY]) if isinstance(data.get(OUR_KEY), Mapping) else {}
    for name in _LEFT_BEHIND:
        data.pop(name, None)
    if not complete:
        _set_state(data, chosen)
    if "session_state" in data:
        data["session_state"] = to_forked_state(data["session_state"], renaming)
    row = find_session(connection, session_id=source["session_id"], user_id=None)
    name = to_session_summary(row, read_details(connection, [row], counted=True)).name if row else "New session"
    title = name.removesuffix(FORK_MARK)[: max_title_length - len(FORK_MARK)]
    is_made = made_title(data, ours) is not None
    data["session_name"] = f"{title}{FORK_MARK}"
    data["forked_from_session_id"] = source["session_id"]  # Agno's own word for it
    data[OUR_KEY] = {name: value for name, value in ours.items() if name in ("first_question", "collection", "tags")}
    data[OUR_KEY]["title_by"] = "hand"
    if is_made:
        data[OUR_KEY]["made_title"] = title
    now = int(time.time())
    return {
        **source,
        "session_id": renaming.new_session_id,
        "session_data": data,
        "summary": source["summary"] if complete else None,
        "created_at": now,
        "updated_at": now,
    }


def _set_state(data: dict[str, Any], chosen: Sequence[Mapping[str, Any]]) -> None:
    """Set the session's state back to what it was after its last copied run, where that was stored."""
    tops = [row for row in chosen if row["parent_run_id"] is None and isinstance(row["run_data"], Mapping)]
    states = [
        row["run_data"]["session_state"] for row in tops if isinstance(row["run_data"].get("session_state"), Mapping)
    ]
    if states:
        data["session_state"] = states[-1]


def read_forks(connection: Connection, session_id: str) -> list[ForkRecord]:
    """Return the forks that were taken from a session, and its own origin; the oldest first."""
    key = to_key(session_id)
    statement = (
        select(forks).where(or_(forks.c.source_key == key, forks.c.session_key == key)).order_by(forks.c.forked_at)
    )
    return [
        ForkRecord(
            source_session_id=row["source_session_id"],
            source_run_id=row["source_run_id"],
            session_id=row["session_id"],
            forked_at=datetime.fromtimestamp(row["forked_at"], UTC),
        )
        for row in connection.execute(statement).mappings()
    ]
