"""Sessions and runs as they are stored, for one user at a time: `SessionStore`.

Every method names the user, compared exactly; a session or run of somebody else is as little there as a missing one.
Lists read columns, not runs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from lib.errors import InvalidInput, RunNotFound, SessionNotFound
from lib.records import Page, RunRecord, SessionKind, SessionSummary
from lib.storage import listing, staging
from lib.storage.connector import Connector
from lib.storage.identity import check_id, check_text, check_user, exactly, is_storable_id
from lib.storage.reading import to_run_record
from lib.storage.run_queue import RunQueue
from lib.storage.schema import database_now, deleted, run_queue, runs, sessions, to_deleted_key
from lib.storage.writing import OUR_KEY, is_deleted, lock_session

MAX_TITLE_LENGTH = 200
MAX_TAG_LENGTH = 60
MAX_TAGS = 50


class SessionStore:
    """Where sessions are made, found, changed and deleted."""

    def __init__(self, connector: Connector, *, queue: RunQueue) -> None:
        self._connector = connector
        self._queue = queue

    # -- making ----------------------------------------------------------------------------------------------------

    def create_session(
        self,
        *,
        user_id: str,
        component_id: str,
        kind: SessionKind = SessionKind.TEAM,
        session_id: str | None = None,
        collection: str | None = None,
    ) -> SessionSummary:
        """Return a new session, or the user's own one with this id.

        Raises:
            SessionNotFound: the id is somebody else's, or of a session that was deleted.
        """
        user_id = check_user(user_id)
        session_id = check_id(str(uuid.uuid4()) if session_id is None else session_id, "session id")
        check_id(component_id, "team or member id")
        if collection is not None:
            check_text(collection, "collection", max_length=MAX_TITLE_LENGTH, one_line=True)

        def work(connection: Connection) -> None:
            staging.ensure_session(
                connection,
                session_id=session_id,
                user_id=user_id,
                component_id=component_id,
                component_name=None,
                kind=kind,
                ours={"collection": collection} if collection else {},
            )

        self._connector.write(work)
        return self.get_session(session_id, user_id=user_id)

    def stage_question(
        self,
        *,
        session_id: str,
        user_id: str,
        run_id: str,
        component_id: str,
        component_name: str,
        kind: SessionKind,
        question: str,
        settings: Mapping[str, Any],
        images: Sequence[Any] = (),
    ) -> None:
        """Store a question before it is asked, in its place in the session, and queue its run; all of it or nothing.

        What is stored is a run with status ERROR (agno-facts 5.6), which Agno replaces when the run ends; so after a
        crash the question is still there, and no later prompt holds it. Staging the same run again changes nothing.

        Raises:
            SessionNotFound: the session is somebody else's, or was deleted.
            RunNotFound: the run's id is taken.
            StorageError: the database did not take it; the run must not start.
        """
        staged = staging.StagedQuestion(
            session_id=check_id(session_id, "session id"),
            user_id=check_user(user_id),
            run_id=check_id(run_id, "run id"),
            component_id=check_id(component_id, "team or member id"),
            component_name=component_name,
            kind=kind,
            question=check_text(question, "question"),
            settings=settings,
            images=tuple(images),
        )
        self._connector.write(lambda connection: staging.stage(connection, staged))

    # -- finding ---------------------------------------------------------------------------------------------------

    def list_sessions(self, *, user_id: str, limit: int = 50, cursor: str | None = None) -> Page[SessionSummary]:
        """Return a page of the user's sessions, the last used first. No run is read."""
        user_id = check_user(user_id)
        rows, next_cursor = self._connector.read(
            lambda connection: listing.read_session_page(connection, user_id=user_id, limit=limit, cursor=cursor)
        )
        return Page(items=self._to_summaries(rows), next_cursor=next_cursor)

    def get_session(self, session_id: str, *, user_id: str) -> SessionSummary:
        """Return what a list shows of one session."""
        user_id = check_user(user_id)
        if not is_storable_id(session_id):
            raise SessionNotFound(session_id)
        row = self._connector.read(
            lambda connection: listing.find_session(connection, session_id=session_id, user_id=user_id)
        )
        if row is None:
            raise SessionNotFound(session_id)
        return self._to_summaries([row])[0]

    def get_session_row(self, session_id: str, *, user_id: str) -> Mapping[str, Any]:
        """Return the session's row as it is stored."""
        user_id = check_user(user_id)
        if not is_storable_id(session_id):
            raise SessionNotFound(session_id)
        statement = select(sessions).where(exactly(sessions.c.session_id, session_id))
        row = self._connector.read(lambda connection: connection.execute(statement).mappings().first())
        if row is None or row["user_id"] != user_id:
            raise SessionNotFound(session_id)
        return dict(row)

    def was_deleted(self, value: str, *, kind: str = "session") -> bool:
        """Whether a session (or a run) was deleted by hand, so that late results were rightly dropped."""
        return self._connector.read(lambda connection: is_deleted(connection, kind, value))

    def _to_summaries(self, rows: Sequence[Mapping[str, Any]]) -> tuple[SessionSummary, ...]:
        live = self._queue.live_states([row["session_id"] for row in rows])
        details = self._connector.read(lambda connection: listing.read_details(connection, rows))
        return tuple(listing.to_session_summary(row, details, live) for row in rows)

    # -- runs ------------------------------------------------------------------------------------------------------

    def list_runs(
        self, session_id: str, *, user_id: str, limit: int = 30, before: str | None = None
    ) -> Page[RunRecord]:
        """Return the newest runs of a session, or those before a cursor, oldest first, with their member runs."""
        self.get_session_row(session_id, user_id=user_id)
        rows, members, older = self._connector.read(
            lambda connection: listing.read_run_page(connection, session_id=session_id, limit=limit, before=before)
        )
        live = self._queue.live_states([session_id])
        items = tuple(to_run_record(row, members.get(row["run_id"], ()), live_run_ids=live) for row in reversed(rows))
        return Page(items=items, next_cursor=older)

    def get_run(self, run_id: str, *, user_id: str) -> RunRecord:
        """Return a run with the member runs under it."""
        row = self.get_run_row(run_id, user_id=user_id)
        members = self._connector.read(lambda connection: listing.read_members(connection, [row]))
        live = self._queue.live_states([row["session_id"]])
        return to_run_record(row, members.get(run_id, ()), live_run_ids=live)

    def get_run_row(self, run_id: str, *, user_id: str) -> Mapping[str, Any]:
        """Return the run's row as it is stored, `run_data` parsed."""
        user_id = check_user(user_id)
        if not is_storable_id(run_id):
            raise RunNotFound(run_id)
        row = self._connector.read(lambda connection: listing.find_run(connection, run_id=run_id, user_id=user_id))
        if row is None:
            raise RunNotFound(run_id)
        return row

    # -- changing --------------------------------------------------------------------------------------------------

    def rename_session(self, session_id: str, title: str, *, user_id: str, by: str = "hand") -> bool:
        """Give a session a title; whether it was taken: one given by hand is only replaced by hand."""
        title = check_text(title, "title", max_length=MAX_TITLE_LENGTH, one_line=True).strip()

        def change(data: dict[str, Any], ours: dict[str, Any]) -> bool:
            if by != "hand" and ours.get("title_by") == "hand":
                return False
            data["session_name"] = title
            ours["title_by"] = by
            return True

        return self._change(session_id, user_id, change)

    def set_tags(self, session_id: str, tags: Iterable[str], *, user_id: str) -> None:
        """Give a session exactly these tags; doubles and the order of arrival fall away."""
        chosen = sorted({check_text(tag, "tag", max_length=MAX_TAG_LENGTH, one_line=True).strip() for tag in tags})
        if len(chosen) > MAX_TAGS:
            raise InvalidInput(f"A session takes at most {MAX_TAGS} tags, not {len(chosen)}. Nothing was written.")
        self._change(session_id, user_id, _setting("tags", chosen))

    def set_collection(self, session_id: str, collection: str | None, *, user_id: str) -> None:
        """Put a session into a collection; None takes it out."""
        if collection is not None:
            collection = check_text(collection, "collection", max_length=MAX_TITLE_LENGTH, one_line=True).strip()
        self._change(session_id, user_id, _setting("collection", collection))

    def _change(self, session_id: str, user_id: str, change: Callable[[dict[str, Any], dict[str, Any]], bool]) -> bool:
        """Change a session's data and our part of it under its lock; False: `change` left it as it is."""
        user_id = check_user(user_id)
        if not is_storable_id(session_id):
            raise SessionNotFound(session_id)

        def work(connection: Connection) -> bool:
            stored = lock_session(connection, session_id)
            if stored is None or stored["user_id"] != user_id:
                raise SessionNotFound(session_id)
            data = dict(stored["session_data"]) if isinstance(stored["session_data"], Mapping) else {}
            ours = dict(data[OUR_KEY]) if isinstance(data.get(OUR_KEY), Mapping) else {}
            if not change(data, ours):
                return False
            data[OUR_KEY] = ours
            connection.execute(
                update(sessions)
                .where(exactly(sessions.c.session_id, session_id))
                .values(session_data=data, updated_at=int(time.time()))
            )
            return True

        return self._connector.write(work)

    # -- deleting --------------------------------------------------------------------------------------------------

    def delete_session(self, session_id: str, *, user_id: str) -> None:
        """Delete a session with all its runs. It cannot come back: what a live run still writes is dropped."""
        user_id = check_user(user_id)
        if not is_storable_id(session_id):
            raise SessionNotFound(session_id)

        def work(connection: Connection) -> None:
            stored = lock_session(connection, session_id)
            if stored is None or stored["user_id"] != user_id:
                raise SessionNotFound(session_id)
            _remember_deletion(connection, "session", session_id)
            _ask_to_stop(connection, exactly(run_queue.c.session_id, session_id))
            connection.execute(delete(runs).where(exactly(runs.c.session_id, session_id)))
            connection.execute(delete(sessions).where(exactly(sessions.c.session_id, session_id)))

        self._connector.write(work)

    def delete_run(self, run_id: str, *, user_id: str) -> None:
        """Delete a run with its member runs. The others keep their places, and new ones still come after them."""
        row = self.get_run_row(run_id, user_id=user_id)

        def work(connection: Connection) -> None:
            stored = lock_session(connection, row["session_id"])
            if stored is None or stored["user_id"] != user_id:
                raise RunNotFound(run_id)
            members = listing.read_members(connection, [row], bodies=False).get(run_id, ())
            for gone in (run_id, *(member["run_id"] for member in members)):
                _remember_deletion(connection, "run", gone)
                _ask_to_stop(connection, exactly(run_queue.c.run_id, gone))
                connection.execute(delete(runs).where(exactly(runs.c.run_id, gone)))
            connection.execute(
                update(sessions)
                .where(exactly(sessions.c.session_id, row["session_id"]))
                .values(updated_at=int(time.time()))
            )

        self._connector.write(work)


def _setting(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], bool]:
    """Return a change that sets one of our own values."""

    def change(_data: dict[str, Any], ours: dict[str, Any]) -> bool:
        ours[name] = value
        return True

    return change


def _remember_deletion(connection: Connection, kind: str, value: str) -> None:
    if not is_deleted(connection, kind, value):
        key = to_deleted_key(kind, value)
        connection.execute(insert(deleted).values(deleted_key=key, deleted_at=int(time.time())))


def _ask_to_stop(connection: Connection, condition: Any) -> None:
    connection.execute(update(run_queue).where(condition).values(stop_requested_at=database_now()))
