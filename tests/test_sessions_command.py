"""python -m lib.sessions: the store for operators and scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lib.sessions.__main__ import ROW, main
from lib.storage import open_database
from tests.services.app_server import to_environment
from tests.storage.workers import finished_run, stage, store_runs

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def command(database_settings, monkeypatch, capsys):
    """Run a command and return (exit status, what it printed, what it complained of)."""
    for name, value in to_environment(database_settings).items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def two_sessions(database_settings):
    database = open_database(database_settings)
    run_ids = store_runs(database, "first", 2, user_id="ann")
    store_runs(database, "second", 1, user_id="ann")
    store_runs(database, "bobs", 1, user_id="bob")
    database.close()
    return run_ids


def test_a_list_row_holds_what_the_handbook_says_and_pages_follow_by_cursor(command, two_sessions):
    status, out, _ = command("list", "--user", "ann", "--json", "--limit", 1)
    page = json.loads(out)
    (row,) = page["sessions"]
    assert status == 0 and list(row) == list(ROW)
    assert (row["kind"], row["component_id"], row["user_id"], row["last_status"]) == (
        "team",
        "market-desk",
        "ann",
        "completed",
    )
    following = json.loads(command("list", "--user", "ann", "--json", "--limit", 1, "--cursor", page["next_cursor"])[1])
    assert {row["session_id"], following["sessions"][0]["session_id"]} == {"first", "second"}
    assert following["next_cursor"] is None


@pytest.mark.parametrize(
    ("sort", "first"), [("runs", "first"), ("title", "second"), ("created", None), ("failed", None), ("duration", None)]
)
def test_a_list_is_sorted_over_all_pages_and_turned_round(command, two_sessions, sort, first):
    assert command("rename", "second", "A first title", "--user", "ann")[0] == 0
    assert command("rename", "first", "Zuletzt", "--user", "ann")[0] == 0
    for way in ((), ("--reverse",)):
        given = ("list", "--user", "ann", "--json", "--limit", 1, "--sort", sort, *way)
        page = json.loads(command(*given)[1])
        following = json.loads(command(*given, "--cursor", page["next_cursor"])[1])
        found = [row["session_id"] for row in (*page["sessions"], *following["sessions"])]
        assert sorted(found) == ["first", "second"]
        assert first is None or (found[0] == first) is not bool(way)  # None: alike, as far as seconds tell
    cursor = json.loads(command("list", "--user", "ann", "--json", "--limit", 1, "--sort", sort)[1])["next_cursor"]
    status, _, told = command("list", "--user", "ann", "--cursor", cursor)
    assert status == 2 and "another order" in told


def test_a_session_is_renamed_tagged_forked_and_deleted_by_command(command, two_sessions):
    assert command("rename", "first", "Paris trip", "--user", "ann")[0] == 0
    assert command("tag", "first", "a", "b", "--collection", "Client", "--user", "ann")[0] == 0
    row = json.loads(command("tag", "first", "--remove", "b", "--user", "ann", "--json")[1])
    assert (row["title"], row["tags"], row["collection"]) == ("Paris trip", ["a"], "Client")
    fork = json.loads(command("fork", "first", "--run", two_sessions[0], "--user", "ann", "--json")[1])
    assert (fork["title"], fork["runs"], fork["forked_from_session_id"]) == ("Paris trip (fork)", 1, "first")
    shown = json.loads(command("show", "first", "--user", "ann", "--json")[1])
    assert [run["question"] for run in shown["recent_runs"]] == ["a question", "a question"]
    assert shown["forks"][0]["session_id"] == fork["session_id"]
    assert json.loads(command("list", "--tag", "a", "--text", "par", "--user", "ann", "--json")[1])["sessions"]
    deleted = json.loads(command("delete", "first", fork["session_id"], "--user", "ann", "--json", "--yes")[1])
    assert deleted["deleted"] == {"sessions": 2, "runs": 3}
    left = json.loads(command("list", "--user", "ann", "--json")[1])["sessions"]
    assert [row["session_id"] for row in left] == ["second"]


def test_a_command_that_is_refused_has_changed_nothing(command, two_sessions):
    status, _, told = command("tag", "first", "new", "--collection", "two\nlines", "--user", "ann")
    assert status == 2 and "Nothing was written" in told
    assert json.loads(command("show", "first", "--user", "ann", "--json")[1])["tags"] == []


def test_words_are_found_in_questions_and_answers_without_the_app_running(command, two_sessions):
    hits = json.loads(command("search", "sunny", "--user", "ann", "--json")[1])["hits"]
    assert {hit["session_id"] for hit in hits} == {"first", "second"}
    assert (
        "[question]" in command("search", "quest", "--user", "ann")[1]
        or "[quest]ion" in command("search", "quest", "--user", "ann")[1]
    )


def test_a_search_keeps_to_the_filters_of_a_list(command, database):
    for session_id, name in (("a", "uni"), ("b", "work")):
        run_id = stage(database, session_id, user_id="ann", question="Does a giraffe swim?")
        run = finished_run(session_id, run_id=run_id, user_id="ann", question="Does a giraffe swim?")
        database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
        database.queue.leave(run_id)
        database.sessions.set_collection(session_id, name, user_id="ann")

    def found(*arguments):
        status, out, _ = command("search", "giraffe", "--user", "ann", "--json", *arguments)
        assert status == 0
        return {hit["session_id"] for hit in json.loads(out)["hits"]}

    assert found() == {"a", "b"}
    assert found("--collection", "uni") == {"a"}
    assert found("--collection", "uni", "--state", "failed") == set()


@pytest.mark.parametrize("name", ["list", "search"])
@pytest.mark.parametrize("limit", ["0", "-1", "501"])
def test_a_page_of_no_possible_size_is_refused(command, name, limit):
    words = ("giraffe",) if name == "search" else ()
    status, out, err = command(name, *words, "--limit", limit, "--user", "ann")
    assert (status, out) == (2, "") and "A page holds 1 to 500 rows" in err


@pytest.mark.parametrize(
    "arguments",
    [("show", "bobs"), ("rename", "bobs", "x"), ("tag", "bobs", "x"), ("fork", "bobs"), ("delete", "bobs", "--yes"),
     ("show", "none such"), ("list", "--everybody")],
)  # fmt: skip
def test_what_is_not_theirs_is_refused_in_one_line_with_an_exit_status(command, two_sessions, arguments):
    status, out, err = command(*arguments, "--user", "ann")
    assert status == 1 and out == ""
    assert len(err.strip().splitlines()) == 1


def test_wrong_arguments_and_a_missing_database_are_told_without_a_traceback(database_settings, tmp_path):
    environment = to_environment(database_settings) | {"PATH": "/usr/bin:/bin"}
    away = environment | {"DATABASE_URL": "mysql+mysqlconnector://nobody@127.0.0.1:1/none"}
    for given, arguments, status in (
        (environment, ["list", "--limit", "0"], 2),
        (environment, ["list", "--cursor", "nonsense"], 2),
        (environment, ["frobnicate"], 2),
        (away, ["list"], 1),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lib.sessions", *arguments],
            cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr and done.stderr.strip()
