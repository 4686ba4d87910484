"""Whether an amount or a time can have been worked out from others: a sum, a share, a price with tax, a time later on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import combinations

from lib.replay.stated_facts import Fact, FactKind

MOST_NUMBERS = 24
"""With more numbers about, any other can be worked out from some of them."""
MOST_SUMMANDS = 8
MINUTES = 720
"""Times are compared without their half of the day."""
_OF_ANYTHING = tuple(map(Decimal, (2, 3, 4, 7, 10, 12, 24, 30, 52, 60, 100, 365, 1000)))
"""Factors that nobody has to say: months of a year, minutes of an hour."""


def can_be_worked_out(fact: Fact, facts: Iterable[Fact]) -> bool:
    """Whether the fact can be the sum, the difference, the product, the share or the mean of others."""
    if fact.kind is FactKind.CODE:
        return False
    others = [other for other in facts if not other.keys & fact.keys]
    if fact.unit == "date":
        return any(other.unit != "date" for other in others if other.kind is FactKind.NUMBER)
    if fact.unit == "time":
        return _is_later_or_earlier(fact, others)
    values = {value for other in others for value in values_of(other) if value}
    of_it = list(dict.fromkeys(value for other in others if other.unit == fact.unit for value in values_of(other)))
    if len(values) > MOST_NUMBERS or len(of_it) > MOST_SUMMANDS:
        return True
    percentages = {value for other in others if other.unit == "%" for value in values_of(other)}
    results = set(_work_out(values, percentages))
    for count in range(2, len(of_it) + 1):
        results |= {sum(some, Decimal()) for some in combinations(of_it, count)}
        results.add(sum(of_it, Decimal()) / count)
    return any(_is_about(value, result) for value in values_of(fact) for result in results)


def values_of(fact: Fact) -> list[Decimal]:
    """Return the numbers that a fact can be."""
    return [Decimal(key[2:]) for key in fact.keys if key.startswith("n:")]


def times_of(fact: Fact) -> list[int]:
    """Return the times that a fact can be, in minutes of half a day."""
    return [int(key[2:]) for key in fact.keys if key.startswith("t:")]


def last_place(value: Decimal) -> Decimal:
    """Return what the last digit that is not zero counts: 0.1 of 19.4, 100 of 1200."""
    exponent = value.normalize().as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(1)


def _work_out(values: set[Decimal], percentages: set[Decimal]) -> Iterator[Decimal]:
    for one in values:
        yield abs(100 - one)  # the rest of it, in percent
        for other in values:
            yield from (one + other, abs(one - other), (one + other) / 2)
        for other in values.union(_OF_ANYTHING):
            yield from (one * other, one / other)
        for percent in percentages:
            # What they are, and what is left or was before where they came or went.
            yield from (one * share / 100 for share in (percent, 100 + percent, abs(100 - percent)))
            yield from (one * 100 / share for share in (100 + percent, abs(100 - percent)) if share)


def _is_about(value: Decimal, result: Decimal) -> bool:
    return abs(value - result) <= min(last_place(value) / 2, abs(value) / 100)


def _is_later_or_earlier(fact: Fact, others: list[Fact]) -> bool:
    """Whether a time lies as far from another one as any number of minutes or hours that was said."""
    if len(others) > MOST_NUMBERS:
        return True
    known = [time for other in others for time in times_of(other)]
    steps = {int(value * minutes) for other in others for value in values_of(other) for minutes in (1, 60)}
    steps |= {abs(one - other) for one in known for other in known}
    away = {side % MINUTES for step in steps if step for side in (step, -step)}
    return any((time - one) % MINUTES in away for one in known for time in times_of(fact))
