"""What is kept current beside the runs: the lists' heads and the search texts, also of what other programs write."""

from __future__ import annotations

import logging
import threading
import time

from lib.errors import StorageError
from lib.storage import Database

logger = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often it looks for something new: about the time until another program's session can be searched."""
BREATH_S = 0.02
"""Between two batches, so that a long way to catch up leaves the database to others."""
AWAY_S = 10.0
COMPLAIN_S = 300.0


class Follower:
    """One daemon thread a process; several processes may follow the same database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closed = threading.Event()
        self._complained_at = float("-inf")
        self._thread = threading.Thread(target=self._run, name="roundtable-following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; waits for the batch it is at, a few seconds at most."""
        self._closed.set()
        self._thread.join(5.0)

    def _run(self) -> None:
        pause_s = LOOK_S
        while not self._closed.wait(pause_s):
            try:
                pause_s = BREATH_S if self._database.follow() else LOOK_S
            except StorageError as error:
                self._complain(error)
                pause_s = AWAY_S
            except Exception:  # one row that cannot be read must not end it for all others
                logger.exception("Following the database met a defect")
                pause_s = AWAY_S

    def _complain(self, error: StorageError) -> None:
        """Log that the database is away, seldom: the pages say it to who is there."""
        if time.monotonic() - self._complained_at >= COMPLAIN_S:
            self._complained_at = time.monotonic()
            logger.warning("Lists and search wait for the database: %s", error)
