"""Models that give every call the same id: each call is shown with its own arguments, result and member's run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replay.plain_agno import ask, in_words, seen_in, watch


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


def write(text: str) -> tuple[str, dict[str, Any]]:
    return "note", {"text": text}


STORED = pytest.mark.parametrize(
    ("stream", "events"), [(True, True), (False, False)], ids=["with events", "without events"]
)


@STORED
def test_the_calls_of_several_requests(agno, stream, events):
    answers = ("", [write("one")]), ("", [write("two")]), "Fine."
    asked = agno.build_agent(*answers, tools=[note], call_id="call_0", store_events=events)
    agno.run(asked, stream=stream)
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == [
        "question The question?",
        "request 1",
        "note(one) -> noted one",
        "request 2",
        "note(two) -> noted two",
        "request 3",
        "text Fine.",
    ]
    assert replay.findings() == ()


@STORED
def test_the_calls_of_a_leader_and_its_member(agno, stream, events):
    answers = ("", [ask("m", "first")]), ("", [write("here"), ask("m", "second")]), "11, 22 and here."
    member = agno.build_member(
        ("", [write("11")]), "It is 11.", ("", [write("22")]), "It is 22.", call_id="call_0", tools=[note]
    )
    team = agno.build_team(*answers, members=[member], tools=[note], call_id="call_0", store_events=events)
    agno.run(team, stream=stream)
    replay = agno.replay()
    (run,) = replay.runs
    assert in_words(replay.steps(run)) == [
        "question The question?",
        "request 1",
        "asks m: first -> It is 11.",
        "  question first",
        "  request 1",
        "  note(11) -> noted 11",
        "  request 2",
        "  text It is 11.",
        "request 2",
        "note(here) -> noted here",
        "asks m: second -> It is 22.",
        "  question second",
        "  request 1",
        "  note(22) -> noted 22",
        "  request 2",
        "  text It is 22.",
        "request 3",
        "text 11, 22 and here.",
    ]
    assert replay.findings() == ()
    if events:
        assert seen_in(watch(agno.events, run)) == seen_in(run)


def test_their_times_are_their_own(agno):
    answers = ("", [write("one")]), ("", [write("two")]), "Fine."
    asked = agno.build_agent(*answers, tools=[note], call_id="call_0")
    agno.run(asked)
    replay = agno.replay()
    calls = [step for step in replay.steps(replay.runs[0]) if step.tool_name == "note"]
    assert [bool(step.started_at and step.ended_at) for step in calls] == [True, True]


def test_a_call_that_fails_ends_once_among_others_of_its_id(agno):
    def fail(text: str) -> str:
        """Fail."""
        raise ValueError(f"no {text}")

    answers = ("", [("fail", {"text": "one"})]), ("", [write("two")]), "Fine."
    asked = agno.build_agent(*answers, tools=[note, fail], call_id="call_0")
    agno.run(asked)
    replay = agno.replay()
    (run,) = replay.runs
    told = [(step.tool_name, step.failed, step.result) for step in replay.steps(run) if step.tool_name]
    assert told == [("fail", True, "no one"), ("note", False, "noted two")]
    assert replay.findings() == ()


def test_an_ignored_result_is_told_from_a_used_one(agno):
    answers = (
        ("", [ask("m", "first")]),
        ("", [ask("m", "second")]),
        "It is 1122 in all, and nothing else is to be said.",
    )
    member = agno.build_member("It is 1122.", "It is 3344, or 5566.")
    agno.run(agno.build_team(*answers, members=[member], call_id="call_0"))
    replay = agno.replay()
    assert [delegation.result_used for delegation in replay.delegations(replay.runs[0])] == [True, False]
    (found,) = replay.findings()
    assert "3344" in found.evidence
