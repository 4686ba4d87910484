"""A run that answers a question anew shows its own acts only, though Agno stores the first run's delegations with it."""

from __future__ import annotations

from typing import Any

import pytest

from lib.records import DelegationSegment, RunStatus
from lib.replay.steps import StepKind
from lib.storage.reading import to_run_record
from tests.replay.plain_agno import PlainAgno, ask, in_words, seen_in, watch

ANEW = [
    "question The question?",
    "request 1",
    "asks m: speak -> It is 12.",
    "  question speak",
    "  request 1",
    "  text It is 12.",
    "request 2",
    "text 12, then.",
]


@pytest.fixture(params=[None, "call_0"], ids=["ids of their own", "one id for all calls"])
def desk(agno: PlainAgno, request: pytest.FixtureRequest) -> Any:
    """A team whose leader asks its member, twice."""
    member = agno.build_member("It is 11.", "It is 12.")
    answers = ("", [ask("m", "speak")]), "11, then.", ("", [ask("m", "speak")]), "12, then."
    return agno.build_team(*answers, members=[member], call_id=request.param, store_member_responses=True)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
def test_its_steps_are_its_own(agno, desk, stream):
    agno.run(desk, stream=stream)
    agno.regenerate(desk, stream=stream)
    replay = agno.replay()
    old, new = replay.runs
    assert (old.status, new.status) == (RunStatus.REGENERATED, RunStatus.COMPLETED)
    assert in_words(replay.steps(new)) == ANEW
    assert in_words(replay.steps(old)) == [line.replace("12", "11") for line in ANEW]
    assert [request.number for request in replay.requests(new) if request.run is new] == [1, 2]
    (delegation,) = replay.delegations(new)
    assert (delegation.times_asked, delegation.repeated) == (1, False)
    assert replay.findings() == ()


def test_its_requests_have_their_own_times(agno, desk):
    agno.run(desk)
    agno.regenerate(desk)
    replay = agno.replay()
    requests = [step for step in replay.steps(replay.runs[1]) if step.kind is StepKind.MODEL_REQUEST]
    assert all(step.started_at and step.ended_at for step in requests)


def test_it_is_the_same_to_those_who_saw_it_come(agno, desk):
    agno.run(desk)
    agno.events.clear()
    agno.regenerate(desk)
    new = agno.replay().runs[1]
    live = watch(agno.events, new)
    assert seen_in(live) == seen_in(new)
    assert live.status is RunStatus.COMPLETED


def test_read_without_the_first_run_its_events_tell_what_is_its_own(agno, desk):
    agno.run(desk)
    agno.regenerate(desk)
    rows = [row for row in agno.rows() if row["run_data"].get("regenerated_from")]
    run = to_run_record(rows[0], [row for row in agno.rows() if row["parent_run_id"] == rows[0]["run_id"]])
    (delegation,) = (part for part in run.segments if isinstance(part, DelegationSegment))
    assert (delegation.call.result or "").strip() == "It is 12."
    assert delegation.run is not None
