"""The command lines on terminals and in scripts that are not as kind as ours."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lib.roundtable import open_roundtable
from tests.services.app_server import to_environment

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("lib.sessions", "lib.recall", "lib.demo")


@pytest.fixture
def stored(app_environment):
    """A session of one run over which the commands run; gives its id and what stands in the environment."""
    opened = open_roundtable(app_environment)
    handle = opened.engine.start("What is the weather in Paris – and why?", user_id="analyst", team="market-desk")
    handle.wait(30)
    opened.close()
    return handle.session_id, to_environment(app_environment)


def run(module: str, *arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("view", ["steps", "timeline", "context"])
def test_a_terminal_that_lacks_a_sign_is_given_its_number(stored, view):
    session_id, environment = stored
    done = run("lib.replay", session_id, "--view", view, **environment, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u2013" in done.stdout or view == "timeline"


@pytest.mark.parametrize("module", COMMANDS)
def test_bytes_that_are_no_text_are_refused_in_words(stored, module):
    _, environment = stored
    done = run(module, b"\xff\x1b[2J", **environment)
    assert done.returncode == 2
    assert "no UTF-8 text" in done.stderr
    assert "\x1b" not in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("lib.sessions", "list", "--user", ""), ("lib.recall", "--user", "", "list")],
)
def test_a_user_that_a_script_left_empty_is_nobody_and_not_the_local_user(stored, arguments):
    done = run(*arguments, **stored[1])
    assert done.returncode == 2
    assert "names nobody" in done.stderr


@pytest.mark.parametrize("view", ["steps", "context", "raw", "timeline", "delegations", "findings"])
def test_json_is_strict_whatever_a_tool_returned(stored, app_environment, view):
    session_id, environment = stored
    with closing(sqlite3.connect(environment["DATABASE_URL"].removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE agno_runs SET run_data = replace(run_data, '\"Paris\"', 'NaN')")
        connection.execute("UPDATE agno_runs SET run_data = replace(run_data, '\\\"Paris\\\"', '-Infinity')")
    done = run("lib.replay", session_id, "--view", view, "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    json.loads(done.stdout, parse_constant=refuse)
