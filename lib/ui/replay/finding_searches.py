"""Findings looked for in the background: a long session opens at once, and what is found in it is there soon after.

A search belongs to a session as it was read, not to a browser tab: it is kept until the session is written to.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st

from lib.replay.findings import Finding

KEPT = 64
"""Searches that are remembered; the oldest are forgotten first."""
AT_ONCE = 2
"""Searches that go on side by side in the process."""
STANDS_BACK_S = 1.5
"""So long a pausing search stands back after each page that asks for it: what is being drawn goes first."""
NO_LONGER_THAN_S = 4.0
"""...but no longer at a time, however many pages ask."""
GIVEN_UP_AFTER_S = 60.0
"""A search after which no page has asked for so long is given up."""

Told = Callable[[int], None]
Work = Callable[[Told], tuple[Finding, ...]]
"""Does the search; tells how many runs it has looked through each time it has read some."""


@dataclass(slots=True)
class Search:
    """A search for the findings of a session: going on, or ended with findings or with an error."""

    runs: int
    looked: int = 0  # runs looked through so far
    found: tuple[Finding, ...] | None = None
    error: Exception | None = None
    asked_at: float = field(default_factory=time.monotonic)
    drawn_at: float = field(default_factory=time.monotonic)  # when a page that shows the session was last drawn anew
    over: threading.Event = field(default_factory=threading.Event)


class _GivenUp(Exception):
    """Nobody has asked for the search for a while."""


class FindingSearches:
    """The searches of a process, by what they look through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._searches: OrderedDict[str, Search] = OrderedDict()

    def ask(self, fingerprint: str, work: Work, *, runs: int, pausing: bool = False) -> Search:
        """Return the search of this fingerprint; begins it where there is none.

        One that is `pausing` works half of the time, and not while a page is drawn that asks for it, so that the pages
        of the process stay quick meanwhile.
        """
        with self._lock:
            search = self._searches.get(fingerprint)
            if search is None:
                search = self._searches[fingerprint] = Search(runs)
                while len(self._searches) > KEPT:
                    self._searches.popitem(last=False)
                arguments = (fingerprint, search, work, pausing)
                threading.Thread(target=self._run, args=arguments, name="findings", daemon=True).start()
            search.asked_at = search.drawn_at = time.monotonic()
            return search

    def forget(self, fingerprint: str) -> None:
        """Let go of a search, so that the next one who asks begins it anew."""
        with self._lock:
            self._searches.pop(fingerprint, None)

    def _run(self, fingerprint: str, search: Search, work: Work, pausing: bool) -> None:
        began = time.monotonic()

        def told(looked: int) -> None:
            nonlocal began
            search.looked = looked
            if time.monotonic() - search.asked_at > GIVEN_UP_AFTER_S:
                raise _GivenUp
            if pausing:
                time.sleep(time.monotonic() - began)
                _stand_back(search)
            began = time.monotonic()

        if pausing:
            _stand_back(search)
        try:
            with self._slots:
                began = time.monotonic()
                search.found = work(told)
        except _GivenUp:
            self.forget(fingerprint)
        except Exception as error:  # noqa: BLE001 - whoever asks is told
            search.error = error
        finally:
            search.over.set()


def _stand_back(search: Search) -> None:
    until = time.monotonic() + NO_LONGER_THAN_S
    while (left := min(search.drawn_at + STANDS_BACK_S, until) - time.monotonic()) > 0:
        time.sleep(left)


@st.cache_resource(show_spinner=False)
def shared_searches() -> FindingSearches:
    """Return the searches of this process."""
    return FindingSearches()
