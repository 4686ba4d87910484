"""Sessions whose rows hold what no program should have written: the pages show the rest, and other sessions are untouched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lib.roundtable import Roundtable

ROOT = Path(__file__).parents[2]
VIEWS = ("conversation", "steps", "timeline", "delegation", "context", "raw", "findings")
HALF = r"half \ud83d emoji"  # as other apps store an emoji that a stream cut in two
QUESTION = "What is the weather in Paris?"


@pytest.fixture
def session_id(roundtable: Roundtable) -> str:
    """A session of two runs, each with a delegation and a tool call."""
    first = roundtable.engine.start(QUESTION, user_id="analyst", team="market-desk")
    first.wait(30)
    roundtable.engine.start(QUESTION, user_id="analyst", session_id=first.session_id, team="market-desk").wait(30)
    return first.session_id


def write(roundtable: Roundtable, statement: str, *values: Any) -> None:
    """Write into Agno's tables as another program may."""
    with closing(sqlite3.connect(roundtable.database.connector.database, timeout=10)) as connection, connection:
        connection.execute(statement, values)


def look_at_everything(session_id: str) -> None:
    """Open every page of the session, and every view of it."""
    pages: list[tuple[str, dict[str, str]]] = [("pages/chat.py", {}), ("pages/sessions.py", {})]
    pages += [("pages/replay.py", {"view": view}) for view in VIEWS]
    for name, address in pages:
        page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        page.switch_page(name)
        page.query_params["session"] = session_id
        for part, value in address.items():
            page.query_params[part] = value
        page.run()
        assert not page.exception, f"{name} {address}: {page.exception[0].value}"
        assert [error.value for error in page.error] == [], f"{name} {address}"
        assert [button for button in page.button if button.key == f"session_{session_id}"], f"{name} {address}"


@pytest.mark.parametrize("words", ["weather", "Paris", "market-desk", "Weather", "get_weather", "sample data"])
def test_half_a_character_anywhere_is_shown_as_one_that_cannot_be_read(roundtable, session_id, words):
    for table, column in (("agno_runs", "run_data"), ("agno_sessions", "session_data")):
        write(roundtable, f"UPDATE {table} SET {column} = replace({column}, ?, ?)", words, HALF)
    write(
        roundtable,
        "UPDATE agno_sessions SET session_data = json_set(session_data, '$.session_name', json(?))",
        f'"{HALF}"',
    )
    look_at_everything(session_id)


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table in ("agno_runs", "agno_sessions") for column in ("created_at", "updated_at")]
    + [("agno_runs", "run_index")],
)
def test_words_where_a_number_should_stand_hide_nothing(roundtable, session_id, table, column):
    write(roundtable, f"UPDATE {table} SET {column} = 'yesterday' WHERE rowid = (SELECT min(rowid) FROM {table})")
    look_at_everything(session_id)


def test_bytes_that_are_no_text_hide_no_other_row(roundtable, session_id):
    write(
        roundtable,
        "UPDATE agno_runs SET run_data = CAST(x'7b22ff22' AS TEXT) WHERE rowid = (SELECT min(rowid) FROM agno_runs)",
    )
    look_at_everything(session_id)


def test_what_is_missing_of_a_row_that_was_cut_off_is_said(roundtable, session_id):
    older = '[{"run_id": "first", "team_id": "market-desk"}, {"run_id": "first"}, 7, {"run_id": "second", "con'
    write(roundtable, "ALTER TABLE agno_sessions ADD COLUMN runs JSON")
    write(roundtable, "UPDATE agno_sessions SET runs = ?", older)
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    page.switch_page("pages/replay.py")
    page.query_params["session"] = session_id
    page.run()
    said = " ".join(caption.value for caption in page.caption)
    assert not page.exception
    assert "the rest is missing" in said and "1 of 4 runs have no id" in said and "more than once" in said
