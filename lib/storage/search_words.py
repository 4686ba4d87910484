"""Text as search words that MySQL, MariaDB and SQLite index alike, in any script.

The databases' own tokenisers differ: MariaDB drops words under three letters and common English ones and cannot split
Chinese; SQLite keeps them. So words are made here, folded and spelt in plain ASCII, and the databases only store and
match them.

- Case, accents and width do not matter: "Köln" is found by "koln", "STRASSE" by "straße"; nor does the shape of quotes
  and apostrophes, nor whether an emoji was typed on a phone.
- Scripts written without spaces (Chinese, Japanese, Thai ...) are cut into single characters and pairs.
- An emoji or another symbol that stands for something is a word of its own. Punctuation, `%` and `_` separate words.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_WORD_LENGTH = 60
"""InnoDB leaves out words of more than 84 characters; ours are cut to this, in text and in question alike."""

MAX_TERMS = 60
"""So many different words of a question are looked for, the first ones: SQLite takes no condition of a thousand parts."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_PIECES = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+|[^\w\s]")
_TERMS = re.compile(r'"([^"]*)("?)|(\S+)')
_SHAPES = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc", "'"),
        **dict.fromkeys(map(chr, range(0xFE00, 0xFE10))),  # how an emoji is to be drawn
    }
)


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """What somebody looks for: `terms` must all occur in the text, `words` lead to the texts worth a look.

    `unfinished` is the last word when it may still be typed: every word that begins with it counts.
    """

    terms: tuple[str, ...]  # folded
    words: tuple[str, ...]
    unfinished: str | None = None


def fold(text: str) -> str:
    """Return text without differences of case, accent and width, and with one shape of quotes."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_SHAPES).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def to_words(text: str) -> list[str]:
    """Return the search words of a text, in order."""
    return [_spelt(word) for word in _split(fold(text))]


def to_user_word(user_id: str) -> str:
    """Return the word that marks a user's own texts, so that the index itself narrows a search to them."""
    return "zu" + hashlib.sha256(user_id.encode()).hexdigest()[:24]


def to_search_question(typed: str) -> SearchQuestion:
    """Return what a person's words ask for. Words in quotes are one term: they must stand together.

    Of a whole page that was pasted, the first `MAX_TERMS` different words count.
    """
    found = _TERMS.findall(typed.translate(_SHAPES))
    is_closed = bool(found) and bool(found[-1][1])
    terms = list(dict.fromkeys(folded for quoted, _, plain in found if (folded := fold(quoted or plain).strip())))
    if not terms and (signs := fold(typed).strip()):  # nothing but quotes: they are what is looked for
        terms = [signs]
    kept = terms[:MAX_TERMS]
    words = [_spelt(word) for term in kept for word in _split(term)]
    unfinished = None
    if words and kept == terms and not is_closed and not typed[-1].isspace() and words[-1].startswith("zq"):
        unfinished = words.pop()
    return SearchQuestion(tuple(kept), tuple(dict.fromkeys(words))[:MAX_TERMS], unfinished)


def find_first(text: str, terms: tuple[str, ...]) -> tuple[int, int] | None:
    """Return where the first of the terms stands in the text as it was written, as (start, end)."""
    folded, places = _folded_with_places(text)
    starts = [(start, len(term)) for term in terms if (start := folded.find(term)) >= 0]
    if not starts:
        return None
    start, length = min(starts)
    return places[start], places[start + length - 1] + 1


def _split(folded: str) -> Iterator[str]:
    for piece in _PIECES.findall(folded):
        if re.match(f"[{_UNSPACED}]", piece):
            yield from piece
            yield from (piece[at : at + 2] for at in range(len(piece) - 1))
        elif piece.isalnum() or unicodedata.category(piece[0]) in ("So", "Sk", "Sc", "Sm"):
            yield piece


def _spelt(word: str) -> str:
    # A prefix makes every word three letters or more and no word a common English one, which MariaDB would both drop.
    spelt = "zq" + word if word.isascii() and word.isalnum() else "zx" + word.encode().hex()
    return spelt[:MAX_WORD_LENGTH]


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    """Return the folded text and, for each of its characters, the place it comes from."""
    folded: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        for part in fold(char):
            folded.append(part)
            places.append(place)
    return "".join(folded), places
