"""Where a leader states another amount, date, time or code than the member it asked: a price answered with another price.

Where all that the leader states of a kind is different, its answer cannot be called a use of the result. Whether it
contradicts it is `certain` only where the other amount is neither the first rounded, nor known from anywhere else, nor
worked out from what was said, and the leader's sentence says nothing but what the member's sentence says: else it may
be of something else ("with tax", another flight).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from lib.replay.compared_texts import ComparedText, Sentence
from lib.replay.number_words import COMMON, MONTHS, TIME_ZONES, VAGUE, WORKED_OUT
from lib.replay.stated_facts import Fact, FactKind
from lib.replay.units import DEGREE, FAHRENHEIT, are_units_apart, is_form_of, kind_of
from lib.replay.worked_out import MINUTES, can_be_worked_out, last_place, times_of, values_of

MOST_FACTS = 300
"""Texts with more facts are not compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """A fact of a member's result, and what the leader states in its place."""

    answered: Fact
    stated: Fact
    certain: bool


def find_contradictions(
    result: ComparedText,
    asked: ComparedText,
    answer: ComparedText,
    *,
    elsewhere: Callable[[], set[str]],
    alone: bool,
) -> list[Contradiction]:
    """Return what the leader's answer states instead of the result's own facts, one of each kind.

    `asked` is what question and task say; `elsewhere` gives the ways to read what other calls of the run gave; `alone`:
    the run made no other call.
    """
    if len(asked.facts) + len(result.facts) + len(answer.facts) > MOST_FACTS:
        return []
    found = []
    for kind in dict.fromkeys(kind_of(fact.unit) for fact in result.facts if fact.unit):
        answered = [fact for fact in result.facts if kind_of(fact.unit) == kind]
        own = [fact for fact in answered if not fact.keys & asked.keys]
        stated = [fact for fact in answer.facts if kind_of(fact.unit) == kind]
        if not own or not stated or any(is_same(one, other) for one in answered for other in stated):
            continue
        known = asked.keys | elsewhere()
        numbers = [*result.facts, *asked.facts, *answer.facts]
        sure = [
            fact
            for fact in stated
            if not fact.keys & known
            and not any(_may_be_meant(one, fact) for one in answered)
            and not can_be_worked_out(fact, numbers)
            and _is_certain(fact, own, result, asked, answer, alone=alone)
        ]
        found.append(Contradiction(answered=own[0], stated=(sure or stated)[0], certain=bool(sure)))
    return found


# -- the same amount ---------------------------------------------------------------------------------------------------


def is_same(one: Fact, other: Fact) -> bool:
    """Whether two facts are the same, or the second is the first rounded or on the other scale."""
    shared = one.keys & other.keys
    if one.kind is other.kind is FactKind.CODE:  # the digits alone do not make "B12" the gate "C12"
        return any(not key.startswith("n:") for key in shared)
    if shared and not are_units_apart(one.unit, other.unit):
        return True
    return _is_rounded(one, other) or ({one.unit, other.unit} == {DEGREE, FAHRENHEIT} and _is_converted(one, other))


def _is_rounded(fact: Fact, other: Fact) -> bool:
    """Whether the second is the first rounded: "19" of 19.4 degrees."""
    if fact.unit is None or fact.unit != other.unit:
        return False
    return any(
        value != short and abs(value - short) <= last_place(short) / 2 and abs(value - short) * 20 <= value
        for value in values_of(fact)
        for short in values_of(other)
    )


def _may_be_meant(fact: Fact, other: Fact) -> bool:
    """Whether the second can stand for the first, though it is not it: freely rounded, or of another scale."""
    if fact.kind is FactKind.CODE:
        return fact.text.startswith(other.text) or other.text.startswith(fact.text)
    if fact.unit == "time":
        return any(
            min((one - two) % MINUTES, (two - one) % MINUTES) < 5 for one in times_of(fact) for two in times_of(other)
        )
    if fact.unit == DEGREE and _is_converted(fact, other):  # two scales, of which none is named
        return True
    return any(
        abs(value - short) < last_place(short) and (abs(value - short) * 4 <= value or last_place(short) <= 1)
        for value in values_of(fact)
        for short in values_of(other)
        if value != value.to_integral_value() or last_place(short) > 1
    )


def _is_converted(fact: Fact, other: Fact) -> bool:
    """Whether one is the other's degrees Celsius in Fahrenheit."""
    return any(
        abs(celsius * Decimal("1.8") + 32 - fahrenheit) <= 1
        for one, two in ((fact, other), (other, fact))
        for celsius in values_of(one)
        for fahrenheit in values_of(two)
    )


# -- the same statement ------------------------------------------------------------------------------------------------

_NEUTRAL = frozenset("a an the is are it its it's there at in of on for to and that this here".split())
_OF_DATES = frozenset(MONTHS) | {"st", "nd", "rd", "th"}
_TURNED = frozenset(
    "not no never neither nor without isn aren wasn doesn don didn about around some roughly nearly almost over under up"
    " above below beyond".split()
)
_LAST_ADJECTIVE = re.compile(r"\band\s+([^\W\d_]+)[\s.!]*$")  # "It is 30 degrees and sunny."


def _is_certain(
    fact: Fact, own: list[Fact], result: ComparedText, asked: ComparedText, answer: ComparedText, *, alone: bool
) -> bool:
    """Whether a sentence that states the fact says, but for its amounts, nothing but a sentence of the result does."""
    if result.cut or answer.cut or WORKED_OUT.intersection(chain(asked.all_words, answer.all_words)):
        return False
    if fact.unit == "time" and _may_be_of_other_zones(result, asked, answer):
        return False
    for sentence in answer.sentences:
        if fact not in sentence.facts or not _is_of_the_same(sentence, result):
            continue
        only = alone and sentence.text.strip() == answer.text.strip()
        answers = [
            other for other in result.sentences if any(one in other.facts and one.unit == fact.unit for one in own)
        ]
        if any(_says_the_same(sentence, other, fact, only=only) for other in answers):
            return True
    return False


def _may_be_of_other_zones(result: ComparedText, asked: ComparedText, answer: ComparedText) -> bool:
    """Whether a zone is named, or a place (or whatever has a name) that result and answer do not both name."""
    texts = (result, asked, answer)
    names = {key for text in texts for fact in text.facts if fact.kind is FactKind.NAME for key in fact.keys}
    return not names <= result.keys & answer.keys or any(TIME_ZONES.intersection(text.all_words) for text in texts)


def _is_of_the_same(sentence: Sentence, result: ComparedText) -> bool:
    """Whether all else that a sentence states is the result's too, or can stand for it: the flight, the day."""
    units = {fact.unit for fact in result.facts if fact.unit}
    beside = (fact for fact in sentence.facts if fact.kind is not FactKind.NAME and fact.unit not in units)
    return all(fact.keys & result.keys for fact in beside)


def _says_the_same(sentence: Sentence, answer: Sentence, fact: Fact, *, only: bool) -> bool:
    of_amounts = _OF_DATES if fact.unit == "date" else frozenset()
    words = [word for word in sentence.words if word not in of_amounts and not is_form_of(word, fact.unit)]
    last = _LAST_ADJECTIVE.search(sentence.text.casefold())
    known = set(answer.words) | _NEUTRAL | ({last[1]} if last else set())
    if not known.issuperset(words) or _TURNED.intersection(words) or VAGUE.intersection(words) - set(answer.words):
        return False
    shared = any(word in answer.words and word not in _NEUTRAL | COMMON for word in words)
    return shared or only
