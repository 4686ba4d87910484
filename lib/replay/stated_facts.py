"""What a text states that can be found again in another one, however it is written: numbers, dates, times, names, codes.

"$1,250,000", "1.25 million" and "1250000 dollars" are the same fact, so are "18C" and "18 °C", "50%" and "0.5",
"2026-11-21" and "the twenty-first of November", "15:30" and "3:30". Where a form can be read in two ways ("1.250"), it
is the same as either. Words are compared by their own rules in `lib.replay.used_results`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from lib.replay.number_words import MONTHS, to_numbers
from lib.replay.units import find_unit


class FactKind(StrEnum):
    """What a fact is."""

    NUMBER = "number"  # amounts, dates and times
    NAME = "name"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that a text states."""

    kind: FactKind
    text: str  # as it is written
    keys: frozenset[str]  # each a way to read it; two facts that share one are the same
    telling: bool  # not so small or round that it would be reworded ("both", "a dozen", "half")
    start: int
    end: int
    unit: str | None = None
    """What it can be compared with: a price with a price. "time", "date", what an amount is of, or where a code stands."""


def list_facts(text: str) -> list[Fact]:
    """Return the facts of a text, in order."""
    plain = to_ascii_digits(text)
    found: list[Fact] = []
    taken = [False] * len(plain)
    for pattern, read in _FORMS:
        for match in pattern.finditer(plain):
            if any(taken[match.start() : match.end()]):
                continue
            fact = read(match)
            if fact is not None:
                taken[fact.start : fact.end] = [True] * (fact.end - fact.start)
                found.append(fact)
    spelled = [
        _number(plain[start:end], {value}, start, end, telling=False)
        for start, end, value in to_numbers(plain)
        if not any(taken[start:end])
    ]
    found = [_with_unit(plain, fact) for fact in _with_days_of_months(plain, [*found, *spelled])]
    found += _names(plain, taken)
    return sorted(found, key=lambda fact: fact.start)


def _with_unit(text: str, fact: Fact) -> Fact:
    if fact.kind is FactKind.CODE:
        before = re.search(r"([^\W\d_]+)\W*$", text[max(fact.start - 30, 0) : fact.start])
        return replace(fact, unit=f"code after {before[1].casefold()}") if before else fact
    if any(key.startswith("t:") for key in fact.keys):
        return replace(fact, unit="time")
    if any(key.startswith("d:") for key in fact.keys):
        return replace(fact, unit="date")
    return replace(fact, unit=find_unit(text, fact.start, fact.end))


def keys_of(facts: Iterable[Fact]) -> set[str]:
    """Return every way to read some facts."""
    return {key for fact in facts for key in fact.keys}


def to_ascii_digits(text: str) -> str:
    """Return text with the digits of any script as 0 to 9, as long as it was."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(sign)) if sign.isdecimal() else sign for sign in text)


# -- numbers -----------------------------------------------------------------------------------------------------------

_GROUPED = r"\d{1,3}(?:[ \u00a0\u2009\u202f'’_]\d{3})+(?![\d])(?:[.,]\d+)?"
_PLAIN = r"\d+(?:[.,]\d+)*"
_SCALES = {
    "k": 3,
    "thousand": 3,
    "tsd": 3,
    "m": 6,
    "mn": 6,
    "mio": 6,
    "million": 6,
    "millions": 6,
    "b": 9,
    "bn": 9,
    "mrd": 9,
    "billion": 9,
    "billions": 9,
    "trillion": 12,
}
_PERCENT = ("%", "percent", "per cent", "prozent")
_NUMBER = re.compile(
    rf"(?<![A-Za-z\d])({_GROUPED}|{_PLAIN})(?:\s?(%|(?:percent|per cent|prozent|{'|'.join(_SCALES)})\b))?",
    re.IGNORECASE,
)
SMALL = 12
"""Whole numbers up to this one are often reworded: "both", "a dozen", "no rain"."""
_ROUND_PERCENT = {Decimal(part) for part in (0, 10, 20, 25, 50, 75, 100)}


def _read_number(match: re.Match[str]) -> Fact | None:
    digits, suffix = match[1], (match[2] or "").casefold()
    if len(digits) > 60:
        return None
    values = read_values(digits)
    if not values:  # a version, such as 3.1.10
        keys = frozenset({f"v:{digits}"})
        return Fact(kind=FactKind.CODE, text=match[0], keys=keys, telling=True, start=match.start(), end=match.end())
    percent = suffix in _PERCENT
    telling = not any(value == int(value) <= SMALL or value <= 1 for value in values)
    telling = telling or (bool(_SCALES.get(suffix)) and suffix != "m")
    if percent:
        telling = not values & _ROUND_PERCENT
        values |= {value / 100 for value in values}
    elif suffix:
        values |= {value.scaleb(_SCALES[suffix]) for value in values}
    return _number(match[0], values, match.start(), match.end(), telling=telling)


def read_values(digits: str) -> set[Decimal]:
    """Return what digits with separators can mean, in any country's way of writing; nothing for a version (3.1.10)."""
    joined = re.sub(r"[\u00a0\u2009\u202f'’_]", "", digits)
    if " " in joined:  # "18 300" is one number, or two
        parts = joined.split(" ")
        return read_values("".join(parts)).union(*(read_values(part) for part in parts))
    marks = [sign for sign in joined if sign in ".,"]
    groups = re.split(r"[.,]", joined)
    whole = Decimal("".join(groups))
    if not marks:
        return {whole}
    if len(set(marks)) == 2:
        if marks.count(marks[-1]) > 1:
            return {Decimal(group) for group in groups}
        return {Decimal(f"{''.join(groups[:-1])}.{groups[-1]}")}
    thousands = len(groups[-1]) == 3 and 1 <= len(groups[0]) <= 3 and groups[0][0] != "0"
    if len(marks) == 1:
        decimal = Decimal(f"{groups[0]}.{groups[1]}")
        return {decimal, whole} if thousands else {decimal}
    if thousands and all(len(group) in (2, 3) for group in groups[1:]):  # of two: 12,34,567
        return {whole}
    return {Decimal(group) for group in groups} if marks[0] == "," else set()


def _number(text: str, values: Iterable[Decimal | int], start: int, end: int, *, telling: bool) -> Fact:
    keys = frozenset(f"n:{Decimal(value).normalize():f}" for value in values)
    return Fact(kind=FactKind.NUMBER, text=text.strip(), keys=keys, telling=telling, start=start, end=end)


# -- dates and times ---------------------------------------------------------------------------------------------------

_YEAR_FIRST = re.compile(r"(?<!\d)\d{4}([-/.])(\d{1,2})\1(\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(?:\d{4}|\d{2})(?![\d.])")
_TIME = re.compile(r"(?<![\d:.])(\d{1,2})(?::|h)(\d{2})(?::\d{2}(?:[.,]\d+)?)?(?!\d)", re.IGNORECASE)
_TIME_OF_DAY = re.compile(r"(?<![\d:.])(\d{1,2})(?:\.(\d{2}))?\s?(?:[ap]\.?m\b\.?|uhr\b|o['’]clock\b)", re.IGNORECASE)


def _read_date(match: re.Match[str]) -> Fact | None:
    parts = (match[2], match[3]) if match.re is _YEAR_FIRST else (match[1], match[3])
    one, other = int(parts[0]), int(parts[1])
    pairs = {(one, other)} if match.re is _YEAR_FIRST else {(one, other), (other, one)}
    keys = frozenset(f"d:{month}-{day}" for month, day in pairs if 1 <= month <= 12 and 1 <= day <= 31)
    if not keys:
        return None
    return Fact(kind=FactKind.NUMBER, text=match[0], keys=keys, telling=True, start=match.start(), end=match.end())


def _read_time(match: re.Match[str]) -> Fact | None:
    hour, minute = int(match[1]), int(match[2] or 0)
    if hour > 24 or minute > 59:
        return None
    keys = frozenset({f"t:{(hour * 60 + minute) % 720}"})
    return Fact(
        kind=FactKind.NUMBER, text=match[0].strip(), keys=keys, telling=True, start=match.start(), end=match.end()
    )


_NEAR = re.compile(r"(?:st|nd|rd|th)?[\s,.]*(?:of|the)?\s*", re.IGNORECASE)


def _with_days_of_months(text: str, facts: list[Fact]) -> list[Fact]:
    """Return facts with those numbers that stand beside the name of a month as days of it."""
    months = [(match.start(), match.end(), MONTHS[match[0].casefold()]) for match in _MONTH.finditer(text)]
    return [_as_day(text, fact, months) for fact in facts] if months else facts


_MONTH = re.compile(rf"\b(?:{'|'.join(sorted(MONTHS, key=len, reverse=True))})\b", re.IGNORECASE)


def _as_day(text: str, fact: Fact, months: list[tuple[int, int, int]]) -> Fact:
    days = [int(key[2:]) for key in fact.keys if re.fullmatch(r"n:\d{1,2}", key) and 1 <= int(key[2:]) <= 31]
    for start, end, month in months if days else ():
        between = text[end : fact.start] if end <= fact.start else text[fact.end : start]
        if len(between) < 12 and _NEAR.fullmatch(between):
            dates = frozenset(f"d:{month}-{day}" for day in days)
            return replace(fact, keys=fact.keys | dates)
    return fact


# -- names and codes ---------------------------------------------------------------------------------------------------

_CODE = re.compile(r"(?<![\w])[A-Za-z][A-Za-z_]*(?:[-/_]?\d+[A-Za-z]*)+(?:-\w+)*")
_UNITS = {"usd", "eur", "gbp", "chf", "jpy", "cny", "inr", "utc", "gmt", "cet", "kmh", "mph", "the"}
_DAYS = {f"{day}day" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")}
_NO_NAMES = _UNITS | _DAYS | set(MONTHS)


def _read_code(match: re.Match[str]) -> Fact | None:
    digits = re.sub(r"\D", "", match[0])
    word = re.sub(r"[\W_]", "", match[0]).casefold()
    letters = re.sub(r"[\d]", "", word)
    if letters in _UNITS:  # USD214
        return None
    # Its digits alone are enough to know it again: "flight 123".
    keys = frozenset({f"c:{word}", f"n:{int(digits[:60])}"})
    return Fact(
        kind=FactKind.CODE, text=match[0], keys=keys, telling=len(digits) > 1, start=match.start(), end=match.end()
    )


def _names(text: str, taken: list[bool]) -> Iterator[Fact]:
    """Yield what is written as a name where a word would not be: a capital inside a sentence."""
    for match in re.finditer(r"[^\W\d_]+(?:[ ][^\W\d_]+)*", text):
        before = text[max(match.start() - 20, 0) : match.start()].rstrip(" \t\"'“‘(*_")
        inside = bool(before) and (before[-1].isalnum() or before[-1] in ",;")
        found: list[re.Match[str]] = []
        for word in re.finditer(r"[^\W\d_]+", match[0]):
            name = word[0][0].isupper() and len(word[0]) > 2 and (inside or word.start() > 0)
            name = name and word[0].casefold() not in _NO_NAMES
            if name and not taken[match.start() + word.start()]:
                found.append(word)
            elif found:
                yield _name(found, match.start())
                found = []
        if found:
            yield _name(found, match.start())


def _name(words: list[re.Match[str]], offset: int) -> Fact:
    return Fact(
        kind=FactKind.NAME,
        text=" ".join(word[0] for word in words),
        keys=frozenset(f"w:{word[0].casefold()}" for word in words),
        telling=True,
        start=offset + words[0].start(),
        end=offset + words[-1].end(),
    )


_FORMS = (
    (_YEAR_FIRST, _read_date),
    (_YEAR_LAST, _read_date),
    (_TIME_OF_DAY, _read_time),
    (_TIME, _read_time),
    (_CODE, _read_code),
    (_NUMBER, _read_number),
)


# -- script and language -----------------------------------------------------------------------------------------------


def find_script(text: str) -> str | None:
    """Return the script of most letters of a text ("latin"); None where words are not parted by spaces, or without any."""
    names = Counter(unicodedata.name(sign, "?").split(" ")[0] for sign in text[:5000] if sign.isalpha())
    if not names or any(names[name] * 10 > names.total() for name in _UNSPACED):
        return None
    return names.most_common(1)[0][0].casefold()


_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN", "HANGUL", "JAVANESE")
