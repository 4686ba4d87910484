"""RunEngine: the only way a run starts. One engine for a process; pages, the recall lab and command lines share it.

What it promises is in the README ("What a run promises"). In short: a run lives in a thread of its own and belongs to
nobody's browser tab; the question is stored before the model is called; one run at a time in a session, across processes;
every call names a user, compared exactly.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from agno.db.base import BaseDb
from agno.team import Team

import lib
from lib.errors import InvalidInput, RunNotFound, RunRefused, StorageError
from lib.events import RunSaved
from lib.models import build_model
from lib.records import Attachment, RunRecord, RunStatus, SavedState, SessionKind
from lib.runs import cancellation
from lib.runs.handle import RunHandle
from lib.runs.run_log import RunLog
from lib.runs.titles import TitleMaker
from lib.runs.upkeep import Upkeep
from lib.runs.worker import RunRequest, RunWorker
from lib.settings import Settings
from lib.storage import Database, RunOutcome
from lib.storage.attachments import drop_images, keep_images
from lib.storage.identity import check_id, check_user
from lib.storage.reading.messages import to_images
from lib.teams.catalogue import TeamCatalogue

logger = logging.getLogger("roundtable.runs")

MAX_QUESTION_LENGTH = 100_000
MAX_WINDOW = 1_000
MAX_LIVE_RUNS = 32
"""Runs of one process that work at the same time; further ones wait."""
KEPT_AFTER_END_S = 15 * 60.0
"""How long a finished run can still be watched from memory."""
CLOSE_S = 3.0
"""How long `close` waits in all for runs that it interrupts."""


class RunEngine:
    """Starts, finds and stops runs. Safe to use from any thread."""

    def __init__(self, *, database: Database, catalogue: TeamCatalogue, settings: Settings) -> None:
        cancellation.install()
        self._database = database
        self._catalogue = catalogue
        self._settings = settings
        self._lock = threading.Lock()
        self._handles: dict[str, RunHandle] = {}
        self._workers: dict[str, RunWorker] = {}
        self._ended_at: dict[str, float] = {}
        self._slots = threading.BoundedSemaphore(MAX_LIVE_RUNS)
        self._closed = False
        self._titles = TitleMaker(database=database, settings=settings)
        self._upkeep = Upkeep(
            database, live_run_ids=self._live_run_ids, stop=self._stop_here, when_flushed=self._look_at_kept
        )

    def start(
        self,
        question: str,
        *,
        user_id: str,
        team: str,
        session_id: str | None = None,
        window: int | None = None,
        images: Sequence[Attachment | tuple[bytes, str]] = (),
        run_id: str | None = None,
        model: str | None = None,
    ) -> RunHandle:
        """Store the question and its images and begin to work it; returns at once.

        `images` are attachments, or pairs of bytes and MIME type.

        Raises:
            NotAllowed: nobody asks, or an admin as one.
            InvalidInput: the question is empty or too long, an id none that can be stored, the window no possible
                number of runs.
            TeamUnavailable, ModelUnavailable: there is no such team, or its model cannot be called.
            SessionNotFound: the session is another user's.
            DatabaseUnavailable: the question could not be stored; nothing runs.
            StorageError: an image could not be; nothing runs.
            RunRefused: the engine is closed, or there is a run with this id already.
        """
        check_user(user_id)
        if run_id is not None:
            self._refuse_known(check_id(run_id, "run id"), user_id=user_id)
        request = self._to_request(
            question,
            user_id=user_id,
            team=team,
            session_id=session_id or str(uuid.uuid4()),
            window=self._settings.num_history_runs if window is None else window,
            run_id=run_id or str(uuid.uuid4()),
            model=model,
        )
        media_dir = self._settings.media_dir
        attachments = [Attachment(*image) for image in images]
        kept = keep_images(attachments, session_id=request.session_id, media_dir=media_dir)
        try:
            return self._begin(replace(request, images=kept))
        except BaseException:
            drop_images(kept, media_dir=media_dir)
            raise

    def _begin(self, request: RunRequest) -> RunHandle:
        """Store a question whose images are stored, and start its worker."""
        entry, user_id = self._catalogue.get(request.settings["team"]), request.user_id
        log = RunLog(
            RunRecord(
                run_id=request.run_id,
                session_id=request.session_id,
                user_id=user_id,
                kind=SessionKind.TEAM,
                component_id=entry.name,
                component_name=entry.title,
                status=RunStatus.WAITING,
                question=request.question,
                images=to_images([image.to_dict(include_base64_content=False) for image in request.images]),
                started_at=datetime.now(UTC),
                exact_times=True,
                settings=request.settings,
                saved=SavedState.LIVE,
            )
        )
        handle = RunHandle(run_id=request.run_id, session_id=request.session_id, user_id=user_id, log=log)
        worker = RunWorker(request, database=self._database, log=log, slots=self._slots, when_over=self._when_over)
        self._take_in(handle, worker)
        try:
            self._database.sessions.stage_question(
                session_id=request.session_id,
                user_id=user_id,
                run_id=request.run_id,
                component_id=entry.name,
                component_name=entry.title,
                kind=SessionKind.TEAM,
                question=request.question,
                settings=request.settings,
                images=request.images,
            )
        except BaseException:
            self._forget(request.run_id)
            raise
        worker.start()
        self._upkeep.need()
        logger.info("Run %s started in session %s", request.run_id, request.session_id)
        return handle

    def find(self, run_id: str, *, user_id: str) -> RunHandle | None:
        """Return a run of this process, live or lately finished; None for any other, another user's too."""
        with self._lock:
            handle = self._handles.get(run_id)
        return handle if handle is not None and handle.user_id == user_id else None

    def live(self, *, user_id: str) -> tuple[RunHandle, ...]:
        """Return the user's runs that go on in this process, oldest first."""
        with self._lock:
            handles = list(self._handles.values())
        return tuple(handle for handle in handles if handle.live and handle.user_id == user_id)

    def live_in_session(self, session_id: str, *, user_id: str) -> tuple[RunHandle, ...]:
        """Return the runs of a session that go on in this process, oldest first."""
        return tuple(handle for handle in self.live(user_id=user_id) if handle.session_id == session_id)

    def stop(self, run_id: str, *, user_id: str) -> bool:
        """Stop a run, waiting or working, of this process or another. Returns whether there was one to stop."""
        handle = self.find(run_id, user_id=user_id)
        if handle is None:
            return self._database.queue.request_stop(run_id, user_id=user_id)
        if not handle.live:
            return False
        self._stop_here(run_id)
        return True

    def close(self) -> None:
        """Take no more questions and end what runs, as interrupted. Waits a few seconds at most."""
        with self._lock:
            self._closed = True
            workers = list(self._workers.values())
        for worker in workers:
            worker.interrupt()
        deadline = time.monotonic() + CLOSE_S
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        self._titles.close()
        self._upkeep.close()

    # -- beneath --------------------------------------------------------------------------------------------------

    def _to_request(
        self,
        question: str,
        *,
        user_id: str,
        team: str,
        session_id: str,
        window: int,
        run_id: str,
        model: str | None,
    ) -> RunRequest:
        check_id(session_id, "session id")
        _check_input(question, window=window)
        entry = self._catalogue.get(team)
        settings = self._settings
        # A team with a model of its own keeps it, whether CHAT_MODEL can be called or not; one named for this question must.
        spec = model or ("offline" if entry.model else settings.chat_model)
        chosen = build_model(spec, settings=settings)

        def build_team(db: BaseDb) -> Team:
            return self._catalogue.build_team(
                entry.name, db=db, model=chosen, window=window, media_dir=settings.media_dir
            )

        return RunRequest(
            run_id=run_id,
            session_id=session_id,
            user_id=user_id,
            question=question,
            window=window,
            settings={
                "model": entry.model or spec,
                "window": window,
                "team": entry.name,
                "app_version": lib.__version__,
            },
            build_team=build_team,
        )

    def _refuse_known(self, run_id: str, *, user_id: str) -> None:
        """Refuse an id that is taken: the new run would overwrite the stored one."""
        if self._database.sessions.is_run_id_taken(run_id, user_id=user_id):
            raise RunRefused(f"There is a run with the id {run_id!r} already.")

    def _take_in(self, handle: RunHandle, worker: RunWorker) -> None:
        with self._lock:
            if self._closed:
                raise RunRefused("The app is shutting down and takes no more questions. Ask again in a moment.")
            known = self._handles.get(handle.run_id)
            if known is not None and known.user_id != handle.user_id:
                raise RunNotFound(handle.run_id)  # taken, but that is not theirs to know
            if known is not None:
                raise RunRefused(f"There is a run with the id {handle.run_id!r} already.")
            self._drop_old()
            self._handles[handle.run_id] = handle
            self._workers[handle.run_id] = worker

    def _forget(self, run_id: str) -> None:
        with self._lock:
            self._handles.pop(run_id, None)
            self._workers.pop(run_id, None)

    def _drop_old(self) -> None:
        """Let go of runs that ended a while ago and are stored."""
        before = time.monotonic() - KEPT_AFTER_END_S
        for run_id, ended_at in list(self._ended_at.items()):
            if ended_at < before and self._handles[run_id].snapshot().saved is SavedState.STORED:
                del self._handles[run_id], self._ended_at[run_id]

    def _live_run_ids(self) -> set[str]:
        with self._lock:
            return set(self._workers)

    def _stop_here(self, run_id: str) -> None:
        with self._lock:
            worker = self._workers.get(run_id)
        if worker is not None:
            worker.stop()

    def _when_over(self, worker: RunWorker) -> None:
        """Let the next run of the session begin."""
        with self._lock:
            self._workers.pop(worker.request.run_id, None)
            self._ended_at[worker.request.run_id] = time.monotonic()
            waiting = list(self._workers.values())
        for other in waiting:
            other.wake()
        if worker.left_behind:
            self._upkeep.leave_later(worker.request.run_id)
        self._upkeep.need()
        self._titles.consider(worker.log.snapshot())

    def _look_at_kept(self) -> None:
        """Tell the watchers of runs that were kept on disk that they are stored now."""
        with self._lock:
            kept = [
                handle
                for run_id in self._ended_at
                if (handle := self._handles[run_id]).snapshot().saved is SavedState.KEPT_ON_DISK
            ]
        for handle in kept:
            try:
                outcome = self._database.run_outcome(
                    handle.run_id, session_id=handle.session_id, user_id=handle.user_id
                )
            except StorageError as error:
                logger.warning("Run %s cannot be read back yet: %s", handle.run_id, error)
                continue
            if outcome is RunOutcome.STORED:
                handle.publish(RunSaved(run_id=handle.run_id, at=datetime.now(UTC), saved=SavedState.STORED))


def _check_input(question: str, *, window: int) -> None:
    if not question.strip():
        raise InvalidInput("The question is empty.")
    if len(question) > MAX_QUESTION_LENGTH:
        raise InvalidInput(f"The question has {len(question):,} letters; at most {MAX_QUESTION_LENGTH:,} can be asked.")
    if not 0 <= window <= MAX_WINDOW:
        raise InvalidInput(f"The history window is {window} runs; it takes 0 to {MAX_WINDOW}.")
