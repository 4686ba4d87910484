"""Full text of questions and answers, found by any word: an index of our own beside Agno's tables.

It follows Agno's run rows, whoever wrote them: `update` takes in what is new or changed since it last looked, in small
batches, so that a background thread can keep it current. What it holds is a copy; a hit is shown only while its run is
still there and its session is still the user's.

Not indexed: runs inside an older session row (Agno 2.x kept them there), and all but the first `MAX_TEXT_LENGTH`
characters of a question or an answer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.mysql import LONGTEXT

from lib.records import MAX_ID_LENGTH, Page, Reader, SearchHit, TextSegment
from lib.storage.connector import Connector
from lib.storage.identity import exactly, to_scope
from lib.storage.reading import to_run_record
from lib.storage.schema import ON_MYSQL, SEQUENCE, runs, sessions
from lib.storage.search_words import SearchQuestion, find_first, fold, to_search_question, to_user_word, to_words

MAX_TEXT_LENGTH = 100_000
BATCH = 100
RECHECK_S = 120
"""Agno's times are whole seconds and clocks differ: rows written this long before the newest are looked at again."""
RECHECKED_FOR_S = 900
"""But not when the newest is older than this, by our own clock."""

_CANDIDATES = 200
_ROUNDS = 5
_EXCERPT_LENGTH = 90

_TABLES = MetaData()
_LONG = Text().with_variant(LONGTEXT(), "mysql", "mariadb")

texts = Table(
    "roundtable_search_texts",
    _TABLES,
    Column("number", SEQUENCE, primary_key=True, autoincrement=True),
    Column("run_id", String(MAX_ID_LENGTH), nullable=False),
    Column("session_id", String(MAX_ID_LENGTH), nullable=False),
    Column("user_id", String(MAX_ID_LENGTH), nullable=False),
    Column("asked_at", BigInteger, nullable=False),  # seconds since 1970
    Column("fingerprint", String(80), nullable=False),
    Column("question", _LONG, nullable=False),
    Column("answer", _LONG, nullable=False),
    Column("words", _LONG),  # MySQL only; SQLite keeps them in an FTS5 table with the same numbers
    Index("roundtable_search_texts_run", "run_id"),
    Index("roundtable_search_texts_session", "session_id"),
    Index("roundtable_search_texts_user", "user_id", "asked_at", "number"),
    sqlite_autoincrement=True,
    **ON_MYSQL,
)
progress = Table(
    "roundtable_search_progress",
    _TABLES,
    Column("name", String(20), primary_key=True),
    Column("updated_at", BigInteger, nullable=False),
    Column("run_id", String(MAX_ID_LENGTH), nullable=False),
    **ON_MYSQL,
)
_SQLITE_WORDS = "roundtable_search_words"
_PROGRESS = "all runs"
"""What the row of how far was looked is called; another name: begin anew."""

_fingerprint = (
    func.coalesce(runs.c.status, "").label("status"),
    func.coalesce(runs.c.updated_at, 0).label("updated_at"),
    func.length(runs.c.run_data).label("size"),
)


def create_search_tables(connection: Connection, dialect: str) -> None:
    """Make the index's tables where they are missing. Runs under the set-up lock."""
    _TABLES.create_all(connection, checkfirst=True)
    if dialect == "sqlite":
        connection.execute(text(f"CREATE VIRTUAL TABLE IF NOT EXISTS {_SQLITE_WORDS} USING fts5(words)"))
    elif not connection.execute(text(f"SHOW INDEX FROM {texts.name} WHERE Key_name = '{texts.name}_words'")).first():
        connection.execute(text(f"CREATE FULLTEXT INDEX {texts.name}_words ON {texts.name} (words)"))
    if not connection.execute(select(progress.c.name).where(progress.c.name == _PROGRESS)).first():
        # An earlier version left out what sessions without an owner hold: all runs are looked at again, those are read.
        of_nobody = connection.execute(select(texts.c.run_id).where(texts.c.user_id == "")).scalars().all()
        for run_id in of_nobody:
            _forget(connection, dialect, run_id)
        connection.execute(delete(progress))
        connection.execute(insert(progress).values(name=_PROGRESS, updated_at=0, run_id=""))


class SearchIndex:
    """Finds questions and answers of one user; kept current by `update`."""

    def __init__(self, connector: Connector) -> None:
        """Search what `create_search_tables` has made room for."""
        self._connector = connector

    # -- keeping it current ----------------------------------------------------------------------------------------

    def update(self) -> int:
        """Take in the next batch of new or changed runs; return how many were read (0: it is current)."""
        # Most looks find nothing: those must not take SQLite's one writer's lock.
        if not any(self._connector.read(_look)):
            return 0
        return self._connector.write(self._take_in_batch)

    def _take_in_batch(self, connection: Connection) -> int:
        connection.execute(select(progress).with_for_update()).all()  # one process at a time
        new, changed = _look(connection)
        if new:
            last = new[-1]
            connection.execute(update(progress).values(updated_at=last["updated_at"], run_id=last["run_id"]))
        bodies = _read_bodies(connection, [row["run_id"] for row in changed])
        for row in bodies:
            _forget(connection, self._connector.dialect, row["run_id"])
            self._remember(connection, row)
        return len(new) or len(bodies)

    def _remember(self, connection: Connection, row: RowMapping) -> None:
        owner = row["owner"] or ""  # nobody's: found by those who may read everybody's
        record = to_run_record({**row})
        answer = "\n".join(segment.text for segment in record.segments if isinstance(segment, TextSegment))
        question, answer = (text_of_run[:MAX_TEXT_LENGTH] for text_of_run in (record.question, answer))
        words = " ".join([to_user_word(owner), *to_words(question), *to_words(answer)])
        on_mysql = self._connector.dialect == "mysql"
        stored = connection.execute(
            insert(texts).values(
                run_id=row["run_id"],
                session_id=row["session_id"],
                user_id=owner,
                asked_at=row["created_at"] or 0,
                fingerprint=_to_fingerprint(row),
                question=_storable(question),
                answer=_storable(answer),
                words=words if on_mysql else None,
            )
        )
        if not on_mysql:
            (number,) = stored.inserted_primary_key or (None,)
            statement = text(f"INSERT INTO {_SQLITE_WORDS} (rowid, words) VALUES (:number, :words)")
            connection.execute(statement, {"number": number, "words": words})

    def forget_session(self, connection: Connection, session_id: str) -> None:
        """Drop a session's texts, in the transaction that deletes it."""
        found = select(texts.c.run_id).where(exactly(texts.c.session_id, session_id))
        for run_id in connection.execute(found).scalars().all():
            _forget(connection, self._connector.dialect, run_id)

    def forget_run(self, connection: Connection, run_id: str) -> None:
        """Drop a run's texts, in the transaction that deletes it."""
        _forget(connection, self._connector.dialect, run_id)

    # -- searching -------------------------------------------------------------------------------------------------

    def search(
        self,
        typed: str,
        *,
        user_id: str | Reader,
        owner: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[SearchHit]:
        """Return a page of the questions and answers that hold all that was typed, the newest first.

        Of the user's own sessions; for admins of everybody's, sessions without an owner too, or of one `owner` only.
        Words may be typed half; words in quotes must stand together. Never raises for what is typed.

        Raises:
            NotAllowed: somebody who is no admin names another owner.
        """
        scope = to_scope(user_id, owner=owner)
        question = to_search_question(typed)
        if not question.terms:
            return Page(items=())
        place = _to_place(cursor)
        hits: list[SearchHit] = []
        for _ in range(_ROUNDS):
            candidates = self._connector.read(
                lambda connection, place=place: self._read_candidates(connection, question, scope, place)  # type: ignore[misc]
            )
            for row in candidates:
                place = (row["asked_at"], row["number"])
                if hit := _to_hit(row, question.terms):
                    hits.append(hit)
                if len(hits) == limit:
                    return Page(items=tuple(hits), next_cursor=f"{place[0]}.{place[1]}")
            if len(candidates) < _CANDIDATES:
                return Page(items=tuple(hits))
        return Page(items=tuple(hits), next_cursor=f"{place[0]}.{place[1]}" if place else None)

    def _read_candidates(
        self, connection: Connection, question: SearchQuestion, user_id: str | None, place: tuple[int, int] | None
    ) -> Sequence[RowMapping]:
        statement = select(texts).where(true() if user_id is None else exactly(texts.c.user_id, user_id))
        asked, parameters = self._to_match(question, user_id)
        if asked is not None:
            statement = statement.where(asked)
        if place is not None:
            older = and_(texts.c.asked_at == place[0], texts.c.number < place[1])
            statement = statement.where(or_(texts.c.asked_at < place[0], older))
        statement = statement.order_by(texts.c.asked_at.desc(), texts.c.number.desc()).limit(_CANDIDATES)
        rows = connection.execute(statement, parameters).mappings().all()
        return _still_there(connection, rows, user_id)

    def _to_match(self, question: SearchQuestion, user_id: str | None) -> tuple[Any, dict[str, str]]:
        """Return the condition that the index answers, and its parameters; no condition for symbols alone."""
        wanted = [*question.words, *([f"{question.unfinished}*"] if question.unfinished else [])]
        if not wanted:
            return None, {}
        if user_id is not None:
            # First: MariaDB works along the words, and only the first one's texts are looked for in the lists of the others.
            wanted.insert(0, to_user_word(user_id))
        if self._connector.dialect == "mysql":
            asked = text(f"MATCH ({texts.name}.words) AGAINST (:asked IN BOOLEAN MODE)")
            return asked, {"asked": " ".join(f"+{word}" for word in wanted)}
        asked = text(f"{texts.name}.number IN (SELECT rowid FROM {_SQLITE_WORDS} WHERE words MATCH :asked)")
        return asked, {"asked": " AND ".join(wanted)}


_columns = (runs.c.run_id, *_fingerprint)


def _look(connection: Connection) -> tuple[Sequence[RowMapping], list[RowMapping]]:
    """Return the next rows that nobody has looked at, and those to take in: of these, else of the latest ones."""
    here = connection.execute(select(progress)).mappings().one()
    new = _read_rows_after(connection, here["updated_at"], here["run_id"])
    return new, _without_known(connection, new or _read_rows_again(connection, here["updated_at"]))


def _read_rows_after(connection: Connection, updated_at: int, run_id: str) -> Sequence[RowMapping]:
    moment = runs.c.updated_at
    # The plain bound first: without it SQLite reads the whole index.
    return _read_heads(connection, and_(moment >= updated_at, or_(moment > updated_at, runs.c.run_id > run_id)))


def _read_rows_again(connection: Connection, updated_at: int) -> Sequence[RowMapping]:
    """Return what was written shortly before the newest, while that is not long ago, and rows without a time."""
    undated = _read_heads(connection, runs.c.updated_at.is_(None), limit=10 * BATCH)
    if updated_at < time.time() - RECHECKED_FOR_S:
        return undated
    return [*undated, *_read_heads(connection, runs.c.updated_at >= updated_at - RECHECK_S, limit=10 * BATCH)]


def _read_heads(connection: Connection, condition: Any, *, limit: int = BATCH) -> Sequence[RowMapping]:
    statement = select(*_columns).where(condition, runs.c.parent_run_id.is_(None))
    return connection.execute(statement.order_by(runs.c.updated_at, runs.c.run_id).limit(limit)).mappings().all()


def _without_known(connection: Connection, rows: Sequence[RowMapping]) -> list[RowMapping]:
    ids = [row["run_id"] for row in rows]
    statement = select(texts.c.run_id, texts.c.fingerprint).where(texts.c.run_id.in_(ids))
    known = {row.run_id: row.fingerprint for row in connection.execute(statement)}
    return [row for row in rows if known.get(row["run_id"]) != _to_fingerprint(row)][:BATCH]


def _read_bodies(connection: Connection, run_ids: Sequence[str]) -> Sequence[RowMapping]:
    if not run_ids:
        return ()
    statement = (
        select(runs, func.length(runs.c.run_data).label("size"), sessions.c.user_id.label("owner"))
        .join_from(runs, sessions, runs.c.session_id == sessions.c.session_id)
        .where(runs.c.run_id.in_(list(run_ids)))
    )
    return connection.execute(statement).mappings().all()


def _forget(connection: Connection, dialect: str, run_id: str) -> None:
    condition = exactly(texts.c.run_id, run_id)
    if dialect == "sqlite":
        for number in connection.execute(select(texts.c.number).where(condition)).scalars().all():
            connection.execute(text(f"DELETE FROM {_SQLITE_WORDS} WHERE rowid = :number"), {"number": number})
    connection.execute(delete(texts).where(condition))


def _still_there(connection: Connection, rows: Sequence[RowMapping], user_id: str | None) -> Sequence[RowMapping]:
    """Drop what was deleted, or went to somebody else, since it was indexed."""
    ids = [row["run_id"] for row in rows]
    if not ids:
        return rows
    statement = (
        select(runs.c.run_id)
        .join_from(runs, sessions, runs.c.session_id == sessions.c.session_id)
        .where(runs.c.run_id.in_(ids), true() if user_id is None else exactly(sessions.c.user_id, user_id))
    )
    there = set(connection.execute(statement).scalars())
    return [row for row in rows if row["run_id"] in there]


def _to_fingerprint(row: RowMapping) -> str:
    return f"{row['status'] or ''}:{row['updated_at'] or 0}:{row['size']}"[:80]


def _to_place(cursor: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d{1,18})\.(\d{1,18})", cursor or "")
    return (int(match[1]), int(match[2])) if match else None


def _storable(text_of_run: str) -> str:
    """Return text without the half characters and zero bytes that a database refuses."""
    return text_of_run.encode("utf-8", "replace").decode("utf-8").replace("\x00", " ")


def _to_hit(row: RowMapping, terms: tuple[str, ...]) -> SearchHit | None:
    folded = fold(row["question"] + "\n" + row["answer"])
    if not all(term in folded for term in terms):
        return None
    for found_in in ("question", "answer"):
        if place := find_first(row[found_in], terms):
            before, hit, after = _to_excerpt(row[found_in], *place)
            return SearchHit(
                session_id=row["session_id"],
                run_id=row["run_id"],
                asked_at=datetime.fromtimestamp(row["asked_at"], UTC),
                found_in=found_in,
                before=before,
                hit=hit,
                after=after,
            )
    return None


def _to_excerpt(whole: str, start: int, end: int) -> tuple[str, str, str]:
    """Return the hit with the rest of its sentence on both sides, cut where it is long."""
    before = re.split(r"(?<=[.!?。！？])\s*|\n", whole[:start])[-1]
    after = re.split(r"(?<=[.!?。！？])|\n", whole[end:], maxsplit=1)[0]
    if len(before) > _EXCERPT_LENGTH:
        before = "…" + before[-_EXCERPT_LENGTH:].lstrip()
    if len(after) > _EXCERPT_LENGTH:
        after = after[:_EXCERPT_LENGTH].rstrip() + "…"
    return before, whole[start:end], after
