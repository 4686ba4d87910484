"""The example questions of the sample teams, asked through the engine, are answered without a key."""

from __future__ import annotations

import pytest

from lib.records import DelegationSegment, RunStatus, SavedState


@pytest.mark.parametrize("team", ["market-desk", "trip-desk", "weather-desk"])
def test_every_example_question_is_answered_and_stored(roundtable, team):
    for question in roundtable.catalogue.get(team).questions:
        run = roundtable.engine.start(question, user_id="ann", team=team).wait(60)
        assert (run.status, run.saved) == (RunStatus.COMPLETED, SavedState.STORED), question
        assert "sample data" in run.answer or question.startswith("Remember"), question
        assert "no language understanding" not in run.answer, question


def test_a_team_within_a_team_delegates_on_and_its_members_runs_are_read_back(roundtable):
    question = "Find a train from Paris to London and a hotel there."
    handle = roundtable.engine.start(question, user_id="ann", team="trip-desk")
    handle.wait(60)
    run = roundtable.store.get_run(handle.run_id, user_id="ann")
    (booking,) = [segment for segment in run.segments if isinstance(segment, DelegationSegment)]
    assert booking.member_id == "booking"
    assert booking.run is not None
    below = [segment for segment in booking.run.segments if isinstance(segment, DelegationSegment)]
    assert [(each.member_id, each.run is not None) for each in below] == [("trains", True), ("hotels", True)]
    assert {part.component_id for part in run.walk()} == {"trip-desk", "booking", "trains", "hotels"}
