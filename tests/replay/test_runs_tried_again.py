"""Runs that Agno tries again after a failure: the failed attempt comes first, as one, and is not taken for the answer."""

from __future__ import annotations

from typing import Any

import pytest
from agno.exceptions import ModelProviderError

from lib.records import DelegationSegment, RunStatus, ToolSegment
from lib.replay.steps import StepKind
from tests.replay.plain_agno import PlainAgno, ask, in_words, seen_in, watch


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


FLAKY = ModelProviderError("flaky")
TWICE: list[Any] = [
    ("First.", [("note", {"text": "1"})]),
    FLAKY,
    ("Again.", [("note", {"text": "2"})]),
    "Now it is fine.",
]


@pytest.mark.parametrize("kind", ["agent", "team"])
def test_a_failed_request_stands_before_the_new_attempt(agno, kind):
    build = agno.build_agent if kind == "agent" else agno.build_team
    agno.run(build(FLAKY, "Now it is fine.", retries=1))
    replay = agno.replay()
    (run,) = replay.runs
    steps = replay.steps(run)
    assert in_words(steps) == [
        "question The question?",
        "request of a failed attempt",
        "retried",
        "request 1",
        "text Now it is fine.",
    ]
    failed, answered = (step for step in steps if step.kind is StepKind.MODEL_REQUEST)
    assert (failed.failed, answered.failed) == (True, False)
    assert answered.started_at
    assert answered.ended_at
    assert replay.findings() == ()
    assert [request.number for request in replay.requests(run)] == [1]


@pytest.mark.parametrize("call_id", [None, "call_0"], ids=["ids of their own", "one id for all calls"])
def test_calls_of_the_failed_attempt_stay_with_it(agno, call_id):
    agno.run(agno.build_agent(*TWICE, retries=1, tools=[note], call_id=call_id))
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == [
        "question The question?",
        "request of a failed attempt",
        "note(1) -> noted 1",
        "request of a failed attempt",
        "retried",
        "request 1",
        "text Again.",
        "note(2) -> noted 2",
        "request 2",
        "text Now it is fine.",
    ]
    calls = [part.call for part in run.segments if isinstance(part, ToolSegment)]
    assert [call.given_up for call in calls] == [True, False]
    assert run.notes == ()
    assert replay.findings() == ()


def test_who_followed_it_live_sees_what_is_read_back(agno):
    agno.run(agno.build_agent(*TWICE, retries=1, tools=[note]))
    (run,) = agno.replay().runs
    live = watch(agno.events, run)
    assert seen_in(live) == seen_in(run)
    assert live.status is RunStatus.COMPLETED
    assert live.error is None


def test_a_delegation_of_the_failed_attempt_keeps_its_members_run(agno):
    member = agno.build_member("It is 11.", "It is 12.")
    answers = ("", [ask("m", "speak")]), FLAKY, ("", [ask("m", "speak")]), "12, then."
    agno.run(agno.build_team(*answers, retries=1, members=[member]))
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == [
        "question The question?",
        "request of a failed attempt",
        "asks m: speak -> It is 11.",
        "  question speak",
        "  request 1",
        "  text It is 11.",
        "request of a failed attempt",
        "retried",
        "request 1",
        "asks m: speak -> It is 12.",
        "  question speak",
        "  request 1",
        "  text It is 12.",
        "request 2",
        "text 12, then.",
    ]
    assert seen_in(watch(agno.events, run)) == seen_in(run)
    assert replay.findings() == ()
    assert [delegation.repeated for delegation in replay.delegations(run)] == [False, False]


def test_a_member_that_is_tried_again_is_one_run(agno):
    member = agno.build_member(FLAKY, "It is 12.", retries=1)
    agno.run(agno.build_team(("", [ask("m", "speak")]), "12, then.", members=[member]))
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == [
        "question The question?",
        "request 1",
        "asks m: speak -> It is 12.",
        "  question speak",
        "  request of a failed attempt",
        "  retried",
        "  request 1",
        "  text It is 12.",
        "request 2",
        "text 12, then.",
    ]
    assert replay.findings() == ()


def test_the_run_fails_after_its_last_attempt(agno: PlainAgno):
    agno.run(agno.build_agent(FLAKY, ModelProviderError("still flaky"), retries=1))
    replay = agno.replay()
    (run,) = replay.runs
    assert run.status is RunStatus.FAILED
    assert [line.split()[0] for line in in_words(replay.steps(run))] == [
        "question",
        "request",
        "retried",
        "request",
        "error",
    ]


def test_calls_of_a_failed_attempt_stand_first_without_events_too(agno):
    agno.run(agno.build_agent(*TWICE, retries=1, tools=[note], store_events=False))
    replay = agno.replay()
    (run,) = replay.runs
    calls = [line for line in in_words(replay.steps(run)) if line.startswith(("note", "text"))]
    assert calls == ["note(1) -> noted 1", "text Again.", "note(2) -> noted 2", "text Now it is fine."]


def test_without_events_a_delegation_of_the_failed_attempt_is_told_from_those_asked_for_and_is_no_repetition(agno):
    again = ("", [ask("m", "the weather")])
    member = agno.build_member("Sunny.", "Sunny.")
    agno.run(agno.build_team(again, FLAKY, again, "Fine.", members=[member], retries=1, store_events=False))
    replay = agno.replay()
    (run,) = replay.runs
    calls = [part.call for part in run.segments if isinstance(part, DelegationSegment)]
    assert [call.given_up for call in calls] == [True, False]
    assert run.notes == ("Calls that none of its messages asks for are taken for those of an attempt that failed.",)
    assert replay.findings() == ()
