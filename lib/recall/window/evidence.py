"""Which settings could have given exactly the history that a run was given, where none were stored with it.

Most histories tell them only up to a range: a window of 5 runs gives the same as one of 6 while there are five, and
where every run holds two messages a limit of 4 messages gives the same as a window of 2 runs. Every run of a session
narrows the ranges further, as long as its team was not built anew with other settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lib.recall.window.messages import PredictedContext, next_context
from lib.recall.window.places import HistoryRules
from lib.records import MessageRecord, RunRecord

Shape = tuple[tuple[str, int], ...]
"""A history as it can be compared: the id of each message, and how many tool requests it still had."""


class Unit(StrEnum):
    """What a history is limited by."""

    RUNS = "runs"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRange:
    """Settings that all give the same history: from `least` to `most` runs or messages, and a tool call filter."""

    unit: Unit
    least: int
    most: int | None = None  # None: any more, also no limit at all
    least_calls: int = 0
    most_calls: int | None = None  # None: any more, also no filter

    def to_rules(self) -> HistoryRules:
        """Return settings out of the range; which of them does not matter to the run they were found for."""
        by_runs = self.unit is Unit.RUNS
        return HistoryRules(
            num_history_runs=self.least if by_runs else None,
            num_history_messages=None if by_runs else self.least,
            max_tool_calls=None if self.most_calls is None else self.least_calls,
        )

    def overlap(self, other: LimitRange) -> LimitRange | None:
        """Return the settings that are in both; None where there are none."""
        both = LimitRange(
            unit=self.unit,
            least=max(self.least, other.least),
            most=_lower(self.most, other.most),
            least_calls=max(self.least_calls, other.least_calls),
            most_calls=_lower(self.most_calls, other.most_calls),
        )
        empty = (both.most is not None and both.most < both.least) or (
            both.most_calls is not None and both.most_calls < both.least_calls
        )
        return None if empty or self.unit is not other.unit else both


def _lower(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def shape_of(messages: Iterable[MessageRecord]) -> Shape:
    """Return what is compared of a history."""
    return tuple((message.message_id, len(message.tool_requests)) for message in messages)


def agree(ranges: Sequence[LimitRange], others: Sequence[LimitRange]) -> list[LimitRange]:
    """Return the settings that are in both, in the order of the first."""
    both = (one.overlap(other) for one in ranges for other in others)
    return list(dict.fromkeys(found for found in both if found is not None))


def find_limits(earlier: Sequence[RunRecord], given: Shape, *, incomplete: bool = False) -> list[LimitRange]:
    """Return all settings under which the runs before it give a run exactly `given`, the plainest first.

    `incomplete` says that messages of runs that are gone may be missing in `earlier`: then no message limit is too high.
    """
    everything = next_context(earlier, HistoryRules(num_history_runs=None))
    found: list[LimitRange] = []
    for cut in _cuts(everything.messages, given):
        rest = everything.messages[cut:]
        for least_calls, most_calls in _filters(rest, given):
            found += [
                LimitRange(unit=unit, least=least, most=most, least_calls=least_calls, most_calls=most_calls)
                for unit, least, most in (
                    *_windows_that_cut(everything, cut),
                    *_message_limits_that_cut(everything.messages, cut, incomplete=incomplete),
                )
            ]
    # A range stands for what it gives only if it does so by the rules themselves.
    exact = [one for one in found if shape_of(next_context(earlier, one.to_rules()).messages) == given]
    return sorted(exact, key=lambda one: (one.unit is Unit.MESSAGES, one.most_calls is not None))


def _cuts(messages: Sequence[MessageRecord], given: Shape) -> Iterator[int]:
    """Yield where the history can begin: at its first message, or before, where only tool calls lie that a filter drops."""
    if not given:
        yield len(messages)
        return
    ids = {message_id for message_id, _ in given}
    cut = next((place for place, message in enumerate(messages) if message.message_id in ids), None)
    if cut is None:
        return
    yield cut
    while cut > 0 and (messages[cut - 1].role == "tool" or _only_calls(messages[cut - 1])):
        cut -= 1
        yield cut


def _only_calls(message: MessageRecord) -> bool:
    return message.role == "assistant" and bool(message.tool_requests) and not message.content


def _filters(messages: Sequence[MessageRecord], given: Shape) -> Iterator[tuple[int, int | None]]:
    """Yield the tool call filters that can leave `given` of the messages: least and most."""
    results = [message.message_id for message in messages if message.role == "tool"]
    left = {message_id for message_id, _ in given}
    kept = sum(message_id in left for message_id in results)
    yield (kept, None if kept == len(results) else kept)


def _windows_that_cut(everything: PredictedContext, cut: int) -> Iterator[tuple[Unit, int, int | None]]:
    """Yield the windows that begin there: several, where runs without messages stand."""
    window = everything.window_run_ids
    first_of = {message.run_id: place for place, message in reversed(list(enumerate(everything.messages)))}
    total = len(everything.messages)
    starts = [total]  # of windows of 0, 1, 2... runs
    for run_id in reversed(window):
        starts.append(first_of.get(run_id, starts[-1]))
    sizes = [size for size, start in enumerate(starts) if start == cut]
    if sizes:
        yield Unit.RUNS, sizes[0], None if sizes[-1] == len(window) else sizes[-1]


def _message_limits_that_cut(
    messages: Sequence[MessageRecord], cut: int, *, incomplete: bool
) -> Iterator[tuple[Unit, int, int | None]]:
    """Yield the message limits that begin there: the tool results before it would be dropped as orphans."""
    if cut < len(messages) and messages[cut].role == "tool":
        return
    start = cut
    while start > 0 and messages[start - 1].role == "tool":
        start -= 1
    yield Unit.MESSAGES, len(messages) - cut, None if start == 0 or incomplete else len(messages) - start
