"""A run and its replay look the same: its record, its steps and their order are what a watcher of our engine saw live.

Generated runs: words, tools, failing tools, delegations side by side, a nested team, failing members and leaders, stops.
`HYPOTHESIS_PROFILE=truth` runs hundreds of them, for about ten minutes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from agno.exceptions import ModelProviderError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.events import DelegationStarted, ModelStarted, RunEnded, RunEvent, TextAdded, ToolStarted
from lib.records import RunStatus
from lib.replay.steps import Step, StepKind
from lib.runs import RunEngine
from lib.storage import open_database
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import open_stored_sessions
from tests.conftest import build_settings
from tests.replay.test_contexts_are_true import PHASES, TRUTH
from tests.runs.scripted import Script, build_desk, build_engine
from tests.runs.test_live_equals_stored import compared, told_too_late

pytestmark = [pytest.mark.timeout(0)] if TRUTH else []

Seen = tuple[str, str, str]
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

thoroughly = settings(
    max_examples=400 if TRUTH else 12, phases=PHASES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

words = st.sampled_from(["", "Let me see.", "One more thing:", "I ask around now."])
tools = st.sampled_from(["look_up", "fail_to_look_up"])
members = st.sampled_from(["a", "b", "nested"])
ends = st.sampled_from(["The answer is 42.", "Done, all of it.", "half an answer then FAIL", "FAIL"])


def acts(calls: st.SearchStrategy[Any], *, rounds: int) -> st.SearchStrategy[Any]:
    """Return what a model does: rounds of words and calls, then an end."""
    one = st.tuples(words, st.lists(calls, min_size=1, max_size=3))
    return st.tuples(st.lists(one, max_size=rounds), ends)


tool_calls = tools.map(lambda name: (name, {"city": "Paris"}))
leaders = acts(st.one_of(tool_calls, members.map(lambda member: ("delegate", {"member_id": member}))), rounds=3)
nested = acts(st.just(("delegate", {"member_id": "inner"})), rounds=2)
below = acts(tool_calls, rounds=2)
desks = st.fixed_dictionaries({"leader": leaders, "nested": nested, "a": below, "b": below, "inner": below})


def to_script(name: str, plan: tuple[list[tuple[str, list[tuple[str, Any]]]], str]) -> Script:
    """Return a model that follows a plan, round by round."""
    rounds, end = plan

    def script(messages: Sequence[Any]) -> Sequence[Any]:
        asked = max(place for place, message in enumerate(messages) if message.role == "user")
        done = sum(message.role == "assistant" for message in messages[asked:])
        if done >= len(rounds):
            said = end.removesuffix("FAIL")
            failure = [ModelProviderError(f"{name} is down")] if end != said else []
            return [*([said.strip()] if said else []), *failure]
        said, calls = rounds[done]
        asked_for = [
            ("delegate_task_to_member", {**arguments, "task": f"task {done}.{number} of {name}"})
            if tool == "delegate"
            else (tool, arguments)
            for number, (tool, arguments) in enumerate(calls)
        ]
        return [*([said] if said else []), asked_for]

    return script


@contextmanager
def open_desk(plans: Mapping[str, Any], *, delay_s: float = 0.0) -> Iterator[tuple[RunEngine, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        own = build_settings(Path(folder))
        database = open_database(own)
        scripts = {name: to_script(name, plan) for name, plan in plans.items()}
        engine = build_engine(database, own, build_desk(**scripts, delay_s=delay_s))
        try:
            yield engine, own
        finally:
            engine.close()
            database.close()


def open_replay(own: Any, session_id: str) -> Replay:
    sessions = open_stored_sessions(own)
    try:
        return Replay(sessions.get_session(session_id))
    finally:
        sessions.close()


def told_by_events(events: Sequence[RunEvent]) -> list[Seen]:
    """Return what a watcher saw begin, in order; words that follow each other in a run as one."""
    seen: list[Seen] = []
    spoken: dict[str, int] = {}  # run -> the place of the words it is saying
    for event in events:
        match event:
            case ModelStarted():
                seen.append(("model_request", event.run_id, ""))
            case TextAdded(text=text):
                if event.run_id not in spoken:
                    spoken[event.run_id] = len(seen)
                    seen.append(("text", event.run_id, ""))
                kind, run_id, said = seen[spoken[event.run_id]]
                seen[spoken[event.run_id]] = (kind, run_id, said + text)
            case ToolStarted(call=call):
                spoken.pop(event.run_id, None)
                seen.append(("tool_call", event.run_id, call.tool_call_id))
            case DelegationStarted(call=call):
                spoken.pop(event.run_id, None)
                seen.append(("delegation", event.run_id, call.tool_call_id))
            case RunEnded(status=RunStatus.FAILED, error=error):
                seen.append(("error", event.run_id, error or ""))
            case RunEnded(status=RunStatus.STOPPED):
                seen.append(("stopped", event.run_id, ""))
            case _:
                pass
    return [item for item in seen if item[0] != "text" or item[2].strip()]


def told_by_steps(steps: Sequence[Step]) -> list[Seen]:
    seen: list[Seen] = []
    for step in steps:
        match step.kind:
            case StepKind.MODEL_REQUEST | StepKind.STOPPED:
                seen.append((str(step.kind), step.run_id, ""))
            case StepKind.TEXT | StepKind.ERROR:
                seen.append((str(step.kind), step.run_id, step.text or ""))
            case StepKind.TOOL_CALL | StepKind.DELEGATION:
                seen.append((str(step.kind), step.run_id, step.tool_call_id or ""))
            case _:
                assert step.kind is StepKind.QUESTION
    return seen


def by_run(seen: Sequence[Seen]) -> dict[str, list[Seen]]:
    runs: dict[str, list[Seen]] = {}
    for item in seen:
        runs.setdefault(item[1], []).append(item)
    return runs


def in_time(steps: Sequence[Step]) -> list[Step]:
    """Return the beginnings of the nested steps as one sequence, by their stored times."""
    begun = (StepKind.MODEL_REQUEST, StepKind.TOOL_CALL, StepKind.DELEGATION)
    assert all(step.started_at for step in steps if step.kind in begun)
    return sorted((step for step in steps if step.kind in begun), key=lambda step: step.started_at or LONG_AGO)


@thoroughly
@given(plans=desks)
def test_steps_stand_as_a_watcher_saw_them(plans):
    with open_desk(plans) as (engine, own):
        handle = engine.start("The question?", user_id="ada", team="desk")
        events = list(handle.events(timeout=60))
        live = handle.wait(1)
        replay = open_replay(own, handle.session_id)
        run = replay.get_run(handle.run_id)
        steps = replay.steps(run)
        seen = told_by_events(events)
        assert by_run(told_by_steps(steps)) == by_run(seen), "each run tells its steps in the order they were seen"
        beginnings = [item for item in seen if item[0] in ("model_request", "tool_call", "delegation")]
        assert told_by_steps(in_time(steps)) == beginnings, (
            "and their times tell how concurrent runs stood to each other"
        )
        assert compared(run) == compared(live)


@thoroughly
@given(plans=desks, instant=st.floats(0, 0.4))
def test_a_stopped_run_is_replayed_as_it_was_seen(plans, instant):
    with open_desk(plans, delay_s=0.01) as (engine, own):
        handle = engine.start("The question?", user_id="ada", team="desk")
        time.sleep(instant)
        engine.stop(handle.run_id, user_id="ada")
        live = handle.wait(30)
        replay = open_replay(own, handle.session_id)
        run = replay.get_run(handle.run_id)
        events = list(handle.events(timeout=1))
        assert compared(run) == compared(live)
        assert by_run(told_by_steps(replay.steps(run))) == by_run(told_by_events(events))
        assert not told_too_late(events)
