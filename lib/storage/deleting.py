"""Deletion: what goes with a session or a run, and what is lost by it."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from lib.records import Loss
from lib.storage import heads, run_lists
from lib.storage.first_words import drop_words_of_the_deleted, is_named_after
from lib.storage.identity import exactly
from lib.storage.keys import to_key
from lib.storage.legacy_runs import read_legacy_rows, remove_legacy_runs
from lib.storage.media import read_own_media
from lib.storage.read_marks import forget_read_marks
from lib.storage.schema import database_now, deleted, run_queue, runs, sessions, to_deleted_key
from lib.storage.search_index import SearchIndex
from lib.storage.writing import is_deleted


def delete_session(connection: Connection, session_id: str, *, search: SearchIndex) -> tuple[str, ...]:
    """Delete a session whose row is locked; return the storage keys of the files that nobody uses any more."""
    heads.note_changed_runs(connection, [session_id])
    own_media = read_own_media(connection, session_keys=[to_key(session_id)])
    _remember(connection, "session", session_id)
    _ask_to_stop(connection, exactly(run_queue.c.session_id, session_id))
    search.forget_session(connection, session_id)
    heads.forget_sessions(connection, [session_id])
    forget_read_marks(connection, [session_id])
    connection.execute(delete(runs).where(exactly(runs.c.session_id, session_id)))
    connection.execute(delete(sessions).where(exactly(sessions.c.session_id, session_id)))
    return own_media


def delete_run(connection: Connection, row: Mapping[str, Any], *, search: SearchIndex) -> tuple[str, ...]:
    """Delete a run with the runs under it, its session's row being locked; return the keys of files nobody uses."""
    run_id, session_id = row["run_id"], row["session_id"]
    members = run_lists.read_members(connection, [row], bodies=False).get(run_id, ())
    gone = [run_id, *(member["run_id"] for member in members)]
    heads.note_changed_runs(connection, [session_id])
    own_media = read_own_media(connection, run_keys=[to_key(one) for one in gone])
    for one in gone:
        _remember(connection, "run", one)
        _ask_to_stop(connection, exactly(run_queue.c.run_id, one))
        search.forget_run(connection, one)
        connection.execute(delete(runs).where(exactly(runs.c.run_id, one)))
    remove_legacy_runs(connection, session_id, gone)
    heads.forget_runs(connection, gone)
    drop_words_of_the_deleted(connection, session_id)
    connection.execute(
        update(sessions).where(exactly(sessions.c.session_id, session_id)).values(updated_at=int(time.time()))
    )
    heads.refresh_heads(connection, [session_id])
    return own_media


def find_returned(connection: Connection, session_ids: Collection[str]) -> tuple[list[str], list[str]]:
    """Return which sessions that were deleted by hand are there again, and which ids are in use for new ones.

    A program that held a deleted session writes it back as it was, or when its run ends (agno-facts F9): the row keeps
    the time at which the session was made. One that was made after the deletion only has the same id.
    """
    if not session_ids:
        return [], []
    key_of_id = {to_deleted_key("session", session_id): session_id for session_id in session_ids}
    known = connection.execute(
        select(deleted.c.deleted_key, deleted.c.deleted_at).where(deleted.c.deleted_key.in_(list(key_of_id)))
    )
    deleted_at = {key_of_id[row.deleted_key]: row.deleted_at for row in known}
    if not deleted_at:
        return [], []
    there = connection.execute(
        select(sessions.c.session_id, sessions.c.created_at).where(sessions.c.session_id.in_(list(deleted_at)))
    )
    made_at = {row.session_id: row.created_at for row in there if row.session_id in deleted_at}
    is_old = {one: at is not None and at <= deleted_at[one] for one, at in made_at.items()}
    return [one for one, old in is_old.items() if old], [one for one, old in is_old.items() if not old]


def forget_deletion(connection: Connection, session_id: str) -> None:
    """Let an id be used again that another program has given to a new session."""
    connection.execute(delete(deleted).where(deleted.c.deleted_key == to_deleted_key("session", session_id)))


def read_loss(connection: Connection, session_ids: Sequence[str]) -> tuple[Loss, tuple[str, ...]]:
    """Return what the sessions' rows amount to, and the storage keys of the files that only they use."""
    heads.note_changed_runs(connection, session_ids)
    is_member = runs.c.parent_run_id.is_not(None)
    counted = connection.execute(
        select(is_member, func.count()).where(runs.c.session_id.in_(session_ids)).group_by(is_member)
    ).all()
    by_kind = {bool(row[0]): int(row[1]) for row in counted}
    for older in read_legacy_rows(connection, session_ids).values():
        for row in older:
            kind = row["parent_run_id"] is not None
            by_kind[kind] = by_kind.get(kind, 0) + 1
    loss = Loss(sessions=len(session_ids), runs=by_kind.get(False, 0), member_runs=by_kind.get(True, 0))
    return loss, read_own_media(connection, session_keys=[to_key(session_id) for session_id in session_ids])


def read_run_loss(connection: Connection, row: Mapping[str, Any]) -> tuple[Loss, tuple[str, ...]]:
    """Return what a run with its member runs amounts to, and the keys of the files that only they use."""
    heads.note_changed_runs(connection, [row["session_id"]])
    members = run_lists.read_members(connection, [row], bodies=False).get(row["run_id"], ())
    keys = [to_key(one["run_id"]) for one in (row, *members)]
    named_after = is_named_after(connection, row["session_id"], [row["run_id"]])
    return Loss(runs=1, member_runs=len(members), title=named_after), read_own_media(connection, run_keys=keys)


def with_others(loss: Loss, *, images: int, live_runs: int, kept_writes: int) -> Loss:
    """Return a loss with what is not in the rows."""
    return replace(loss, images=images, live_runs=live_runs, kept_writes=kept_writes)


def _remember(connection: Connection, kind: str, value: str) -> None:
    if not is_deleted(connection, kind, value):
        key = to_deleted_key(kind, value)
        connection.execute(insert(deleted).values(deleted_key=key, deleted_at=int(time.time())))


def _ask_to_stop(connection: Connection, condition: Any) -> None:
    connection.execute(update(run_queue).where(condition).values(stop_requested_at=database_now()))
