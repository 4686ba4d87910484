"""What a watcher saw is what is read back: the same segments, question, status, tokens and member runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from agno.exceptions import ModelProviderError
from agno.models.message import Message
from agno.team import Team
from agno.tools import tool

from lib.events import RunEnded, RunEvent, RunSaved
from lib.records import (
    DelegationSegment,
    ErrorKind,
    RunRecord,
    RunStatus,
    SavedState,
    Segment,
    TextSegment,
    ToolCallRecord,
)
from lib.runs import RunEngine
from lib.settings import Settings
from lib.storage import Database, open_database
from tests.runs.scripted import Script, ask, build_desk, build_engine, say, use
from tests.services.ports import wait_until


def compared(run: RunRecord) -> dict:
    """Return what must be equal live and stored, times to the tenth of a second."""
    return {
        "run_id": run.run_id,
        "parent_run_id": run.parent_run_id,
        "session_id": run.session_id,
        "user_id": run.user_id,
        "kind": run.kind,
        "component": (run.component_id, run.component_name),
        "question": run.question,
        "status": run.status,
        "error": (run.error, run.error_kind),
        "model": run.model,
        "tokens": run.tokens,
        "settings": dict(run.settings),
        "exact_times": run.exact_times,
        "times": (to_tenth(run.started_at), to_tenth(run.ended_at)),
        "segments": [to_compared(segment) for segment in run.segments],
        "member_runs": [compared(member) for member in run.member_runs],
    }


def to_compared(segment: Segment) -> object:
    if isinstance(segment, TextSegment):
        return segment.text
    call = to_compared_call(segment.call)
    if isinstance(segment, DelegationSegment):
        return (call, segment.member_id, segment.task, segment.run.run_id if segment.run else None)
    return call


def to_compared_call(call: ToolCallRecord) -> object:
    started_at, ended_at = to_tenth(call.started_at), to_tenth(call.ended_at)
    return replace(call, started_at=None, ended_at=None), started_at, ended_at


def to_tenth(at) -> float | None:
    return None if at is None else round(at.timestamp(), 1)


def call_once(*calls: Any) -> Script:
    """Return a script that makes calls at once, whatever their arguments are, and then answers."""
    return lambda messages: ["Done."] if messages[-1].role == "tool" else ["I look.", list(calls)]


BOOM = ModelProviderError("the provider broke, key sk-abcdefghijklmnop")

CASES: dict[str, tuple[dict[str, Script], RunStatus]] = {
    "no delegation": ({"leader": say("Just an answer.")}, RunStatus.COMPLETED),
    "a tool of the leader": ({"leader": use("look_up")}, RunStatus.COMPLETED),
    "one delegation": ({"leader": ask(("a", "task"), first="I ask."), "a": use("look_up")}, RunStatus.COMPLETED),
    "two at once": (
        {"leader": ask(("a", "task a"), ("b", "task b")), "a": use("look_up"), "b": use("look_up")},
        RunStatus.COMPLETED,
    ),
    "the same member twice at once": (
        {"leader": ask(("a", "task 1"), ("a", "task 2")), "a": use("look_up_slowly")},
        RunStatus.COMPLETED,
    ),
    "a tool that fails": ({"leader": use("fail_to_look_up")}, RunStatus.COMPLETED),
    "a tool that does not exist": ({"leader": use("no_such_tool")}, RunStatus.COMPLETED),
    "a member's tool that does not exist": (
        {"leader": ask(("a", "task")), "a": use("no_such_tool")},
        RunStatus.COMPLETED,
    ),
    "a tool that does not exist, and then a failure": (
        {
            "leader": lambda messages: (
                ["then", BOOM] if messages[-1].role == "tool" else ["I look.", [("no_such_tool", {"city": "Paris"})]]
            )
        },
        RunStatus.FAILED,
    ),
    "a tool that does not exist beside one that does": (
        {
            "leader": lambda messages: (
                ["Done."]
                if messages[-1].role == "tool"
                else ["I look.", [("no_such_tool", {"city": "Paris"}), ("look_up", {"city": "Paris"})]]
            )
        },
        RunStatus.COMPLETED,
    ),
    "arguments that are no JSON object": (
        {"leader": call_once(("look_up", ["Paris"]), ("look_up", {"city": "Paris"}))},
        RunStatus.COMPLETED,
    ),
    "a task for nobody": ({"leader": ask(("ghost", "task"), ("a", "task")), "a": say("Yes.")}, RunStatus.COMPLETED),
    "a member's tool that fails": (
        {"leader": ask(("a", "task")), "a": use("fail_to_look_up")},
        RunStatus.COMPLETED,
    ),
    "a member that fails": (
        {
            "leader": ask(("a", "task"), ("b", "task b"), first="I ask."),
            "a": say("half an ", BOOM),
            "b": use("look_up"),
        },
        RunStatus.COMPLETED,
    ),
    "a leader that fails at once": ({"leader": say(BOOM)}, RunStatus.FAILED),
    "a leader that fails in mid text": ({"leader": say("some words then", BOOM)}, RunStatus.FAILED),
    "a leader that fails after a delegation": (
        {
            "leader": lambda messages: ["then", BOOM] if messages[-1].role == "tool" else ask(("a", "t"))(messages),
            "a": use("look_up"),
        },
        RunStatus.FAILED,
    ),
    "a team within the team": (
        {"leader": ask(("nested", "outer task")), "nested": ask(("inner", "inner task"), first="Inner, please.")},
        RunStatus.COMPLETED,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_finished_run_is_read_back_as_it_was_seen(open_engine, database, name):
    scripts, status = CASES[name]
    engine = open_engine(**scripts)
    seen = engine.start("The question?", user_id="ada", team="desk").wait(30)
    stored = database.sessions.get_run(seen.run_id, user_id="ada")
    assert seen.status is status
    assert seen.saved is SavedState.STORED
    assert compared(stored) == compared(seen)
    assert all(run.error_kind is (ErrorKind.MODEL if run.status is RunStatus.FAILED else None) for run in stored.walk())
    assert all(run.messages for run in stored.walk()), "what each model was given is stored"


@pytest.mark.parametrize(
    ("name", "failed"),
    {
        "a tool that does not exist": [True],
        "a tool that does not exist beside one that does": [True, False],
        "arguments that are no JSON object": [True, False],
        "a task for nobody": [True, False],
        "a tool that fails": [True],
        "a tool of the leader": [False],
    }.items(),
)
def test_a_call_that_agno_refused_is_seen_and_read_back_as_failed(open_sqlite_engine, name, failed):
    engine = open_sqlite_engine(**CASES[name][0])
    seen = engine.start("The question?", user_id="ada", team="desk").wait(30)
    stored = engine._database.sessions.get_run(seen.run_id, user_id="ada")
    for run in (seen, stored):
        calls = calls_of(run)
        assert [call.failed for call in calls] == failed
        assert all(call.result for call in calls), "what the model was told in place of a result"


def calls_of(run: RunRecord) -> list[ToolCallRecord]:
    return [part.call for part in run.segments if not isinstance(part, TextSegment)]


def test_one_call_too_many_is_seen_and_read_back_as_failed(database, database_settings):
    call = ("look_up", {"city": "Paris"})
    make = build_desk(call_once(call, call, call), a=call_once(call, call))

    def make_limited() -> Team:
        team: Any = make()
        team.tool_call_limit = 2
        return cast(Team, team)

    seen, stored = run_once(database, database_settings, make_limited)
    assert compared(stored) == compared(seen)
    for run in (seen, stored):
        assert [call.failed for call in calls_of(run)] == [False, False, True]
        assert "limit" in str(calls_of(run)[2].result)


@pytest.mark.parametrize("who", ["leader", "member"])
def test_a_call_that_waits_for_a_person_is_read_back_as_it_was_seen(database, database_settings, who):
    @tool(requires_confirmation=True)
    def send(city: str) -> str:
        """Send what somebody has to agree to first."""
        return city

    calling = call_once(("look_up", {"city": "Paris"}), ("send", {"city": "Paris"}))
    make = build_desk(calling if who == "leader" else ask(("a", "task")), a=calling)

    def make_careful() -> Team:
        team: Any = make()
        for component in (team, *team.members):
            component.tools = [*component.tools, send]
        return cast(Team, team)

    seen, stored = run_once(database, database_settings, make_careful)
    assert compared(stored) == compared(seen)
    waiting = seen if who == "leader" else seen.member_runs[0]
    assert waiting.status is RunStatus.PAUSED
    assert [(call.tool_name, call.failed, call.result) for call in calls_of(waiting)] == [
        ("look_up", False, "Paris is sunny"),
        ("send", False, None),
    ]


def run_once(database: Database, settings: Settings, make: Callable[[], Team]) -> tuple[RunRecord, RunRecord]:
    """Return a run of a team as it was seen and as it was read back; nothing is told of it after its end."""
    engine = build_engine(database, settings, make)
    try:
        handle = engine.start("The question?", user_id="ada", team="desk")
        seen = handle.wait(30)
        assert not told_too_late(list(handle.events(follow=False)))
        return seen, database.sessions.get_run(seen.run_id, user_id="ada")
    finally:
        engine.close()


@pytest.mark.parametrize("name", ["no delegation", "one delegation", "a leader that fails in mid text"])
def test_messages_given_with_every_question_are_not_the_runs_words(database, database_settings, name):
    scripts, status = CASES[name]
    options: dict[str, Any] = dict(scripts)
    make = build_desk(**options)

    def make_with_examples() -> Team:
        team: Any = make()
        for component in (team, *team.members):
            component.additional_input = [
                Message(role="user", content="An example question?"),
                Message(role="assistant", content="An example answer."),
            ]
        return cast(Team, team)

    engine = build_engine(database, database_settings, make_with_examples)
    try:
        for question in ("The question?", "The next question?"):
            seen = engine.start(question, user_id="ada", team="desk", session_id="s1").wait(30)
            stored = database.sessions.get_run(seen.run_id, user_id="ada")
            assert seen.status is status
            assert compared(stored) == compared(seen)
            assert "example" not in stored.answer
            asked = next(m for m in stored.messages if m.message_id == stored.question_message_id)
            assert asked.content == question
            examples = [m for m in stored.messages if m.injected]
            assert [m.content for m in examples] == ["An example question?", "An example answer."]
    finally:
        engine.close()


STOPPED: dict[str, tuple[dict[str, Script], float]] = {
    "in the leader's words": ({"leader": say("word " * 200)}, 0.3),
    "in a member's words": (
        {"leader": ask(("a", "task a"), ("b", "task b"), first="I ask."), "a": say("word " * 200), "b": use("look_up")},
        0.5,
    ),
    "after a tool that does not exist": (
        {
            "leader": lambda messages: (
                ["half an answer", 30.0]
                if messages[-1].role == "tool"
                else ["I look.", [("no_such_tool", {"city": "Paris"})]]
            )
        },
        0.4,
    ),
    "in a silent model": ({"leader": say("First.", 30.0)}, 0.3),
    "in a blocking tool of a member": (
        {
            "leader": ask(("a", "task a"), ("b", "task b"), first="I ask."),
            "a": use("block"),
            "b": say("word " * 400),
        },
        0.5,
    ),
}


def count_said(record: RunRecord) -> int:
    """Return how many characters a run and its members have said."""
    return sum(len(part.text) for run in record.walk() for part in run.segments if isinstance(part, TextSegment))


@pytest.mark.parametrize("name", STOPPED)
def test_a_stopped_run_keeps_what_was_said_and_is_read_back_as_it_was_seen(open_engine, database, name):
    scripts, after_s = STOPPED[name]
    engine = open_engine(**scripts, delay_s=0.02)
    handle = engine.start("The question?", user_id="ada", team="desk")
    time.sleep(after_s)
    # On a busy machine the first words come late.
    wait_until(lambda: count_said(handle.snapshot()) > 0, timeout_s=10, what="the first words")
    words = count_said(handle.snapshot())
    asked_at = time.monotonic()
    assert engine.stop(handle.run_id, user_id="ada")
    seen = handle.wait(20)
    assert time.monotonic() - asked_at < 3
    stored = database.sessions.get_run(seen.run_id, user_id="ada")
    assert seen.status is RunStatus.STOPPED
    assert seen.saved is SavedState.STORED
    assert compared(stored) == compared(seen)
    assert words <= count_said(stored)
    assert all(not run.status.live for run in stored.walk())


@pytest.mark.parametrize(
    ("name", "longest_s"),
    {
        "two at once": 0.2,
        "a team within the team": 0.2,
        "a tool of the leader": 0.1,
        "a team within the team, twice at once": 0.2,
        "slow tools on two levels": 1.3,
    }.items(),
)
def test_a_run_stopped_at_any_instant_is_read_back_as_it_was_seen(open_sqlite_engine, name, longest_s):
    stop_at_any_instant(open_sqlite_engine(**(CASES | NESTED)[name][0], delay_s=0.005), longest_s=longest_s)


def test_members_made_for_each_run_are_noted_as_listed_ones_are(settings):
    def look_then_fail(messages: list[Message]) -> list[Any]:
        return ["then", BOOM] if messages[-1].role == "tool" else [[("look_up", {"city": "Paris"})]]

    make = build_desk(ask(("a", "task 1"), ("b", "task 2"), ("a", "task 3")), a=look_then_fail, b=use("look_up"))

    def make_later() -> Team:
        team: Any = make()
        made = list(team.members)
        team.members = lambda: made
        return cast(Team, team)

    seen, stored = run_once(database := open_database(settings), settings, make_later)
    database.close()
    assert compared(stored) == compared(seen)
    assert [run.status for run in stored.member_runs] == [RunStatus.FAILED, RunStatus.COMPLETED, RunStatus.FAILED]
    for run in stored.member_runs:
        assert "tool" in [message.role for message in run.messages], "what each was given and answered"


def stop_at_any_instant(engine: RunEngine, *, longest_s: float) -> None:
    """Stop runs at 14 instants from their start on: each is stored as it was seen, and nothing is told after its end."""
    statuses = set()
    for instant in range(14):
        handle = engine.start("The question?", user_id="ada", team="desk")
        time.sleep(instant * longest_s / 14)
        engine.stop(handle.run_id, user_id="ada")
        seen = handle.wait(20)
        stored = engine._database.sessions.get_run(seen.run_id, user_id="ada")
        assert compared(stored) == compared(seen), f"stopped at {instant}"
        assert not told_too_late(list(handle.events(follow=False)))
        statuses.add(seen.status)
    assert RunStatus.STOPPED in statuses


@pytest.mark.parametrize("name", ["a leader that fails after a delegation", "a team within the team, twice at once"])
def test_a_run_interrupted_at_any_instant_is_read_back_as_it_was_seen(settings, name):
    database = open_database(settings)
    statuses = set()
    for instant in range(10):
        engine = build_engine(database, settings, build_desk(**(CASES | NESTED)[name][0], delay_s=0.005))
        handle = engine.start("The question?", user_id="ada", team="desk", session_id="s1")
        waiting = engine.start("The next?", user_id="ada", team="desk", session_id="s1")
        time.sleep(instant * 0.015)
        engine.close()
        for seen in (handle.wait(20), waiting.wait(20)):
            stored = database.sessions.get_run(seen.run_id, user_id="ada")
            assert compared(stored) == compared(seen), f"interrupted at {instant}"
            statuses.add(seen.status)
        assert not told_too_late(list(handle.events(follow=False)))
    assert RunStatus.INTERRUPTED in statuses
    database.close()


NESTED: dict[str, tuple[dict[str, Script], RunStatus]] = {
    "a team within the team, twice at once": (
        {
            "leader": ask(("nested", "task 1"), ("nested", "task 2"), ("a", "task 3"), first="I ask."),
            "nested": ask(("inner", "task 1"), ("inner", "task 2"), first="Inner, please."),
            "a": use("look_up"),
        },
        RunStatus.COMPLETED,
    ),
    "slow tools on two levels": (
        {
            "leader": ask(("a", "task 1"), ("nested", "task 2")),
            "nested": ask(("inner", "task")),
            "a": use("look_up_slowly"),
            "inner": use("look_up_slowly"),
        },
        RunStatus.COMPLETED,
    ),
}


def told_too_late(events: list[RunEvent]) -> list[RunEvent]:
    """Return what was told of a run after its end, or after the end of the run above all; its storing may be."""
    ended: set[str] = set()
    late = []
    for event in events:
        if not isinstance(event, RunSaved) and (event.run_id in ended or events[0].run_id in ended):
            late.append(event)
        if isinstance(event, RunEnded):
            ended.add(event.run_id)
    return late
