"""Whether a leader used what its members answered: told by facts that can be found again, and otherwise left open.

A result counts as used where one of its facts, or most of its words, stands in what the leader said or asked later; its
names, codes and words alone do not count where the leader states another amount or time than it does. It counts as not
used where such a contradiction is certain (`lib.replay.contradictions`), else only where nothing speaks for it: it states
at least two facts of its own; none of them, and none of its longer words, stands there in any form; and the leader states
facts itself, none of which can come from that result.
An amount that nothing else gave may have been worked out from it (a sum, another unit, an "about"), so it leaves the
matter open. Open are also other languages, other scripts, scripts that do not part words, and very long texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lib.records import DelegationSegment, RunRecord, RunStatus, Segment, TextSegment
from lib.replay.compared_texts import MOST, ComparedText, ComparedTexts, TextsByWords
from lib.replay.contradictions import Contradiction, find_contradictions, is_same
from lib.replay.number_words import VAGUE
from lib.replay.stated_facts import Fact, FactKind, keys_of, list_facts

FEWEST_FACTS = 2
WRITTEN_OUT = 100
"""Whole numbers below it may be written as words, which are known in English alone."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a delegation's result was used, and what was stated in its place."""

    used: bool | None  # None: it cannot be judged
    contradiction: Contradiction | None = None  # why it was not


def list_results_used(run: RunRecord) -> list[bool | None]:
    """Return of each delegation whether its result was used; None: it cannot be judged."""
    return [judgement.used for judgement in judge_results(run)]


def judge_results(run: RunRecord) -> list[Judgement]:
    """Return of each delegation whether the leader's later words or calls hold what only its result says.

    What the question and the task said does not count.
    """
    said = [ComparedText(_without_list_marks(_words_of(part))) for part in run.segments]
    done = run.status is RunStatus.COMPLETED
    once = TextsByWords()
    judgements = []
    for place, part in enumerate(run.segments):
        if not isinstance(part, DelegationSegment):
            continue
        if not done or part.call.given_up:
            judgements.append(Judgement(None))
            continue
        later = said[place + 1 :]
        answer = [text for text, other in zip(later, run.segments[place + 1 :], strict=True) if _is_text(other)]
        judgements.append(_judge(run, part, ComparedTexts(later), ComparedTexts(answer), once))
    return judgements


def find_own_facts(run: RunRecord, part: DelegationSegment) -> list[Fact]:
    """Return the facts that a delegation's result states and neither question nor task did."""
    asked = ComparedText(f"{run.question}\n{part.task}")
    return [fact for fact in list_facts(_result_of(part)[:MOST]) if not fact.keys & asked.keys]


def _result_of(part: DelegationSegment) -> str:
    """Return what came of a delegation; of a task given by its id what the member said, without Agno's note on that id."""
    if part.run is not None and part.call.arguments.keys() & {"task_id", "task_ids"}:
        return "".join(part.run.texts)
    return part.call.result or ""


def _judge(
    run: RunRecord, part: DelegationSegment, later: ComparedText, answer: ComparedText, once: TextsByWords
) -> Judgement:
    result = once[_result_of(part)]
    asked = ComparedText(f"{run.question}\n{part.task}")
    own = [fact for fact in result.facts if not fact.keys & asked.keys]
    calls = [other for other in run.segments if not isinstance(other, TextSegment)]
    contradictions = find_contradictions(
        result,
        asked,
        answer,
        elsewhere=lambda: once.keys_of_all(other.call.result or "" for other in calls if other is not part),
        alone=len(calls) == 1,
    )
    sure = next((found for found in contradictions if found.certain), None)
    if any(_is_kept(fact, later) for fact in own):
        return Judgement(None if sure else True)  # of one that was kept in part it cannot be said
    if sure:
        return Judgement(False, sure)
    if not contradictions and _are_words_kept(result, asked, own, later):
        return Judgement(True)
    return Judgement(_is_left_out(run, part, result, asked, own, later, once))


def _is_kept(fact: Fact, later: ComparedText) -> bool:
    """Whether an amount, a date or a time is stated later, if only rounded."""
    return fact.kind is FactKind.NUMBER and any(is_same(fact, other) for other in later.facts)


def _are_words_kept(result: ComparedText, asked: ComparedText, own: list[Fact], later: ComparedText) -> bool:
    """Whether a name or code that only the result states, or half of its words, are said later."""
    if any(fact.telling and fact.keys & later.keys for fact in own):
        return True
    words = result.words - asked.words
    return bool(words) and 2 * len(words & later.words) >= len(words)


def _is_left_out(
    run: RunRecord,
    part: DelegationSegment,
    result: ComparedText,
    asked: ComparedText,
    own: list[Fact],
    later: ComparedText,
    once: TextsByWords,
) -> bool | None:
    """Return False where nothing of the result is in the later words, and they state what others gave."""
    if result.cut or later.cut or not _can_be_compared(result, later):
        return None
    telling = [fact for fact in own if fact.telling and (later.language == "english" or not _may_be_written_out(fact))]
    if len({fact.keys for fact in telling}) < FEWEST_FACTS:
        return None
    own_words = result.words - asked.words
    if any(_are_akin(one, other) for one in own_words for other in later.words):
        return None
    named = any(fact.kind is not FactKind.NUMBER for fact in own)
    return False if _states_facts_from_elsewhere(run, part, asked, later, once, names=not named) else None


def _can_be_compared(result: ComparedText, later: ComparedText) -> bool:
    """Whether two texts are of one script that parts words and, as far as it is known, of one language."""
    if result.script is None or result.script != later.script:
        return False
    return result.language is None or later.language is None or result.language == later.language


def _may_be_written_out(fact: Fact) -> bool:
    return any(re.fullmatch(r"n:\d+", key) and int(key[2:]) < WRITTEN_OUT for key in fact.keys)


def _are_akin(one: str, other: str) -> bool:
    """Whether two words may be forms of one: "delayed" and "delay", "wind" and "windy"."""
    length = max(4, (min(len(one), len(other)) * 3 + 4) // 5)
    return one[:length] == other[:length]


def _states_facts_from_elsewhere(
    run: RunRecord,
    part: DelegationSegment,
    asked: ComparedText,
    later: ComparedText,
    once: TextsByWords,
    *,
    names: bool,
) -> bool:
    """Whether the leader states facts, and none of them can come from this result.

    With `names` a name that is new does; it does not where the result has names or codes, of which it may be another
    form ("LH" and "Lufthansa").
    """
    calls = [other for other in run.segments if not isinstance(other, TextSegment)]
    elsewhere = once.keys_of_all(other.call.result or "" for other in calls if other is not part)
    tasks = once.keys_of_all(other.task for other in calls if isinstance(other, DelegationSegment))
    amounts = [fact for fact in later.facts if fact.kind is not FactKind.NAME]
    if VAGUE & set(later.all_words) or not all(fact.keys & (elsewhere | asked.keys | tasks) for fact in amounts):
        return False
    stated = [fact for fact in later.facts if fact.telling]
    stated = [fact for fact in stated if fact.keys & elsewhere or (names and fact.kind is FactKind.NAME)]
    known = asked.keys | once.keys_of_all(
        message.content for message in run.messages if message.role == "system" or message.from_history
    )
    return any(not fact.keys & known for fact in stated)


def _is_text(segment: Segment) -> bool:
    return isinstance(segment, TextSegment)


def _words_of(segment: Segment) -> str:
    if isinstance(segment, TextSegment):
        return "" if segment.draft else segment.text
    return " ".join(map(str, segment.call.arguments.values()))


def _without_list_marks(text: str) -> str:
    return re.sub(r"(?m)^\s*\d{1,2}[.)]\s", " ", text)


# -- what is new -------------------------------------------------------------------------------------------------------


def brings_news(result: str | None, earlier: str | None) -> bool:
    """Whether a result says anything that an earlier one did not: any number, any word."""
    new, old = ComparedText(result or ""), ComparedText(earlier or "")
    return new.cut or not _said(new) <= _said(old)


def _said(text: ComparedText) -> set[str]:
    return keys_of(text.facts) | set(re.findall(r"\w+", text.text.casefold()))
