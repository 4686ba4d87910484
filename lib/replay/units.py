"""What an amount in a text is an amount of: money of one currency, degrees, kilometres, or whatever is counted.

Only amounts of one thing can be compared: 40 USD and 37 EUR may be the same price, 14 °C and 57 °F the same weather.
"""

from __future__ import annotations

import re

from lib.replay.number_words import COMMON, MONTHS, NUMBER_WORDS, SCALE_WORDS, VAGUE

DEGREE = "degree"
"""Of Celsius, or of a scale that is not named."""
FAHRENHEIT = "fahrenheit"

_FORMS = {
    "usd": "usd $ us$ dollar dollars",
    "eur": "eur € euro euros",
    "gbp": "gbp £",
    "chf": "chf",
    "jpy": "jpy yen",
    "cny": "cny rmb yuan 元",
    "inr": "inr ₹ rupee rupees",
    DEGREE: "degree degrees grad ° °c c celsius",
    FAHRENHEIT: "°f f fahrenheit",
    "%": "% percent prozent",
    "km": "km kilometer kilometers kilometre kilometres",
    "mile": "mi mile miles",
    "metre": "meter meters metre metres",
    "km/h": "km/h kmh kph",
    "mph": "mph",
    "knot": "kn kt knot knots",
    "kg": "kg kilo kilos kilogram kilograms",
    "second": "s sec secs second seconds",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "day days",
}
_UNITS = {form: unit for unit, forms in _FORMS.items() for form in forms.split()}
_BEFORE = re.compile(r"(?:(us\$|[$€£₹])|\b(usd|eur|gbp|chf|jpy|cny|rmb|inr))\s?$", re.IGNORECASE)
_SCALE_AFTER = re.compile(r"\s?\b(?:degrees?|grad)\s(?=(?:c|f|celsius|fahrenheit)\b)", re.IGNORECASE)
_AFTER = re.compile(r"[ \u00a0\u202f-]?(km/h|us\$|°\s?[cf]\b|[$€£₹%°]|[^\W\d_]+)", re.IGNORECASE)


def find_unit(text: str, start: int, end: int) -> str | None:
    """Return what the number at `start` to `end` is an amount of; None where nothing beside it says so."""
    if text[start:end].rstrip().casefold().endswith(("%", "percent", "per cent", "prozent")):
        return "%"
    before = _BEFORE.search(text[max(start - 5, 0) : start])
    if before:
        return _UNITS[before[0].strip().casefold()]
    named_scale = _SCALE_AFTER.match(text, end)
    after = _AFTER.match(text, named_scale.end() if named_scale else end)
    if after is None:
        return None
    word = re.sub(r"\s", "", after[1].casefold())
    if word in _UNITS:
        return _UNITS[word]
    counted = len(word) > 2 or not word.isascii()
    return f"of {word.removesuffix('s')}" if counted and word not in _COUNTED_BY_NOBODY else None


_COUNTED_BY_NOBODY = COMMON | VAGUE | set(MONTHS) | set(NUMBER_WORDS) | set(SCALE_WORDS)


def kind_of(unit: str | None) -> str | None:
    """Return what amounts of a unit are, in whatever unit: a price is one in any currency."""
    return _KINDS.get(unit or "", unit)


_KINDS = dict.fromkeys("usd eur gbp chf jpy cny inr".split(), "money") | {FAHRENHEIT: DEGREE}


def is_form_of(word: str, unit: str | None) -> bool:
    """Whether a word is a way to write a unit: "dollars" of USD."""
    return unit is not None and (_UNITS.get(word) == unit or unit == f"of {word.removesuffix('s')}")


def are_units_apart(one: str | None, other: str | None) -> bool:
    """Whether amounts of these cannot be the same, however their numbers look: 30 km/h and 30 degrees."""
    return one != other and one in _FORMS and other in _FORMS
