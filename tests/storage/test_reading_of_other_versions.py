"""Sessions that plain Agno of other versions stored are read without loss (see tests/data/stored_sessions)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lib.records import DelegationSegment, RunRecord, RunStatus, TextSegment, ToolSegment
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import StoredSession

FOLDER = Path(__file__).parents[1] / "data" / "stored_sessions"
VERSIONS = sorted(FOLDER.glob("agno-*.json"))


def read(file: Path) -> Replay:
    tables: dict[str, Any] = json.loads(file.read_text())
    return Replay(StoredSession(row=tables["agno_sessions"][0], run_rows=tables.get("agno_runs", [])))


def story(run: RunRecord) -> list[Any]:
    """Return what happened, in words, without ids."""
    told: list[Any] = []
    for segment in run.segments:
        match segment:
            case TextSegment(text=text):
                told.append(text.strip())
            case ToolSegment(call=call):
                told.append((call.tool_name, dict(call.arguments), call.result))
            case DelegationSegment(member_id=member_id, task=task, run=member_run):
                told.append((member_id, task, story(member_run) if member_run else None))
    return told


WEATHER = [("get_weather", {"city": "Paris"}, "sunny in Paris"), "Answer: sunny in Paris"]
FINANCE = [("get_price", {"ticker": "ACME"}, "42 for ACME"), "Answer: 42 for ACME"]


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.stem)
def test_a_session_of_another_version_tells_its_whole_story(file):
    runs = [run for run in read(file).runs if run.parent_run_id is None]
    told = {run.question: story(run) for run in runs}
    assert told["hello"] == ["Hello to you."]
    assert told["weather please"] == [
        "Let me ask.",
        ("weather", "weather in Paris", WEATHER),
        "Answer: Answer: sunny in Paris",
    ]
    assert told["weather and finance please"][1:3] == [
        ("weather", "weather in Paris", WEATHER),
        ("finance", "price of ACME", FINANCE),
    ]
    assert told["sub please"][1][:2] == ("sub", "weather in Rome")
    nested = told["sub please"][1][2]
    assert nested[1] == ("weather", "weather in Paris", WEATHER)
    if "2.0" not in file.stem:  # there Agno lost the runs that follow
        assert told["weather and finance again"][1:3] == told["weather and finance please"][1:3]
        assert told["finance please"][1] == ("finance", "price of ACME", FINANCE)
    assert {run.status for top in runs for run in top.walk()} == {RunStatus.COMPLETED}


@pytest.mark.parametrize("file", VERSIONS, ids=lambda file: file.stem)
def test_every_stored_message_of_another_version_is_in_its_record(file):
    tables: dict[str, Any] = json.loads(file.read_text())
    rows = tables.get("agno_runs") or json.loads(json.loads(tables["agno_sessions"][0]["runs"]))
    stored = 0
    for row in rows:
        data = json.loads(row["run_data"]) if "run_data" in row else row
        stored += len(data.get("messages") or [])
    replay = read(file)
    shown = [run for top in replay.runs for run in top.walk()]
    assert sum(len(run.messages) for run in shown) >= stored
    for top in replay.runs:
        replay.steps(top)
        replay.timeline(top)
        replay.requests(top)
    unexpected = {str(found.kind) for found in replay.findings()} - {"needless_delegation"}
    assert unexpected == set()
