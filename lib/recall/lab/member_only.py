"""A fact that only a member heard, shown on real runs: who still knows it, the leader or the member?

The fact is told to a member through the leader, so at first the leader knows it as well: its history holds the question,
the task it handed on and what the member reported. Once that run has fallen out of the leader's window, only a member
that is given its own earlier runs still knows. Nobody else does: a member without history never knew it for longer than
its one run.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from lib.recall.experiment import FILLERS, SAMPLE_FACTS, Fact, MemberHistory
from lib.recall.judging import holds_value
from lib.recall.lab.measuring import Asker, Measurement, address, measure, measure_member
from lib.recall.lab.varying import change_member_history, member_rules, varied
from lib.records import LAB_SESSION_PREFIX, RunRecord
from lib.roundtable import Roundtable
from lib.storage.experiments import COLLECTION, ExperimentStore
from lib.teams.catalogue import MemberEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one of them was given, and said."""

    run: RunRecord  # the leader's; a member's is under it
    in_context: bool
    answered: bool
    as_predicted: bool
    failed: str | None  # why it was not asked after all


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberOnly:
    """Who knows the fact, some runs after a member was told it."""

    told: RunRecord
    member: MemberEntry
    history: MemberHistory
    window: int
    passed: int  # runs between
    leader_knows: Known
    member_knows: Known

    @property
    def sentence(self) -> str:
        """Who was given the fact, and why, in one sentence."""
        name = self.member.name or self.member.member_id
        match (self.leader_knows.in_context, self.member_knows.in_context):
            case (True, True):
                return (
                    f"Both: the leader's window holds the task it handed on and the result, and {name} is given it too."
                )
            case (True, False):
                return f"The leader only: its window holds the task and the result, while {name} is given no such run."
            case (False, True):
                return f"{name} only: the run fell out of the leader's window, but not out of what {name} is given."
            case _:
                return f"Nobody: the run fell out of the leader's window, and {name} is given no such run."


def show_member_only(
    roundtable: Roundtable,
    fact: Fact = SAMPLE_FACTS[0],
    *,
    user_id: str,
    team: str = "market-desk",
    member_id: str = "weather",
    history: MemberHistory = MemberHistory.OWN,
    window: int = 1,
    model: str | None = None,
) -> tuple[MemberOnly, MemberOnly]:
    """Tell a member a fact, and ask the leader and the member for it: at once, and once the leader's window has passed.

    Every question is asked in a fork, so none refreshes what the other is given.
    """
    with varied(roundtable, change_member_history(history)) as changed:
        show = _Show(
            Asker(roundtable=changed, user_id=user_id, team=team, model=model), member_id, history, window, fact
        )
        show.tell()
        near = show.ask()
        for number in range(window):
            show.say(FILLERS[number % len(FILLERS)])
        return near, show.ask()


class _Show:
    """One session in which a member is told a fact."""

    def __init__(self, asker: Asker, member_id: str, history: MemberHistory, window: int, fact: Fact) -> None:
        self._asker, self._member, self._fact = asker, asker.member(member_id), fact
        self._history, self._window = history, window
        self._store = ExperimentStore(asker.roundtable.database.connector)
        self._session_id = f"{LAB_SESSION_PREFIX}heard-{uuid.uuid4().hex[:16]}"
        self._runs: list[RunRecord] = []
        asker.roundtable.store.create_session(
            user_id=asker.user_id, component_id=asker.team, session_id=self._session_id, collection=COLLECTION
        )

    def say(self, text: str) -> None:
        self._runs.append(self._asker.ask(text, session_id=self._session_id, window=self._window))

    def tell(self) -> None:
        self.say(address(self._fact.planting, self._member))

    def ask(self) -> MemberOnly:
        asker, window = self._asker, self._window
        leader = measure(asker, self._fact.question, session_id=self._fork(), window=window)
        rules = member_rules(asker.roundtable.catalogue.get(asker.team), self._member, self._history, window)
        member = measure_member(
            asker, self._fact, member=self._member, rules=rules, session_id=self._fork(), window=window
        )
        return MemberOnly(
            told=self._runs[0],
            member=self._member,
            history=self._history,
            window=window,
            passed=len(self._runs) - 1,
            leader_knows=self._to_known(leader),
            member_knows=self._to_known(member),
        )

    def _fork(self) -> str:
        session_id = f"{self._session_id}-{uuid.uuid4().hex[:8]}"
        self._store.fork(self._session_id, user_id=self._asker.user_id, new_session_id=session_id)
        return session_id

    def _to_known(self, asked: Measurement) -> Known:
        return Known(
            run=asked.run,
            in_context=asked.in_context(self._fact),
            answered=holds_value(asked.answer, self._fact.value),
            as_predicted=asked.same_context,
            failed=asked.failed,
        )
