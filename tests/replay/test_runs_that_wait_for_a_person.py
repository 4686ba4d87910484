"""Runs that Agno pauses for a person and continues: every part in its place, live and read back, and nothing invented."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from agno.tools import tool

from lib.events import RunEnded
from lib.records import DelegationSegment, RunStatus
from lib.replay.findings import FindingKind
from lib.replay.steps import StepKind
from lib.replay.timeline import BarKind
from tests.replay.plain_agno import PlainAgno, ask, in_words, seen_in, translate, watch

CALL = ("send", {"text": "x"})


@tool(requires_confirmation=True)
def send(text: str) -> str:
    """Send it."""
    return f"sent {text} 17"


@tool(requires_confirmation=True)
def send_slowly(text: str) -> str:
    """Send it, for a second."""
    time.sleep(1.1)
    return f"sent {text} 17"


def build(agno: PlainAgno, kind: str, **options: Any) -> Any:
    """Return an agent or a team whose own tool has to be agreed to, or a team whose member's has."""
    if kind == "agent":
        return agno.build_agent(("Let me.", [CALL]), "All sent 17.", tools=[send], **options)
    if kind == "team":
        member = agno.build_member("It is sunny, 18.")
        answers = ("Let me.", [CALL]), ("", [ask("m", "weather")]), "All sent 17, sunny 18."
        return agno.build_team(*answers, members=[member], tools=[send], **options)
    member = agno.build_member(("I will.", [CALL]), "Sent x 17.", tools=[send])
    return agno.build_team(("", [ask("m", "send it")]), "It was sent 17.", members=[member], **options)


@pytest.mark.parametrize("agree", [True, False], ids=["agreed to", "rejected"])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "at once"])
@pytest.mark.parametrize("kind", ["agent", "team", "member"])
def test_nothing_is_found_amiss_in_a_run_that_waited(agno, kind, stream, agree):
    asked = build(agno, kind)
    agno.run(asked, stream=stream)
    agno.settle(asked, stream=stream, agree=agree)
    replay = agno.replay()
    assert [run.status for run in replay.runs] == [RunStatus.COMPLETED]
    assert [found for found in replay.findings() if found.kind is not FindingKind.IGNORED_MEMBER_RESULT] == []


def test_the_pause_stands_between_the_question_of_a_tool_and_its_result(agno):
    asked = build(agno, "team")
    agno.run(asked)
    agno.settle(asked)
    (run,) = agno.replay().runs
    assert in_words(agno.replay().steps(run)) == [
        "question The question?",
        "request 1",
        "text Let me.",
        "paused: a decision on send",
        "continued",
        "send(x) -> sent x 17",
        "request 2",
        "asks m: weather -> It is sunny, 18.",
        "  question weather",
        "  request 1",
        "  text It is sunny, 18.",
        "request 3",
        "text All sent 17, sunny 18.",
    ]


def test_a_leader_whose_member_waited_is_told_the_members_result(agno):
    asked = build(agno, "member")
    agno.run(asked)
    agno.settle(asked)
    (run,) = agno.replay().runs
    (delegation,) = (part for part in run.segments if isinstance(part, DelegationSegment))
    assert "Sent x 17." in (delegation.call.result or "")
    assert delegation.run is not None
    assert delegation.run.status is RunStatus.COMPLETED
    lines = [line for line in in_words(agno.replay().steps(run)) if not line.startswith("asks")]
    assert lines == [
        "question The question?",
        "request 1",
        "  question send it",
        "  request 1",
        "  text I will.",
        "  paused: a decision on send",
        "  continued",
        "  send(x) -> sent x 17",
        "  request 2",
        "  text Sent x 17.",
        "paused: a decision on send, asked for by M",
        "continued",
        "request 2",
        "text It was sent 17.",
    ]


@pytest.mark.parametrize("kind", ["team", "member"])  # of an agent Agno stores no such event then
def test_the_pause_stands_before_what_followed_it_though_no_other_event_is_stored(agno, kind):
    asked = build(agno, kind)
    agno.run(asked, stream=False)
    agno.settle(asked, stream=False)
    (run,) = agno.replay().runs
    kinds = [step.kind for step in agno.replay().steps(run) if step.run_id == run.run_id]
    first_request = kinds.index(StepKind.MODEL_REQUEST)
    last_request = len(kinds) - 1 - kinds[::-1].index(StepKind.MODEL_REQUEST)
    assert first_request < kinds.index(StepKind.PAUSED) < kinds.index(StepKind.CONTINUED) < last_request


@pytest.mark.parametrize("kind", ["agent", "team", "member"])
def test_who_follows_such_a_run_live_sees_what_is_read_back(agno, kind):
    asked = build(agno, kind)
    agno.run(asked)
    (waiting,) = agno.replay().runs
    paused = watch(agno.events, waiting)
    assert paused.status is waiting.status is RunStatus.PAUSED
    agno.settle(asked)
    (run,) = agno.replay().runs
    live = watch(agno.events, run)
    assert live.status is run.status is RunStatus.COMPLETED
    assert seen_in(live) == seen_in(run)


def test_a_waiting_members_delegation_goes_on_while_it_waits(agno):
    asked = build(agno, "member")
    agno.run(asked)
    (waiting,) = agno.replay().runs
    (delegation,) = (part for part in watch(agno.events, waiting).segments if isinstance(part, DelegationSegment))
    assert delegation.call.result is None
    ends = [event for event in translate(agno.events) if isinstance(event, RunEnded)]
    assert [end.status for end in ends] == [RunStatus.PAUSED, RunStatus.PAUSED]


@pytest.mark.parametrize("who", ["agent", "member"])
def test_the_wait_is_on_the_timeline_and_the_run_ends_after_it(agno, who):
    answers = ("Let me.", [("send_slowly", {"text": "x"})]), "All sent 17."
    if who == "agent":
        asked = agno.build_agent(*answers, tools=[send_slowly])
    else:
        member = agno.build_member(*answers, tools=[send_slowly])
        asked = agno.build_team(("", [ask("m", "send it")]), "It was sent 17.", members=[member])
    agno.run(asked)
    time.sleep(1.1)
    agno.settle(asked)
    replay = agno.replay()
    (run,) = replay.runs
    assert run.started_at is not None
    assert run.ended_at is not None
    assert run.ended_at - run.started_at >= timedelta(seconds=2)
    assert run.duration_s == (run.ended_at - run.started_at).total_seconds()
    *_, lane = replay.timeline(run).lanes
    (pause,) = (bar for bar in lane.bars if bar.kind is BarKind.PAUSE)
    (tool_bar,) = (bar for bar in lane.bars if bar.kind is BarKind.TOOL_CALL)
    assert lane.total_s >= 2
    assert pause.duration_s >= 1
    assert tool_bar.duration_s >= 1
    assert tool_bar.start_s >= pause.end_s


@pytest.mark.parametrize("events", [True, False], ids=["with events", "without"])
def test_a_run_that_still_waits_says_so_and_for_what(agno, events):
    asked = build(agno, "agent", store_events=events)
    agno.run(asked)
    (run,) = agno.replay().runs
    steps = agno.replay().steps(run)
    (paused,) = (step for step in steps if step.kind is StepKind.PAUSED)
    assert paused.text == ("a decision on send" if events else "")
    assert not any(step.kind in (StepKind.CONTINUED, StepKind.ERROR) for step in steps)
