"""Which sessions hold an answer their user has not read: one small mark for a user and session, the last run that was read.

A run that began after the marked one and has ended is unread, whatever else was written to the session since: a new
title or a deleted run makes nothing unread. What began before the user's first visit counts as read, so that the
sessions which other programs wrote until then do not all shout at once; what they write later is told of.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from lib.records import SessionSummary
from lib.storage.connector import Connector
from lib.storage.identity import check_user, exactly, is_possible_id
from lib.storage.keys import to_key
from lib.storage.schema import read_marks, runs, sessions

FIRST_VISIT = ""
"""Stands in the place of a session's key in the row that says when the user first came."""
AFTER_ALL = 2**62
"""Runs of the very second in which the user first came count as read."""


class ReadMarks:
    """What each user has read, for all tabs and processes over one database."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    def note_read(self, run_id: str, *, user_id: str) -> None:
        """Note that the end of a run was on its user's screen; a run of somebody else, or an older one, changes nothing."""
        user_id = check_user(user_id)
        if not is_possible_id(run_id):
            return

        def work(connection: Connection) -> None:
            run = connection.execute(
                select(runs.c.session_id, runs.c.created_at, runs.c.run_index)
                .join(sessions, sessions.c.session_id == runs.c.session_id)
                .where(exactly(runs.c.run_id, run_id), exactly(sessions.c.user_id, user_id))
            ).first()
            if run is None:
                return
            session_key, (began_at, run_index) = to_key(run.session_id), _place(run)
            known = _read(connection, user_id, [session_key]).get(session_key)
            if known is None or (known.began_at, known.run_index) < (began_at, run_index):
                _write(connection, user_id, session_key, to_key(run_id), began_at, run_index)

        self._connector.write(work)

    def list_unread(self, summaries: Iterable[SessionSummary], *, user_id: str) -> frozenset[str]:
        """Return the ids of those of the user's own sessions whose last run has ended and was not read.

        Costs one small query for a page of a list, and another where something may be unread. The user's first call
        notes when they came.
        """
        user_id = check_user(user_id)
        ended = {
            summary.last_run_id: summary.session_id
            for summary in summaries
            if summary.user_id == user_id and summary.last_run_id and not summary.live
        }
        keys = {session_id: to_key(session_id) for session_id in ended.values()}
        marks = self._connector.read(lambda connection: _read(connection, user_id, (FIRST_VISIT, *keys.values())))
        if FIRST_VISIT not in marks:
            self._note_first_visit(user_id)
            return frozenset()
        in_question = {
            run_id: marks.get(keys[session_id], marks[FIRST_VISIT])
            for run_id, session_id in ended.items()
            if keys[session_id] not in marks or marks[keys[session_id]].run_key != to_key(run_id)
        }
        if not in_question:
            return frozenset()
        statement = select(runs.c.run_id, runs.c.created_at, runs.c.run_index).where(runs.c.run_id.in_(in_question))
        found = self._connector.read(lambda connection: connection.execute(statement).all())
        return frozenset(
            ended[row.run_id]
            for row in found
            if (mark := in_question.get(row.run_id)) is not None and _place(row) > (mark.began_at, mark.run_index)
        )

    def _note_first_visit(self, user_id: str) -> None:
        def work(connection: Connection) -> None:
            if not _read(connection, user_id, [FIRST_VISIT]):
                _write(connection, user_id, FIRST_VISIT, "", int(time.time()), AFTER_ALL)

        self._connector.write(work)


def forget_read_marks(connection: Connection, session_ids: Collection[str]) -> None:
    """Drop everybody's marks of sessions that are deleted."""
    keys = [to_key(session_id) for session_id in session_ids]
    connection.execute(delete(read_marks).where(read_marks.c.session_key.in_(keys)))


def _read(connection: Connection, user_id: str, session_keys: Collection[str]) -> Mapping[str, Any]:
    statement = select(read_marks).where(
        read_marks.c.user_key == to_key(user_id), read_marks.c.session_key.in_(session_keys)
    )
    return {row.session_key: row for row in connection.execute(statement)}


def _write(connection: Connection, user_id: str, session_key: str, run_key: str, began_at: int, run_index: int) -> None:
    # Deleted and inserted, as no two databases replace alike; where two do so at once, the work is done again.
    mine = (read_marks.c.user_key == to_key(user_id), read_marks.c.session_key == session_key)
    connection.execute(delete(read_marks).where(*mine))
    connection.execute(
        insert(read_marks).values(
            user_key=to_key(user_id),
            session_key=session_key,
            run_key=run_key,
            began_at=began_at,
            run_index=run_index,
        )
    )


def _place(run: Any) -> tuple[int, int]:
    """Return a run's place among those of its session: when it began, in whole seconds, and its number."""
    return run.created_at or 0, run.run_index or 0
