"""How far back a planted fact is still given: the predicted recall horizon, and what the next question carries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from lib.recall.window import HistoryRules, PredictedContext, RunHead, next_context, place_runs
from lib.records import MessageRecord, RunRecord

FARTHEST = 1_000
"""Distances beyond this are not looked at: a fact still given there counts as never forgotten."""

_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The greatest distance at which a fact is in the prompt; distance 0 is the very next question."""

    distance: int | None  # None: not even the next question is given the fact

    forgotten_at: int | None  # the predicted cliff: the first distance without the fact; None: never, as far as we look


def predict_horizon(
    planting: RunRecord, filler: RunRecord, rules: HistoryRules, *, holds: Callable[[MessageRecord], bool]
) -> Horizon:
    """Return the horizon of a fact planted in `planting` when every later run looks like `filler`.

    With a window of n runs and completed runs only this is n - 1; a message limit or failing fillers make it differ.
    `holds` says whether a message holds the fact.
    """
    lost, kept = FARTHEST + 1, -1
    # Once out of a window a fact does not come back, so the border can be found by halving.
    while lost - kept > 1:
        distance = (lost + kept) // 2
        runs = [planting, *(_copy_of(filler, number) for number in range(distance))]
        if any(holds(message) for message in next_context(runs, rules).messages):
            kept = distance
        else:
            lost = distance
    return Horizon(distance=kept if kept >= 0 else None, forgotten_at=lost if lost <= FARTHEST else None)


def _copy_of(filler: RunRecord, number: int) -> RunRecord:
    """Return `filler` as another run: its tool calls need ids of their own, since the filter goes by them."""
    messages = tuple(
        replace(
            message,
            message_id=f"{message.message_id}-{number}",
            tool_call_id=f"{message.tool_call_id}-{number}" if message.tool_call_id else None,
            tool_requests=tuple(
                replace(request, tool_call_id=f"{request.tool_call_id}-{number}") for request in message.tool_requests
            ),
        )
        for message in filler.messages
    )
    return replace(filler, run_id=f"{filler.run_id}-{number}", messages=messages)


def horizon_of_window(num_history_runs: int | None) -> Horizon:
    """Return the horizon of a fact when all runs complete and the window alone decides."""
    if num_history_runs is None:
        return Horizon(distance=FARTHEST, forgotten_at=None)
    if num_history_runs <= 0:
        return Horizon(distance=None, forgotten_at=0)
    return Horizon(distance=num_history_runs - 1, forgotten_at=num_history_runs)


def runs_left(runs: Sequence[RunHead], run_id: str, rules: HistoryRules) -> int | None:
    """Return how many more completed runs still carry `run_id`: 0, it is already out; None, it never falls out.

    1 means: the next question is given it, the one after is not.
    """
    carried = [place.run_id for place in place_runs(runs, rules) if place.in_window]
    if run_id not in carried:
        return 0
    if rules.num_history_runs is None:
        return None
    return rules.num_history_runs - (len(carried) - 1 - carried.index(run_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What the next question will carry, in numbers."""

    runs: int
    messages: int
    tokens: int  # about: words and marks

    def share_of(self, limit: int | None) -> float | None:
        """Return the part of a model's input limit that the history takes, where the limit is known."""
        return self.tokens / limit if limit else None


def count_carried(context: PredictedContext) -> Carried:
    """Return runs, messages and about how many tokens `context` holds."""
    return Carried(
        runs=len(context.window_run_ids), messages=len(context.messages), tokens=about_tokens(context.messages)
    )


def about_tokens(messages: Iterable[MessageRecord]) -> int:
    """Return about how many tokens `messages` are: their words and marks, tool requests included.

    That is how the offline model counts. A provider's own count differs, for English text mostly by less than a third.
    """
    return sum(
        count_words_and_marks(message.content)
        + sum(count_words_and_marks(request.arguments) for request in message.tool_requests)
        for message in messages
    )


def count_words_and_marks(text: str) -> int:
    """Return the number of words and punctuation marks in `text`."""
    return sum(1 for _ in _WORD_OR_MARK.finditer(text))
