"""Two runs and two sessions side by side: stored ones of several Agno versions, and the engine's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.records import DelegationSegment
from lib.replay.comparison import (
    Change,
    Difference,
    align,
    compare_contexts,
    compare_runs,
    compare_sessions,
    cut_to_difference,
)
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings
from lib.storage.replaying import Replay
from lib.storage.session_overview import SessionOverviews
from tests.storage.test_reading_of_other_versions import FOLDER, VERSIONS, read

BOTH = "What is the weather in Paris and the price of ACME?"
MEASURED = {Difference.DURATION, Difference.TOKENS}


@pytest.fixture
def roundtable(settings: Settings) -> Iterator[Roundtable]:
    opened = open_roundtable(settings)
    yield opened
    opened.close()


def ask(roundtable: Roundtable, *questions: str, team: str = "market-desk", window: int = 3) -> Replay:
    """Return a new session in which these questions were asked."""
    session_id = None
    for question in questions:
        handle = roundtable.engine.start(question, user_id="ann", team=team, session_id=session_id, window=window)
        handle.wait(30)
        session_id = handle.session_id
    overviews = SessionOverviews(roundtable.database.connector)
    assert session_id is not None
    return Replay(overviews.get_runs(overviews.get_overview(session_id, user_id="ann")))


def sides(left: Replay, right: Replay) -> list[tuple[int | None, int | None]]:
    """Return which run stands beside which, by their places from 0."""
    return [
        (left.runs.index(pair.left) if pair.left else None, right.runs.index(pair.right) if pair.right else None)
        for pair in compare_sessions(left.runs, right.runs)
    ]


def kinds(changes: tuple[Change, ...]) -> set[Difference]:
    return {change.kind for change in changes} - MEASURED


# -- sessions that plain Agno of several versions stored ---------------------------------------------------------------


@pytest.mark.parametrize("file", [*VERSIONS, *sorted(FOLDER.glob("workflow-*.json"))], ids=lambda file: file.stem)
def test_a_session_beside_itself_has_no_difference(file: Path):
    replay = read(file)
    for pair in compare_sessions(replay.runs, replay.runs):
        assert pair.left is pair.right
        assert pair.changes == ()
        assert pair.left is not None
        assert compare_contexts(replay.requests(pair.left), replay.requests(pair.left)) == ()


def test_the_same_questions_asked_under_two_versions_differ_in_nothing_that_was_said_or_done():
    older, newer = read(FOLDER / "agno-2.6.22.json"), read(FOLDER / "agno-3.1.10.json")
    pairs = compare_sessions(older.runs, newer.runs)
    assert all(pair.left and pair.right for pair in pairs)
    assert {kind for pair in pairs for kind in kinds(pair.changes)} == set()


def test_sessions_of_different_length_are_aligned_and_the_rest_stands_alone():
    short, long = read(FOLDER / "agno-2.0.11.json"), read(FOLDER / "agno-3.1.10.json")
    assert len(short.runs) < len(long.runs)
    pairs = compare_sessions(short.runs, long.runs)
    assert [pair.right for pair in pairs if pair.right] == list(long.runs)
    assert [pair.left for pair in pairs if pair.left] == list(short.runs)
    assert all(pair.left is None or pair.right is None or pair.left.question == pair.right.question for pair in pairs)
    alone = [pair for pair in pairs if pair.left is None]
    assert len(alone) == len(long.runs) - len(short.runs)
    assert all(pair.changes == () for pair in alone)


def test_the_runs_of_a_workflows_steps_are_compared_though_nobody_was_asked():
    replay = read(FOLDER / "workflow-3.1.10.json")
    run = next(run for run in replay.runs if run.member_runs)
    first, *others = run.member_runs
    without = replace(run, member_runs=tuple(others))
    (change,) = compare_runs(run, without)
    assert (change.kind, change.about, change.right) == (Difference.MEMBER_RUN, first.component_name, None)
    failed = replace(run, member_runs=(replace(first, segments=()), *others))
    assert kinds(compare_runs(run, failed)) & {Difference.ANSWER, Difference.TOOL_CALL}


# -- sessions of the engine --------------------------------------------------------------------------------------------


def test_a_question_asked_twice_stands_beside_its_counterparts_in_order(roundtable):
    twice = ask(roundtable, BOTH, "Remember: the secret word is bird", BOTH)
    assert sides(twice, ask(roundtable, BOTH)) == [(0, 0), (1, None), (2, None)]
    assert sides(twice, ask(roundtable, BOTH, BOTH)) == [(0, 0), (1, None), (2, 1)]
    assert sides(twice, ask(roundtable, "remember:  the secret word is BIRD")) == [(0, None), (1, 0), (2, None)]


def test_a_question_asked_at_another_time_still_stands_beside_itself(roundtable):
    left = ask(roundtable, "hello", "What is the weather in Paris?")
    assert sides(left, ask(roundtable, "What is the weather in Paris?", "hello")) in (
        [(0, 1), (1, 0)],
        [(1, 0), (0, 1)],
    )


def test_what_the_model_was_given_tells_two_equal_questions_apart(roundtable):
    left = ask(roundtable, "Remember: the secret word is bird", "What is the secret word?")
    right = ask(roundtable, "Remember: the secret word is fish", "What is the secret word?")
    mine, theirs = left.runs[1], right.runs[1]
    (answer,) = [change for change in compare_runs(mine, theirs) if change.kind not in MEASURED]
    assert (answer.kind, answer.agent_name) == (Difference.ANSWER, "Market desk")
    assert ("bird" in (answer.left or ""), "fish" in (answer.right or "")) == (True, True)
    context = compare_contexts(left.requests(mine), right.requests(theirs))
    assert {change.about for change in context} == {"request 1"}
    assert ("user: Remember: the secret word is bird", None) in [(change.left, change.right) for change in context]
    assert (None, "user: Remember: the secret word is fish") in [(change.left, change.right) for change in context]


def test_what_stood_in_an_earlier_request_of_the_run_is_told_once(roundtable):
    replay = ask(roundtable, "Remember: the secret word is bird", BOTH, BOTH, window=1)
    context = compare_contexts(replay.requests(replay.runs[1]), replay.requests(replay.runs[2]))
    said = [change.left for change in context if change.left and "secret word" in change.left]
    assert len(said) == len(set(said)), "though the second request of the leader held it too"


def test_one_more_member_asked_is_told_with_its_task_and_its_request(roundtable):
    replay = ask(roundtable, "What is the weather in Paris?", BOTH)
    one, two = replay.runs
    delegation = next(change for change in compare_runs(one, two) if change.kind is Difference.DELEGATION)
    assert (delegation.left, delegation.agent_name) == (None, "Market desk")
    assert (delegation.right or "").startswith("Finance: ")
    context = compare_contexts(replay.requests(one), replay.requests(two))
    finance = [change for change in context if change.agent_name == "Finance"]
    assert [(change.left, change.about) for change in finance] == [(None, "request 1"), (None, "request 2")]
    assert (finance[0].right or "").endswith("messages")


def test_arguments_results_and_ends_of_members_are_told_with_whose_they_are(roundtable):
    replay = ask(roundtable, "What is the weather in Paris?", "[fail tool] What is the weather in London?")
    found = {(change.kind, change.agent_name, change.about) for change in compare_runs(*replay.runs)}
    assert {
        (Difference.ARGUMENTS, "Weather", "get_weather"),
        (Difference.RESULT, "Weather", "get_weather"),
        (Difference.ARGUMENTS, "Market desk", "Weather"),
        (Difference.RESULT, "Market desk", "Weather"),
    } <= found


def test_two_teams_are_compared_member_by_member(roundtable):
    question = "What is the weather in Lisbon?"
    market, trip = ask(roundtable, question), ask(roundtable, question, team="trip-desk")
    (pair,) = compare_sessions(market.runs, trip.runs)
    assert Difference.DELEGATION not in kinds(pair.changes), "both asked Weather"
    assert not [change for change in pair.changes if change.about == "get_weather"], "who was told the same"
    context = compare_contexts(market.requests(market.runs[0]), trip.requests(trip.runs[0]))
    assert {change.agent_name for change in context} >= {"Market desk", "Trip desk"}, "their leaders are not one"


def test_a_nested_team_is_compared_to_its_last_member(roundtable):
    replay = ask(
        roundtable,
        "Find a train from Paris to London and a hotel there.",
        "Find a train from Paris to Berlin and a hotel there.",
        team="trip-desk",
    )
    changed = {(change.kind, change.agent_name) for change in compare_runs(*replay.runs)}
    assert any(name in ("Trains", "Hotels") for kind, name in changed if kind is Difference.ARGUMENTS)


def test_the_same_members_asked_in_another_order_are_an_order_and_no_other_delegations(roundtable):
    (run,) = ask(roundtable, BOTH).runs
    asked = [part for part in run.segments if isinstance(part, DelegationSegment)]
    assert len(asked) == 2
    swapped = replace(
        run,
        segments=tuple(
            asked[1] if part is asked[0] else asked[0] if part is asked[1] else part for part in run.segments
        ),
    )
    changes = compare_runs(run, swapped)
    assert [(change.kind, change.left, change.right) for change in changes] == [
        (Difference.ORDER, "number 1", "number 2"),
        (Difference.ORDER, "number 2", "number 1"),
    ]


def test_no_two_runs_take_exactly_as_long_and_a_longer_one_is_told(roundtable):
    (run,) = ask(roundtable, "hello").runs
    assert run.duration_s is not None
    assert compare_runs(run, replace(run, duration_s=run.duration_s + 0.005)) == ()
    (change,) = compare_runs(run, replace(run, duration_s=run.duration_s + 2))
    assert change.kind is Difference.DURATION
    assert kinds(compare_runs(run, replace(run, duration_s=None))) == set()


# -- aligning ----------------------------------------------------------------------------------------------------------

KEYS = st.lists(st.sampled_from("abc"), max_size=12)


@given(left=KEYS, right=KEYS)
def test_aligning_keeps_every_item_once_and_leaves_none_alone_that_has_a_counterpart(left, right):
    mine, theirs = list(enumerate(left)), list(enumerate(right))
    pairs = align(mine, theirs, key=lambda item: item[1])
    assert [a for a, _ in pairs if a] == mine
    assert sorted(b for _, b in pairs if b) == theirs
    assert all(a[1] == b[1] for a, b in pairs if a and b)
    assert Counter(a[1] for a, b in pairs if a and b) == Counter(left) & Counter(right)


def test_ten_thousand_calls_of_one_tool_are_aligned_at_once():
    began = time.perf_counter()
    pairs = align(["start", *["get"] * 10_000], ["begin", *["get"] * 9_000, "end"], key=lambda name: name)
    assert time.perf_counter() - began < 5
    assert sum(a is not None and b is not None for a, b in pairs) == 9_000


@given(alike=st.text(max_size=300), left=st.text(max_size=20), right=st.text(max_size=20))
def test_a_cut_text_begins_before_its_first_difference(alike, left, right):
    mine, theirs = cut_to_difference(alike + left, alike + right, 100)
    assert mine.endswith(left)
    assert theirs.endswith(right)
    if mine != alike + left:
        assert mine[:2] == theirs[:2] == "… "
        assert mine[:20] == theirs[:20]
        assert len(mine) <= len(left) + 2 + 25 + 20
