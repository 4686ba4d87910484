"""Texts that are compared with each other: their facts, words, language and script, each found once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from lib.replay.number_words import COMMON, find_language
from lib.replay.stated_facts import Fact, FactKind, find_script, keys_of, list_facts

MOST = 50_000
"""Characters of a text that are looked through."""


class ComparedText:
    """A text, taken apart when it is asked for; a very long one is `cut`."""

    def __init__(self, text: str) -> None:
        """Take a text as it was said."""
        self.text = text[:MOST]
        self.cut = len(text) > MOST

    @cached_property
    def facts(self) -> list[Fact]:
        """What it states, in order."""
        return list_facts(self.text)

    @cached_property
    def all_words(self) -> list[str]:
        """Its words, in order."""
        return list_words(self.text)

    @cached_property
    def words(self) -> set[str]:
        """Its longer words, without those that any text has."""
        return {word for word in self.all_words if len(word) > 3 and word not in COMMON}

    @cached_property
    def keys(self) -> set[str]:
        """Every way to read its facts, and its words."""
        return keys_of(self.facts) | {f"w:{word}" for word in self.all_words}

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Its sentences and lines that state facts."""
        found, start = [], 0
        for end in [*(match.end() for match in _SENTENCE_END.finditer(self.text)), len(self.text)]:
            facts = [fact for fact in self.facts if start <= fact.start < end]
            if facts:
                found.append(Sentence(self.text, start, end, facts))
            start = end
        return found

    @property
    def language(self) -> str | None:
        """The language, where its small words tell it."""
        return find_language(self.all_words)

    @property
    def script(self) -> str | None:
        """The script, where words are parted by spaces in it."""
        return find_script(self.text)


class ComparedTexts(ComparedText):
    """Texts one after the other, each of which is taken apart once."""

    def __init__(self, parts: Sequence[ComparedText]) -> None:
        """Join texts."""
        super().__init__("\n".join(part.text for part in parts))
        self.cut = self.cut or any(part.cut for part in parts)
        self._parts = parts

    @cached_property
    def facts(self) -> list[Fact]:
        """What they state, in order; where a fact stands is told within its own text."""
        return [fact for part in self._parts for fact in part.facts]

    @cached_property
    def all_words(self) -> list[str]:
        """Their words, in order."""
        return [word for part in self._parts for word in part.all_words]

    @cached_property
    def words(self) -> set[str]:
        """Their longer words, without those that any text has."""
        return set().union(*(part.words for part in self._parts))

    @cached_property
    def keys(self) -> set[str]:
        """Every way to read their facts, and their words."""
        return set().union(*(part.keys for part in self._parts))

    @cached_property
    def sentences(self) -> list[Sentence]:
        """Their sentences and lines that state facts."""
        return [sentence for part in self._parts for sentence in part.sentences]


class TextsByWords(dict[str, ComparedText]):
    """Texts by what they say, so that each is taken apart once for all delegations of a run."""

    def __missing__(self, text: str) -> ComparedText:
        """Take a text apart that was not asked for yet."""
        self[text] = ComparedText(text)
        return self[text]

    def keys_of_all(self, texts: Iterable[str]) -> set[str]:
        """Return every way to read the facts of some texts, and their words."""
        return set().union(*(self[text].keys for text in texts))


_SENTENCE_END = re.compile(r"[.!?]\s+(?=[\"'*(]*[^\W\d_a-z])|[;\n。]\s*")  # "approx. 30" goes on


class Sentence:
    """A sentence or line with the facts in it."""

    def __init__(self, text: str, start: int, end: int, facts: list[Fact]) -> None:
        """Take the part of a text between two places."""
        self.text = text[start:end]
        self.facts = facts
        signs = list(self.text)
        for fact in facts:
            if fact.kind is not FactKind.NAME:
                signs[fact.start - start : fact.end - start] = " " * (fact.end - fact.start)
        self.words = list_words("".join(signs))
        """Its words without its amounts and codes."""


def list_words(text: str) -> list[str]:
    """Return the words of a text, in order."""
    return re.findall(r"[^\W\d_]+", text.casefold())
