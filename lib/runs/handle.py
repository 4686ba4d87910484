"""What a page holds of a run: watch it, wait for it. It is the run's own, not the page's."""

from __future__ import annotations

from collections.abc import Iterator

from lib.events import RunEvent
from lib.records import RunRecord
from lib.runs.run_log import RunLog


class RunHandle:
    """One run of this process, for its owner. Safe to use from any thread."""

    def __init__(self, *, run_id: str, session_id: str, user_id: str, log: RunLog) -> None:
        self.run_id = run_id
        self.session_id = session_id
        self.user_id = user_id
        self._log = log

    def __repr__(self) -> str:
        return f"RunHandle(run_id={self.run_id!r}, session_id={self.session_id!r}, live={self.live})"

    @property
    def live(self) -> bool:
        """Whether the run still goes on. False once its end was checked against the database."""
        return not self._log.finished

    def snapshot(self) -> RunRecord:
        """Return the run as it stands; the same object again while nothing has happened."""
        return self._log.snapshot()

    def events(self, start: int = 0, *, follow: bool = True, timeout: float | None = None) -> Iterator[RunEvent]:
        """Yield the run's events from number `start` on, in order, each once.

        With `follow`, wait for more until the run is over, at most `timeout` seconds in all.
        """
        return self._log.follow(start, follow=follow, timeout=timeout)

    def wait(self, timeout: float | None = None) -> RunRecord:
        """Wait until the run is over, at most `timeout` seconds, and return it as it then stands."""
        self._log.wait(timeout)
        return self._log.snapshot()

    def publish(self, event: RunEvent) -> None:
        """Add an event. For the engine: what became of the run after its end."""
        self._log.append(event)
