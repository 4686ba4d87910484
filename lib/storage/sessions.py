"""Sessions and runs as they are stored, for one user at a time: `SessionStore`.

Every method names the user, compared exactly; a session or run of somebody else is as little there as a missing one.
Lists read columns, not runs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from lib.errors import RunNotFound, SessionNotFound
from lib.records import Loss, SessionKind, SessionSummary, Tokens
from lib.storage import deleting, forks, heads, staging
from lib.storage.connector import Connector
from lib.storage.identity import check_id, check_text, check_user, is_possible_id
from lib.storage.labels import (
    MAX_TITLE_LENGTH,
    Change,
    change_session,
    check_collection,
    check_tags,
    check_title,
    list_tags,
    setting,
)
from lib.storage.media import MediaFolder
from lib.storage.outbox import Outbox
from lib.storage.run_queue import RunQueue
from lib.storage.search_index import SearchIndex
from lib.storage.session_reads import SessionReads
from lib.storage.writing import lock_session

STOP_PATIENCE_S = 4.0
"""How long a deletion waits for the runs it stops."""
STOP_POLL_S = 0.1


class SessionStore(SessionReads):
    """Where sessions are made, found, changed, forked and deleted."""

    def __init__(
        self, connector: Connector, *, queue: RunQueue, search: SearchIndex, outbox: Outbox, media_dir: Path
    ) -> None:
        self._connector = connector
        self._queue = queue
        self._search = search
        self._outbox = outbox
        self._media = MediaFolder(media_dir)

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
        collection = check_collection(collection)

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
            heads.refresh_heads(connection, [session_id])

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

        def work(connection: Connection) -> None:
            staging.stage(connection, staged)
            heads.note_runs(connection, [staged.run_id])
            heads.refresh_heads(connection, [staged.session_id])

        self._connector.write(work)

    # -- changing --------------------------------------------------------------------------------------------------

    def rename_session(self, session_id: str, title: str, *, user_id: str, by: str = "hand") -> bool:
        """Give a session a title; whether it was taken: one given by hand is only replaced by hand."""
        title = check_title(title)

        def change(data: dict[str, Any], ours: dict[str, Any]) -> bool:
            if by != "hand" and ours.get("title_by") == "hand":
                return False
            data["session_name"] = title
            ours["title_by"] = by
            ours.pop("made_title", None)
            return True

        return self._change([session_id], user_id, change)

    def set_model_title(self, session_id: str, title: str | None, *, user_id: str, tokens: Tokens) -> bool:
        """Replace the title that the first question gave by the model's, and note what it cost; whether it was replaced.

        A title that anybody gave, in this app or another, stays; so does the first one where the model gave none.
        """
        if title is not None:
            title = check_title(title)
        taken = False

        def change(data: dict[str, Any], ours: dict[str, Any]) -> bool:
            nonlocal taken
            from_question = staging.to_title(str(ours.get("first_question") or ""))
            taken = (
                title is not None and ours.get("title_by") == "question" and data.get("session_name") == from_question
            )
            if taken:
                data["session_name"], ours["title_by"] = title, "model"
                ours["made_title"] = title
            ours["title_tokens"] = {"input": tokens.input, "output": tokens.output, "total": tokens.total}
            return True

        self._change([session_id], user_id, change)
        return taken

    def set_tags(self, session_id: str, tags: Iterable[str], *, user_id: str) -> None:
        """Give a session exactly these tags; doubles and the order of arrival fall away."""
        self._change([session_id], user_id, setting(tags=list_tags(check_tags(tags))))

    def set_collection(self, session_id: str, collection: str | None, *, user_id: str) -> None:
        """Put a session into a collection; None takes it out."""
        self._change([session_id], user_id, setting(collection=check_collection(collection)))

    def set_labels(self, session_id: str, *, tags: Iterable[str], collection: str | None, user_id: str) -> None:
        """Give a session exactly these tags and this collection, or neither where one of them cannot be stored."""
        labels = setting(tags=list_tags(check_tags(tags)), collection=check_collection(collection))
        self._change([session_id], user_id, labels)

    def change_tags(
        self,
        session_ids: Iterable[str],
        *,
        user_id: str,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        collection: str | None = None,
    ) -> None:
        """Add tags to several sessions and take others away, leaving the rest of their tags as they are.

        `collection` puts them into one as well; an empty one takes them out. All of them are changed, or none.
        """
        added, removed = check_tags(add), check_tags(remove)
        moved = {} if collection is None else {"collection": check_collection(collection or None)}

        def change(_data: dict[str, Any], ours: dict[str, Any]) -> bool:
            tags = ours.get("tags")
            kept = {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
            ours.update(moved, tags=list_tags((kept | added) - removed))
            return True

        self._change(session_ids, user_id, change)

    def _change(self, session_ids: Iterable[str], user_id: str, change: Change) -> bool:
        """Change sessions, all or none; False: `change` left one as it was."""
        user_id = check_user(user_id)
        # In one order, so that two that change the same sessions wait for each other and do not meet crosswise.
        chosen = sorted(set(session_ids))

        def work(connection: Connection) -> bool:
            changed = [change_session(connection, session_id, user_id, change) for session_id in chosen]
            return all(changed)

        return self._connector.write(work)

    # -- forking ---------------------------------------------------------------------------------------------------

    def fork_session(self, session_id: str, *, user_id: str, upto_run_id: str | None = None) -> SessionSummary:
        """Copy a session up to and with a top-level run (None: all that has ended), to go on apart; return the copy.

        Ids are new throughout, stored images are copied, and the original stays as it is.

        Raises:
            SessionNotFound, RunNotFound: there is no such session of the user, or no such top-level run in it.
            InvalidInput: the run still goes on.
        """
        user_id = check_user(user_id)
        if not is_possible_id(session_id):
            raise SessionNotFound(session_id)
        live = self._queue.live_states([session_id])
        new_session_id = self._connector.write(
            lambda connection: forks.fork(
                connection,
                session_id,
                user_id=user_id,
                upto_run_id=upto_run_id,
                live_run_ids=live,
                media=self._media,
                max_title_length=MAX_TITLE_LENGTH,
            )
        )
        return self.get_session(new_session_id, user_id=user_id)

    # -- deleting --------------------------------------------------------------------------------------------------

    def delete_session(self, session_id: str, *, user_id: str) -> None:
        """Delete a session with all that belongs to it. It cannot come back: what a live run still writes is dropped.

        A live run is stopped first, and waited for briefly.
        """
        user_id = check_user(user_id)
        self._check_owned(session_id, user_id)
        self._stop_and_wait(session_id=session_id)

        def work(connection: Connection) -> tuple[str, ...]:
            stored = lock_session(connection, session_id)
            if stored is None or stored["user_id"] != user_id:
                raise SessionNotFound(session_id)
            return deleting.delete_session(connection, session_id, search=self._search)

        own_media = self._connector.write(work)
        self._media.remove(own_media)
        self._outbox.drop(session_id=session_id)

    def delete_sessions(self, session_ids: Iterable[str], *, user_id: str) -> int:
        """Delete several sessions; return how many. One that is not there (any more) is passed over."""
        number = 0
        for session_id in dict.fromkeys(session_ids):
            try:
                self.delete_session(session_id, user_id=user_id)
            except SessionNotFound:
                continue
            number += 1
        return number

    def delete_run(self, run_id: str, *, user_id: str) -> None:
        """Delete a run with its member runs. The others keep their places, and new ones still come after them."""
        row = self.get_run_row(run_id, user_id=check_user(user_id))
        self._stop_and_wait(session_id=row["session_id"], run_id=run_id)

        def work(connection: Connection) -> tuple[str, ...]:
            stored = lock_session(connection, row["session_id"])
            if stored is None or stored["user_id"] != user_id:
                raise RunNotFound(run_id)
            return deleting.delete_run(connection, row, search=self._search)

        own_media = self._connector.write(work)
        self._media.remove(own_media)
        self._outbox.drop(run_id=run_id)

    def describe_loss(self, session_ids: Iterable[str], *, user_id: str) -> Loss:
        """Return what is lost when the user's sessions are deleted. Raises SessionNotFound for one that is not theirs."""
        user_id, ids = check_user(user_id), list(dict.fromkeys(session_ids))
        for session_id in ids:
            self._check_owned(session_id, user_id)
        loss, own_media = self._connector.write(lambda connection: deleting.read_loss(connection, ids))
        return deleting.with_others(
            loss,
            images=self._media.count(own_media),
            live_runs=len(self._queue.live_in(ids)),
            kept_writes=sum(self._outbox.pending_for(session_id=session_id) for session_id in ids),
        )

    def describe_run_loss(self, run_id: str, *, user_id: str) -> Loss:
        """Return what is lost when one of the user's runs is deleted."""
        row = self.get_run_row(run_id, user_id=check_user(user_id))
        loss, own_media = self._connector.write(lambda connection: deleting.read_run_loss(connection, row))
        live = [run for run in self._queue.live_in([row["session_id"]]) if run.run_id == run_id]
        kept = self._outbox.pending_for(run_id=run_id)
        return deleting.with_others(loss, images=self._media.count(own_media), live_runs=len(live), kept_writes=kept)

    def _check_owned(self, session_id: str, user_id: str) -> None:
        if not is_possible_id(session_id) or self.find_session(session_id, user_id=user_id) is None:
            raise SessionNotFound(session_id)

    def _stop_and_wait(self, *, session_id: str, run_id: str | None = None) -> None:
        """Ask living runs to stop and give them a moment to say so; what they write later is dropped anyway."""
        deadline = time.monotonic() + STOP_PATIENCE_S
        asked: set[str] = set()
        while living := [run for run in self._queue.live_in([session_id]) if run_id in (None, run.run_id)]:
            for run in living:
                if run.run_id not in asked:
                    self._queue.request_stop(run.run_id, user_id=run.user_id)
                    asked.add(run.run_id)
            if time.monotonic() > deadline:
                return
            time.sleep(STOP_POLL_S)
