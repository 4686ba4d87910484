"""What can be done with one run, on the Chat and Replay pages: replay, fork from here, delete."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lib.errors import RunNotFound, SessionNotFound
from lib.roundtable import Roundtable

ROOT = Path(__file__).parents[2]
BOTH = "What is the weather in Paris and the price of ACME?"
THREE = ("Remember: the secret word is bird", BOTH, "What is 2 and 2?")


def add(roundtable: Roundtable, *questions: str, user_id: str = "analyst") -> tuple[str, list[str]]:
    """Store the questions, each with its end, in a session of their own."""
    session_id, run_ids = None, []
    for question in questions:
        handle = roundtable.engine.start(question, user_id=user_id, team="market-desk", session_id=session_id)
        handle.wait(30)
        session_id = handle.session_id
        run_ids.append(handle.run_id)
    assert session_id is not None
    return session_id, run_ids


def show(app: AppTest, page: str, session_id: str, **address: str) -> AppTest:
    if page != "chat":
        app.switch_page(f"pages/{page}.py")
    for name, value in {"session": session_id, **address}.items():
        app.query_params[name] = value
    return app.run()


def at(app: AppTest, name: str) -> str:
    return "".join(app.query_params.get(name, ""))


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.info, *app.error]
    return "\n".join(part.value for part in parts).replace("\\", "")


def menus(app: AppTest) -> list[str]:
    """Return the ids of the runs that have a menu, in the order of the page."""
    keys = [str(menu.key) for menu in app.menu_button]
    return [key.removeprefix("run_menu_") for key in keys if key.startswith("run_menu_")]


def choose(app: AppTest, run_id: str, action: str) -> AppTest:
    return app.menu_button(key=f"run_menu_{run_id}").click(action).run()


def test_every_ended_run_has_a_menu_also_without_an_answer_and_one_that_goes_on_has_none(app, roundtable):
    session_id, run_ids = add(roundtable, THREE[0], "[fail model] tell me")
    live = roundtable.engine.start("[slow 60s] Tell me", user_id="analyst", team="market-desk", session_id=session_id)
    show(app, "chat", session_id)
    assert menus(app) == run_ids
    roundtable.engine.stop(live.run_id, user_id="analyst")
    live.wait(20)
    app.run()
    assert menus(app) == [*run_ids, live.run_id]


def test_a_fork_from_a_run_opens_with_what_was_asked_until_then(app, roundtable):
    session_id, run_ids = add(roundtable, *THREE)
    show(app, "chat", session_id)
    choose(app, run_ids[1], "Fork")
    fork = at(app, "session")
    assert fork != session_id and not app.error
    assert [run.question for run in roundtable.store.list_runs(fork, user_id="analyst").items] == list(THREE[:2])
    assert THREE[1] in words(app) and THREE[2] not in words(app)
    assert roundtable.store.list_forks(fork, user_id="analyst")[0].source_run_id == run_ids[1]
    assert roundtable.store.get_session(session_id, user_id="analyst").runs == 3


def test_a_run_is_deleted_after_one_question_that_says_what_is_lost_and_the_session_stays_open(app, roundtable):
    session_id, run_ids = add(roundtable, *THREE)
    show(app, "chat", session_id)
    choose(app, run_ids[1], "Delete")
    assert f"**{BOTH}**" in words(app)
    assert "What is lost: 1 run and 2 member runs. This cannot be undone." in words(app)
    app.button(key="dialog_cancel").click().run()
    assert menus(app) == run_ids
    choose(app, run_ids[1], "Delete")
    app.button(key="delete_yes").click().run()
    assert menus(app) == [run_ids[0], run_ids[2]]
    assert at(app, "session") == session_id and BOTH not in words(app) and not app.error
    assert not any(button.key == "delete_yes" for button in app.button)
    with pytest.raises(RunNotFound):
        roundtable.store.get_run(run_ids[1], user_id="analyst")
    roundtable.engine.start(
        "What is the secret word?", user_id="analyst", team="market-desk", session_id=session_id
    ).wait(30)
    app.run()
    assert [question for question in THREE if question in words(app)] == [THREE[0], THREE[2]]
    assert "bird" in app.chat_message[-1].markdown[0].value


def test_a_session_whose_only_run_was_deleted_is_asked_as_a_new_one(app, roundtable):
    session_id, (only,) = add(roundtable, THREE[0])
    show(app, "chat", session_id)
    choose(app, only, "Delete")
    assert "the title made from its question" in words(app)
    app.button(key="delete_yes").click().run()
    assert at(app, "session") == session_id and app.header[0].value == "Market desk" and not app.error
    assert "bird" not in words(app)


def test_a_run_deleted_elsewhere_meanwhile_is_said_and_nothing_else_goes(app, roundtable):
    session_id, run_ids = add(roundtable, *THREE[:2])
    show(app, "chat", session_id)
    choose(app, run_ids[0], "Delete")
    roundtable.store.delete_run(run_ids[0], user_id="analyst")
    app.button(key="delete_yes").click().run()
    assert f"There is no run {run_ids[0]!r} among yours" in words(app)
    assert menus(app) == [run_ids[1]]


def test_replay_in_its_menu_opens_that_run(app, roundtable):
    session_id, run_ids = add(roundtable, *THREE)
    show(app, "chat", session_id)
    choose(app, run_ids[0], "Replay")
    assert (at(app, "session"), at(app, "run")) == (session_id, run_ids[0])
    assert not app.chat_input and menus(app) == [run_ids[0]]


@pytest.mark.parametrize(("deleted", "shown"), [(0, 1), (1, 2), (2, 1)])
def test_replay_shows_the_run_beside_the_one_that_was_deleted(app, roundtable, deleted, shown):
    session_id, run_ids = add(roundtable, *THREE)
    show(app, "replay", session_id, run=run_ids[deleted], view="steps", step="2")
    assert menus(app) == [run_ids[deleted]]
    choose(app, run_ids[deleted], "Delete")
    app.button(key="delete_yes").click().run()
    assert not app.error and THREE[deleted] not in words(app)
    assert (at(app, "session"), at(app, "run"), at(app, "view")) == (session_id, run_ids[shown], "steps")
    assert not at(app, "step")


def test_replay_forks_from_the_run_on_screen_and_goes_on_in_the_chat(app, roundtable):
    session_id, run_ids = add(roundtable, *THREE)
    show(app, "replay", session_id, run=run_ids[0])
    choose(app, run_ids[0], "Fork")
    fork = at(app, "session")
    assert fork != session_id and app.chat_input
    assert [run.question for run in roundtable.store.list_runs(fork, user_id="analyst").items] == [THREE[0]]


def test_an_admin_who_reads_is_offered_neither(app, roundtable, monkeypatch):
    session_id, _ = add(roundtable, THREE[0], user_id="ann")
    monkeypatch.setenv("ADMIN_USERS", "analyst")
    show(app, "replay", session_id)
    assert "secret word" in words(app) and not menus(app)


def test_an_admin_with_a_link_to_anothers_session_is_led_to_replay(app, roundtable, monkeypatch):
    session_id, _ = add(roundtable, THREE[0], user_id="ann")
    monkeypatch.setenv("ADMIN_USERS", "analyst")
    show(app, "chat", session_id)
    assert "It belongs to **ann**" in words(app) and "secret word" not in words(app)
    assert not app.chat_input and not app.error
    app.button(key="read_in_replay").click().run()
    assert "You read a session of **ann** as an admin" in words(app) and "secret word" in words(app)


def test_nobody_else_learns_from_a_link_whether_there_is_such_a_session(app, roundtable):
    session_id, _ = add(roundtable, THREE[0], user_id="ann")
    told = []
    for which in (session_id, "0b0d"):
        fresh = show(AppTest.from_file(str(ROOT / "app.py"), default_timeout=30), "chat", which)
        told.append((words(fresh).replace(which, "X"), [button.key for button in fresh.main.button]))
    assert told[0] == told[1]
    assert told[0][1] == ["new_session_instead"]
    with pytest.raises(SessionNotFound):
        roundtable.store.get_session(session_id, user_id="analyst")


def test_an_admin_with_a_link_to_no_session_is_told_so(app, monkeypatch):
    monkeypatch.setenv("ADMIN_USERS", "analyst")
    show(app, "chat", "0b0d")
    assert "There is no session '0b0d' among yours" in words(app)
    assert [button.key for button in app.main.button] == ["new_session_instead"]
