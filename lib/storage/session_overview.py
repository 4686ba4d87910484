"""A session opened for reading back: heads of all its runs from columns, bodies only of the runs that are asked for.

What it costs to open a session and to look at one of its runs does not grow with the bodies of the other runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, inspect, literal_column, select

from lib.errors import RunNotFound, SessionNotFound
from lib.records import Reader, RunStatus, SessionSummary
from lib.storage.connector import Connector
from lib.storage.first_questions import read_first_question
from lib.storage.identity import exactly, is_possible_id
from lib.storage.legacy_runs import place_of, to_legacy_rows
from lib.storage.reading.loose import to_text, to_time
from lib.storage.run_queue import RunQueue
from lib.storage.schema import runs, sessions
from lib.storage.stored_sessions import StoredSession

_EVERYTHING: ColumnElement[Any] = literal_column("*")
_AT_ONCE = 400
"""Ids in one query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A top-level run as its columns tell of it; one whose leader's run is missing counts as top-level."""

    run_id: str
    run_index: int | None
    status: str  # as stored
    created_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOverview:
    """A session and the heads of its top-level runs, in Agno's order."""

    session: StoredSession  # its row, and no runs
    heads: tuple[RunHead, ...]
    tops: Mapping[str, str]  # every run of the session -> the top-level run it is under
    live: Mapping[str, RunStatus] = field(default_factory=dict)
    first_question: str | None = None  # of the first run, where the session's row does not hold it
    older_format: bool = False  # some runs lie in the session's row, which has no columns for them: it was read whole

    @property
    def summary(self) -> SessionSummary:
        """What a list shows of the session; its runs are counted, not read."""
        if self.older_format:
            return self.session.summary
        told = self.session.summary
        return replace(told, runs=len(self.heads), first_question=told.first_question or self.first_question)

    @property
    def fingerprint(self) -> str:
        """Changes when the session is written to."""
        told = [to_text(self.session.row.get("updated_at")), *(f"{head.run_id} {head.status}" for head in self.heads)]
        told += [f"{run_id} {state}" for run_id, state in sorted(self.live.items())] + sorted(self.tops)
        return hashlib.sha256("\n".join(told).encode("utf-8", "surrogatepass")).hexdigest()

    def place_of(self, run_id: str) -> int:
        """Return where a run stands among the top-level runs, from 0; a member's run where its leader's does.

        Raises:
            RunNotFound: the session has no such run.
        """
        top = self.tops.get(run_id)
        for place, head in enumerate(self.heads):
            if head.run_id == top:
                return place
        raise RunNotFound(run_id)


class SessionOverviews:
    """Opens stored sessions."""

    def __init__(self, connector: Connector, *, queue: RunQueue | None = None) -> None:
        """Read from a database; without our queue in it (another app's database) nothing is known to be live."""
        self._connector = connector
        self._queue = queue

    def get_overview(self, session_id: str, *, user_id: str | Reader) -> SessionOverview:
        """Return one session with the heads of its runs; no body is read.

        Raises:
            SessionNotFound: there is none, or it is not this reader's.
        """
        reader = user_id if isinstance(user_id, Reader) else Reader(user_id=user_id)
        if not is_possible_id(session_id):
            raise SessionNotFound(session_id)
        ours = self._queue is not None
        row, rows = self._connector.read(lambda connection: _read_heads(connection, session_id, ours=ours))
        if row is None or not (reader.admin or row.get("user_id") == reader.user_id):
            raise SessionNotFound(session_id)
        live = self._queue.live_states([session_id]) if self._queue else {}
        if to_legacy_rows(row, (head._mapping for head in rows)):
            return self._of_older_format(row, live)
        tops = _find_tops({head.run_id: head.parent_run_id for head in rows})
        heads = tuple(
            RunHead(
                run_id=head.run_id,
                run_index=head.run_index,
                status=to_text(head.status),
                created_at=to_time(head.created_at),
            )
            for head in rows
            if tops[head.run_id] == head.run_id
        )
        session = StoredSession(row=row, run_rows=())
        first_question = None
        if heads and not session.summary.first_question:
            first_question = self._connector.read(lambda connection: read_first_question(connection, session_id))
        return SessionOverview(session=session, heads=heads, tops=tops, live=live, first_question=first_question)

    def get_runs(self, overview: SessionOverview, run_ids: Iterable[str] | None = None) -> StoredSession:
        """Return the session with the bodies of these top-level runs and of all under them; None: of all its runs."""
        session_id = to_text(overview.session.row.get("session_id"))
        if overview.older_format:
            run_ids = None
        wanted = None if run_ids is None else set(run_ids)
        ids = [run_id for run_id, top in overview.tops.items() if wanted is None or top in wanted]
        rows = self._connector.read(lambda connection: _read_bodies(connection, session_id, ids))
        return StoredSession(row=overview.session.row, run_rows=rows, live=overview.live)

    def _of_older_format(self, row: Mapping[str, Any], live: Mapping[str, RunStatus]) -> SessionOverview:
        session_id = to_text(row.get("session_id"))
        rows = self._connector.read(lambda connection: _read_bodies(connection, session_id, None))
        session = StoredSession(row=row, run_rows=rows, live=live)
        heads = tuple(
            RunHead(run_id=run.run_id, run_index=run.run_index, status=run.status, created_at=run.started_at)
            for run in session.runs
        )
        tops = {part.run_id: run.run_id for run in reversed(session.runs) for part in run.walk()}
        return SessionOverview(session=session, heads=heads, tops=tops, live=live, older_format=True)


def _find_tops(parents: Mapping[str, str | None]) -> dict[str, str]:
    """Return the top-level run of every run. Without a stored parent, or in a circle of parents, a run leads itself."""
    tops: dict[str, str] = {}
    for run_id in parents:
        path: list[str] = []
        here = run_id
        while here not in tops and here not in path:
            path.append(here)
            parent = parents[here]
            if parent is None or parent not in parents:
                tops[here] = here
                break
            here = parent
        top = tops.get(here, path[0] if path else here)  # a circle is led by the run of it that is stored first
        for run in path:
            tops.setdefault(run, top)
    return tops


def _read_heads(
    connection: Connection, session_id: str, *, ours: bool
) -> tuple[Mapping[str, Any] | None, Sequence[Any]]:
    there = () if ours else inspect(connection).get_table_names()
    if not ours and "agno_sessions" not in there:
        return None, ()
    of_session = select(_EVERYTHING).select_from(sessions).where(exactly(sessions.c.session_id, session_id))
    found = connection.execute(of_session).mappings().first()
    if found is None:
        return None, ()
    if not ours and "agno_runs" not in there:  # versions of Agno that kept all runs in the session's row
        return dict(found), ()
    # In the order of the one index that holds all these columns: no row is touched.
    statement = (
        select(runs.c.run_id, runs.c.parent_run_id, runs.c.run_index, runs.c.status, runs.c.created_at)
        .where(exactly(runs.c.session_id, session_id))
        .order_by(runs.c.parent_run_id, runs.c.run_index, runs.c.created_at, runs.c.run_id)
    )
    heads: Sequence[Any] = connection.execute(statement).all()
    return dict(found), sorted(heads, key=lambda head: place_of(head._mapping))


def _read_bodies(connection: Connection, session_id: str, run_ids: Sequence[str] | None) -> list[Mapping[str, Any]]:
    """Return whole run rows in Agno's order, as they are stored; `run_ids` come in that order."""
    everything = select(_EVERYTHING).select_from(runs)
    if run_ids is None:
        if not inspect(connection).has_table("agno_runs"):
            return []
        statement = everything.where(exactly(runs.c.session_id, session_id)).order_by(
            runs.c.run_index, runs.c.created_at, runs.c.run_id
        )
        return [dict(row) for row in connection.execute(statement).mappings()]
    rows: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(run_ids), _AT_ONCE):
        # By the primary key alone: named together with the session, a database may walk through all of its bodies.
        some = everything.where(runs.c.run_id.in_(run_ids[start : start + _AT_ONCE]))
        for row in connection.execute(some).mappings():
            if row["session_id"] == session_id:
                rows[row["run_id"]] = dict(row)
    return [rows[run_id] for run_id in run_ids if run_id in rows]
