"""A request is called stored only where the team or member that it was made for stored its history in that run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from lib.replay.contexts import ModelRequest
from lib.storage.replaying import Replay
from tests.replay.recorded_teams import RecordedTeam
from tests.replay.test_contexts_are_true import open_replay, recorded, shape

QUESTIONS = ("hello", "ask weather", "ask weather aloud", "ask weather finance")


def requests_of(replay: Replay, component_id: str) -> list[ModelRequest]:
    return [
        request for run in replay.runs for request in replay.requests(run) if request.run.component_id == component_id
    ]


def ask_slowly(team: RecordedTeam, questions: Sequence[str]) -> None:
    for question in questions:
        team.ask(question)
        team.pass_time()


@pytest.mark.parametrize(
    ("of_team", "of_members", "reports_tokens"), list(product([False, True], [False, True], [False, True]))
)
def test_stored_is_said_only_of_what_was_in_fact_given(of_team, of_members, reports_tokens):
    members = {"add_history_to_context": True, "num_history_runs": 2, "store_history_messages": of_members}
    with recorded(
        store_history_messages=of_team, members=members, num_history_runs=2, reports_tokens=reports_tokens
    ) as team:
        ask_slowly(team, QUESTIONS)
        replay = open_replay(team, assumed_window=2)
        for component_id, stores in (("desk", of_team), ("weather", of_members)):
            requests, given = requests_of(replay, component_id), team.models[component_id].requests
            assert len(requests) == len(given)
            for request, one in zip(requests, given, strict=True):
                assert shape(request) == one or request.source == "reconstructed"
                assert bool(request.doubt) == (request.source == "reconstructed")
            assert requests[0].source == "stored", "nothing was there to be given"
            assert requests[-1].source == ("stored" if stores else "reconstructed")
            if stores or component_id == "desk" or reports_tokens:
                assert [shape(request) for request in requests] == given


def test_a_member_of_which_nothing_tells_what_it_was_given_is_not_called_stored():
    members = {"add_history_to_context": True, "store_history_messages": False}
    with recorded(store_history_messages=True, members=members) as team:
        ask_slowly(team, ("ask weather", "ask weather"))
        last = requests_of(open_replay(team), "weather")[-1]
    assert last.source == "reconstructed"
    assert (
        last.doubt == "No run of this member that was read has its history stored. That it was given none is assumed."
    )
    assert last.absent
    assert {(str(item.reason), *map(str, item.or_else)) for item in last.absent} == {("outside_window", "not_stored")}


@pytest.mark.parametrize("first", [False, True])
def test_storing_that_is_switched_between_two_runs_is_told_for_each(first):
    with recorded(store_history_messages=first, num_history_runs=3) as team:
        ask_slowly(team, ("hello", "tool 1"))
        team.team.store_history_messages = not first
        ask_slowly(team, ("say more", "say less"))
        requests = requests_of(open_replay(team), "desk")
        assert [shape(request) for request in requests] == team.models["desk"].requests
    off = "reconstructed"
    told = ["stored", off, off, "stored", "stored"] if not first else ["stored", "stored", "stored", off, off]
    assert [request.source for request in requests] == told
    doubt = "Its history was not stored with it. That it was given as much as the runs around it is assumed."
    assert {request.doubt for request in requests} == {"", doubt}


def test_of_a_run_asked_in_the_second_of_another_it_is_not_certain_that_it_was_given_nothing():
    with recorded(store_history_messages=False) as team:
        for question in ("hello", "say more"):
            team.ask(question)
        team.team.store_history_messages = True
        team.ask("say less")
        requests = requests_of(open_replay(team), "desk")
    assert [request.source for request in requests] == ["stored", "reconstructed", "stored"]
    assert requests[1].doubt
