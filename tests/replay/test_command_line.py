"""python -m lib.replay: what it prints, for people and for programs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.replay.__main__ import VIEWS, main
from tests.replay.recorded_teams import SESSION, RecordedTeam


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedTeam]:
    with tempfile.TemporaryDirectory() as folder:
        opened = RecordedTeam(Path(folder), store_history_messages=True)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{opened.file}")
        yield opened
        opened.close()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    assert main([SESSION, *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_json_has_the_promised_shapes(team, capsys):
    first, second = team.ask("hello"), team.ask("ask weather aloud")
    context = printed(capsys, "--view", "context", "--user", "ann")
    leader = [item for item in context if item["run_id"] == second]
    assert [(item["team_id"], item["request"], item["source"]) for item in leader] == [
        ("desk", 1, "stored"),
        ("desk", 2, "stored"),
    ]
    assert set(leader[0]) == {"run_id", "team_id", "request", "source", "messages", "absent"}
    assert set(leader[0]["messages"][0]) == {"message_id", "role", "content", "from_history", "origin_run_id"}
    assert [m["origin_run_id"] for m in leader[0]["messages"] if m["from_history"]] == [first, first]
    assert {absent["reason"] for absent in leader[0]["absent"]} == {"member_message"}
    assert [item["agent_id"] for item in context if "agent_id" in item] == ["weather", "weather"]
    steps = printed(capsys, "--view", "steps", "--run", second)
    assert [step["kind"] for step in steps] == [
        *("question", "model_request", "text", "delegation"),
        *("question", "model_request", "tool_call", "model_request", "text"),
        *("model_request", "text"),
    ]
    promised = {"kind", "run_id", "parent_run_id", "agent_id", "started_at", "ended_at", "depth"}
    assert all(promised <= set(step) for step in steps)
    assert {step["depth"] for step in steps} == {0, 1}
    assert printed(capsys, "--view", "findings") == []
    assert {row["run_id"] for row in printed(capsys, "--view", "raw")["runs"]} >= {first, second}


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_that_was_stored_reaches_the_terminal_as_a_command(team, capsys, view):
    team.ask("\x1b]0;owned\x07 ask weather \x9b2J aloud")
    assert main([SESSION, "--view", view]) == 0
    output = capsys.readouterr().out
    assert output
    assert not {"\x1b", "\x07", "\x9b"} & set(output)


def test_another_users_session_is_not_found(team, capsys):
    team.ask("hello")
    assert main([SESSION, "--user", "Ann"]) == 1
    assert "hello" not in capsys.readouterr().out
    assert main(["no-such-session"]) == 1
    assert main([SESSION, "--run", "no-such-run"]) == 1


def test_reading_writes_nothing(team):
    team.ask("hello")
    team.close()
    before = team.file.read_bytes()
    assert main([SESSION]) == 0
    assert team.file.read_bytes() == before
    assert [file.name for file in team.file.parent.iterdir() if "roundtable" in file.name] == []
