"""How much history a run must have been given, by the tokens its model reported, where no message of it was stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from lib.records import MessageRecord, RunRecord, RunStatus

_UNIT = re.compile(r"\w+|[^\w\s]")
_SKIPPED = (RunStatus.STOPPED, RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.PAUSED, RunStatus.REGENERATED)


def find_window_by_tokens(
    run: RunRecord, runs: Sequence[RunRecord], earlier: Sequence[RunRecord], *, assumed: int
) -> int | None:
    """Return how many of the earlier runs fit the tokens of the run's first request, or None where nothing can be said.

    The assumed window is kept where it fits.

    The session's first run was given no history: what a later one was charged beyond it, its own words aside, is history.
    """
    first = next((item for item in runs if item.parent_run_id is None), None)
    if first is None or first.run_id == run.run_id:
        return None
    base, asked = _first_request(first), _first_request(run)
    if base is None or asked is None:
        return None
    rate = _tokens_per_unit(runs)
    excess = (asked[0] - base[0]) / rate - (asked[1] - base[1])
    counted = [item for item in earlier if item.parent_run_id is None and item.status not in _SKIPPED]
    sizes = [0]
    for item in reversed(counted):
        own = (message for message in item.messages if not message.from_history and message.role != "system")
        sizes.append(sizes[-1] + count_units(own))
    likely = sizes[min(assumed, len(counted))]
    if abs(likely - excess) <= max(likely / 5, 10):
        return assumed  # tokens are not words: what is near enough to the assumption does not speak against it
    return min(range(len(sizes)), key=lambda window: abs(sizes[window] - excess))


def count_units(messages: Iterable[MessageRecord]) -> int:
    """Return the words and marks of messages: near to tokens, for any model."""
    return sum(
        len(_UNIT.findall(message.content))
        + sum(len(_UNIT.findall(f"{asked.tool_name} {asked.arguments}")) for asked in message.tool_requests)
        for message in messages
    )


def _first_request(run: RunRecord) -> tuple[int, int] | None:
    """Return the tokens that the first request of a run was charged, and the units of it that were stored."""
    for place, message in enumerate(run.messages):
        if message.role == "assistant":
            return (message.tokens.input, count_units(run.messages[:place])) if message.tokens.input else None
    return None


def _tokens_per_unit(runs: Iterable[RunRecord]) -> float:
    """Return what one unit costs, by what requests after the first of a run were charged more; 1 where none was."""
    tokens = units = 0
    for run in runs:
        answers = [place for place, message in enumerate(run.messages) if message.role == "assistant"]
        for before, after in pairwise(answers):
            charged, more = run.messages[before].tokens.input, run.messages[after].tokens.input
            if charged and more and more > charged:
                tokens += more - charged
                units += count_units(run.messages[before:after])
    return tokens / units if tokens and units else 1.0
