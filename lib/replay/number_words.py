"""Words that stand for numbers, dates and amounts, and the words that tell a language."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"

NUMBER_WORDS = {word: value for words in (_ONES, _ORDINALS) for value, word in enumerate(words.split())}
NUMBER_WORDS |= {word: value * 10 for value, word in enumerate(_TENS.split(), 2)}
NUMBER_WORDS |= {f"{word[:-1]}ieth": value * 10 for value, word in enumerate(_TENS.split(), 2)}
SCALE_WORDS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

_MONTH_NAMES = "january february march april may june july august september october november december"
MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), 1)}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}

VAGUE = frozenset(
    "half quarter third thirds double doubled twice triple tripled both couple pair several dozen dozens few many"
    " hundreds thousands millions billions"
    " noon midnight morning afternoon evening night tonight today tomorrow yesterday weekend week month year decade"
    " monday tuesday wednesday thursday friday saturday sunday".split()
) | (set(MONTHS) - {"may", "mar", "jan", "jun", "sun"})
"""English words that may be what became of a number, a date or a time."""

WORKED_OUT = frozenset(
    "tax taxes taxed vat gross net fee fees shipping discount discounted reduced included includes including excluded"
    " excluding total totals sum sums altogether combined overall average averaged averages mean median each every per"
    " convert converts converted conversion exchange rate rounded approx approximately estimate estimated local zone"
    " timezone delay delays delayed later earlier postponed moved cheaper"
    " cheapest expensive dearer differ differs difference more less least most fewer maximum minimum max min highest"
    " lowest higher lower feels forecast expected tomorrow yesterday week weeks weekly month months monthly year years"
    " yearly annual ago previous previously formerly updated corrected correction actually instead calculate calculated"
    " compute computed worked times multiplied remaining left together both"
    " insgesamt zusammen durchschnitt umgerechnet gerundet steuer mwst inklusive verspätung ortszeit etwa ungefähr".split()
)
"""Words that tell of an amount that was worked out from others, or is one of another time or place."""
TIME_ZONES = frozenset("utc gmt cet cest eet eest est edt cst cdt mst mdt pst pdt ist bst jst aest aedt".split())

_ENGLISH = "the and with for this that your you have will from are was not is of to in it be i by on at as or but can"
_GERMAN = "der die das und ist nicht ein eine mit von für auf den dem sie ich im zu es wird sind auch nur"
_FRENCH = "le la les des une est et dans pour avec sur pas vous il elle du ce sont qui que aux"
_SPANISH = "el la los las una es y en para con por no usted del que se son hay está"
_ITALIAN = "il lo gli una è e di per con non che del della sono nel alla"
_PORTUGUESE = "o os as uma é e em para com não que do da são no na"
_DUTCH = "de het een en is niet van voor met op dat zijn er ook wordt"
_LANGUAGES = {
    name: frozenset(words.split())
    for name, words in {
        "english": _ENGLISH,
        "german": _GERMAN,
        "french": _FRENCH,
        "spanish": _SPANISH,
        "italian": _ITALIAN,
        "portuguese": _PORTUGUESE,
        "dutch": _DUTCH,
    }.items()
}
COMMON = frozenset().union(*_LANGUAGES.values()) | frozenset(
    "there their they them then than these those what when where which while would could should been were also just"
    " here only about into over very more most some such each does done make made take says said".split()
)
"""Words that any text has."""


def find_language(words: list[str]) -> str | None:
    """Return the language whose small words a text has most of; None where no one leads."""
    counts = sorted(((sum(word in small for word in words), name) for name, small in _LANGUAGES.items()), reverse=True)
    return counts[0][1] if counts[0][0] > counts[1][0] else None


_WORD = "|".join(sorted({*NUMBER_WORDS, *SCALE_WORDS}, key=len, reverse=True))
_SPELLED = re.compile(rf"\b(?:{_WORD})\b(?:(?:-|\s+(?:and\s+)?)(?:{_WORD})\b)*", re.IGNORECASE)


def to_numbers(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield where English words stand for a number, and which: "three hundred and twenty-one" is 321."""
    for match in _SPELLED.finditer(text):
        yield match.start(), match.end(), _add_up(re.findall(_WORD, match[0].casefold()))


def _add_up(words: list[str]) -> int:
    total = current = 0
    for word in words[:20]:
        if word in NUMBER_WORDS:
            current += NUMBER_WORDS[word]
        elif SCALE_WORDS[word] == 100:
            current = max(current, 1) * 100
        else:
            total, current = total + max(current, 1) * SCALE_WORDS[word], 0
    return total + current
