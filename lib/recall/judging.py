"""When an answer counts as right: the stated rule.

The exact value must stand in the answer as whole words, after folding: Unicode compatibility forms and case are made
equal, and every run of marks and spaces counts as one space. So `It is "Bird".` holds `bird`, `blackbird` does not, and
`40,000` is `40 000` but not `40000`. Nothing is guessed from the wording: an answer that holds the value among others
is right, and `which_values` tells the others.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

JUDGING_RULE = "The exact value stands in the answer as whole words; case and punctuation are folded."


def holds_value(text: str, value: str) -> bool:
    """Return whether `text` holds `value` by the stated rule; an empty value is never held."""
    wanted = fold(value)
    return bool(wanted) and f" {wanted} " in f" {fold(text)} "


def which_values(text: str, values: Iterable[str]) -> tuple[str, ...]:
    """Return those of `values` that `text` holds, in the order given."""
    return tuple(value for value in values if holds_value(text, value))


def fold(text: str) -> str:
    """Return `text` in the form in which answers and values are compared."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    # casefold can leave decomposed letters behind ("İ"); NFKC again makes equal what looks equal.
    folded = unicodedata.normalize("NFKC", folded)
    return " ".join("".join(letter if _is_letter(letter) else " " for letter in folded).split())


def _is_letter(letter: str) -> bool:
    # Letters, digits and the marks that belong to a letter; emoji count as words, since a planted value may be one.
    return unicodedata.category(letter)[0] in "LNM" or unicodedata.category(letter) == "So"
