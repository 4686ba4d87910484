"""The replay page over runs that plain Agno stored: one that waited for a person, one that was tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from agno.exceptions import ModelProviderError
from agno.tools import tool
from sqlalchemy.engine import make_url

from lib.settings import Settings
from tests.pages.test_replay import VIEWS, replay, words
from tests.replay.plain_agno import PlainAgno, ask


@tool(requires_confirmation=True)
def send(text: str) -> str:
    """Send it."""
    return f"sent {text}"


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which plain Agno stored runs r1 (waited), r2 (tried again) and r3 (still waits)."""
    plain = PlainAgno(tmp_path_factory.mktemp("agno") / "agno.db")
    calls = ("I will.", [("send", {"text": "it"})])
    waiting = plain.build_team(
        ("", [ask("m", "send it")]), "It was sent.", members=[plain.build_member(calls, "Sent it.", tools=[send])]
    )
    plain.run(waiting)
    plain.settle(waiting)
    flaky = ModelProviderError("flaky")
    plain.run(plain.build_team(("", [("note", {"text": "1"})]), flaky, "Fine.", tools=[note], retries=1), run_id="r2")
    plain.run(plain.build_team(calls, tools=[send]), run_id="r3")
    plain.close()
    return plain.file


@pytest.fixture
def agno(stored: Path, app_environment: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page reads a copy of that file."""
    monkeypatch.setenv("LOCAL_USER", "ann")
    st.cache_resource.clear()
    with sqlite3.connect(stored) as source, sqlite3.connect(file_of(app_environment)) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    yield
    st.cache_resource.clear()


def file_of(settings: Settings) -> str:
    return make_url(settings.database_url.get_secret_value()).database or ""


def test_steps_say_that_a_run_waited_for_what_and_that_it_went_on(agno):
    text = words(replay("s1", run="r1", view="steps"))
    assert "paused" in text
    assert "Waited for a decision on send." in text
    assert "Waited for a decision on send, asked for by M." in text
    assert "continued" in text
    assert "Waits for a decision on send." in words(replay("s1", run="r3", view="steps"))


def test_steps_say_that_a_run_was_tried_again(agno):
    page = replay("s1", run="r2", view="steps")
    assert "tried again" in words(page)
    requests = [element.value for element in page.markdown if "model request" in element.value]
    assert ["failed" in request for request in requests] == [False, True, False]
    assert sum(button.label == "Context" for button in page.button) == 1


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("run_id", ["r1", "r2", "r3"])
def test_every_view_of_such_a_run_opens(agno, run_id, view):
    page = replay("s1", run=run_id, view=view)
    assert not page.error


def test_nothing_is_found_amiss_in_them(agno):
    assert any("Findings (0)" in tab.label for tab in replay("s1", run="r3", view="findings").tabs)
