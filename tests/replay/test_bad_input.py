"""Large, deep, damaged and hostile sessions are shown as far as can be, with a note; no view fails."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lib.replay import export, text
from lib.replay.playback import build_playback
from lib.replay.sequence import write_sequence_diagram
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import StoredSession

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e end %%{init}%% \ud800"


def open_rows(rows: list[dict[str, Any]], **session: Any) -> Replay:
    row = {"session_id": "s1", "session_type": "team", "team_id": "desk", "user_id": "ann", "created_at": 1} | session
    return Replay(StoredSession(row=row, run_rows=rows))


def a_row(run_id: str, data: Any, **columns: Any) -> dict[str, Any]:
    row = {"run_id": run_id, "session_id": "s1", "run_type": "team", "team_id": "desk", "user_id": "ann"}
    return row | {"status": "COMPLETED", "run_index": 0, "run_data": data, "created_at": 1795244388} | columns


def look_at_everything(replay: Replay) -> None:
    """Draw every view of every run."""
    for run in replay.runs:
        steps = replay.steps(run)
        lines = [
            *text.write_run_head(run),
            *text.write_steps(steps),
            *text.write_timeline(replay.timeline(run)),
            *text.write_delegations(replay.delegations(run), write_sequence_diagram(run, replay.events(run.run_id))),
            *text.write_requests(replay.requests(run)),
        ]
        assert not any(sign in line for line in lines for sign in "\x1b\u202e")
        json.dumps([export.export_steps(steps), list(export.export_requests(replay.requests(run)))], default=str)
        replay.hand_overs(run)
        build_playback(run, steps).at(0.5)
    list(text.write_findings(replay.findings()))
    list(text.write_head(replay.session.summary))


@pytest.mark.parametrize(
    "value", [None, 7, "text", "{", [], {}, [None], {"a": [1]}, True, -1e99, HOSTILE, [[["deep"]]], float("nan")]
)
def test_any_field_may_hold_anything(value):
    names = ("messages", "events", "tools", "input", "metrics", "metadata", "member_responses", "content", "created_at")
    messages = [
        {"role": role, name: value}
        for role in ("user", "assistant", "tool")
        for name in ("content", "tool_calls", "id")
    ]
    rows = [
        a_row(f"r{number}", {"messages": messages, name: value}, run_index=number) for number, name in enumerate(names)
    ]
    rows += [
        a_row(f"c{name}", {}, **{name: value})
        for name in ("run_index", "created_at", "status", "parent_run_id", "user_id")
    ]
    look_at_everything(open_rows(rows, session_data=value, created_at=value, user_id=value))


def test_circles_doubles_and_deep_nesting_are_shown():
    rows = [a_row("a", {}, parent_run_id="b"), a_row("b", {}, parent_run_id="a"), a_row("c", {}, parent_run_id="c")]
    rows += [a_row("twice", {"content": "one"}), a_row("twice", {"content": "two"})]
    rows += [a_row(f"d{depth}", {}, parent_run_id=f"d{depth - 1}" if depth else None) for depth in range(300)]
    replay = open_rows(rows)
    look_at_everything(replay)
    shown = {run.run_id for top in replay.runs for run in top.walk()}
    assert shown == {row["run_id"] for row in rows}
    assert "[" * 10_000 not in replay.get_run("twice").answer
    look_at_everything(open_rows([a_row("deep", '{"content": ' + "[" * 100_000 + "]" * 100_000 + "}")]))


def test_ten_thousand_tool_calls_and_fifty_megabytes_are_read_in_seconds():
    calls = [{"id": f"c{n}", "function": {"name": "note", "arguments": '{"n": 1}'}} for n in range(10_000)]
    messages = [{"id": f"a{n}", "role": "assistant", "tool_calls": [call]} for n, call in enumerate(calls)]
    results = [{"id": f"t{n}", "role": "tool", "tool_call_id": f"c{n}", "content": "x" * 5_000} for n in range(10_000)]
    woven = [message for pair in zip(messages, results, strict=True) for message in pair]
    data = json.dumps({"messages": woven, "content": "done"})
    assert len(data) > 50_000_000
    begun = time.monotonic()
    replay = open_rows([a_row("big", data)])
    (run,) = replay.runs
    assert sum(step.tool_name == "note" for step in replay.steps(run)) == 10_000
    replay.timeline(run)
    replay.delegations(run)
    requests = replay.requests(run)
    assert (len(requests), len(requests[-1].messages)) == (10_000, 19_998)
    assert time.monotonic() - begun < 10
