"""Members as subjects of the recall lab, on real runs: asked through the team, measured by their own context."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from agno.agent import Agent
from agno.team import Team

from lib.errors import InvalidInput
from lib.recall.experiment import LEADER, SAMPLE_FACTS, CellState, MemberHistory, Plan, build_grid, split_by_subject
from lib.recall.lab import RecallLab
from lib.recall.lab.measuring import Asker, measure_member
from lib.recall.lab.member_only import show_member_only
from lib.recall.lab.varying import varied
from lib.recall.members import MemberRules
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings

USER = "ann"
TEAM = "market-desk"
LONG_S = 240.0
BIRD = SAMPLE_FACTS[0]

team_with_memory = Team(
    id="memory-desk",
    name="Memory desk",
    members=[
        Agent(id="notes", name="Notes", role="Keeps notes", add_history_to_context=True, num_history_runs=2),
        Agent(id="plain", name="Plain", role="Remembers nothing"),
    ],
)


@pytest.fixture
def here(settings: Settings) -> Iterator[Roundtable]:
    """Everything put together on SQLite, with a team whose member has a memory of its own."""
    opened = open_roundtable(settings.model_copy(update={"chat_teams": (f"{__name__}:team_with_memory",)}))
    yield opened
    opened.close()


def known_by(here: Roundtable, *, distances: range, **options: Any) -> dict[str, dict[int, list[int]]]:
    """Return subject -> window -> the distances at which it knew the fact, after checking that no alarm was raised."""
    lab = RecallLab(here)
    try:
        running = lab.start(
            Plan(**{"name": "members", "team": TEAM, "distances": tuple(distances), **options}), user_id=USER
        )
        assert running.wait(LONG_S), running.progress()
        results = running.results()
    finally:
        lab.close()
    assert len(results) == len(running.plan.cells)
    assert not [each for each in results if each.alarm or each.failed]
    assert all(each.answered == each.in_context for each in results)
    known: dict[str, dict[int, list[int]]] = {}
    for subject, group in split_by_subject(results).items():
        for point in build_grid(group):
            assert (point.state is CellState.NOT_IN_CONTEXT) == point.forgotten
            distances_known = known.setdefault(subject, {}).setdefault(point.window, [])
            distances_known += [] if point.forgotten else [point.distance]
    return known


@pytest.mark.parametrize(
    ("history", "weather"),
    [
        (MemberHistory.AS_BUILT, {0: [], 1: [], 2: []}),
        (MemberHistory.NONE, {0: [], 1: [], 2: []}),
        (MemberHistory.OWN, {0: [], 1: [0, 1, 2, 3], 2: [0, 1, 2, 3]}),  # what passed was not said to it
        (MemberHistory.TEAM, {0: [], 1: [0], 2: [0, 1]}),
    ],
)
def test_leader_and_member_forget_apart_and_no_cell_raises_an_alarm(
    here: Roundtable, history: MemberHistory, weather: dict[int, list[int]]
) -> None:
    known = known_by(here, distances=range(4), windows=(0, 1, 2), subjects=(LEADER, "weather"), member_history=history)
    assert known == {LEADER: {0: [], 1: [0], 2: [0, 1]}, "weather": weather}


def test_what_is_handed_on_to_a_member_pushes_the_fact_out_of_its_own_history(here: Roundtable) -> None:
    known = known_by(
        here,
        distances=range(3),
        windows=(1, 2),
        subjects=("finance",),
        member_history=MemberHistory.OWN,
        fillers_to_subject=True,
    )
    assert known == {"finance": {1: [0], 2: [0, 1]}}


def test_a_members_own_settings_are_predicted_too(here: Roundtable) -> None:
    known = known_by(
        here,
        team="memory-desk",
        distances=range(3),
        windows=(0, 1),
        subjects=("notes", "plain"),
        fillers_to_subject=True,
    )
    # Its own two runs count, whatever the window of its leader is.
    assert known == {"notes": {0: [0, 1], 1: [0, 1]}, "plain": {0: [], 1: []}}


def test_only_a_direct_member_that_is_an_agent_can_be_measured(here: Roundtable) -> None:
    lab = RecallLab(here)
    try:
        for team, subject in ((TEAM, "nobody"), ("trip-desk", "booking")):
            with pytest.raises(InvalidInput, match="leader"):
                lab.start(Plan(name="n", team=team, subjects=(subject,)), user_id=USER)
        assert lab.list_experiments(user_id=USER) == ()
    finally:
        lab.close()


def test_a_leader_that_hands_nothing_on_measures_nothing_and_raises_no_alarm(here: Roundtable) -> None:
    def without_members(team: Any) -> None:
        team.members = []

    here.store.create_session(user_id=USER, component_id=TEAM, session_id="s")
    with varied(here, without_members) as changed:
        asker = Asker(roundtable=changed, user_id=USER, team=TEAM)
        asked = measure_member(
            asker, BIRD, member=asker.member("weather"), rules=MemberRules(), session_id="s", window=1
        )
    assert asked.failed == "The leader did not hand the question on to Weather."


@pytest.mark.parametrize(
    ("history", "near", "far"),
    [
        (MemberHistory.OWN, (True, True), (False, True)),
        (MemberHistory.NONE, (True, False), (False, False)),
        (MemberHistory.TEAM, (True, True), (False, False)),
    ],
)
def test_a_fact_only_a_member_heard_is_known_to_the_leader_as_long_as_its_window_holds_task_and_result(
    here: Roundtable, history: MemberHistory, near: tuple[bool, bool], far: tuple[bool, bool]
) -> None:
    shown = show_member_only(here, user_id=USER, history=history)
    for each, (leader, member) in zip(shown, (near, far), strict=True):
        assert (each.leader_knows.in_context, each.member_knows.in_context) == (leader, member)
        assert (each.leader_knows.answered, each.member_knows.answered) == (leader, member)
        assert each.leader_knows.as_predicted and each.member_knows.as_predicted
        assert each.leader_knows.failed is None and each.member_knows.failed is None
        words = {(True, True): "Both", (True, False): "The leader only", (False, True): "Weather only"}
        assert each.sentence.startswith(words.get((leader, member), "Nobody"))
    told = json.dumps([message.content for message in shown[0].told.member_runs[0].messages])
    assert BIRD.value in told
    assert [each.passed for each in shown] == [0, 1]
    assert here.store.list_sessions(user_id=USER).items == (), "sessions of the lab stay out of the list"
