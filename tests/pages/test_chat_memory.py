"""Will it remember? The line over the composer, the mark where the window begins, and what each message says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lib.roundtable import Roundtable
from lib.ui.resources import shared_roundtable

ROOT = Path(__file__).parents[2]
MARK = "the next question remembers from here"


@pytest.fixture
def chat(app_environment) -> Iterator[AppTest]:
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    shared().close()
    st.cache_resource.clear()


def shared() -> Roundtable:
    return shared_roundtable()


def ask(chat: AppTest, *questions: str) -> None:
    for question in questions:
        chat.chat_input(key="chat_input").set_value(question).run()
        for handle in shared().engine.live(user_id="analyst"):
            handle.wait(30)
        chat.run()


def line(chat: AppTest) -> str:
    found = [each.value for each in chat.caption if each.value.startswith("The next question carries")]
    return found[0] if found else ""


def below_mark(chat: AppTest) -> int:
    """Return how many questions stand below the mark."""
    blocks = list(chat.main.children.values())
    assert sum(MARK in _texts(block) for block in blocks) == 1
    at = next(place for place, block in enumerate(blocks) if MARK in _texts(block))
    return sum(
        any(name in _texts(block) for name in ("Hello one", "Hello two", "Hello three")) for block in blocks[at + 1 :]
    )


def _texts(block: object) -> str:
    children = getattr(block, "children", None)
    own = getattr(block, "value", None)
    return "\n".join(([own] if isinstance(own, str) else []) + [_texts(each) for each in (children or {}).values()])


def test_the_line_and_the_mark_follow_the_window(chat):
    chat.run()
    assert line(chat) == ""
    ask(chat, "Hello one", "Hello two", "Hello three")
    assert line(chat).startswith("The next question carries 3 runs, 6 messages, about ")
    assert below_mark(chat) == 3
    chat.selectbox(key="history_window").set_value(1).run()
    assert line(chat).startswith("The next question carries 1 run, 2 messages, about ")
    assert below_mark(chat) == 1
    chat.selectbox(key="history_window").set_value(0).run()
    assert line(chat) == "The next question carries no history: its window holds no runs."
    assert any(each.value == "the next question remembers nothing of the above" for each in chat.caption)


def test_the_line_tells_what_the_next_question_is_given(chat):
    chat.run()
    ask(
        chat,
        "Remember: the secret word is bird",
        "What is the weather in Paris and the price of ACME?",
        "[fail model] Hello",
    )
    said = line(chat)
    ask(chat, "What is the secret word?")
    session_id = chat.query_params["session"]
    run = (
        shared()
        .store.list_runs(session_id[0] if isinstance(session_id, list) else session_id, user_id="analyst")
        .items[-1]
    )
    given = [message for message in run.messages if message.from_history]
    assert f"carries 2 runs, {len(given)} messages" in said
    assert "bird" in run.answer


def test_a_window_that_reaches_above_what_is_shown_is_counted_whole(chat):
    chat.run()
    ask(chat, "Hello one", "Hello two", "Hello three")
    session_id = chat.query_params["session"]
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    other.query_params["session"] = session_id[0] if isinstance(session_id, list) else session_id
    other.run()
    other.session_state["roundtable_tab"].runs_shown = 1
    other.selectbox(key="history_window").set_value(20).run()
    assert not any("Hello two" in each.value for each in other.markdown)
    assert line(other).startswith("The next question carries 3 runs, 6 messages")
