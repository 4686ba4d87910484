"""Full text of questions and answers, found by any word: an index of our own beside Agno's tables.

It follows Agno's run rows, whoever wrote them: `update` takes in what is new or changed since it last looked, in small
batches, so that a background thread can keep it current. What it holds is a copy; a hit is shown only while its run is
still there and its session is still the user's.

Runs that Agno 2 keeps in a session's row are in it too (`legacy_texts`). Not indexed: all but the first `MAX_TEXT_LENGTH`
characters of a question or an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, insert, or_, select, text, true

from lib.records import LAB_SESSION_PREFIX, Page, Reader, SearchHit, SessionFilter
from lib.storage import session_lists
from lib.storage.connector import Connector
from lib.storage.cursors import check_limit
from lib.storage.identity import exactly, owned_by, to_scope
from lib.storage.legacy_texts import LegacyLook, LegacyLooks, compare, list_present
from lib.storage.reading import to_run_record
from lib.storage.run_queue import RunQueue
from lib.storage.schema import runs, sessions
from lib.storage.search_looks import Look, SearchLooks, list_changed, list_gone, note_place, to_fingerprint
from lib.storage.search_tables import SQLITE_WORDS, forget_text, progress, texts
from lib.storage.search_words import SearchQuestion, find_first, fold, to_search_question, to_user_word, to_words

MAX_TEXT_LENGTH = 100_000
_CANDIDATES = 200
_ROUNDS = 5
_EXCERPT_LENGTH = 90


class SearchIndex:
    """Finds questions and answers of one user; kept current by `update`."""

    def __init__(self, connector: Connector) -> None:
        """Search what `create_search_tables` has made room for."""
        self._connector = connector
        self._queue = RunQueue(connector)
        self._looks = SearchLooks()
        self._legacy = LegacyLooks()

    # -- keeping it current ----------------------------------------------------------------------------------------

    def update(self) -> int:
        """Take in the next batch of new or changed runs; return how many were read (0: rest a while)."""
        look = self._connector.read(self._looks.look)
        # Most looks find nothing: those must not take SQLite's one writer's lock.
        if not look.is_empty:
            return self._connector.write(lambda connection: self._take_in(connection, look))
        older = self._connector.read(self._legacy.look)
        if not (older.changed or older.gone):
            return 0
        taken_in = self._connector.write(lambda connection: self._take_in_legacy(connection, older))
        self._legacy.note(older)
        return taken_in

    def _take_in(self, connection: Connection, look: Look) -> int:
        connection.execute(select(progress).with_for_update()).all()  # one process at a time
        for run_id in list_gone(connection, look.gone):
            forget_text(connection, self._connector.dialect, run_id)
        bodies = _read_bodies(connection, list_changed(connection, look.changed, sized=look.changed))
        for row in bodies:
            forget_text(connection, self._connector.dialect, row["run_id"])
            self._remember(connection, row)
        note_place(connection, look)
        return len(look.new) or (len(bodies) if look.goes_on else 0)

    def _take_in_legacy(self, connection: Connection, look: LegacyLook) -> int:
        connection.execute(select(progress).with_for_update()).all()  # one process at a time
        now = compare(connection, look.seen)
        for run_id in (*now.gone, *(row["run_id"] for row in now.changed)):
            forget_text(connection, self._connector.dialect, run_id)
        for row in now.changed:
            self._remember(connection, row)
        return len(now.gone) + len(now.changed)

    def _remember(self, connection: Connection, row: Mapping[Any, Any]) -> None:
        owner = row["owner"] or ""  # nobody's: found by those who may read everybody's
        record = to_run_record({**row})
        answer = "\n".join(record.texts)
        question, answer = (text_of_run[:MAX_TEXT_LENGTH] for text_of_run in (record.question, answer))
        words = " ".join([to_user_word(owner), *to_words(question), *to_words(answer)])
        on_mysql = self._connector.dialect == "mysql"
        stored = connection.execute(
            insert(texts).values(
                run_id=row["run_id"],
                session_id=row["session_id"],
                user_id=owner,
                asked_at=row["created_at"] or 0,
                fingerprint=row.get("fingerprint") or to_fingerprint(row),
                question=_storable(question),
                answer=_storable(answer),
                words=words if on_mysql else None,
            )
        )
        if not on_mysql:
            (number,) = stored.inserted_primary_key or (None,)
            statement = text(f"INSERT INTO {SQLITE_WORDS} (rowid, words) VALUES (:number, :words)")
            connection.execute(statement, {"number": number, "words": words})

    def forget_session(self, connection: Connection, session_id: str) -> None:
        """Drop a session's texts, in the transaction that deletes it."""
        found = select(texts.c.run_id).where(exactly(texts.c.session_id, session_id))
        for run_id in connection.execute(found).scalars().all():
            forget_text(connection, self._connector.dialect, run_id)

    def forget_run(self, connection: Connection, run_id: str) -> None:
        """Drop a run's texts, in the transaction that deletes it."""
        forget_text(connection, self._connector.dialect, run_id)

    # -- searching -------------------------------------------------------------------------------------------------

    def search(
        self,
        typed: str,
        *,
        user_id: str | Reader,
        where: SessionFilter | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[SearchHit]:
        """Return a page of the questions and answers that hold all that was typed, the newest first.

        Of the user's own sessions; for admins of everybody's, sessions without an owner too. `where` narrows them as it
        narrows a list of sessions, but for its words, which are of titles. Words may be typed half; words in quotes
        must stand together. Never raises for what is typed.

        Raises:
            NotAllowed: somebody who is no admin names another owner.
            InvalidInput: the page is empty or too large.
        """
        where = replace(where or SessionFilter(), text="")
        scope, limit = to_scope(user_id, owner=where.owner), check_limit(limit)
        question, fitting = to_search_question(typed), self._to_fitting(where, scope)
        if not question.terms:
            return Page(items=())
        place = _to_place(cursor)
        hits: list[SearchHit] = []
        for _ in range(_ROUNDS):
            candidates = self._connector.read(
                lambda connection, place=place: self._read_candidates(connection, question, scope, fitting, place)  # type: ignore[misc]
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

    def _to_fitting(self, where: SessionFilter, user_id: str | None) -> ColumnElement[bool]:
        """Return the condition that a text's session fits; only what is narrowed further needs the session's head."""
        if where == SessionFilter(owner=where.owner, hidden=where.hidden):
            return true() if where.hidden else ~texts.c.session_id.startswith(LAB_SESSION_PREFIX, autoescape=True)
        live = {run.session_id for run in self._queue.live(user_id=user_id)} if where.state else ()
        return texts.c.session_id.in_(session_lists.select_fitting(where, user_id=user_id, live=live))

    def _read_candidates(
        self,
        connection: Connection,
        question: SearchQuestion,
        user_id: str | None,
        fitting: ColumnElement[bool],
        place: tuple[int, int] | None,
    ) -> Sequence[RowMapping]:
        statement = select(texts).where(owned_by(texts.c.user_id, user_id), fitting)
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
        asked = text(f"{texts.name}.number IN (SELECT rowid FROM {SQLITE_WORDS} WHERE words MATCH :asked)")
        return asked, {"asked": " AND ".join(wanted)}


def _read_bodies(connection: Connection, run_ids: Sequence[str]) -> Sequence[RowMapping]:
    if not run_ids:
        return ()
    statement = (
        select(runs, func.length(runs.c.run_data).label("size"), sessions.c.user_id.label("owner"))
        .join_from(runs, sessions, runs.c.session_id == sessions.c.session_id)
        .where(runs.c.run_id.in_(list(run_ids)))
    )
    return connection.execute(statement).mappings().all()


def _still_there(connection: Connection, rows: Sequence[RowMapping], user_id: str | None) -> Sequence[RowMapping]:
    """Drop what was deleted, or went to somebody else, since it was indexed."""
    ids = [row["run_id"] for row in rows]
    if not ids:
        return rows
    statement = (
        select(runs.c.run_id)
        .join_from(runs, sessions, runs.c.session_id == sessions.c.session_id)
        .where(runs.c.run_id.in_(ids), owned_by(sessions.c.user_id, user_id))
    )
    there = set(connection.execute(statement).scalars()) | list_present(connection, rows)
    return [row for row in rows if row["run_id"] in there]


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
