"""Words: how the offline model takes a text apart. No language is understood here, only spelling."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*", re.UNICODE)
_TOKEN = re.compile(r"\w+|[^\w\s]", re.UNICODE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+|;\s+")

STOP_WORDS = frozenset(
    """a about after again all also am an and any are as ask at be been but by can could did do does doing each ever few
    for from get give go had has have he her here him his how i if in into is it its just know last let like many me more most much
    my named need no not now of off on one only or our out over please show so some such tell than that the their them then
    there these they this those to today tomorrow tonight too up us use very want was we were what what's when where which who
    whose why will with would you your yours really still exactly currently again earlier said told remember""".split()
)
"""Words that say nothing about a question's subject."""

NUMBER_WORDS = dict(zip("one two three four five six seven eight nine ten".split(), range(1, 11), strict=True))


def words(text: str) -> list[str]:
    """Return the words of `text`, in order and as written."""
    return _WORD.findall(text)


def stem(word: str) -> str:
    """Return a word without case, possessive and the commonest endings, so that `prices` meets `price`."""
    word = re.sub(r"['’]s?$", "", word.casefold())
    for ending in ("ings", "ing", "ies", "es", "ed", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content_stems(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order, each once."""
    parts = (part for word in words(text) for part in re.split(r"[_-]", word))
    kept = (stem(part) for part in parts if part.casefold() not in STOP_WORDS and not re.fullmatch(r"['’]?s", part))
    return list(dict.fromkeys(kept))


def sentences(text: str) -> list[str]:
    """Return the sentences and lines of `text`, trimmed, without the empty ones."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def numbers(text: str) -> list[float]:
    """Return the numbers in `text`, also those written as words up to ten."""
    found: list[float] = []
    for token in re.findall(r"\d{1,15}(?:[.,]\d{1,6})?|[^\W\d_]+", text):
        if token[0].isdecimal():
            found.append(float(token.replace(",", ".")))
        elif token.casefold() in NUMBER_WORDS:
            found.append(float(NUMBER_WORDS[token.casefold()]))
    return found


def count_words_and_marks(text: str) -> int:
    """Return how many words and marks `text` has: the offline model's token count."""
    return sum(1 for _ in _TOKEN.finditer(text))


def capitalized(text: str) -> str:
    """Return `text` with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


def as_sentence(text: str) -> str:
    """Return `text` trimmed, capitalized and ended with a mark."""
    text = text.strip()
    return text if not text or text[-1] in ".!?:" else f"{text}."
