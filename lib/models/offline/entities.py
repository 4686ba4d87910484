"""Entities: the cities, companies and tickers a text names, found by spelling and position."""

from __future__ import annotations

import re

from lib.models.offline.words import STOP_WORDS

CURRENCIES = frozenset("USD EUR GBP CHF JPY CNY AUD CAD SEK NOK DKK PLN CZK INR BRL".split())

_NO_NAMES = frozenset(
    """monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december compare find plan book look check report say write weather forecast temperature price prices
    stock stocks share shares market finance hello hi hey thanks thank yes ok okay should could would celsius fahrenheit
    ticker latest current next week month year the""".split()
)
_CAPITALIZED = r"[^\W\d_a-z][\w’'-]*"  # a word that begins with an upper-case letter
_NAME = re.compile(rf"{_CAPITALIZED}(?:\s+(?:(?:de|da|do|del|la|le|el|am|an|of)\s+)?{_CAPITALIZED})*")
_TICKER = re.compile(r"(?<![\w$])\$?([A-Z]{1,5}(?:\.[A-Z])?)(?![\w])")
_AFTER_PLACE_WORD = re.compile(
    r"\b(?:in|for|at|near|to|from|around)\s+([^\W\d_]+(?:-[^\W\d_]+)*)(?:\s+((?:d[aeo]\s+)?[^\W\d_]+))?"
)
_AFTER_OF = re.compile(r"\b(?:of|for)\s+\$?([^\W_][\w.&-]*)")
_TWO_WORD_STARTS = frozenset(
    "new los las san santa sao são saint st hong tel cape buenos kuala rio el fort abu".split()
)


def names(text: str) -> list[str]:
    """Return the capitalized names in `text`, in order, each once; a verb or question word at its start is no name."""
    found: list[str] = []
    for match in _NAME.finditer(text):
        parts = [re.sub(r"['’]s?$", "", part) for part in match[0].split()]
        while parts and (parts[0].casefold() in STOP_WORDS | _NO_NAMES):
            parts.pop(0)
        while parts and (parts[-1].casefold() in STOP_WORDS | _NO_NAMES):
            parts.pop()
        name = " ".join(parts)
        if name and name not in CURRENCIES and name not in ("I", "A"):
            found.append(name)
    return list(dict.fromkeys(found))


def tickers(text: str) -> list[str]:
    """Return the ticker symbols in `text`: words of one to five capitals, currencies and `I`, `A` aside."""
    found = (match[1] for match in _TICKER.finditer(text))
    return list(dict.fromkeys(symbol for symbol in found if symbol not in CURRENCIES | {"I", "A", "OK", "AND", "OR"}))


def places(text: str) -> list[str]:
    """Return what may be a place: names that are no tickers, else the lower-case word after `in`, `for`, `to`, ..."""
    symbols = set(tickers(text))
    after = {name for name in names(text) if re.search(rf"\b(?:in|at|near|to|from)\s+{re.escape(name)}\b", text)}
    found = [name for name in names(text) if name not in symbols or name in after]
    return found or _lower_case_places(text)


def companies(text: str) -> list[str]:
    """Return what may be a company: tickers and names in order, else the lower-case word after `of` or `for`."""
    symbols = tickers(text)
    candidates = [(text.find(item), item) for item in dict.fromkeys([*symbols, *names(text)])]
    found = [item for _, item in sorted(candidates)]
    if not found:
        found = [word for word in _AFTER_OF.findall(text) if word.casefold() not in STOP_WORDS | _NO_NAMES]
    return found


def named_after(text: str, prepositions: tuple[str, ...]) -> str | None:
    """Return the place that follows one of the words, as in `from Paris`."""
    for place in places(text):
        if re.search(rf"\b(?:{'|'.join(prepositions)})\s+{re.escape(place)}\b", text, re.IGNORECASE):
            return place
    return None


def _lower_case_places(text: str) -> list[str]:
    found = []
    for first, second in _AFTER_PLACE_WORD.findall(text):
        if first.casefold() in STOP_WORDS | _NO_NAMES:
            continue
        two = first.casefold() in _TWO_WORD_STARTS and second and second.casefold() not in STOP_WORDS
        found.append(f"{first} {second}" if two else first)
    return list(dict.fromkeys(found))
