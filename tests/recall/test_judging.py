"""The stated rule for a right answer, and the intervals from repeats."""

from __future__ import annotations

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.recall.judging import fold, holds_value, which_values
from lib.recall.statistics import wilson_share


@pytest.mark.parametrize(
    ("answer", "value", "right"),
    [
        ('The secret word is "Bird".', "bird", True),
        ("blackbird", "bird", False),
        ("It is 40k!", "40K", True),
        ("40,000 euros", "40 000", True),
        ("40000 euros", "40,000", False),
        ("the CRÈME brûlée", "crème Brûlée", True),
        ("STRASSE", "straße", True),
        ("ﬁne", "fine", True),
        ("a blue — bird", "blue bird", True),
        ("blue or bird", "blue bird", False),
        ("It is 🦉.", "🦉", True),
        ("anything", "", False),
        ("anything", "...", False),
        ("", "bird", False),
    ],
)
def test_an_answer_is_right_when_it_holds_the_exact_value(answer: str, value: str, right: bool) -> None:
    assert holds_value(answer, value) is right


def test_an_answer_with_old_and_new_value_is_told_as_holding_both() -> None:
    assert which_values("It was bird, now it is owl.", ["owl", "bird", "fox"]) == ("owl", "bird")


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(), st.text(min_size=1), st.text())
def test_a_value_is_found_wherever_it_stands_alone(before: str, value: str, after: str) -> None:
    if fold(value):
        assert holds_value(f"{before} . {value} . {after}", value)


def test_the_interval_is_wilsons() -> None:
    # The score interval's usual table: 0 of 10 gives 0 to 0.278, 5 of 10 gives 0.237 to 0.763.
    none, half, every = wilson_share(0, 10), wilson_share(5, 10), wilson_share(10, 10)
    assert (none.low, round(none.high, 3)) == (0.0, 0.278)
    assert (round(half.low, 3), round(half.high, 3)) == (0.237, 0.763)
    assert (round(every.low, 3), every.high) == (0.722, 1.0)


def test_without_trials_nothing_is_known() -> None:
    assert wilson_share(0, 0).share is None
    assert (wilson_share(0, 0).low, wilson_share(0, 0).high) == (0.0, 1.0)


def test_more_hits_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="3 hits of 2 trials"):
        wilson_share(3, 2)


@given(st.integers(1, 200).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_measured_share_lies_in_its_interval(pair: tuple[int, int]) -> None:
    hits, trials = pair
    share = wilson_share(hits, trials)
    assert share.share is not None
    assert 0 <= share.low <= share.share <= share.high <= 1


def test_the_interval_covers_the_true_share_about_as_often_as_it_says() -> None:
    trials, truth = 20, 0.3
    covered = 0.0
    for hits in range(trials + 1):
        share = wilson_share(hits, trials)
        if share.low <= truth <= share.high:
            covered += comb(trials, hits) * truth**hits * (1 - truth) ** (trials - hits)
    assert 0.92 < covered < 0.99
