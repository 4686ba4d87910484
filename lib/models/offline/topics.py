"""Topics: the words that send a question to a member or a tool, and the clauses a question falls into."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lib.models.offline.entities import companies, places
from lib.models.offline.words import content_stems, stem


@dataclass(frozen=True, slots=True)
class Topic:
    """A subject known by its words; it is asked about only together with an entity of its kind."""

    name: str
    words: frozenset[str]  # stems that ask about it
    kept_by: frozenset[str]  # stems that tell who knows about it
    entity: str  # place or company

    def entities(self, text: str) -> list[str]:
        """Return the entities of the topic's kind that `text` names."""
        return places(text) if self.entity == "place" else companies(text)


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in text.split())


WEATHER = Topic(
    "weather",
    _stems("weather forecast forecasts temperature temperatures rain rainy sunny humidity windy snow climate"),
    _stems("weather forecast temperature climate meteorology"),
    "place",
)
FINANCE = Topic(
    "finance",
    _stems("price prices stock stocks share shares ticker quote trading"),
    _stems("finance financial stock stocks share shares market markets ticker equity equities trading"),
    "company",
)
TOPICS = (WEATHER, FINANCE)

_GENERIC = _stems(
    """agent member team expert specialist assistant answers answer question questions data sample information facts fact help
    helps city cities user users tool tools finds find gives knows role description name word words thing things"""
)
_JOINT = re.compile(
    r"\s*(?:;|[?.!](?=\s)|,?\s+and also\s+|,?\s+and then\s+|,\s+and\s+|\s+and\s+|\s+plus\s+|,\s+(?=what|how|where))\s*",
    re.IGNORECASE,
)


def clauses(text: str) -> list[str]:
    """Return the parts of a question that could be asked on their own; a comma parts them where a new topic follows it."""
    found: list[str] = []
    for part in _JOINT.split(text):
        first, *others = part.split(", ")
        found.append(first)
        for other in others:
            if topic_of(other) is None or topic_of(found[-1]) is None:
                found[-1] += f", {other}"
            else:
                found.append(other)
    return [part.strip(" ,") for part in found if part.strip(" ,?.!")]


def topic_of(clause: str) -> Topic | None:
    """Return the topic whose words the clause uses."""
    stems = set(content_stems(clause))
    return next((topic for topic in TOPICS if stems & topic.words), None)


def keeps(about: str, topic: Topic) -> bool:
    """Return whether a member or tool described so knows about the topic."""
    return bool(set(content_stems(about)) & topic.kept_by)


def overlap(clause: str, about: str) -> int:
    """Return how many telling words the clause and a description share."""
    return len((set(content_stems(clause)) - _GENERIC) & set(content_stems(about)))


def with_there_resolved(clause: str, question: str) -> str:
    """Return the clause with `there` replaced by the place the question names last before it."""
    if not re.search(r"\bthere\b", clause, re.IGNORECASE) or places(clause):
        return clause
    before = question[: question.find(clause)] if clause in question else question
    known = places(before) or places(question)
    return re.sub(r"\bthere\b", f"in {known[-1]}", clause, count=1, flags=re.IGNORECASE) if known else clause
