"""Keys of what is drawn: promised names, each once a page.

Streamlit refuses a key that is drawn twice, and stored ids need not be unique: some model servers number the tool calls
of every run from zero, and a copied history repeats its message ids. The first of them gets the promised key.
"""

from __future__ import annotations

from collections import Counter


class DrawnKeys:
    """The keys drawn so far in one script run or one fragment run."""

    def __init__(self) -> None:
        self._drawn: Counter[str] = Counter()

    def message(self, message_id: str | None, *, run_id: str, position: int | str) -> str:
        """Return `message_<message_id>`; before the run is stored, a key made of its place."""
        return self.once(f"message_{message_id or f'{run_id}_{position}'}")

    def run(self, run_id: str) -> str:
        """Return `run_<run_id>`."""
        return self.once(f"run_{run_id}")

    def tool_call(self, tool_call_id: str) -> str:
        """Return `tool_call_<tool_call_id>`."""
        return self.once(f"tool_call_{tool_call_id}")

    def once(self, key: str) -> str:
        """Return `key`, numbered from its second use on."""
        self._drawn[key] += 1
        return key if self._drawn[key] == 1 else f"{key}__{self._drawn[key]}"
