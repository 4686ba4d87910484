"""One run's life, in a daemon thread with an asyncio loop of its own: wait for its turn, work, check what was stored."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agno.db.base import BaseDb
from agno.media import Image
from agno.team import Team

from lib.errors import NotFound, RoundtableError, StorageError
from lib.events import RunQueued, RunSaved
from lib.records import ErrorKind, RunStatus, SavedState
from lib.runs.connections import close_connections, find_unconnected
from lib.runs.loop import run_to_end
from lib.runs.reasons import NO_END, Reason, to_reason
from lib.runs.recording import RunRecording
from lib.runs.rows import RunRows
from lib.runs.run_log import RunLog
from lib.storage import Database, RunOutcome, window_read
from lib.teams.history import history_reach

logger = logging.getLogger("roundtable.runs")

TURN_POLL_S = 0.2
"""How often a waiting run looks whether it is its turn, beside being woken by runs of this process."""
STOP_GRACE_S = 1.0
"""How long a stopped run may take to end by itself (it keeps more that way) before it is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What was asked, of whom, and how it is to be worked."""

    run_id: str
    session_id: str
    user_id: str
    question: str
    window: int
    settings: dict[str, Any]
    build_team: Callable[[BaseDb], Team]
    images: tuple[Image, ...] = ()


class RunWorker:
    """Works one run. `start` once; `stop` and `interrupt` at any time, from any thread."""

    def __init__(
        self,
        request: RunRequest,
        *,
        database: Database,
        log: RunLog,
        slots: threading.Semaphore,
        when_over: Callable[[RunWorker], None],
    ) -> None:
        self.request = request
        self.log = log
        self._database = database
        self._slots = slots
        self._when_over = when_over
        self._recording = RunRecording(log)
        self._rows = RunRows(self._recording, database.adapter, images=request.images)
        self.left_behind = False  # its queue entry is still there, because the database was not
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._ending: RunStatus | None = None
        self._failure: Reason | None = None  # why it failed, where no event of Agno's says so
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, name=f"run-{request.run_id[:8]}", daemon=True)

    # -- from any thread ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Returns at once."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once whether it is this run's turn."""
        self._woken.set()

    def stop(self) -> None:
        """End the run at its next word or step; what was said so far is kept."""
        self._end_early(RunStatus.STOPPED, grace_s=STOP_GRACE_S)

    def interrupt(self) -> None:
        """End the run now because the process ends; it stays stored as interrupted."""
        self._end_early(RunStatus.INTERRUPTED, grace_s=0.0)

    def join(self, timeout: float) -> None:
        """Wait for the end of the run's thread, at most `timeout` seconds."""
        self._thread.join(timeout)

    def _end_early(self, status: RunStatus, *, grace_s: float) -> None:
        with self._lock:
            if self._ending is None or status is RunStatus.INTERRUPTED:
                self._ending = status
            loop = self._loop
        self._woken.set()
        if loop is None:
            return
        if grace_s:
            Team.cancel_run(self.request.run_id)
        try:
            loop.call_soon_threadsafe(self._cut_off_after, grace_s)
        except RuntimeError:
            pass  # the loop has just been closed: the run is over

    # -- the run's own thread -------------------------------------------------------------------------------------

    def _live(self) -> None:
        try:
            if self._wait_for_turn():
                try:
                    self._work()
                finally:
                    self._slots.release()
            self._close()
        except Exception as error:  # noqa: BLE001 - a defect of ours: the run must end for its watchers all the same
            self._log_defect("ended by a defect", error)
            self._recording.end(RunStatus.FAILED, to_reason(type(error).__name__, str(error)))
        finally:
            self._leave_queue()
            self.log.finish()
            self._when_over(self)

    def _wait_for_turn(self) -> bool:
        """Wait until no earlier run of the session is left and the process has room. Returns False if stopped before."""
        announced: int | None = None
        while self._ending is None:
            ahead = self._ahead()
            if ahead == 0 and self._slots.acquire(blocking=False):
                return True
            if ahead != announced:
                announced = ahead
                self.log.append(RunQueued(**self._base(), ahead=ahead))
            self._woken.wait(TURN_POLL_S)
            self._woken.clear()
        return False

    def _ahead(self) -> int:
        """Return how many runs come first; while the database cannot say, one."""
        queue, request = self._database.queue, self.request
        try:
            try:
                return queue.ahead(request.run_id)
            except NotFound:  # taken for dead, after a long sleep of the machine: queue again
                queue.enter(session_id=request.session_id, run_id=request.run_id, user_id=request.user_id)
                return queue.ahead(request.run_id)
        except StorageError as error:
            logger.warning("Run %s cannot see its turn: %s", request.run_id, error)
            return 1

    def _work(self) -> None:
        recording, request = self._recording, self.request
        try:
            team = request.build_team(self._rows.database())
            recording.members.cover(team)
            recording.not_stored = frozenset(kind.value for kind in team.events_to_skip or ())
            with window_read(history_reach(team, request.window)):
                run_to_end(self._main(team))
        except RoundtableError as error:  # said by us, for a person
            self._failure = Reason(ErrorKind.REFUSED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever a team, tool or provider raises must not end the thread
            self._log_defect("failed outside its events", error)
            self._failure = to_reason(type(error).__name__, str(error))

    async def _main(self, team: Team) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.create_task(self._stream(team))
            ending = self._ending
        if ending is not None:
            self._task.cancel()
        opened_by_run = find_unconnected(team)
        try:
            await self._task
        except asyncio.CancelledError:
            pass  # we asked for it
        finally:
            with self._lock:
                self._loop = None
            await close_connections(opened_by_run)

    async def _stream(self, team: Team) -> None:
        request = self.request
        self._recording.members.lead(request.run_id)
        events = team.arun(
            request.question,
            stream=True,
            stream_events=True,
            run_id=request.run_id,
            session_id=request.session_id,
            user_id=request.user_id,
            images=list(request.images) or None,
            metadata={"roundtable": {"settings": request.settings}},
            run_context=self._recording.context,
        )
        async for event in events:
            self._recording.take(event)

    def _cut_off_after(self, grace_s: float) -> None:
        """Cancel the run's task after a while, in its loop: a silent model or a blocking tool must not hold it."""
        loop, task = self._loop, self._task
        if loop is None or task is None:
            return

        def cut_off() -> None:
            self._recording.interrupted = self._ending is RunStatus.INTERRUPTED
            if not self._recording.ended:
                task.cancel()

        if grace_s:
            loop.call_later(grace_s, cut_off)
        else:
            cut_off()

    # -- its end --------------------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Publish the end if nothing has, write the row if nothing has, and check what the database holds."""
        recording = self._recording
        if not self._rows.written:
            self._rows.show_unseen()
        if self._failure is not None or self._ending is None:
            recording.end(RunStatus.FAILED, self._failure or NO_END)
        else:
            recording.end(self._ending)
        status = self.log.snapshot().status
        if not self._rows.written:
            self._rows.write_all(status)
        self.log.append(RunSaved(**self._base(), **self._check_saved()))

    def _check_saved(self) -> dict[str, Any]:
        """Return what the database holds of the run, read back from it."""
        try:
            outcome = self._database.run_outcome(
                self.request.run_id, session_id=self.request.session_id, user_id=self.request.user_id
            )
        except StorageError as error:
            return {"saved": SavedState.KEPT_ON_DISK, "reason": str(error)}
        match outcome:
            case RunOutcome.STORED:
                return {"saved": SavedState.STORED}
            case RunOutcome.KEPT_ON_DISK:
                reason = "The database did not take the answer. It is kept on disk and written as soon as it does."
                return {"saved": SavedState.KEPT_ON_DISK, "reason": reason}
            case RunOutcome.SESSION_DELETED:
                return {"saved": SavedState.LIVE, "reason": "It was deleted meanwhile; the answer is not kept."}
            case RunOutcome.MISSING:
                return {"saved": SavedState.LIVE, "reason": "The answer is not stored: only the question is."}

    def _log_defect(self, what: str, error: Exception) -> None:
        """Log where it happened; not what the error says, since that may be chat text."""
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("Run %s %s (%s):\n%s", self.request.run_id, what, type(error).__name__, where)

    def _leave_queue(self) -> None:
        try:
            self._database.queue.leave(self.request.run_id)
        except StorageError as error:
            self.left_behind = True
            logger.warning("Run %s could not leave the queue: %s", self.request.run_id, error)

    def _base(self) -> dict[str, Any]:
        return {"run_id": self.request.run_id, "at": datetime.now(UTC)}
