"""The events of one run, kept in order for any number of watchers, and the picture they make."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from lib.events import RunEvent
from lib.records import RunRecord
from lib.replay.projection import RunProjection


class RunLog:
    """An append-only list of events. A watcher may come at any time, read from any event on, and misses nothing."""

    def __init__(self, initial: RunRecord) -> None:
        self._events: list[RunEvent] = []
        self._changed = threading.Condition()
        self._projection = RunProjection(initial)
        self._finished = False

    def append(self, event: RunEvent) -> RunEvent:
        """Number the event, keep it and wake the watchers. Returns it as it is kept."""
        with self._changed:
            kept = replace(event, sequence=len(self._events))
            self._events.append(kept)
            self._projection.apply(kept)
            self._changed.notify_all()
        return kept

    def finish(self) -> None:
        """Say that a run is over: watchers that have seen everything stop waiting. A later `append` is still kept."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self._finished

    def snapshot(self) -> RunRecord:
        """Return the run as it stands; the same object while nothing has happened since the last call."""
        with self._changed:
            return self._projection.snapshot()

    def follow(self, start: int = 0, *, follow: bool = True, timeout: float | None = None) -> Iterator[RunEvent]:
        """Yield the events from number `start` on, each once.

        With `follow`, wait for more until the run is over, at most `timeout` seconds in all.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        position = max(start, 0)
        while True:
            with self._changed:
                while follow and position >= len(self._events) and not self._finished:
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        return
                    self._changed.wait(left)
                batch = self._events[position:]
            if not batch:
                return
            position += len(batch)
            yield from batch
            if not follow:
                return

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run is over, at most `timeout` seconds. Returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._finished, timeout)
