"""How much history a run must have been given, by the tokens its model reported, where no message of it was stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from lib.records import MessageRecord, RunRecord, RunStatus

_UNIT = re.compile(r"\w+|[^\w\s]")
_SKIPPED = (RunStatus.STOPPED, RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.PAUSED, RunStatus.REGENERATED)


def find_window_by_tokens(runs: Sequence[RunRecord], *, assumed: int) -> int | None:
    """Return the window that fits the tokens of all first requests of a session; None where nothing can be said.

    The session's first run was given no history: what a later one was charged beyond it, its own words aside, is history.
    Tokens are not words, so the assumed window is kept as long as they do not speak against it.
    """
    top = [run for run in runs if run.parent_run_id is None]
    base = _first_request(top[0]) if top else None
    if base is None:
        return None
    rate = _tokens_per_unit(runs)
    counted: list[int] = []  # the units that each earlier run would add to a history
    asked: list[tuple[float, list[int]]] = []  # the history that was charged, and what each window would have held
    for run in top:
        request = _first_request(run)
        if request is not None and counted:
            sizes = [sum(counted[len(counted) - window :]) for window in range(len(counted) + 1)]
            asked.append(((request[0] - base[0]) / rate - (request[1] - base[1]), sizes))
        if run.status not in _SKIPPED:
            own = (message for message in run.messages if not message.from_history and message.role != "system")
            counted.append(count_units(own))
    if not asked:
        return None

    def error(window: int) -> float:
        return sum(abs(sizes[min(window, len(sizes) - 1)] - charged) for charged, sizes in asked)

    likely = sum(sizes[min(assumed, len(sizes) - 1)] for _, sizes in asked)
    if error(assumed) <= likely / 4:
        return assumed
    return min(range(len(counted) + 1), key=error)


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
