"""python -m lib.replay: what it prints, for people and for programs."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from lib.replay.__main__ import VIEWS, main
from lib.storage.session_overview import SessionOverview, SessionOverviews
from lib.storage.stored_sessions import StoredSession
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
    # What the member said was said later than the request that asked it.
    assert [{absent["reason"] for absent in item["absent"]} for item in leader] == [{"later"}, {"member_message"}]
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


def test_a_view_of_one_run_reads_its_body_alone_and_a_whole_session_few_at_a_time(team, capsys, monkeypatch):
    runs = [team.ask(question) for question in ("hello", "ask weather", "tool 1", "say more", "say less")]
    read: list[int] = []
    get_runs = SessionOverviews.get_runs

    def counted(self: SessionOverviews, overview: SessionOverview, run_ids: Any = None) -> StoredSession:
        session = get_runs(self, overview, run_ids)
        read.append(len(session.run_rows))
        return session

    monkeypatch.setattr(SessionOverviews, "get_runs", counted)
    monkeypatch.setattr("lib.replay.__main__.AT_ONCE", 2)
    for view in ("steps", "timeline", "delegations", "raw"):
        assert main([SESSION, "--run", runs[1], "--view", view]) == 0
        assert read == [2], "the leader's run and the member's"
        read.clear()
        assert main([SESSION, "--view", view, "--json"]) == 0
        assert read == [3, 2, 1]
        read.clear()
    capsys.readouterr()
    assert [step["run_id"] for step in printed(capsys) if step["kind"] == "question" and step["depth"] == 0] == runs
    member = next(step for step in printed(capsys, "--run", runs[1]) if step["depth"] == 1)
    assert {step["run_id"] for step in printed(capsys, "--run", member["run_id"])} == {member["run_id"]}


def test_findings_of_one_run_are_those_of_the_session_that_are_of_it(team, capsys):
    stopped = team.ask("remember the blue door", stop=True)
    asked = team.ask("ask weather")
    with team.db.db_engine.begin() as connection:
        connection.execute(text("UPDATE agno_runs SET user_id = 'eve' WHERE run_id = :run_id"), {"run_id": asked})
        connection.execute(
            text("""UPDATE agno_runs SET run_data = json_set(run_data, '$.session_state', json('{"a": 1}'))""")
        )
    found = printed(capsys, "--view", "findings")
    assert sorted((item["kind"], item["run_id"]) for item in found) == [
        ("foreign_user", asked),
        ("forgotten_question", stopped),
        ("overwritten_title", asked),
    ]
    assert all(set(item) == {"kind", "run_id", "evidence"} for item in found)
    for run_id in (stopped, asked):
        own = printed(capsys, "--view", "findings", "--run", run_id)
        assert own == [item for item in found if item["run_id"] == run_id]


def test_findings_say_of_which_runs_not_all_could_be_read(team, capsys):
    team.ask("hello")
    half = team.ask("ask weather")
    with team.db.db_engine.begin() as connection:
        cut = "UPDATE agno_runs SET run_data = substr(run_data, 1, length(run_data) / 2) WHERE run_id = :run_id"
        connection.execute(text(cut), {"run_id": half})
    capsys.readouterr()
    assert main([SESSION, "--view", "findings"]) == 0
    told = capsys.readouterr().out
    assert f"note on run {half}: The stored JSON is damaged after" in told


def test_a_whole_sessions_context_lists_so_many_later_messages_and_says_how_many_more(team, capsys, monkeypatch):
    runs = [team.ask(question) for question in ("hello", "tool 2", "say more")]
    whole = printed(capsys, "--view", "context")
    monkeypatch.setattr("lib.replay.__main__.LATER", 3)
    bounded = printed(capsys, "--view", "context")
    later = [[item for item in request["absent"] if item["reason"] == "later"] for request in whole]
    assert [len(items) for items in later] == [7, 2, 2, 0]
    assert [request.get("later_left_out") for request in bounded] == [4, None, None, None]
    assert [item for item in bounded[0]["absent"] if item["reason"] == "later"] == later[0][:3]
    assert bounded[1:] == whole[1:]
    assert printed(capsys, "--view", "context", "--run", runs[0]) == whole[:1]


def test_every_step_has_its_words_or_its_tool_call(team, capsys):
    team.ask("ask weather finance aloud")
    team.ask("stop here", stop=True)
    team.ask("please fail")
    for step in printed(capsys):
        assert isinstance(step.get("text", ""), str)
        assert "text" in step or {"tool_name", "arguments", "result"} <= set(step), step["kind"]


BAD = {
    "no such session": ["no-such-session"],
    "another user's": [SESSION, "--user", "Ann"],
    "nobody's": [SESSION, "--user", ""],
    "no such run": [SESSION, "--run", "no-such-run"],
    "an empty run": [SESSION, "--run", ""],
    "an empty id": [""],
    "a long id": ["x" * 5000],
    "a control character": ["s1\x1b[2J\n\x00"],
    "half a character": ["\ud800"],
}


@pytest.mark.parametrize("view", ["steps", "findings"])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize("name", BAD)
def test_what_is_not_there_is_told_in_one_line_with_an_exit_status(team, capsys, name, view, as_json):
    team.ask("hello")
    assert main([*BAD[name], "--view", view, *as_json]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert not {"\x1b", "\x00"} & set(output.err)


def test_a_run_of_another_session_is_not_found_in_this_one(team, capsys):
    team.ask("hello")
    run_id = team.team.run("hello", session_id="s2", user_id="ann").run_id
    assert main(["s2", "--run", run_id]) == 0
    assert main([SESSION, "--run", run_id]) == 1
    assert run_id in capsys.readouterr().err


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:////no/such/folder/agno.db",
        "sqlite:///{folder}",
        "sqlite:///{folder}/empty.db",
        "sqlite:///{folder}/text.db",
        "mysql+mysqlconnector://user:secret@127.0.0.1:1/none",
        "postgresql://somewhere",
    ],
)
def test_a_database_that_cannot_be_read_is_told_in_one_line_without_its_password(
    address, tmp_path, monkeypatch, capsys
):
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("this is no database, " * 200)
    monkeypatch.setenv("DATABASE_URL", address.format(folder=tmp_path))
    assert main([SESSION]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert "secret" not in output.err


def test_a_reader_that_goes_away_is_no_failure(team):
    team.ask("hello")
    team.ask("tool 3")
    command = (
        f"{shlex.quote(sys.executable)} -m lib.replay {SESSION} --view raw --json | head -c 10; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        env={**os.environ},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_wrong_arguments_have_an_exit_status_of_their_own(capsys):
    with pytest.raises(SystemExit) as ended:
        main([SESSION, "--view", "sideways"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "later_left_out" in told
    assert "Exit status" in told


def test_what_is_not_found_of_anybody_is_not_said_to_be_missing_among_yours(team, capsys):
    team.ask("hello")
    assert main(["no-such-session"]) == 1
    assert capsys.readouterr().err == "There is no session 'no-such-session'. It may have been deleted.\n"
    assert main([SESSION, "--run", "no-such-run", "--user", "ann"]) == 1
    assert capsys.readouterr().err == "There is no run 'no-such-run' among yours. It may have been deleted.\n"
