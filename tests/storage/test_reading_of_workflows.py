"""Workflows that plain Agno stored are read without loss (see tests/data/stored_sessions/make_workflow.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib.records import RunStatus, SessionKind
from lib.replay.steps import Step, StepKind
from tests.storage.test_reading_of_other_versions import FINANCE, FOLDER, WEATHER, read, story

FILES = sorted(FOLDER.glob("workflow-*.json"))


def outline(steps: tuple[Step, ...]) -> list[str]:
    """Return the workflow's own steps in order: its events by name, the runs in it by member, its words."""
    own = [step for step in steps if step.depth == 0]
    return [step.member_id or (step.text or "").strip() for step in own]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_tells_its_steps_in_order(file: Path):
    replay = read(file)
    assert (replay.session.summary.kind, replay.session.summary.component_id) == (SessionKind.WORKFLOW, "flow")
    streamed, whole = replay.runs
    assert [run.question for run in replay.runs] == ["weather please", "weather again"]
    for run in replay.runs:
        assert (run.kind, run.component_name, run.status) == (SessionKind.WORKFLOW, "Flow", RunStatus.COMPLETED)
        assert [member.component_id for member in run.member_runs] == ["weather", "finance", "desk"]
        told = {member.component_id: story(member) for member in run.member_runs}
        assert told == {"weather": WEATHER, "finance": FINANCE, "desk": ["Hello to you."]}
        assert run.answer.strip() == "Hello to you."
    order = outline(replay.steps(streamed))
    assert (order[0], order[-1]) == ("weather please", "Hello to you.")
    members = [name for name in order if name in ("weather", "finance", "desk")]
    assert members == ["weather", "finance", "desk"]
    # One event before and one after each step; what was computed by a plain function is in the events' raw.
    assert order.index("StepStarted") < order.index("weather") < order.index("StepCompleted") < order.index("desk")
    assert "4 words" in json.dumps([dict(step.raw) for step in replay.steps(streamed)])
    assert outline(replay.steps(whole))[1:4] == ["weather", "finance", "desk"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_that_did_not_stream_shows_the_results_of_its_steps_raw(file: Path):
    replay = read(file)
    results = [step for step in replay.steps(replay.runs[1]) if step.kind is StepKind.EVENT]
    assert "4 words" in json.dumps([dict(step.raw) for step in results])
    assert outline(replay.steps(replay.runs[1]))[-1] == "Hello to you."


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_message_of_a_workflow_is_in_a_record_and_nothing_is_found_amiss(file: Path):
    replay = read(file)
    tables = json.loads(file.read_text())
    rows = tables.get("agno_runs") or json.loads(json.loads(tables["agno_sessions"][0]["runs"]))
    stored = {
        message["id"]
        for row in rows
        for executor in (json.loads(row["run_data"]) if "run_data" in row else row)["step_executor_runs"]
        for message in executor["messages"]
    }
    shown = {message.message_id for top in replay.runs for run in top.walk() for message in run.messages}
    assert stored
    assert stored <= shown
    for run in replay.runs:
        assert [lane.agent_id for lane in replay.timeline(run).lanes] == ["flow", "weather", "finance", "desk"]
        assert [request.run.component_id for request in replay.requests(run)] == [
            *("weather", "weather", "finance", "finance", "desk")
        ]
        assert all(item.size > 0 for item in replay.requests(run))
    assert replay.findings() == ()
