"""What is read of sessions and runs, for one user at a time, or for an admin, who may read everybody's.

Every method names who reads: a user, compared exactly, or a `Reader`. A session or run that is not theirs is as little
there as a missing one. Lists read columns, not runs.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from lib.errors import RunNotFound, SessionNotFound
from lib.records import (
    ForkRecord,
    Page,
    Reader,
    RunRecord,
    SessionCounts,
    SessionFilter,
    SessionOrder,
    SessionSort,
    SessionSummary,
)
from lib.storage import heads, listing, run_lists, session_lists
from lib.storage.attachments import read_image
from lib.storage.connector import Connector
from lib.storage.forks import read_forks
from lib.storage.identity import as_reader, exactly, is_possible_id, to_scope
from lib.storage.media import MediaFolder
from lib.storage.outbox import Outbox
from lib.storage.reading import to_run_record
from lib.storage.run_queue import LiveRun, RunQueue
from lib.storage.schema import sessions
from lib.storage.writing import is_deleted


class SessionReads:
    """Where sessions and runs are found."""

    _connector: Connector
    _queue: RunQueue
    _media: MediaFolder
    _outbox: Outbox

    # -- sessions --------------------------------------------------------------------------------------------------

    def list_sessions(
        self,
        *,
        user_id: str | Reader,
        limit: int = 50,
        cursor: str | None = None,
        where: SessionFilter | None = None,
        order: SessionOrder | None = None,
    ) -> Page[SessionSummary]:
        """Return a page of the user's sessions, the last used first unless another order is given. No run is read.

        Narrowed by nothing, the last used first, it costs its page and holds what anybody wrote up to now; all else is
        read from heads, in which other programs' sessions appear a moment later (`following`). There a page by last
        use, creation or title costs its page too; by runs, tokens, duration or failures, all of the user's heads are
        looked through for each page (2,000: some milliseconds), as they are for words and tags.

        Raises:
            InvalidInput: the cursor is none, or of a list in another order, or the page too large.
            NotAllowed: another user's sessions are asked for by somebody who is no admin.
        """
        where, order = where or SessionFilter(), order or SessionOrder()
        scope = to_scope(user_id, owner=where.owner)
        if session_lists.is_plain(where, order):
            rows, next_cursor = self._connector.read(
                lambda connection: session_lists.read_recent_page(
                    connection, user_id=scope, limit=limit, cursor=cursor, hidden=where.hidden
                )
            )
        else:
            rows, next_cursor = self._read_filtered_page(where, order, scope, limit, cursor)
        live = self._list_live(rows, scope)
        return Page(items=self._to_summaries(rows, live), next_cursor=next_cursor)

    def _read_filtered_page(
        self, where: SessionFilter, order: SessionOrder, scope: str | None, limit: int, cursor: str | None
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        live = self._live_sessions(where, scope, order)

        def work(connection: Connection) -> tuple[list[Mapping[str, Any]], str | None]:
            ids, following = session_lists.read_filtered_page(
                connection, where, order=order, user_id=scope, live=live, limit=limit, cursor=cursor
            )
            found = session_lists.read_rows(connection, ids)
            return [row for row in found if scope is None or (row["user_id"] or "") == scope], following

        return self._connector.read(work)

    def get_change_token(self, *, user_id: str | Reader, limit: int = 50) -> str:
        """Return a text that is another one when a first page of `limit` sessions shows anything else than before.

        It is made of all that `list_sessions` makes the page of, as it lies in the rows and heads, whoever wrote them,
        and of what was read of it (`ReadMarks`); not of times alone: two changes within a second are two. It costs one
        query along indexes, less than a millisecond of the database's time, and another while something is live; rows
        that are newer than their heads are looked at as for a list.
        """
        scope, reader = to_scope(user_id), as_reader(user_id).user_id
        rows = self._connector.read(
            lambda connection: session_lists.read_recent_contents(
                connection, user_id=scope, limit=limit, read_by=reader
            )
        )
        ids = [row["session_id"] for row in rows]
        live = self._list_live(rows, scope)
        # As in `heads.to_details`: of a row that is newer than its head, or has none, the head tells nothing.
        others = [
            row["session_id"]
            for row in rows
            if row["head_session_key"] is None or row["head_written_at"] != row["updated_at"]
        ]
        looked_at: tuple[SessionSummary, ...] = ()
        if others:
            found = self._connector.read(lambda connection: session_lists.read_rows(connection, others))
            looked_at = self._to_summaries(found, live)
        told = ([list(row.values()) for row in rows], live, looked_at, sorted(self._outbox.kept_sessions(ids)))
        return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()

    def count_sessions(self, *, user_id: str | Reader, where: SessionFilter | None = None) -> SessionCounts:
        """Return how many of the sessions there are, and how many under each team, collection and tag."""
        where = where or SessionFilter()
        scope = to_scope(user_id, owner=where.owner)
        live = self._live_sessions(where, scope)
        return self._connector.read(
            lambda connection: session_lists.read_counts(connection, where, user_id=scope, live=live)
        )

    def get_session(self, session_id: str, *, user_id: str | Reader) -> SessionSummary:
        """Return what a list shows of one session."""
        found = self.find_session(session_id, user_id=user_id)
        if found is None:
            raise SessionNotFound(session_id)
        return found

    def find_session(self, session_id: str, *, user_id: str | Reader) -> SessionSummary | None:
        """Return what a list shows of one session; None where it is not there for this user."""
        scope = to_scope(user_id)
        if not is_possible_id(session_id):
            return None
        row = self._connector.read(lambda connection: session_lists.read_row(connection, session_id))
        if row is None or (scope is not None and row["user_id"] != scope):
            return None
        return self._to_summaries([row], self._queue.live_in([session_id]))[0]

    def get_session_row(self, session_id: str, *, user_id: str | Reader) -> Mapping[str, Any]:
        """Return the session's row as it is stored."""
        scope = to_scope(user_id)
        if not is_possible_id(session_id):
            raise SessionNotFound(session_id)
        statement = select(sessions).where(exactly(sessions.c.session_id, session_id))
        row = self._connector.read(lambda connection: connection.execute(statement).mappings().first())
        if row is None or (scope is not None and row["user_id"] != scope):
            raise SessionNotFound(session_id)
        return dict(row)

    def list_forks(self, session_id: str, *, user_id: str | Reader) -> tuple[ForkRecord, ...]:
        """Return the forks taken from a session and, if it is one itself, its own origin: those whose other end is there."""
        self.get_session(session_id, user_id=user_id)
        found = self._connector.read(lambda connection: read_forks(connection, session_id))
        ends = {one.session_id if one.source_session_id == session_id else one.source_session_id for one in found}
        there = {end for end in ends if self.find_session(end, user_id=user_id) is not None}
        return tuple(one for one in found if there & {one.session_id, one.source_session_id})

    def was_deleted(self, value: str, *, kind: str = "session") -> bool:
        """Whether a session (or a run) was deleted by hand, so that late results were rightly dropped."""
        return is_possible_id(value) and self._connector.read(lambda connection: is_deleted(connection, kind, value))

    def _list_live(self, rows: Sequence[Mapping[str, Any]], scope: str | None) -> Sequence[LiveRun]:
        """Return what is live of those whose page this is; nothing is asked where the page itself says: nothing."""
        return self._queue.live(user_id=scope) if rows and rows[0].get("queued_runs", True) else ()

    def _live_sessions(
        self, where: SessionFilter, scope: str | None, order: SessionOrder | None = None
    ) -> Mapping[str, int]:
        """Return how many runs are live in the sessions in which any is, where that matters to a list."""
        if where.state is None and (order is None or order.by is not SessionSort.FAILED):
            return {}
        return Counter(run.session_id for run in self._queue.live(user_id=scope))

    def _to_summaries(self, rows: Sequence[Mapping[str, Any]], live: Iterable[LiveRun]) -> tuple[SessionSummary, ...]:
        details = heads.to_details(rows)
        # Other programs' sessions have no head yet, or an older one: they are looked at themselves.
        others = [row for row in rows if row["session_id"] not in details.runs]
        if others:
            details |= self._connector.read(lambda connection: listing.read_details(connection, others))
        kept = self._outbox.kept_sessions(row["session_id"] for row in rows)
        by_session: defaultdict[str, list[LiveRun]] = defaultdict(list)
        for run in live:
            by_session[run.session_id].append(run)
        found = (listing.to_session_summary(row, details, by_session.get(row["session_id"], ())) for row in rows)
        return tuple(replace(summary, unsaved=True) if summary.session_id in kept else summary for summary in found)

    # -- runs ------------------------------------------------------------------------------------------------------

    def list_runs(
        self, session_id: str, *, user_id: str | Reader, limit: int = 30, before: str | None = None
    ) -> Page[RunRecord]:
        """Return a page of runs with their member runs, oldest first; the cursor leads to older ones."""
        scope = to_scope(user_id)
        if not is_possible_id(session_id):
            raise SessionNotFound(session_id)
        owned = self._connector.read(
            lambda connection: listing.find_session(connection, session_id=session_id, user_id=scope)
        )
        if owned is None:
            raise SessionNotFound(session_id)
        rows, members, older = self._connector.read(
            lambda connection: run_lists.read_run_page(connection, session_id=session_id, limit=limit, before=before)
        )
        live = self._queue.live_states([session_id])
        items = tuple(to_run_record(row, members.get(row["run_id"], ()), live_run_ids=live) for row in reversed(rows))
        return Page(items=items, next_cursor=older)

    def get_run(self, run_id: str, *, user_id: str | Reader) -> RunRecord:
        """Return a run with the member runs under it."""
        row = self.get_run_row(run_id, user_id=user_id)
        members = self._connector.read(lambda connection: run_lists.read_members(connection, [row]))
        live = self._queue.live_states([row["session_id"]])
        return to_run_record(row, members.get(run_id, ()), live_run_ids=live)

    def get_run_row(self, run_id: str, *, user_id: str | Reader) -> Mapping[str, Any]:
        """Return the run's row as it is stored, `run_data` parsed; one that lies in its session's row, as a row."""
        scope = to_scope(user_id)
        if not is_possible_id(run_id):
            raise RunNotFound(run_id)
        row = self._connector.read(lambda connection: run_lists.find_run(connection, run_id=run_id, user_id=scope))
        if row is None:
            raise RunNotFound(run_id)
        return row

    def is_run_id_taken(self, run_id: str, *, user_id: str) -> bool:
        """Whether one of the user's runs has a row with this id; cheaper than to look for the run."""
        return is_possible_id(run_id) and self._connector.read(
            lambda connection: run_lists.has_row(connection, run_id=run_id, user_id=user_id)
        )

    def get_image(self, run_id: str, image_id: str, *, user_id: str | Reader) -> bytes:
        """Return the bytes of an image of a run that the user may read. Nothing is fetched from any address.

        Raises:
            RunNotFound, ImageNotFound: the run is not theirs, has no such image, or its file is gone.
        """
        return read_image(self.get_run_row(run_id, user_id=user_id), image_id, self._media)
