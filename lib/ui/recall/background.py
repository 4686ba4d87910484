"""Steps that belong to nobody's browser tab: each works in a thread of its own, and any page of its user can look at it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lib.errors import InvalidInput

KEPT = 200
"""Finished steps that are remembered; the oldest are forgotten first."""


@dataclass(slots=True)
class Step:
    """One piece of work: going on, or ended with a result or an error."""

    result: Any = None
    error: Exception | None = None
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> bool:
        """Whether it still goes on."""
        return not self.over.is_set()


class Background:
    """The steps of all users, by user and name. One step of a name at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: OrderedDict[tuple[str, str], Step] = OrderedDict()

    def start(self, name: str, work: Callable[[], Any], *, user_id: str) -> Step:
        """Begin `work` and return at once. Raises InvalidInput while a step of this name goes on."""
        step = Step()
        with self._lock:
            known = self._steps.pop((user_id, name), None)
            if known is not None and known.live:
                self._steps[user_id, name] = known
                raise InvalidInput("The step before it is still going on. Try again in a moment.")
            self._steps[user_id, name] = step
            for key in [key for key, each in self._steps.items() if not each.live][: max(0, len(self._steps) - KEPT)]:
                del self._steps[key]

        def run() -> None:
            try:
                step.result = work()
            except Exception as error:  # noqa: BLE001 - whoever looks at the step is told
                step.error = error
            finally:
                step.over.set()

        threading.Thread(target=run, name=f"recall-{name}"[:60], daemon=True).start()
        return step

    def find(self, name: str, *, user_id: str) -> Step | None:
        """Return the user's newest step of this name."""
        with self._lock:
            return self._steps.get((user_id, name))

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until nothing goes on."""
        with self._lock:
            steps = list(self._steps.values())
        for step in steps:
            step.over.wait(timeout)
