"""The chat page, driven by AppTest over the real engine, storage and offline model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lib.records import RunStatus, SavedState
from lib.roundtable import Roundtable

ROOT = Path(__file__).parents[2]
BOTH = "What is the weather in Paris and the price of ACME?"


@pytest.fixture
def chat(app_environment) -> Iterator[AppTest]:
    """The app's entry point, before its first run; what a process shares is made anew for each test."""
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    if (opened := _opened()) is not None:
        opened.close()
    st.cache_resource.clear()


def _opened() -> Roundtable | None:
    from lib.errors import RoundtableError
    from lib.ui.resources import shared_roundtable

    try:
        return shared_roundtable()
    except RoundtableError:
        return None


def shared() -> Roundtable:
    from lib.ui.resources import shared_roundtable

    return shared_roundtable()


def session_of(chat: AppTest) -> str:
    """Return the session in the tab's address."""
    value = chat.query_params["session"]
    return value if isinstance(value, str) else value[0]


def ask(chat: AppTest, question: str) -> None:
    chat.chat_input(key="chat_input").set_value(question).run()
    wait(chat)


def wait(chat: AppTest) -> None:
    """Wait for every run to end, then draw the page as a browser's next poll does."""
    for handle in shared().engine.live(user_id="analyst"):
        handle.wait(30)
    chat.run()


def words(chat: AppTest) -> str:
    return "\n".join(element.value for element in [*chat.markdown, *chat.caption])


def boxes(chat: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in chat.error]


def test_an_empty_chat_says_what_can_be_asked_and_each_example_is_one_click(chat):
    chat.run()
    assert chat.header[0].value == "Market desk"
    examples = [button for button in chat.button if button.key.startswith("example_question_")]
    assert len(examples) == 3
    examples[0].click().run()
    wait(chat)
    assert "Acme" in words(chat)
    assert not chat.header


def test_a_question_is_answered_with_two_cards_and_is_there_in_another_tab(chat):
    chat.run()
    ask(chat, BOTH)
    assert [card.label.split("**")[1] for card in chat.expander] == ["Weather", "Finance"]
    session_id = session_of(chat)
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    other.query_params["session"] = session_id
    other.run()
    assert words(other) == words(chat)


def test_the_question_a_tab_asks_goes_into_its_session_and_new_session_leaves_it(chat):
    chat.run()
    ask(chat, "Remember: the secret word is bird")
    first = session_of(chat)
    ask(chat, "What is the secret word?")
    assert session_of(chat) == first
    assert "bird" in shared().store.list_runs(first, user_id="analyst").items[1].answer
    chat.button(key="new_session").click().run()
    assert "session" not in chat.query_params
    ask(chat, "What is the secret word?")
    assert session_of(chat) != first
    assert "bird" not in words(chat)


def test_a_session_of_the_sidebar_opens_with_one_click(chat):
    chat.run()
    ask(chat, "Remember: the secret word is bird")
    session_id = session_of(chat)
    chat.button(key="new_session").click().run()
    chat.button(key=f"session_{session_id}").click().run()
    assert session_of(chat) == session_id
    assert "bird" in words(chat)


def test_the_chosen_window_is_the_one_the_question_carries(chat):
    chat.run()
    chat.selectbox(key="history_window").set_value(1).run()
    ask(chat, "Remember: the secret word is bird")
    session_id = session_of(chat)
    assert shared().store.list_runs(session_id, user_id="analyst").items[0].settings["window"] == 1
    assert chat.selectbox(key="history_window").value == 1


def test_another_team_is_another_session(chat):
    chat.run()
    ask(chat, "Remember: the secret word is bird")
    other = next(entry for entry in shared().catalogue.entries if entry.name != "market-desk")
    chat.selectbox(key="team_choice").set_value(other.name).run()
    assert "session" not in chat.query_params
    assert chat.header[0].value == other.title
    ask(chat, "Remember: the secret word is fish")
    session = shared().store.get_session(session_of(chat), user_id="analyst")
    assert session.component_id == other.name


@pytest.mark.parametrize("kind", ["another user's", "guessed", "malformed"])
def test_a_session_that_is_not_yours_is_one_clear_box_and_the_same_one_each_time(chat, kind):
    chat.run()
    run = shared().engine.start("my own secret", user_id="bob", team="market-desk")
    run.wait(30)
    session_id = {"another user's": run.session_id, "guessed": "0b0d", "malformed": "'; DROP TABLE x; -- %00"}[kind]
    fresh = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    fresh.query_params["session"] = session_id
    fresh.run()
    assert boxes(fresh) == [f"There is no session {session_id!r} among yours. It may have been deleted."]
    assert "my own secret" not in words(fresh)
    assert not fresh.chat_input
    fresh.button(key="new_session_instead").click().run()
    assert fresh.header[0].value == "Market desk"
    assert not fresh.error


def test_a_failed_run_says_why_and_can_be_asked_again(chat):
    chat.run()
    ask(chat, "[fail model] tell me")
    assert words(chat).count("The model failed: ") == 1
    session_id = session_of(chat)
    again = next(button for button in chat.button if button.key.startswith("ask_again_"))
    again.click().run()
    wait(chat)
    assert shared().store.get_session(session_id, user_id="analyst").runs == 2


def test_stop_ends_the_run_and_keeps_what_was_said(chat, monkeypatch):
    chat.run()
    chat.chat_input(key="chat_input").set_value("[slow 30s] tell me").run()
    chat.run()
    chat.button(key="stop_run").click().run()
    wait(chat)
    assert "Stopped by you. This question is not part of what the team remembers." in words(chat)
    assert all(button.key != "stop_run" for button in chat.button)


def test_a_run_of_another_process_is_seen_and_can_be_stopped_from_here(chat, app_environment):
    from lib.roundtable import open_roundtable

    chat.run()
    other = open_roundtable(app_environment)
    try:
        handle = other.engine.start("[slow 60s] tell me", user_id="analyst", team="market-desk")
        chat.query_params["session"] = handle.session_id
        chat.run()
        assert "started from another process" in words(chat)
        chat.button(key="stop_run").click().run()
        assert handle.wait(20).status is RunStatus.STOPPED
    finally:
        other.close()


def test_a_second_question_waits_visibly(chat):
    chat.run()
    chat.chat_input(key="chat_input").set_value("[slow 20s] first").run()
    chat.chat_input(key="chat_input").set_value("second").run()
    assert "Waiting for the question before it." in words(chat)
    chat.button(key="stop_run").click().run()
    wait(chat)
    runs = shared().store.list_runs(session_of(chat), user_id="analyst").items
    assert [run.question for run in runs] == ["[slow 20s] first", "second"]


def test_a_database_that_cannot_be_reached_is_said_with_what_to_do_and_no_password(app_environment, chat, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "mysql+mysqlconnector://ann:s3cret@127.0.0.1:1/roundtable")
    chat.run()
    assert len(chat.error) == 1
    assert "127.0.0.1:1" in boxes(chat)[0]
    assert "s3cret" not in str(chat.main) + str(chat.sidebar)
    assert "the database cannot be reached" in words(chat)
    monkeypatch.setenv("DATABASE_URL", app_environment.database_url.get_secret_value())
    st.cache_resource.clear()
    chat.button(key="try_again").click().run()
    assert not chat.error


def test_a_wrong_setting_names_the_setting(chat, monkeypatch):
    monkeypatch.setenv("NUM_HISTORY_RUNS", "many")
    chat.run()
    assert "NUM_HISTORY_RUNS" in boxes(chat)[0]


def test_a_model_without_its_key_is_said_before_the_first_question(chat, monkeypatch):
    monkeypatch.setenv("CHAT_MODEL", "openai-chat:gpt-x")
    chat.run()
    assert any("OPENAI_API_KEY" in text for text in boxes(chat))
    assert chat.chat_input(key="chat_input").disabled


def test_a_team_with_a_model_of_its_own_can_be_asked_whatever_chat_model_is(chat, monkeypatch):
    monkeypatch.setenv("CHAT_MODEL", "openai-chat:gpt-x")
    monkeypatch.setenv("CHAT_TEAMS", "tests.runs.scripted:build_own_team")
    chat.run()
    assert boxes(chat)
    chat.selectbox(key="team_choice").set_value("desk").run()
    assert not chat.error
    ask(chat, "The question?")
    assert not boxes(chat)
    assert "An answer." in words(chat)


def test_a_team_that_cannot_be_imported_is_named_and_the_rest_works(chat, monkeypatch):
    monkeypatch.setenv("CHAT_TEAMS", "no_such_package.teams:desk")
    chat.run()
    assert "no_such_package" in chat.warning[0].value.replace("\\", "")
    ask(chat, BOTH)
    assert len(chat.expander) == 2


def test_while_the_database_is_away_the_page_says_so_keeps_the_question_and_goes_on_afterwards(
    app_environment, chat, mariadb, monkeypatch
):
    mariadb.start()
    monkeypatch.setenv("DATABASE_URL", mariadb.url(mariadb.create_database()))
    chat.run()
    ask(chat, "Remember: the secret word is bird")
    mariadb.stop()
    chat.chat_input(key="chat_input").set_value("What is the secret word?").run(timeout=60)
    assert boxes(chat)
    assert "cannot be reached" in words(chat)
    assert chat.chat_input(key="chat_input").proto.value == "What is the secret word?"
    mariadb.start()
    ask(chat, "What is the secret word?")
    assert not chat.error
    assert "bird" in chat.chat_message[-1].markdown[0].value


def test_a_defect_is_a_calm_sentence_and_the_traceback_is_only_in_the_log(chat, monkeypatch, caplog):
    chat.run()
    monkeypatch.setattr(type(shared().store), "list_runs", lambda *args, **kwargs: 1 / 0)
    ask_in = shared().engine.start("hello", user_id="analyst", team="market-desk")
    ask_in.wait(30)
    chat.query_params["session"] = ask_in.session_id
    chat.run()
    assert len(boxes(chat)) == 1
    assert "ZeroDivisionError" not in str(chat.main)
    reference = boxes(chat)[0].split("look for ")[1].split()[0]
    assert reference in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_the_last_thirty_runs_are_drawn_and_earlier_ones_on_demand(chat):
    chat.run()
    handle = shared().engine.start("question 0", user_id="analyst", team="market-desk")
    handle.wait(30)
    for number in range(1, 33):
        shared().engine.start(
            f"question {number}", user_id="analyst", team="market-desk", session_id=handle.session_id
        ).wait(30)
    chat.query_params["session"] = handle.session_id
    chat.run()
    assert len(chat.chat_message) == 60
    chat.button(key="load_earlier").click().run()
    assert len(chat.chat_message) == 66
    assert chat.chat_message[0].markdown[0].value == "question 0"


def test_an_answer_the_database_could_not_take_is_shown_as_kept(chat, monkeypatch):
    from dataclasses import replace

    from lib.runs.handle import RunHandle

    chat.run()
    ask(chat, "Remember: the secret word is bird")
    seen = RunHandle.snapshot
    monkeypatch.setattr(RunHandle, "snapshot", lambda self: replace(seen(self), saved=SavedState.KEPT_ON_DISK))
    chat.run()
    assert "Answered, not stored yet: the database cannot be reached." in words(chat)
