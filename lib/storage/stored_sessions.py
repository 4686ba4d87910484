"""Any session that Agno stored, read without writing: other apps' too, and of versions that had no table of runs.

Opening the app's own `Database` makes tables and indexes; this does not touch what it reads. Whole rows are read, also of
columns this version does not know, as text where they are JSON: what is damaged is for `lib.storage.reading` to tell of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, create_engine, event, inspect, literal_column, select
from sqlalchemy.engine import make_url

from lib.errors import DatabaseUnavailable, SessionNotFound
from lib.records import RunRecord, RunStatus, SessionSummary
from lib.settings import Settings
from lib.storage.connector import Connector, build_connector, to_stored_text
from lib.storage.first_questions import FIRST_QUESTION_LENGTH
from lib.storage.identity import exactly, is_blank, is_possible_id
from lib.storage.legacy_runs import in_stored_order, to_legacy_rows
from lib.storage.reading import to_run_records
from lib.storage.reading.loose import parse_json, to_list, to_mapping, to_optional_text, to_text, to_time
from lib.storage.reading.stored import to_session_kind
from lib.storage.schema import runs, sessions

_EVERYTHING: ColumnElement[Any] = literal_column("*")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StoredSession:
    """A session as its rows hold it."""

    row: Mapping[str, Any]
    run_rows: Sequence[Mapping[str, Any]]
    live: Mapping[str, RunStatus] = field(default_factory=dict)

    @property
    def session_id(self) -> str:
        """The id of the session."""
        return to_text(self.row.get("session_id"))

    @property
    def session_data(self) -> Mapping[str, Any]:
        """The session's own data: title, state, metrics."""
        return to_mapping(self.row.get("session_data"))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the session's own row, in sentences; what is wrong with a run stands in its record."""
        notes = []
        for name, what in (("runs", "the runs in the session's row"), ("session_data", "the session's own data")):
            _, damage = parse_json(self.row.get(name))
            if damage:
                notes.append(f"Of {what}: {damage}")
        older = to_list(self.row.get("runs"))
        ids = [str(run["run_id"]) for run in older if isinstance(run, Mapping) and run.get("run_id")]
        if len(ids) < len(older):
            lost = len(older) - len(ids)
            notes.append(f"In the session's row {lost} of {len(older)} runs have no id or are none; see the raw row.")
        if len(set(ids)) < len(ids):
            notes.append("The session's row holds a run of one id more than once.")
        return tuple(notes)

    @cached_property
    def runs(self) -> tuple[RunRecord, ...]:
        """All runs in stored order with their member runs under them; none is lost (`to_run_records`)."""
        older = to_legacy_rows(self.row, self.run_rows)
        rows = in_stored_order([*older, *self.run_rows]) if older else self.run_rows
        return to_run_records(rows, live_run_ids=self.live)

    @property
    def summary(self) -> SessionSummary:
        """What a list shows of it."""
        row = self.row
        kind = to_session_kind(row)
        ours = to_mapping(self.session_data.get("roundtable"))
        top = [run for run in self.runs if run.parent_run_id is None]
        title = to_optional_text(self.session_data.get("session_name")) or ""
        return SessionSummary(
            session_id=to_text(row.get("session_id")),
            user_id=to_optional_text(row.get("user_id")),
            kind=kind,
            component_id=to_text(
                row.get(f"{kind}_id") or row.get("team_id") or row.get("agent_id") or row.get("workflow_id")
            ),
            title=None if is_blank(title) else title,
            first_question=to_optional_text(ours.get("first_question")) or _find_first_question(top),
            runs=len(top),
            created_at=to_time(row.get("created_at")) or _LONG_AGO,
            updated_at=to_time(row.get("updated_at")) or to_time(row.get("created_at")) or _LONG_AGO,
            last_status=top[-1].status if top else None,
            forked_from_session_id=to_optional_text(self.session_data.get("forked_from_session_id")),
            title_by=to_optional_text(ours.get("title_by")),
        )


def _find_first_question(runs: Sequence[RunRecord]) -> str | None:
    """Return the first question of some runs; a team's introduction, which comes before it, asks nothing."""
    asked = (run.question.strip()[:FIRST_QUESTION_LENGTH] for run in runs)
    return next(filter(None, asked), None)


class StoredSessions:
    """Reads sessions by id."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    def get_session(
        self, session_id: str, *, user_id: str | None = None, live: Mapping[str, RunStatus] | None = None
    ) -> StoredSession:
        """Return a session with all its rows. With `user_id`, only that user's; without, anybody's.

        Raises:
            SessionNotFound: there is none, or it is another user's.
        """
        if not is_possible_id(session_id):
            raise SessionNotFound(session_id)
        row, run_rows = self._connector.read(lambda connection: _read(connection, session_id))
        if row is None or (user_id is not None and row.get("user_id") != user_id):
            raise SessionNotFound(session_id)
        return StoredSession(row=row, run_rows=run_rows, live=live or {})

    def close(self) -> None:
        """Let go of the database."""
        self._connector.close()


def open_stored_sessions(settings: Settings) -> StoredSessions:
    """Return a reader of whole sessions in the database that DATABASE_URL names; see `open_for_reading`."""
    return StoredSessions(open_for_reading(settings))


def open_for_reading(settings: Settings) -> Connector:
    """Return a way into the database that DATABASE_URL names that makes no table; SQLite files are opened read-only.

    Raises:
        DatabaseUnavailable: there is no such file.
        SettingsError: the address is none that can be used.
    """
    address = settings.database_url.get_secret_value()
    url = make_url(address)
    if not url.drivername.startswith("sqlite"):
        return build_connector(address)
    file = Path(url.database or "").expanduser().absolute()
    if not file.is_file():
        raise DatabaseUnavailable(f"There is no database {file}. Check DATABASE_URL.")
    engine = create_engine(
        f"sqlite:///file:{file.as_uri().removeprefix('file://')}?mode=ro&uri=true", hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.text_factory = to_stored_text

    return Connector(engine=engine, reader=engine, dialect="sqlite", address=f"sqlite:///{file}", database=str(file))


def _read(connection: Connection, session_id: str) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    known = inspect(connection)
    row: Mapping[str, Any] | None = None
    run_rows: list[Mapping[str, Any]] = []
    if known.has_table("agno_sessions"):
        statement = select(_EVERYTHING).select_from(sessions).where(exactly(sessions.c.session_id, session_id))
        found = connection.execute(statement).mappings().first()
        row = dict(found) if found else None
    if row is not None and known.has_table("agno_runs"):
        statement = (
            select(_EVERYTHING)
            .select_from(runs)
            .where(exactly(runs.c.session_id, session_id))
            .order_by(runs.c.run_index, runs.c.created_at, runs.c.run_id)
        )
        run_rows = [dict(found) for found in connection.execute(statement).mappings()]
    return row, run_rows
