"""Facts: what messages state and what a question asks for. The newest statement of a fact counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lib.models.offline.words import as_sentence, capitalized, content_stems, sentences

DONT_KNOW = "I don't know: it is not in the messages I was given."

_BULLET = re.compile(r"^(?:[-*•]|\d{1,3}[.)])\s+")
_INTRODUCED = re.compile(
    r"^(?:(?:please|and|also|but|ok|okay|hi|hello|now|actually|by the way|so)[\s,:]+)*"
    r"(?:(?:can you |could you )?(?:please )?(?:remember|keep in mind|note|bear in mind|noted|you told me|for the record)"
    r"(?:\s+that\b|\s*[:,])?)\s+(?P<fact>\S.*)$",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"^(?:(?:and|also|but|now|actually|by the way|from now on|so|well|no|sorry|correction)[\s,:]+)*"
    r"(?P<statement>(?P<owner>the user's|user's|the|my|our|this session's|your)\s+(?P<subject>\S[^?:=]{0,120}?)"
    r"\s*(?:(?:\bis now\b|\bare now\b|\bis\b|\bare\b|\bwas\b|\bwere\b|\b(?:has |have )?changed to\b)\s+|\s=\s|:\s)(?P<value>\S.*))$",
    re.IGNORECASE,
)
_SUBJECT_ONLY = re.compile(
    r"^(?P<subject>[^?:=]{1,120}?)\s*(?:(?:\bis now\b|\bare now\b|\bis\b|\bare\b|\bwas\b|\bwere\b)\s+|\s=\s|:\s)(?P<value>\S.*)$",
    re.IGNORECASE,
)
_AND_ANOTHER = re.compile(r",?\s+and\s+(?=(?:the|my|our)\s+[^,?]{1,60}?\s(?:is|are|was|were)\s)", re.IGNORECASE)
_QUESTION = re.compile(
    r"^(?:(?:and|so|but|please|ok|hi|hello|hey|then)[\s,]+)*(?:(?:can|could) you )?(?:please )?"
    r"(?:tell me |do you (?:know|remember|recall) |say )?"
    r"(?P<word>what(?:['’]s|s)?|who(?:['’]s)?|where(?:['’]s)?|when(?:['’]s)?|which|how (?:much|many|old|long|far)|whose)\b",
    re.IGNORECASE,
)
_ASKS_FOR_SUBJECT = re.compile(
    r"^(?:please )?(?:do you (?:still )?(?:know|remember|recall)|tell me|remind me(?: of)?|(?:can|could) you (?:tell me|recall))\s+"
    r"(?:the|my|our)\s",
    re.IGNORECASE,
)
_ASKS_FOR_ALL = re.compile(r"\bwhat (?:do|did|should|can) (?:you|i)\b.{0,40}\bremember\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a message states."""

    statement: str  # as it was written, without introduction and end mark
    subject: frozenset[str]  # stems of what it is about; all stems where no subject is told apart
    has_subject: bool
    told: bool  # a user said it, or Agno handed it on as the user's memory; not a tool or an answer


def facts_in(text: str, *, told: bool, bare: bool = True) -> list[Fact]:
    """Return the facts that `text` states, in order; with `bare`, also those no `remember` introduces."""
    found: list[Fact] = []
    for sentence in sentences(text):
        found += _facts_of_sentence(_BULLET.sub("", sentence), told=told, bare=bare)
    return found


def split_told(text: str) -> tuple[list[Fact], str]:
    """Return the facts a user's message tells and the rest of the message."""
    told: list[Fact] = []
    rest: list[str] = []
    introduced = False
    for sentence in sentences(text):
        if re.fullmatch(r"(?:please\s+)?remember(?:\s+this)?\s*:", sentence, re.IGNORECASE):
            introduced = True  # the fact follows on the next line
            continue
        facts = _facts_of_sentence(f"remember: {sentence}" if introduced else sentence, told=True, bare=True)
        introduced = False
        told += facts
        if not facts:
            rest.append(sentence)
    return told, " ".join(rest)


def asks_for_a_fact(text: str) -> bool:
    """Return whether `text` is a question that a stated fact could answer."""
    return _question_in(text) is not None


def _question_in(text: str) -> str | None:
    """Return the part of `text` that asks, also one behind a colon: `In one word: what is ...`."""
    parts = [part.strip() for sentence in sentences(text) for part in (sentence, *sentence.split(": ")[1:])]
    return next((part for part in parts if _QUESTION.match(part) or _ASKS_FOR_SUBJECT.match(part)), None)


def asks_for_own_fact(text: str) -> bool:
    """Return whether `text` asks for something of the user's own: what is my ..., what is the secret ..."""
    return asks_for_a_fact(text) and bool(
        re.search(
            r"\b(?:what|who|where|when|which|know|remember|recall|me)\S*\s+(?:(?:is|are|was|were|of)\s+)?(?:my|our|the secret)\b",
            text,
            re.IGNORECASE,
        )
    )


def find_answer(question: str, facts: Sequence[Fact]) -> Fact | None:
    """Return the newest fact that covers every word the question asks for; one about exactly that goes first."""
    asked = frozenset(content_stems(question))
    if not asked:
        return None
    exact = [fact for fact in facts if fact.has_subject and fact.subject == asked]
    if exact:
        return exact[-1]
    about = [fact for fact in facts if fact.has_subject and asked <= fact.subject]
    if about:
        return about[-1]
    holding = [fact for fact in facts if asked <= frozenset(content_stems(fact.statement))]
    return holding[-1] if holding else None


def answer_question(question: str, facts: Sequence[Fact]) -> str | None:
    """Return the answer that `facts` hold, oldest fact first; None where they hold none."""
    if _ASKS_FOR_ALL.search(question):
        kept = newest_of_each(fact for fact in facts if fact.told)
        return " ".join(said_back(fact) for fact in kept) if kept else None
    fact = find_answer(_question_in(question) or question, facts)
    return None if fact is None else said_back(fact)


def newest_of_each(facts: Iterable[Fact]) -> list[Fact]:
    """Return the facts without those that a newer one on the same subject replaced."""
    kept: dict[frozenset[str], Fact] = {}
    for fact in facts:
        kept.pop(fact.subject, None)
        kept[fact.subject] = fact
    return list(kept.values())


def said_back(fact: Fact) -> str:
    """Return the fact as the model says it: your budget, not my budget."""
    if not fact.has_subject or re.match(r"(?:i|we)\b", fact.statement, re.IGNORECASE):
        return as_sentence(f"You told me: {fact.statement}")
    turned = re.sub(r"^(?:my|our|user's|the user's)\b", "your", fact.statement, flags=re.IGNORECASE)
    return as_sentence(capitalized(turned))


def _facts_of_sentence(sentence: str, *, told: bool, bare: bool) -> list[Fact]:
    if sentence.endswith("?"):
        return []
    introduced = _INTRODUCED.match(sentence)
    if introduced is None and (not bare or _QUESTION.match(sentence)):
        return []
    body = introduced["fact"] if introduced else sentence
    facts = []
    for statement in _AND_ANOTHER.split(body):
        statement = statement.strip().rstrip(".!,; ")
        match = _STATED.match(statement) or (_SUBJECT_ONLY.match(statement) if introduced else None)
        if match:
            facts.append(_with_subject(match, statement, told=told))
        elif introduced and statement and statement.casefold() not in ("that", "this", "it", "me"):
            facts.append(Fact(statement, frozenset(content_stems(statement)), False, told))
    return [fact for fact in facts if fact.subject]


def _with_subject(match: re.Match[str], statement: str, *, told: bool) -> Fact:
    subject = frozenset(content_stems(match["subject"]))
    return Fact(match.groupdict().get("statement") or statement, subject, True, told)
