"""What a list shows of a session: its row, what its runs tell where no head does, and both as a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    case,
    func,
    select,
)

from lib.records import RunStatus, SessionSummary
from lib.storage.first_questions import read_first_question
from lib.storage.identity import exactly, is_blank
from lib.storage.json_parts import json_part, parse_part
from lib.storage.legacy_runs import read_legacy_rows
from lib.storage.reading.stored import to_session_kind
from lib.storage.run_queue import LiveRun
from lib.storage.schema import runs, sessions
from lib.storage.writing import OUR_KEY

_STATUS = {
    "COMPLETED": RunStatus.COMPLETED,
    "CANCELLED": RunStatus.STOPPED,
    "ERROR": RunStatus.FAILED,
    "PAUSED": RunStatus.PAUSED,
    "REGENERATED": RunStatus.REGENERATED,
    "RUNNING": RunStatus.RUNNING,
    "PENDING": RunStatus.WAITING,
}

SESSION_COLUMNS = (
    *(sessions.c.session_id, sessions.c.session_type, sessions.c.user_id),
    *(sessions.c.agent_id, sessions.c.team_id, sessions.c.workflow_id),
    *(sessions.c.created_at, sessions.c.updated_at),
    case(
        (sessions.c.session_type == "team", json_part(sessions.c.team_data, "$.name")),
        (sessions.c.session_type == "workflow", json_part(sessions.c.workflow_data, "$.name")),
        else_=json_part(sessions.c.agent_data, "$.name"),
    ).label("component_name"),
    json_part(sessions.c.session_data, "$.session_name").label("title"),
    json_part(sessions.c.session_data, "$.forked_from_session_id").label("forked_from"),
    json_part(sessions.c.session_data, f"$.{OUR_KEY}").label("ours"),
)


def read_session_rows(connection: Connection, session_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return what lists need of the session rows with these ids, in their order."""
    rows = connection.execute(select(*SESSION_COLUMNS).where(sessions.c.session_id.in_(session_ids))).mappings().all()
    by_id = {row["session_id"]: dict(row) for row in rows}
    return [by_id[session_id] for session_id in session_ids if session_id in by_id]


def find_session(connection: Connection, *, session_id: str, user_id: str | None) -> Mapping[str, Any] | None:
    """Return one of the user's session rows; with None, anybody's."""
    statement = select(*SESSION_COLUMNS).where(exactly(sessions.c.session_id, session_id))
    row = connection.execute(statement).mappings().first()
    return dict(row) if row is not None and (user_id is None or row["user_id"] == user_id) else None


class Sums(NamedTuple):
    """What all runs of a session add up to."""

    tokens: int | None
    duration_s: float | None
    failed_runs: int
    unfinished_runs: int  # questions without a result


@dataclass(frozen=True, slots=True)
class Details:
    """What a list shows of sessions beside their rows, by session id."""

    runs: dict[str, int] = field(default_factory=dict)
    last: dict[str, tuple[str, RunStatus]] = field(default_factory=dict)  # run id, status as if it were not live
    first_questions: Mapping[str, str] = field(default_factory=dict)
    sums: Mapping[str, Sums] = field(default_factory=dict)

    def __or__(self, other: Details) -> Details:
        return Details(
            runs={**self.runs, **other.runs},
            last={**self.last, **other.last},
            first_questions={**self.first_questions, **other.first_questions},
            sums={**self.sums, **other.sums},
        )


def read_details(
    connection: Connection,
    rows: Sequence[Mapping[str, Any]],
    *,
    counted: bool = False,
    legacy: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Details:
    """Return number of runs (unless they are `counted` elsewhere), last run and first question of some sessions.

    `legacy` are the runs in the sessions' own rows, where somebody has read them already.
    """
    ids = [row["session_id"] for row in rows]
    if not ids:
        return Details()
    top_level = (runs.c.session_id.in_(ids), runs.c.parent_run_id.is_(None))
    statement = select(runs.c.session_id, func.count()).where(*top_level).group_by(runs.c.session_id)
    counts = [] if counted else connection.execute(statement).all()
    older = read_legacy_rows(connection, ids) if legacy is None else legacy
    asked = {
        row["session_id"]: read_first_question(connection, row["session_id"], older=older.get(row["session_id"], ()))
        for row in rows
        if not _first_question(row)
    }
    found = Details(
        runs={row[0]: row[1] for row in counts},
        last=_read_last_runs(connection, ids),
        first_questions={session_id: question for session_id, question in asked.items() if question},
    )
    return _with_older(found, older) if older else found


def _with_older(found: Details, older: Mapping[str, Sequence[Mapping[str, Any]]]) -> Details:
    """Return details with the runs in the rows of sessions that Agno 2 wrote, which came before all others."""
    tops = {session_id: [row for row in rows if row["parent_run_id"] is None] for session_id, rows in older.items()}
    last = {session_id: rows[-1] for session_id, rows in tops.items() if rows}
    return replace(
        found,
        runs=found.runs | {session_id: found.runs.get(session_id, 0) + len(rows) for session_id, rows in tops.items()},
        last={session_id: (row["run_id"], _to_status(row["status"], None)) for session_id, row in last.items()}
        | found.last,
    )


def _read_last_runs(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, RunStatus]]:
    inner = runs.alias()
    newest = (
        select(inner.c.run_id)
        .where(inner.c.session_id == sessions.c.session_id, inner.c.parent_run_id.is_(None))
        .order_by(inner.c.run_index.desc(), inner.c.created_at.desc(), inner.c.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    last_ids = connection.execute(select(newest).where(sessions.c.session_id.in_(ids))).scalars().all()
    # Our marker is looked for in failed runs only: it is a small row with status ERROR.
    marker = case(
        (runs.c.status == "ERROR", json_part(runs.c.run_data, f"$.metadata.{OUR_KEY}.marker")),
        else_=None,
    )
    found = connection.execute(
        select(runs.c.session_id, runs.c.run_id, runs.c.status, marker.label("marker")).where(
            runs.c.run_id.in_([run_id for run_id in last_ids if run_id is not None])
        )
    )
    return {row.session_id: (row.run_id, _to_status(row.status, row.marker)) for row in found}


def to_session_summary(row: Mapping[str, Any], details: Details, live: Sequence[LiveRun] = ()) -> SessionSummary:
    """Return what a list shows of a session; `live` are its own live runs."""
    ours = _ours(row)
    session_id = row["session_id"]
    last_run_id, last_status = details.last.get(session_id, (None, None))
    states = {run.run_id: run.state for run in live}
    sums = details.sums.get(session_id)
    kind = to_session_kind(row)
    title = parse_part(row["title"])
    tags = ours.get("tags")
    return SessionSummary(
        session_id=session_id,
        user_id=row["user_id"],
        kind=kind,
        component_id=row[f"{kind.value}_id"] or row["team_id"] or row["agent_id"] or row["workflow_id"] or "",
        title=title if isinstance(title, str) and not is_blank(title) else None,
        first_question=_optional_text(ours.get("first_question")) or details.first_questions.get(session_id) or None,
        runs=details.runs.get(session_id, 0),
        created_at=_to_time(row["created_at"]),
        updated_at=_to_time(row["updated_at"] or row["created_at"]),
        last_status=states.get(last_run_id, last_status) if last_run_id else None,
        last_run_id=last_run_id,
        collection=_optional_text(ours.get("collection")),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        forked_from_session_id=_optional_text(parse_part(row["forked_from"])),
        title_by=_optional_text(ours.get("title_by")) if title else None,
        component_name=_optional_text(parse_part(row["component_name"])),
        tokens=sums.tokens if sums else None,
        duration_s=sums.duration_s if sums else None,
        # Questions without a result are live, or were interrupted.
        failed_runs=sums.failed_runs + max(0, sums.unfinished_runs - len(states)) if sums else None,
    )


def _to_status(stored: str | None, marker: Any) -> RunStatus:
    is_marker = parse_part(marker) in (True, 1)
    return RunStatus.INTERRUPTED if is_marker else _STATUS.get((stored or "").upper(), RunStatus.UNKNOWN)


def _ours(row: Mapping[str, Any]) -> Mapping[str, Any]:
    ours = parse_part(row["ours"])
    return ours if isinstance(ours, Mapping) else {}


def title_tokens(row: Mapping[str, Any]) -> int:
    """Return what the model's title of a session cost, in tokens."""
    told = _ours(row).get("title_tokens")
    total = told.get("total") if isinstance(told, Mapping) else None
    return total if isinstance(total, int) else 0


def _first_question(row: Mapping[str, Any]) -> str | None:
    return _optional_text(_ours(row).get("first_question"))


def _optional_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _to_time(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
