"""Which settings could have given exactly the history that a run was given, where none were stored with it.

Most histories tell them only up to a range: a window of 5 runs gives the same as one of 6 while there are five, and
where every run holds two messages a limit of 4 messages gives the same as a window of 2 runs. Every run of a session
narrows the ranges further, as long as its team was not built anew with other settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lib.recall.window.messages import Given, cut_messages, gather_messages
from lib.recall.window.places import HistoryRules, RunPlace, place_runs
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

    def nearest_to(self, window: int) -> LimitRange:
        """Return the settings of this range that come nearest to a window of runs; a message limit stays as it is."""
        if self.unit is not Unit.RUNS:
            return self
        inside = max(self.least, window if self.most is None else min(window, self.most))
        return replace(self, least=inside, most=inside)

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
    Runs long before the first message that was given are not looked into.
    """
    counted = [
        run
        for run, place in zip(earlier, place_runs(earlier, HistoryRules(num_history_runs=None)), strict=True)
        if place.in_window
    ]
    found: list[LimitRange] = []
    newest = _Newest(counted, {message_id for message_id, _ in given})
    for cut in newest.cuts():
        rest = newest.given[cut:]
        results = [item.message.message_id for item in rest if item.message.role == "tool"]
        kept = sum(message_id in newest.wanted for message_id in results)
        most_calls = None if kept == len(results) else kept
        rules = HistoryRules(num_history_runs=None, max_tool_calls=most_calls)
        if shape_of(cut_messages(rest, (), (), rules).messages) == given:
            found += [
                LimitRange(unit=unit, least=least, most=most, least_calls=kept, most_calls=most_calls)
                for unit, least, most in (*newest.windows(cut), *newest.message_limits(cut, incomplete=incomplete))
            ]
    return sorted(found, key=lambda one: (one.unit is Unit.MESSAGES, one.most_calls is not None))


class _Newest:
    """The newest messages of the runs that count: those that were given, and what stands before as far as it matters."""

    def __init__(self, counted: Sequence[RunRecord], wanted: set[str]) -> None:
        self.wanted = wanted
        self._counted = counted
        self._first = len(counted)  # the oldest run that is looked into
        self.given: list[Given] = []
        missing = set(wanted)
        while missing and self._first > 0:
            missing -= {item.message.message_id for item in self._look_further_back()}
        self._explains = not missing

    def _look_further_back(self) -> Sequence[Given]:
        self._first -= 1
        run = self._counted[self._first]
        more, _ = gather_messages([run], [RunPlace(run_id=run.run_id)], HistoryRules())
        self.given[:0] = more
        return more

    def cuts(self) -> Iterator[int]:
        """Yield where the history can begin, as places in `given`: at its first message, or before, where only tool calls
        lie that a filter drops. What is looked into grows meanwhile: a place counts until the next one is asked for.
        """
        if not self._explains:
            return
        cut = next(
            (place for place, item in enumerate(self.given) if item.message.message_id in self.wanted), len(self.given)
        )
        while True:
            while cut == 0 and self._first > 0:
                cut = len(self._look_further_back())
            yield cut
            before = self.given[cut - 1].message if cut else None
            if not self.wanted or before is None or not (before.role == "tool" or _only_calls(before)):
                return
            cut -= 1

    def windows(self, cut: int) -> Iterator[tuple[Unit, int, int | None]]:
        """Yield the windows that begin there: several, where runs without messages stand."""
        starts = {len(self._counted): len(self.given)}
        for place in range(len(self._counted) - 1, self._first - 1, -1):
            run_id = self._counted[place].run_id
            first = next((i for i, item in enumerate(self.given) if item.run_id == run_id), None)
            starts[place] = starts[place + 1] if first is None else first
        sizes = [len(self._counted) - place for place, start in starts.items() if start == cut]
        if sizes:
            yield Unit.RUNS, min(sizes), None if max(sizes) == len(self._counted) else max(sizes)

    def message_limits(self, cut: int, *, incomplete: bool) -> Iterator[tuple[Unit, int, int | None]]:
        """Yield the message limits that begin there: the tool results before it would be dropped as orphans."""
        if cut < len(self.given) and self.given[cut].message.role == "tool":
            return
        start = cut
        while start > 0 and self.given[start - 1].message.role == "tool":
            start -= 1
        all_given = start == 0 and self._first == 0
        yield Unit.MESSAGES, len(self.given) - cut, None if all_given or incomplete else len(self.given) - start


def _only_calls(message: MessageRecord) -> bool:
    return message.role == "assistant" and bool(message.tool_requests) and not message.content
