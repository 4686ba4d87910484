"""Whether a leader used what its members answered: told by facts that can be found again, and otherwise left open.

A result counts as used where one of its facts, or most of its words, stands in what the leader said or asked later. It
counts as not used only where nothing speaks for it: it states at least two facts of its own; none of them, and none of
its longer words, stands there in any form; and the leader states facts itself, none of which can come from that result.
An amount that nothing else gave may have been worked out from it (a sum, another unit, an "about"), so it leaves the
matter open. Open are also other languages, other scripts, scripts that do not part words, and very long texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from lib.records import DelegationSegment, RunRecord, RunStatus, Segment, TextSegment
from lib.replay.number_words import COMMON, VAGUE, find_language
from lib.replay.stated_facts import Fact, FactKind, find_script, keys_of, list_facts

MOST = 50_000
"""Characters of a text that are looked through."""
FEWEST_FACTS = 2
WRITTEN_OUT = 100
"""Whole numbers below it may be written as words, which are known in English alone."""


class _Text:
    """A text, taken apart when it is asked for; a very long one is `cut`."""

    def __init__(self, text: str) -> None:
        self.text = text[:MOST]
        self.cut = len(text) > MOST

    @cached_property
    def facts(self) -> list[Fact]:
        return list_facts(self.text)

    @cached_property
    def all_words(self) -> list[str]:
        return re.findall(r"[^\W\d_]+", self.text.casefold())

    @cached_property
    def words(self) -> set[str]:
        """Its longer words, without those that any text has."""
        return {word for word in self.all_words if len(word) > 3 and word not in COMMON}

    @cached_property
    def keys(self) -> set[str]:
        return keys_of(self.facts) | {f"w:{word}" for word in self.all_words}

    @property
    def language(self) -> str | None:
        return find_language(self.all_words)

    @property
    def script(self) -> str | None:
        return find_script(self.text)


class _Texts(_Text):
    """Texts one after the other, each of which is taken apart once."""

    def __init__(self, parts: Sequence[_Text]) -> None:
        super().__init__("\n".join(part.text for part in parts))
        self.cut = self.cut or any(part.cut for part in parts)
        self._parts = parts

    @cached_property
    def facts(self) -> list[Fact]:
        return [fact for part in self._parts for fact in part.facts]

    @cached_property
    def all_words(self) -> list[str]:
        return [word for part in self._parts for word in part.all_words]

    @cached_property
    def words(self) -> set[str]:
        return set().union(*(part.words for part in self._parts))

    @cached_property
    def keys(self) -> set[str]:
        return set().union(*(part.keys for part in self._parts))


class _Once(dict[str, _Text]):
    """Texts by what they say, so that each is taken apart once for all delegations of a run."""

    def __missing__(self, text: str) -> _Text:
        self[text] = _Text(text)
        return self[text]

    def keys_of_all(self, texts: Iterable[str]) -> set[str]:
        return set().union(*(self[text].keys for text in texts))


def list_results_used(run: RunRecord) -> list[bool | None]:
    """Return of each delegation whether the leader's later words or calls hold what only its result says.

    What the question and the task said does not count. None: it cannot be judged.
    """
    said = [_Text(_without_list_marks(_words_of(part))) for part in run.segments]
    done = run.status is RunStatus.COMPLETED
    once = _Once()
    return [
        _is_used(run, part, _Texts(said[place + 1 :]), once) if done and not part.call.given_up else None
        for place, part in enumerate(run.segments)
        if isinstance(part, DelegationSegment)
    ]


def find_own_facts(run: RunRecord, part: DelegationSegment) -> list[Fact]:
    """Return the facts that a delegation's result states and neither question nor task did."""
    asked = _Text(f"{run.question}\n{part.task}")
    return [fact for fact in list_facts(_result_of(part)[:MOST]) if not fact.keys & asked.keys]


def _result_of(part: DelegationSegment) -> str:
    """Return what came of a delegation; of a task given by its id what the member said, without Agno's note on that id."""
    if part.run is not None and part.call.arguments.keys() & {"task_id", "task_ids"}:
        return "".join(said.text for said in part.run.segments if isinstance(said, TextSegment))
    return part.call.result or ""


def _is_used(run: RunRecord, part: DelegationSegment, later: _Text, once: _Once) -> bool | None:
    result = once[_result_of(part)]
    asked = _Text(f"{run.question}\n{part.task}")
    own = [fact for fact in result.facts if not fact.keys & asked.keys]
    if any(fact.keys & later.keys for fact in own if fact.telling or fact.kind is FactKind.NUMBER):
        return True
    own_words = result.words - asked.words
    if own_words and 2 * len(own_words & later.words) >= len(own_words):
        return True
    if result.cut or later.cut or not _can_be_compared(result, later):
        return None
    telling = [fact for fact in own if fact.telling and (later.language == "english" or not _may_be_written_out(fact))]
    if len({fact.keys for fact in telling}) < FEWEST_FACTS:
        return None
    if any(_are_akin(one, other) for one in own_words for other in later.words):
        return None
    named = any(fact.kind is not FactKind.NUMBER for fact in own)
    return False if _states_facts_from_elsewhere(run, part, asked, later, once, names=not named) else None


def _can_be_compared(result: _Text, later: _Text) -> bool:
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
    run: RunRecord, part: DelegationSegment, asked: _Text, later: _Text, once: _Once, *, names: bool
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


def _words_of(segment: Segment) -> str:
    if isinstance(segment, TextSegment):
        return segment.text
    return " ".join(map(str, segment.call.arguments.values()))


def _without_list_marks(text: str) -> str:
    return re.sub(r"(?m)^\s*\d{1,2}[.)]\s", " ", text)


# -- what is new -------------------------------------------------------------------------------------------------------


def brings_news(result: str | None, earlier: str | None) -> bool:
    """Whether a result says anything that an earlier one did not: any number, any word."""
    new, old = _Text(result or ""), _Text(earlier or "")
    return new.cut or not _said(new) <= _said(old)


def _said(text: _Text) -> set[str]:
    return keys_of(text.facts) | set(re.findall(r"\w+", text.text.casefold()))
