"""The proof on the command line: real processes, both databases, and an exit status that tells the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.demo import main
from tests.services.app_server import to_environment

HOME = Path(__file__).resolve().parent.parent


@pytest.fixture
def here(settings, monkeypatch, capsys):
    """Run one step in this process, over SQLite; returns its exit status and what it printed."""

    def run(*arguments, **environment):
        for name, value in {**to_environment(settings), **environment}.items():
            monkeypatch.setenv(name, value)
        return main(arguments), capsys.readouterr()

    return run


def claims(printed, begin):
    return [line.strip().removeprefix(begin).strip() for line in printed.splitlines() if line.strip().startswith(begin)]


@pytest.mark.slow
def test_one_command_proves_recall_over_both_databases_each_step_in_a_process_of_its_own(settings, tmp_path):
    environment = {**os.environ, **to_environment(settings), "PYTHONPATH": str(HOME)}
    del environment["DATABASE_URL"]
    ended = subprocess.run(
        [sys.executable, "-m", "lib.demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.rstrip().endswith("Everything held.")
    sqlite, mariadb = ended.stdout.split(" · mysql://", maxsplit=1)
    for printed in (sqlite, mariadb):
        assert claims(printed, "NOT HELD") == []
        assert claims(printed, "held") == [
            "the question and the answer are stored",
            "the answer holds 'bird'",
            "a session that was never told does not know it",
            "the leader asked 'weather', whose tools answered",
            "the leader asked 'finance', whose tools answered",
            "it delegates zero times (it delegated 0 times)",
            "the answer is the one before",
            "the session has runs with questions and answers",
            "each of 2 delegations has its member's messages, tool messages too",
            "the events are stored",
        ]
        for shown in ("Chat history of session", "Full messages", "Events by kind", "get_weather({", "get_price({"):
            assert shown in printed
        counted = {line.split()[1]: int(line.split()[0]) for line in printed.splitlines() if _is_count(line)}
        assert counted["TeamRunStarted"] == 4
        assert counted["TeamToolCallStarted"] == counted["RunStarted"] == counted["ToolCallStarted"] == 2
    processes = [line.split("process ")[1].split()[0] for line in ended.stdout.splitlines() if " · process " in line]
    assert len(set(processes)) == 10


def test_without_history_the_secret_is_not_recalled_and_the_exit_status_says_so(here):
    assert here("set")[0] == 0
    status, printed = here("recall", NUM_HISTORY_RUNS="0")
    assert status == 1
    assert claims(printed.out, "NOT HELD") == ["the answer holds 'bird'"]
    again, printed = here("recall")
    assert again == 0, printed.out + printed.err


def test_a_repeat_with_nothing_to_repeat_does_not_hold(here):
    status, printed = here("repeat")
    assert status == 1
    assert "the answer is the one before" in claims(printed.out, "NOT HELD")


def test_a_session_of_its_own_can_be_named(here):
    assert here("set", "--session", "one")[0] == 0
    assert here("recall", "--session", "two")[0] == 1


def test_a_database_that_cannot_be_reached_is_said_in_one_line(here):
    status, printed = here("set", DATABASE_URL="mysql+mysqlconnector://nobody:hunter2@127.0.0.1:9/none")
    assert status == 2
    assert len(printed.err.strip().splitlines()) == 1
    assert "127.0.0.1:9" in printed.err
    assert "hunter2" not in printed.out + printed.err


def _is_count(line):
    words = line.split()
    return len(words) == 2 and words[0].isdigit() and words[1].isalpha()
