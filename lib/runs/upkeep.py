"""What goes on beside the runs: heartbeats, stop requests of other processes, and writing what was kept on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from lib.errors import StorageError
from lib.storage import Database

logger = logging.getLogger("roundtable.runs")

LOOK_S = 0.5
"""How often live runs are looked after: the longest a stop from another process waits for us."""
HEARTBEAT_S = 3.0
FLUSH_S = 5.0
"""How often kept writes are tried again."""
COMPLAIN_S = 60.0
CLOSE_S = 5.0


class Upkeep:
    """One daemon thread for an engine. It sleeps while nothing runs and nothing is kept."""

    def __init__(
        self,
        database: Database,
        *,
        live_run_ids: Callable[[], Collection[str]],
        stop: Callable[[str], None],
        when_flushed: Callable[[], None],
    ) -> None:
        self._database = database
        self._live_run_ids = live_run_ids
        self._stop = stop
        self._when_flushed = when_flushed
        self._needed = threading.Event()
        self._needed.set()  # what an earlier process kept is written first
        self._to_leave: set[str] = set()  # runs that are over and whose queue entries could not be removed
        self._closed = threading.Event()
        self._beaten_at = self._flushed_at = self._complained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="roundtable-upkeep", daemon=True)
        self._thread.start()

    def need(self) -> None:
        """Say that there is something to look after."""
        self._needed.set()

    def leave_later(self, run_id: str) -> None:
        """Take the run out of the queue as soon as the database is there; until then it blocks its session."""
        self._to_leave.add(run_id)
        self._needed.set()

    def close(self) -> None:
        """End the thread; waits a few seconds at most, so that it holds no connection when the database is closed."""
        self._closed.set()
        self._needed.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._needed.clear()
            if self._look():
                self._closed.wait(LOOK_S)
            elif not self._closed.is_set():
                self._needed.wait(FLUSH_S)

    def _look(self) -> bool:
        """Do what is due. Returns whether to look again soon."""
        live = self._live_run_ids()
        try:
            if live:
                self._look_after(live)
            for run_id in tuple(self._to_leave):
                self._database.queue.leave(run_id)
                self._to_leave.discard(run_id)
            self._flush()
        except StorageError as error:
            self._complain(error)
        except Exception:  # a defect here must not end heartbeats for good
            logger.exception("Upkeep met a defect")
        return bool(live or self._to_leave)

    def _complain(self, error: StorageError) -> None:
        """Log that the database is away, once a minute."""
        if time.monotonic() - self._complained_at >= COMPLAIN_S:
            self._complained_at = time.monotonic()
            logger.warning("Upkeep waits for the database: %s", error)

    def _look_after(self, live: Collection[str]) -> None:
        queue = self._database.queue
        if time.monotonic() - self._beaten_at >= HEARTBEAT_S:
            queue.heartbeat(live)
            self._beaten_at = time.monotonic()
        for run_id in queue.stop_requested(live):
            self._stop(run_id)

    def _flush(self) -> None:
        if time.monotonic() - self._flushed_at < FLUSH_S:
            return
        self._flushed_at = time.monotonic()
        self._database.outbox.flush()
        self._when_flushed()  # also what another process, or a reader in this one, has written
