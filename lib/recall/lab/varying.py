"""The same app with another engine: one whose teams are changed for the lab, and in which nothing waits between words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lib.recall.experiment import MemberHistory
from lib.recall.members import MemberRules, TeamHistoryRules, rules_for_member
from lib.recall.window import HistoryRules
from lib.roundtable import Roundtable
from lib.runs import RunEngine
from lib.teams.catalogue import MemberEntry, TeamCatalogue, TeamEntry

Change = Callable[[Any], None]
"""Changes the settings of a team that was built for one run."""


def without_delay(roundtable: Roundtable, catalogue: TeamCatalogue | None = None) -> Roundtable:
    """Return the same app with an engine of its own, in which the offline model does not pause between words.

    Nobody watches an experiment word by word; with the pauses a sweep would take ten times as long.
    """
    catalogue = catalogue or roundtable.catalogue
    settings = roundtable.settings.model_copy(update={"offline_token_delay": 0.0})
    engine = RunEngine(database=roundtable.database, catalogue=catalogue, settings=settings)
    return replace(roundtable, settings=settings, catalogue=catalogue, engine=engine)


@contextmanager
def varied(roundtable: Roundtable, change: Change) -> Iterator[Roundtable]:
    """Give the same app with an engine in which every team is changed, and without pauses between words."""
    changed = without_delay(roundtable, _VariedCatalogue(roundtable.catalogue, change))
    try:
        yield changed
    finally:
        changed.engine.close()


class _VariedCatalogue(TeamCatalogue):
    """The same teams, each changed after it was built for a run."""

    def __init__(self, base: TeamCatalogue, change: Change) -> None:
        super().__init__(())
        self._base, self._change = base, change
        self.entries, self.problems = base.entries, base.problems

    def get(self, name: str) -> TeamEntry:
        """Return the team called `name`. Raises TeamUnavailable."""
        return self._base.get(name)

    def build_team(self, name: str, **options: Any) -> Any:
        """Build the team for one run, with the change."""
        team = self._base.build_team(name, **options)
        self._change(team)
        return team


def change_member_history(history: MemberHistory) -> Change:
    """Return the change that gives every member of a team this history, within the window of its leader."""

    def change(team: Any) -> None:
        team.add_team_history_to_members = history is MemberHistory.TEAM
        team.num_team_history_runs = team.num_history_runs
        for member in team.members if isinstance(team.members, list) else ():
            member.add_history_to_context = history is MemberHistory.OWN
            member.num_history_runs = team.num_history_runs
            member.num_history_messages = None

    return change


def member_rules(team: TeamEntry, member: MemberEntry, history: MemberHistory, window: int) -> MemberRules:
    """Return what a member of a team is then given of earlier runs; `change_member_history` says the same to Agno."""
    if history is MemberHistory.AS_BUILT:
        return MemberRules(
            history=rules_for_member(member.history, team.history_rules(window)), team_history=team.team_history
        )
    own = HistoryRules(add_history=history is MemberHistory.OWN, num_history_runs=window)
    told = TeamHistoryRules(num_team_history_runs=window) if history is MemberHistory.TEAM else None
    return MemberRules(history=rules_for_member(own, team.history_rules(window)), team_history=told)
