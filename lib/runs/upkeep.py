"""What goes on beside the runs: heartbeats, stop requests of other processes, and writing what was kept on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from lib.errors import StorageError
from lib.storage import Database

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""How often live runs are looked after: the longest a stop from another process waits for us."""
HEARTBEAT_S = 3.0
FLUSH_S = 5.0
"""How often kept writes are tried again."""


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
        self._closed = False
        self._beaten_at = self._flushed_at = float("-inf")
        threading.Thread(target=self._run, name="roundtable-upkeep", daemon=True).start()

    def need(self) -> None:
        """Say that there is something to look after."""
        self._needed.set()

    def close(self) -> None:
        """End the thread soon."""
        self._closed = True
        self._needed.set()

    def _run(self) -> None:
        while not self._closed:
            if not self._look():
                self._needed.clear()
                self._needed.wait(FLUSH_S)
            else:
                time.sleep(LOOK_S)

    def _look(self) -> bool:
        """Do what is due. Returns whether to look again soon."""
        live = self._live_run_ids()
        try:
            if live:
                self._look_after(live)
            self._flush()
        except StorageError as error:
            logger.warning("Upkeep waits for the database: %s", error)
        except Exception:  # a defect here must not end heartbeats for good
            logger.exception("Upkeep met a defect")
        return bool(live)

    def _look_after(self, live: Collection[str]) -> None:
        queue = self._database.queue
        if time.monotonic() - self._beaten_at >= HEARTBEAT_S:
            queue.heartbeat(live)
            self._beaten_at = time.monotonic()
        for run_id in queue.stop_requested(live):
            self._stop(run_id)

    def _flush(self) -> None:
        outbox = self._database.outbox
        if time.monotonic() - self._flushed_at < FLUSH_S or not outbox.pending():
            return
        self._flushed_at = time.monotonic()
        outbox.flush()
        self._when_flushed()
