"""Which runs ended while nobody looked: kept for all tabs of a process, so that a reload does not forget them."""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime

import streamlit as st

from lib.records import SessionSummary


class SeenRuns:
    """For each user, the last run of each session that they have seen ended. Before the process began, all were seen."""

    def __init__(self) -> None:
        self._began_at = datetime.now(UTC)
        self._seen: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
        self._lock = threading.Lock()

    def see(self, summary: SessionSummary, *, user_id: str) -> None:
        """Note that the user looks at a session now; what still runs in it is not seen ended by that."""
        if not summary.live:
            with self._lock:
                self._seen[user_id][summary.session_id] = summary.last_run_id

    def is_unseen(self, summary: SessionSummary, *, user_id: str) -> bool:
        """Whether a run ended in the session since the user last looked."""
        if summary.live or summary.last_run_id is None:
            return False
        with self._lock:
            seen = self._seen[user_id]
            if summary.session_id not in seen and summary.updated_at < self._began_at:
                seen[summary.session_id] = summary.last_run_id
            return seen.get(summary.session_id) != summary.last_run_id


@st.cache_resource(show_spinner=False)
def seen_runs() -> SeenRuns:
    """Return the one register of this process."""
    return SeenRuns()
