"""Experiments as values: what a plan measures and costs, and what is drawn of results."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lib.errors import InvalidInput
from lib.recall.experiment import (
    FILLERS,
    LEADER,
    SAMPLE_FACTS,
    Cell,
    CellResult,
    CellState,
    Fact,
    MemberHistory,
    Plan,
    RunCost,
    build_grid,
    compare_results,
    cost_curve,
    csv_rows,
    estimate_tokens,
    read_fact,
    read_row,
    read_stored_plan,
    split_by_subject,
    to_stored_plan,
)

BIRD = Fact(name="the secret word", value="bird")


def result(
    window: int, distance: int, *, repeat: int = 1, answered: bool | None = None, tokens: int = 10
) -> CellResult:
    within = distance < window
    return CellResult(
        cell=Cell(fact=BIRD.text, repeat=repeat, window=window, distance=distance),
        predicted_in_context=within,
        in_context=within,
        answered=within if answered is None else answered,
        tokens=tokens,
        run_ids=("plant", "ask"),
        answer="It is bird.",
        session_id="s",
    )


@pytest.mark.parametrize("line", ["the secret word is bird", "the secret word = bird", " the secret word=bird. "])
def test_a_fact_is_read_from_the_line_that_states_it(line: str) -> None:
    assert read_fact(line) == BIRD
    assert (BIRD.planting, BIRD.question) == ("Remember: the secret word is bird.", "What is the secret word?")


@pytest.mark.parametrize("line", ["", "bird", "is bird", "the secret word is ..."])
def test_a_line_that_states_no_fact_is_refused(line: str) -> None:
    with pytest.raises(InvalidInput, match="the secret word is bird"):
        read_fact(line)


def test_ten_by_ten_with_five_repeats_is_five_hundred_cells_in_at_most_three_thousand_runs() -> None:
    plan = Plan(name="n", team="desk", distances=tuple(range(10)), windows=tuple(range(1, 11)), repeats=5)
    assert len(plan.cells) == len(set(plan.cells)) == 500
    assert plan.run_count == 5 * 10 + 500
    assert replace(plan, share_windows=False).run_count == 50 * 10 + 500 <= 3_000


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"distances": ()},
        {"windows": (-1,)},
        {"windows": (1, 1)},
        {"repeats": 0},
        {"subjects": ()},
        {"subjects": ("weather", "weather")},
        {"facts": ()},
        {"facts": (BIRD, BIRD)},
        {"fillers": ()},
        {"fillers": ("a bird sings",)},
        {"facts": (Fact(name="the bird", value="Bird"),)},
        {"distances": tuple(range(10_000)), "repeats": 10},
    ],
)
def test_a_plan_that_cannot_measure_anything_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Plan(**{"name": "n", "team": "desk", "facts": (BIRD,), **change})  # type: ignore[arg-type]  # wrong on purpose


def test_no_sample_filler_gives_a_sample_fact_away() -> None:
    assert Plan(name="n", team="desk", facts=SAMPLE_FACTS, fillers=FILLERS).cells


def test_a_plan_survives_being_stored() -> None:
    plan = Plan(
        name="n",
        team="desk",
        facts=SAMPLE_FACTS[:2],
        source_session_id="s",
        subjects=(LEADER, "weather"),
        member_history=MemberHistory.TEAM,
    )
    assert read_stored_plan(json.loads(json.dumps(to_stored_plan(plan)))) == plan


def test_a_plan_stored_before_members_could_be_measured_is_about_the_leader() -> None:
    stored = to_stored_plan(Plan(name="n", team="desk")) | {"member_id": None}
    for name in ("subjects", "member_history", "fillers_to_subject"):
        del stored[name]
    assert read_stored_plan(json.loads(json.dumps(stored))) == Plan(name="n", team="desk")
    row = {key: value for key, value in result(3, 2).to_row().items() if key != "subject"}
    assert read_row(row).cell.subject == LEADER


def test_leader_and_members_are_measured_in_growths_of_their_own_and_told_apart() -> None:
    plan = Plan(name="n", team="desk", distances=(0, 1), windows=(1, 2), subjects=(LEADER, "weather"))
    assert len(plan.cells) == len(set(plan.cells)) == 8
    assert {(plan.growth_of(cell).subject, plan.growth_of(cell).window) for cell in plan.cells} == {
        (LEADER, 1), ("weather", 1),
    }  # fmt: skip
    assert plan.run_count == 2 * 2 + 8
    leader = result(3, 2)
    member = replace(leader, cell=replace(leader.cell, subject="weather"))
    assert split_by_subject([leader, member]) == {LEADER: (leader,), "weather": (member,)}
    assert member.to_row()["subject"] == "weather"
    assert read_row(json.loads(json.dumps(member.to_row()))) == member


def test_what_is_handed_on_to_a_member_is_estimated_to_cost_more() -> None:
    cost = RunCost(prompt_tokens=100, turn_tokens=10)
    plan = Plan(name="n", team="desk", distances=(0, 1), windows=(1,))
    member = replace(plan, subjects=("weather",))
    assert estimate_tokens(plan, cost) < estimate_tokens(member, cost)
    assert estimate_tokens(member, cost) < estimate_tokens(replace(member, fillers_to_subject=True), cost)


def test_a_result_survives_being_stored_and_its_row_has_the_promised_names() -> None:
    row = json.loads(json.dumps(result(3, 2).to_row()))
    assert list(row)[:9] == [
        "fact", "distance", "window", "repeat", "predicted_in_context", "in_context", "answered", "tokens", "run_ids",
    ]  # fmt: skip
    assert read_row(row) == result(3, 2)


def test_a_result_has_one_of_three_states_and_an_alarm_where_prediction_and_measurement_differ() -> None:
    assert result(3, 2).state is CellState.ANSWERED
    assert result(3, 2, answered=False).state is CellState.MISSED
    assert result(3, 3).state is CellState.NOT_IN_CONTEXT
    assert result(3, 3, answered=True).guessed
    assert not result(3, 3).alarm
    assert replace(result(3, 3), predicted_in_context=True).alarm
    assert replace(result(3, 3), same_context=False).alarm


def test_the_grid_shows_the_cliff_where_the_window_ends() -> None:
    grid = build_grid(result(window, distance) for window in (1, 3) for distance in range(4))
    assert [(point.window, point.distance, point.forgotten) for point in grid if point.forgotten] == [
        (1, 1, True), (1, 2, True), (1, 3, True), (3, 3, True),
    ]  # fmt: skip
    assert all((point.state is CellState.NOT_IN_CONTEXT) == point.forgotten for point in grid)
    assert all(point.recall.trials == 1 for point in grid)


def test_the_commonest_state_of_the_repeats_is_drawn_and_the_worse_one_in_doubt() -> None:
    (point,) = build_grid([result(3, 0, repeat=1), result(3, 0, repeat=2, answered=False)])
    assert point.state is CellState.MISSED
    assert (point.recall.hits, point.recall.trials) == (1, 2)


def test_the_cost_curve_sets_recall_against_tokens() -> None:
    one, three = cost_curve(
        [*(result(1, d, tokens=10) for d in range(4)), *(result(3, d, tokens=30) for d in range(4))]
    )
    assert (one.tokens_per_run, one.recall.share) == (10, 0.25)
    assert (three.tokens_per_run, three.recall.share) == (30, 0.75)


def test_the_token_estimate_counts_every_run_with_the_history_it_carries() -> None:
    plan = Plan(name="n", team="desk", facts=(BIRD,), distances=(0, 1), windows=(1,))
    # Two grown runs (0 and 1 of history) and two that ask (1 of history each), every one with its own turn.
    assert estimate_tokens(plan, RunCost(prompt_tokens=100, turn_tokens=10)) == 4 * 100 + (1 + 2 + 2 + 2) * 10


def test_experiments_are_compared_cell_by_cell() -> None:
    first = [result(3, 0), result(3, 1)]
    second = [result(3, 1, answered=False), result(3, 0), result(3, 2)]
    (difference,) = compare_results(first, second)
    assert (difference.cell.distance, difference.first, difference.second) == (1, CellState.ANSWERED, CellState.MISSED)


def test_results_are_downloadable_as_csv_rows() -> None:
    header, row = csv_rows([result(3, 2)])
    assert dict(zip(header, row, strict=True))["run_ids"] == "plant ask"
