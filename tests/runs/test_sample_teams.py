"""The sample teams with the offline model, through everything put together, on both databases."""

from __future__ import annotations

import logging

import pytest

from lib.records import RunStatus, SavedState
from tests.runs.test_live_equals_stored import compared

QUESTIONS = [
    ("What is the weather in Paris and the price of AAPL?", RunStatus.COMPLETED),
    ("[fail member] What is the weather in Paris and the price of AAPL?", RunStatus.COMPLETED),
    ("[fail tool] What is the weather in Paris?", RunStatus.COMPLETED),
    ("[fail midway] What is the weather in Paris?", RunStatus.FAILED),
    ("[fail model] Hello", RunStatus.FAILED),
]


@pytest.mark.parametrize(("question", "status"), QUESTIONS)
def test_what_was_seen_of_the_market_desk_is_read_back(roundtable, question, status):
    seen = roundtable.engine.start(question, user_id="ada", team="market-desk").wait(30)
    assert (seen.status, seen.saved) == (status, SavedState.STORED)
    assert compared(roundtable.store.get_run(seen.run_id, user_id="ada")) == compared(seen)


def test_a_teams_question_is_answered_by_the_team_within_it(roundtable):
    entry = roundtable.catalogue.get("trip-desk")
    for question in entry.questions:
        seen = roundtable.engine.start(question, user_id="ada", team=entry.name).wait(30)
        assert (seen.status, seen.saved) == (RunStatus.COMPLETED, SavedState.STORED)
        assert compared(roundtable.store.get_run(seen.run_id, user_id="ada")) == compared(seen)


def test_a_fact_told_is_remembered_in_the_next_run_and_not_logged(roundtable, caplog):
    caplog.set_level(logging.DEBUG)
    first = roundtable.engine.start("Remember: the secret word is bird", user_id="ada", team="market-desk").wait(30)
    second = roundtable.engine.start(
        "What is the secret word?", user_id="ada", team="market-desk", session_id=first.session_id
    ).wait(30)
    assert "bird" in second.answer
    assert "bird" not in caplog.text
    assert "secret word" not in caplog.text
