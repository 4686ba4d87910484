"""Session heads: what lists show, filter, count and search, in a small table of our own beside Agno's.

Agno keeps a title, tags and a run's tokens inside JSON, the latter inside bodies of 20 kB and more; no index reaches
there, and no two databases compare text alike. So a session's head holds its title, first question, tags and collection
as they are and folded (`search_words.fold`), and what its runs add up to. A run's facts hold what it adds, so that no
body is read twice.

Heads are written from Agno's rows in the transaction that changes them; sessions that other programs write are followed
in the background (`following`). What is shown of a page still comes from Agno's own rows: a head only says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateColumn

from lib.records import MAX_ID_LENGTH, RunStatus, SessionSummary
from lib.storage import listing
from lib.storage.identity import exactly
from lib.storage.json_parts import json_part, parse_part
from lib.storage.keys import to_key
from lib.storage.legacy_runs import read_legacy_rows
from lib.storage.media import create_media_table, forget_media, note_media
from lib.storage.reading.loose import to_mapping
from lib.storage.schema import ON_MYSQL, runs, sessions
from lib.storage.search_words import fold
from lib.storage.writing import OUR_KEY

SORT_NAME_LENGTH = 100
"""Names that are alike for so long are sorted as if they were one."""
TAG_MARK = "\x1f"
"""Stands before and after every tag of a head, so that a tag is found whole."""

_TABLES = MetaData()
_SECONDS: Double[float] = Double().with_variant(mysql.DOUBLE(asdecimal=False), "mysql", "mariadb")
_LONG = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")

heads = Table(
    "roundtable_session_heads",
    _TABLES,
    Column("session_key", String(64), primary_key=True),  # a hash: see `to_key`
    Column("session_id", String(MAX_ID_LENGTH), nullable=False),
    Column("user_id", String(MAX_ID_LENGTH)),
    Column("written_at", BigInteger),  # the session row's updated_at when this was made of it
    Column("used_at", BigInteger, nullable=False),
    # With defaults: processes of an older version, which do not know them, write heads too.
    Column("created_at", BigInteger, nullable=False, server_default=text("0")),
    Column("sort_name", String(SORT_NAME_LENGTH), nullable=False, server_default=text("''")),  # its name, folded
    Column("kind", String(20), nullable=False),
    Column("component_id", String(MAX_ID_LENGTH), nullable=False),
    Column("component_name", Text),
    Column("collection", String(200)),
    Column("tags", _LONG, nullable=False),
    Column("first_question", _LONG),
    Column("search_text", _LONG, nullable=False),
    Column("runs", BigInteger, nullable=False),
    Column("failed_runs", BigInteger, nullable=False),
    Column("unfinished_runs", BigInteger, nullable=False),  # questions without a result: live, or interrupted
    Column("tokens", BigInteger),
    Column("duration_s", _SECONDS),
    Column("last_run_id", String(MAX_ID_LENGTH)),
    Column("last_status", String(20)),
    Index("roundtable_session_heads_recent", "user_id", "used_at", "session_id"),
    Index("roundtable_session_heads_newest", "used_at", "session_id"),
    Index("roundtable_session_heads_created", "user_id", "created_at", "session_id"),
    Index("roundtable_session_heads_named", "user_id", "sort_name", "used_at", "session_id"),
    # All that a user's sessions are sorted by and looked through for: so no head itself is read.
    Index(
        "roundtable_session_heads_sums",
        *("user_id", "runs", "failed_runs", "unfinished_runs", "tokens", "duration_s", "used_at", "session_id"),
    ),
    **ON_MYSQL,
)
facts = Table(
    "roundtable_run_facts",
    _TABLES,
    Column("run_key", String(64), primary_key=True),
    Column("session_key", String(64), nullable=False),
    Column("is_top", SmallInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("is_marker", SmallInteger, nullable=False),
    Column("tokens", BigInteger),
    Column("duration_s", _SECONDS),
    Column("written_at", BigInteger, nullable=False),  # the run row's updated_at
    Index("roundtable_run_facts_sums", "session_key", "is_top", "status", "is_marker", "tokens", "duration_s"),
    **ON_MYSQL,
)


def create_head_tables(connection: Connection) -> None:
    """Make the tables of heads and facts where they are missing. Runs under the set-up lock."""
    if inspect(connection).has_table(heads.name):
        _renew_heads(connection)
    _TABLES.create_all(connection, checkfirst=True)
    for index in heads.indexes:
        index.create(connection, checkfirst=True)
    create_media_table(connection)


def _renew_heads(connection: Connection) -> None:
    """Give the heads of an older version what they lack; they stay listed, and are filled in as they are swept."""
    known = {one["name"] for one in inspect(connection).get_columns(heads.name)}
    missing = [column for column in heads.columns if column.name not in known]
    if any(column.server_default is None and not column.nullable for column in missing):
        heads.drop(connection)  # of an unknown kind: all are made anew
        return
    for column in missing:
        connection.execute(text(f"ALTER TABLE {heads.name} ADD COLUMN {CreateColumn(column).compile(connection)}"))


# -- keeping them in step ----------------------------------------------------------------------------------------------


def note_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Take down what some runs add to their sessions."""
    if not run_ids:
        return
    marker = case((runs.c.status == "ERROR", json_part(runs.c.run_data, f"$.metadata.{OUR_KEY}.marker")), else_=None)
    found = (
        connection.execute(
            select(
                *(runs.c.run_id, runs.c.session_id, runs.c.parent_run_id, runs.c.status, runs.c.updated_at),
                marker.label("marker"),
                json_part(runs.c.run_data, "$.metrics.total_tokens").label("total"),
                json_part(runs.c.run_data, "$.metrics.input_tokens").label("input"),
                json_part(runs.c.run_data, "$.metrics.output_tokens").label("output"),
                json_part(runs.c.run_data, "$.metrics.duration").label("duration"),
                runs.c.run_data.cast(Text).contains('"storage_key"').label("has_media"),
            ).where(runs.c.run_id.in_(run_ids))
        )
        .mappings()
        .all()
    )
    forget_runs(connection, run_ids)
    if found:
        connection.execute(insert(facts), [_to_facts(row) for row in found])
        note_media(connection, [row["run_id"] for row in found if row["has_media"]])


def note_changed_runs(connection: Connection, session_ids: Sequence[str]) -> set[str]:
    """Take down the runs of some sessions that are not known, or with another status, and drop those that are gone.

    Returns the sessions that lost a run.
    """
    statement = select(runs.c.run_id, runs.c.status).where(runs.c.session_id.in_(session_ids))
    stored = {to_key(row.run_id): row for row in connection.execute(statement)}
    by_key = {to_key(session_id): session_id for session_id in session_ids}
    known = {
        row.run_key: row
        for row in connection.execute(
            select(facts.c.run_key, facts.c.session_key, facts.c.status).where(facts.c.session_key.in_(list(by_key)))
        )
    }
    changed = [
        row.run_id
        for key, row in stored.items()
        if key not in known or known[key].status != to_known_status(row.status)
    ]
    for start in range(0, len(changed), 100):
        note_runs(connection, changed[start : start + 100])
    gone = [key for key in known if key not in stored]
    for start in range(0, len(gone), 100):
        _forget_facts(connection, gone[start : start + 100])
    return {by_key[known[key].session_key] for key in gone}


def to_known_status(stored: str | None) -> str:
    """Return a run's stored status as its facts hold it."""
    return (stored or "")[:20].upper()


def _to_facts(row: Mapping[Any, Any]) -> dict[str, Any]:
    total = _to_count(row["total"])
    if total is None:
        given = [count for name in ("input", "output") if (count := _to_count(row[name])) is not None]
        total = sum(given) if given else None
    duration = parse_part(row["duration"])
    seconds = float(duration) if isinstance(duration, int | float) and 0 <= duration < 1e9 else None
    return {
        "run_key": to_key(row["run_id"]),
        "session_key": to_key(row["session_id"]),
        "is_top": int(row["parent_run_id"] is None),
        "status": to_known_status(row["status"]),
        "is_marker": int(parse_part(row["marker"]) in (True, 1)),
        "tokens": total,
        "duration_s": seconds,
        "written_at": row["updated_at"] or 0,
    }


def _to_count(part: Any) -> int | None:
    value = parse_part(part)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**62 else None


def forget_runs(connection: Connection, run_ids: Iterable[str]) -> None:
    """Drop the facts of runs."""
    _forget_facts(connection, [to_key(run_id) for run_id in run_ids])


def _forget_facts(connection: Connection, keys: Sequence[str]) -> None:
    connection.execute(delete(facts).where(facts.c.run_key.in_(keys)))
    forget_media(connection, run_keys=keys)


def forget_sessions(connection: Connection, session_ids: Sequence[str]) -> None:
    """Drop the heads of sessions and the facts of their runs."""
    keys = [to_key(session_id) for session_id in session_ids]
    connection.execute(delete(heads).where(heads.c.session_key.in_(keys)))
    connection.execute(delete(facts).where(facts.c.session_key.in_(keys)))
    forget_media(connection, session_keys=keys)


def touch_head(connection: Connection, session_id: str) -> None:
    """Say that a session was used, where nothing else of its head changed."""
    written_at = connection.execute(
        select(sessions.c.updated_at).where(exactly(sessions.c.session_id, session_id))
    ).scalar()
    connection.execute(
        update(heads).where(heads.c.session_key == to_key(session_id)).values(written_at=written_at, used_at=written_at)
    )


def refresh_heads(connection: Connection, session_ids: Sequence[str]) -> None:
    """Make the heads of some sessions anew from their rows; a session that is gone loses its head."""
    if not session_ids:
        return
    rows = listing.read_session_rows(connection, session_ids)
    legacy = read_legacy_rows(connection, session_ids)
    sums = _with_older(_read_sums(connection, session_ids), legacy)
    details = listing.read_details(connection, rows, counted=True, legacy=legacy)
    made = [to_head(row, listing.to_session_summary(row, details), sums.get(to_key(row["session_id"]))) for row in rows]
    keys = [to_key(session_id) for session_id in session_ids]
    connection.execute(delete(heads).where(heads.c.session_key.in_(keys)))
    if made:
        connection.execute(insert(heads), made)


def _read_sums(connection: Connection, session_ids: Sequence[str]) -> dict[str, Any]:
    top = facts.c.is_top == 1
    failed = (top) & (facts.c.status == "ERROR") & (facts.c.is_marker == 0)
    statement = (
        select(
            facts.c.session_key,
            func.sum(facts.c.is_top).label("runs"),
            func.sum(case((failed, 1), else_=0)).label("failed_runs"),
            func.sum(case((top, facts.c.is_marker), else_=0)).label("unfinished_runs"),
            func.sum(facts.c.tokens).label("tokens"),
            func.sum(case((top, facts.c.duration_s), else_=None)).label("duration_s"),
        )
        .where(facts.c.session_key.in_([to_key(session_id) for session_id in session_ids]))
        .group_by(facts.c.session_key)
    )
    return {row.session_key: row for row in connection.execute(statement)}


class _Sums(NamedTuple):
    """What the runs of a session add up to, where not all of them have facts."""

    runs: int
    failed_runs: int
    unfinished_runs: int
    tokens: int | None
    duration_s: float | None


def _with_older(sums: dict[str, Any], legacy: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the sums with the runs that lie in the rows of sessions, which have no facts."""
    for session_id, rows in legacy.items():
        known, told = sums.get(to_key(session_id)), [_to_facts({**row, **_to_metrics(row)}) for row in rows]
        tops = [one for one in told if one["is_top"]]
        tokens = [one["tokens"] for one in told if one["tokens"] is not None]
        durations = [one["duration_s"] for one in tops if one["duration_s"] is not None]
        if known is not None:
            tokens += [int(known.tokens)] if known.tokens is not None else []
            durations += [float(known.duration_s)] if known.duration_s is not None else []
        sums[to_key(session_id)] = _Sums(
            runs=int(known.runs or 0) + len(tops) if known else len(tops),
            failed_runs=int(known.failed_runs or 0 if known else 0) + sum(one["status"] == "ERROR" for one in tops),
            unfinished_runs=known.unfinished_runs if known else 0,
            tokens=sum(tokens) if tokens else None,
            duration_s=sum(durations) if durations else None,
        )
    return sums


def _to_metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    metrics = to_mapping(row["run_data"].get("metrics"))
    names = {"total": "total_tokens", "input": "input_tokens", "output": "output_tokens", "duration": "duration"}
    return {"marker": None} | {name: metrics.get(stored) for name, stored in names.items()}


def to_head(row: Mapping[Any, Any], summary: SessionSummary, sums: Any) -> dict[str, Any]:
    """Return a session's head; without `sums` of its runs' facts it says of these what the summary does."""
    told = " \n".join((summary.title or "", summary.first_question or "", *summary.tags))
    tags = [_storable(tag) for tag in summary.tags]
    return {
        "session_key": to_key(summary.session_id),
        "session_id": summary.session_id,
        "user_id": summary.user_id,
        "written_at": row["updated_at"],
        "used_at": row["updated_at"] or row["created_at"] or 0,
        "created_at": row["created_at"] or 0,
        "sort_name": " ".join(fold(_storable(summary.name)).split())[:SORT_NAME_LENGTH],
        "kind": summary.kind.value,
        "component_id": summary.component_id[:MAX_ID_LENGTH],
        "component_name": _storable(summary.component_name or "") or None,
        "collection": _storable(summary.collection or "")[:200] or None,
        "tags": TAG_MARK + TAG_MARK.join(tags) + TAG_MARK if tags else "",
        "first_question": _storable(summary.first_question or "") or None,
        "search_text": fold(_storable(told)),
        "runs": int(sums.runs or 0) if sums else summary.runs,
        "failed_runs": int(sums.failed_runs or 0) if sums else 0,
        "unfinished_runs": int(sums.unfinished_runs or 0) if sums else 0,
        "tokens": _to_tokens(sums, listing.title_tokens(row)),
        "duration_s": float(sums.duration_s) if sums and sums.duration_s is not None else None,
        "last_run_id": summary.last_run_id,
        "last_status": summary.last_status.value if summary.last_status else None,
    }


def _to_tokens(sums: Any, for_title: int) -> int | None:
    of_runs = int(sums.tokens) if sums and sums.tokens is not None else None
    return of_runs + for_title if of_runs is not None else for_title or None


def _storable(words: str) -> str:
    """Return text without the half characters and zero bytes that a database refuses."""
    return words.encode("utf-8", "replace").decode("utf-8").replace("\x00", " ")


# -- reading them ------------------------------------------------------------------------------------------------------


HEAD_COLUMNS = tuple(
    heads.c[name].label(f"head_{name}")
    for name in (
        *("session_key", "written_at", "first_question", "runs", "failed_runs", "unfinished_runs"),
        *("tokens", "duration_s", "last_run_id", "last_status"),
    )
)


def to_details(rows: Sequence[Mapping[Any, Any]]) -> listing.Details:
    """Return what heads tell of session rows read with `HEAD_COLUMNS`; nothing of a row that is newer than its head."""
    found = {
        row["session_id"]: row
        for row in rows
        if row["head_session_key"] is not None and row["head_written_at"] == row["updated_at"]
    }
    return listing.Details(
        runs={session_id: row["head_runs"] for session_id, row in found.items()},
        last={
            session_id: (row["head_last_run_id"], RunStatus(row["head_last_status"]))
            for session_id, row in found.items()
            if row["head_last_run_id"] and row["head_last_status"]
        },
        first_questions={
            session_id: row["head_first_question"] for session_id, row in found.items() if row["head_first_question"]
        },
        sums={
            session_id: listing.Sums(
                tokens=row["head_tokens"],
                duration_s=row["head_duration_s"],
                failed_runs=row["head_failed_runs"],
                unfinished_runs=row["head_unfinished_runs"],
            )
            for session_id, row in found.items()
        },
    )
