"""The sidebar and the Sessions page, driven by AppTest over the real engine, storage and offline model."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from lib.errors import SessionNotFound
from lib.records import SessionKind
from lib.roundtable import Roundtable
from lib.ui.sessions_filters import EVERYBODY
from tests.storage.stored import write_plainly

ROOT = Path(__file__).parents[2]


def add(roundtable: Roundtable, question: str, *, user_id: str = "analyst", title: str | None = None) -> str:
    """Store one answered question in a session of its own, named by hand, so that no model names it later."""
    run = roundtable.engine.start(question, user_id=user_id, team="market-desk")
    run.wait(30)
    roundtable.store.rename_session(run.session_id, title or question[:60], user_id=user_id)
    return run.session_id


def add_collection(roundtable: Roundtable, name: str) -> None:
    """Make a collection known: AppTest can choose only what is there."""
    roundtable.store.create_session(user_id="analyst", component_id="market-desk", collection=name)


def wait_for_another_second() -> None:
    """Agno tells the time of a run in whole seconds."""
    time.sleep(1.1)


def sessions_page(app: AppTest) -> AppTest:
    app.run()
    return app.switch_page("pages/sessions.py").run()


def rows(app: AppTest) -> list[str]:
    """Return the sidebar's rows from the top."""
    keyed = [(button.key or "", button.label.replace("\\", "")) for button in app.sidebar.button]
    return [label for key, label in keyed if key.startswith("session_") and not key.startswith("session_hits")]


def titles(app: AppTest) -> list[str]:
    return [str(title) for title in app.dataframe[0].value["title"]] if app.dataframe else []


def tick(app: AppTest, *titles_of_rows: str) -> AppTest:
    places = [titles(app).index(title) for title in titles_of_rows]
    app.session_state[str(app.dataframe[0].key)] = {"selection": {"rows": places, "columns": [], "cells": []}}
    return app.run()


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.info, *app.error]
    return "\n".join(part.value for part in parts).replace("\\", "")


def test_older_sessions_come_below_when_they_are_asked_for(app, roundtable):
    for number in range(20):
        made = roundtable.store.create_session(user_id="analyst", component_id="market-desk")
        roundtable.store.rename_session(made.session_id, f"Session {number}", user_id="analyst")
    app.run()
    assert len(rows(app)) == 15
    newest = rows(app)
    app.button(key="more_sessions").click().run()
    assert len(rows(app)) == 20
    assert rows(app)[:15] == newest
    assert not any(button.key == "more_sessions" for button in app.sidebar.button)


def test_a_row_is_renamed_in_place_and_a_title_by_hand_stays(app, roundtable):
    session_id = add(roundtable, "What is the weather in Paris?")
    app.run()
    app.menu_button(key=f"session_menu_{session_id}").click("Rename").run()
    app.text_input(key=f"session_title_{session_id}").set_value("Spring in Paris").run()
    assert any("Spring in Paris" in row for row in rows(app))
    assert not any(field.key == f"session_title_{session_id}" for field in app.text_input)
    assert roundtable.store.get_session(session_id, user_id="analyst").title == "Spring in Paris"
    assert not roundtable.store.rename_session(session_id, "Paris weather", user_id="analyst", by="model")


def test_a_longer_title_of_another_program_is_offered_cut_to_what_can_be_stored_and_renamed(app, roundtable):
    session_id = add(roundtable, "What is the weather in Paris?")
    long = "A title of another program " * 20
    roundtable.database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_sessions SET session_data = :data WHERE session_id = :session_id"),
            {"data": json.dumps({"session_name": long}), "session_id": session_id},
        )
    )
    sessions_page(app)
    app.menu_button(key=f"session_menu_{session_id}").click("Rename").run()
    in_the_row = app.text_input(key=f"session_title_{session_id}")
    assert in_the_row.value == long[:200]
    app.button(key=f"keep_session_title_{session_id}").click().run()
    app.session_state[str(app.dataframe[0].key)] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    app.run()
    app.button(key="bar_facts").click().run()
    in_the_drawer = app.text_input(key=f"facts_title_{session_id}")
    assert in_the_drawer.value == long[:200]
    in_the_drawer.set_value(f"{long[:190]} 2024").run()
    assert roundtable.store.get_session(session_id, user_id="analyst").title == f"{long[:190]} 2024"


def test_the_search_finds_titles_as_they_are_typed_and_sentences_below_that_open_the_run(app, roundtable):
    bird = add(roundtable, "Remember: the secret word is bird", title="Something to keep")
    add(roundtable, "What is the weather in Paris?", title="Birds of Paris")
    while roundtable.database.follow():
        pass
    app.run()
    app.text_input(key="session_search").set_value("bird").run()
    assert all(any(title in row for row in rows(app)) for title in ("Birds of Paris", "Something to keep"))
    hits = [button for button in app.button if button.key.startswith("session_hits_")]
    assert any("**bird**" in hit.label for hit in hits)
    hits[0].click().run()
    run = roundtable.store.list_runs(bird, user_id="analyst").items[0]
    assert run.run_id in app.query_params["run"]
    assert "secret word" in words(app)


def test_a_search_without_a_hit_says_what_to_do(app, roundtable):
    add(roundtable, "What is the weather in Paris?")
    app.run()
    app.text_input(key="session_search").set_value("100% _ zebra 'x").run()
    assert "Nothing of yours holds" in words(app)


def test_tags_and_a_collection_are_chosen_in_a_dialog(app, roundtable):
    session_id = add(roundtable, "What is the weather in Paris?")
    add_collection(roundtable, "Client: Initech")
    app.run()
    app.menu_button(key=f"session_menu_{session_id}").click("Tags").run()
    app.session_state["tags_choice"] = ["travel", "spring"]
    app.selectbox(key="collection_choice").set_value("Client: Initech")
    app.button(key="save_labels").click().run()
    summary = roundtable.store.get_session(session_id, user_id="analyst")
    assert summary.tags == ("spring", "travel") and summary.collection == "Client: Initech"
    assert not any(button.key == "save_labels" for button in app.button)


def test_deleting_asks_once_with_what_is_lost_and_leaves_the_open_session(app, roundtable):
    session_id = add(roundtable, "What is the weather in Paris and the price of ACME?")
    app.query_params["session"] = session_id
    app.run()
    app.menu_button(key=f"session_menu_{session_id}").click("Delete").run()
    assert "1 session with 1 run and 2 member runs" in words(app) and "cannot be undone" in words(app)
    app.button(key="dialog_cancel").click().run()
    assert roundtable.store.get_session(session_id, user_id="analyst")
    app.menu_button(key=f"session_menu_{session_id}").click("Delete").run()
    app.button(key="delete_yes").click().run()
    with pytest.raises(SessionNotFound):
        roundtable.store.get_session(session_id, user_id="analyst")
    assert "session" not in app.query_params and not app.error


def test_a_fork_opens_and_its_facts_lead_to_where_it_comes_from_and_back(app, roundtable):
    origin = add(roundtable, "Remember: the secret word is bird")
    app.run()
    app.menu_button(key=f"session_menu_{origin}").click("Fork").run()
    (fork,) = [
        row.session_id for row in roundtable.store.list_sessions(user_id="analyst").items if row.session_id != origin
    ]
    assert fork in app.query_params["session"]
    app.switch_page("pages/sessions.py").run()
    (title,) = [title for title in titles(app) if title.endswith("(fork)")]
    tick(app, title)
    app.button(key="bar_facts").click().run()
    back = app.button(key=f"facts_fork_{origin}")
    assert back.label.startswith("Forked from")
    back.click().run()
    assert app.button(key=f"facts_fork_{fork}").label.startswith("Fork:")


def test_a_session_deleted_elsewhere_becomes_a_calm_not_found(app, roundtable):
    session_id = add(roundtable, "What is the weather in Paris?")
    app.query_params["session"] = session_id
    app.run()
    roundtable.store.delete_session(session_id, user_id="analyst")
    app.run()
    assert "There is no session" in words(app)
    app.button(key="new_session_instead").click().run()
    assert not app.error


def test_the_table_narrows_by_words_team_tag_and_state_with_counts(app, roundtable):
    paris = add(roundtable, "What is the weather in Paris?", title="Paris")
    add(roundtable, "[fail model] price of ACME", title="Broken")
    roundtable.store.set_tags(paris, ["travel"], user_id="analyst")
    sessions_page(app)
    assert set(titles(app)) == {"Paris", "Broken"} and "2 sessions" in words(app)
    assert "Market desk (2)" in app.selectbox(key="sessions_component").options
    app.selectbox(key="sessions_tag").set_value("travel").run()
    assert titles(app) == ["Paris"]
    app.selectbox(key="sessions_tag").set_value(None).run()
    app.selectbox(key="sessions_state").set_value("failed").run()
    assert titles(app) == ["Broken"] and list(app.dataframe[0].value["failed"]) == [1]
    app.text_input(key="sessions_text").set_value("paris").run()
    assert "No session fits" in words(app)
    app.button(key="clear_filters").click().run()
    assert set(titles(app)) == {"Paris", "Broken"}


def test_an_order_is_chosen_named_in_the_address_and_kept_while_other_pages_are_looked_at(app, roundtable):
    for title in ("Berlin", "Aachen", "Chemnitz"):
        add(roundtable, "What is the weather in Paris?", title=title)
    sessions_page(app)
    assert app.selectbox(key="sessions_sort").value == "used" and "sort" not in app.query_params
    app.selectbox(key="sessions_sort").set_value("title").run()
    assert titles(app) == ["Aachen", "Berlin", "Chemnitz"] and "".join(app.query_params["sort"]) == "title"
    app.switch_page("pages/replay.py").run()
    del app.query_params["sort"]
    app.switch_page("pages/sessions.py").run()
    assert titles(app) == ["Aachen", "Berlin", "Chemnitz"] and "".join(app.query_params["sort"]) == "title"
    app.query_params["sort"] = "title-reversed"
    app.run()
    assert titles(app) == ["Chemnitz", "Berlin", "Aachen"]
    app.query_params["sort"] = "'; DROP TABLE"
    app.run()
    assert app.selectbox(key="sessions_sort").value == "used" and not app.error


def test_ticks_stay_with_their_sessions_when_the_order_changes(app, roundtable):
    for title in ("Berlin", "Aachen", "Chemnitz"):
        add(roundtable, "What is the weather in Paris?", title=title)
    sessions_page(app)
    app.selectbox(key="sessions_sort").set_value("title").run()
    tick(app, "Berlin", "Chemnitz")
    app.selectbox(key="sessions_sort").set_value("title-reversed").run()
    app.button(key="bar_delete").click().run()
    assert all(f"**{title}**" in words(app) for title in ("Berlin", "Chemnitz")) and "**Aachen**" not in words(app)


def test_ticked_sessions_are_tagged_and_deleted_together_and_only_they(app, roundtable):
    one, two, kept = (add(roundtable, "What is the weather in Paris?", title=title) for title in ("One", "Two", "Kept"))
    sessions_page(app)
    tick(app, "One", "Two")
    app.button(key="bar_tag").click().run()
    app.session_state["tags_to_add"] = ["shared"]
    app.button(key="save_bulk_tags").click().run()
    store = roundtable.store
    assert [store.get_session(which, user_id="analyst").tags for which in (one, two, kept)] == [
        ("shared",),
        ("shared",),
        (),
    ]
    tick(app, "One", "Two")
    app.button(key="bar_delete").click().run()
    assert "2 sessions with 2 runs" in words(app)
    app.button(key="delete_yes").click().run()
    assert titles(app) == ["Kept"]
    assert not any(button.key == "bar_delete" for button in app.button), "nothing is ticked in the new table"


def test_an_empty_page_says_what_to_do(app):
    sessions_page(app)
    assert "No sessions yet" in words(app)
    app.button(key="first_session").click().run()
    assert app.chat_input


def test_an_admin_reads_other_users_sessions_and_finds_nothing_to_change_them_with(app, roundtable, monkeypatch):
    anns = add(roundtable, "Remember: the secret word is bird", user_id="ann", title="Of Ann")
    monkeypatch.setenv("ADMIN_USERS", "analyst")
    sessions_page(app)
    assert titles(app) == [] and "choose whose sessions to read" in words(app)
    app.selectbox(key="sessions_owner").set_value("ann").run()
    assert titles(app) == ["Of Ann"] and "as an admin" in words(app)
    tick(app, "Of Ann")
    assert not {"bar_tag", "bar_delete"} & {button.key for button in app.button}
    app.button(key="bar_facts").click().run()
    assert "**ann**" in words(app) and "secret word" in words(app)
    assert {button.key for button in app.button if button.key.startswith("facts_")} == {"facts_replay"}
    app.button(key="facts_replay").click().run()
    assert "You read a session of **ann** as an admin" in words(app) and "secret word" in words(app)
    app.switch_page("pages/chat.py")
    app.query_params["session"] = anns
    app.run()
    assert "It belongs to **ann**" in words(app) and "secret word" not in words(app) and not app.chat_input


def test_an_admin_searches_in_the_sessions_of_the_user_that_is_chosen(app, roundtable, monkeypatch):
    for user_id in ("ann", "bob", "analyst"):
        add(roundtable, f"Remember: the secret word is bird{user_id}", user_id=user_id)
    while roundtable.database.follow():
        pass
    monkeypatch.setenv("ADMIN_USERS", "analyst")
    sessions_page(app)
    app.text_input(key="sessions_text").set_value("secret").run()
    for chosen, found in (
        ("ann", {"ann"}),
        ("bob", {"bob"}),
        ("analyst", {"analyst"}),
        (EVERYBODY, {"ann", "bob", "analyst"}),
    ):
        app.selectbox(key="sessions_owner").set_value(chosen).run()
        hits = " ".join(button.label for button in app.button if (button.key or "").startswith("sessions_hits_"))
        assert {user_id for user_id in ("ann", "bob", "analyst") if f"bird{user_id}" in hits} == found


def test_hits_in_questions_and_answers_keep_to_the_filters_of_the_page(app, roundtable):
    uni, work = add(roundtable, "Does a giraffe swim?", title="Swimming"), add(roundtable, "Does a giraffe fly?")
    for session_id, name in ((uni, "uni"), (work, "work")):
        roundtable.store.set_collection(session_id, name, user_id="analyst")
    while roundtable.database.follow():
        pass
    sessions_page(app)

    def hits() -> str:
        return " ".join(button.label for button in app.button if (button.key or "").startswith("sessions_hits_"))

    app.text_input(key="sessions_text").set_value("giraffe").run()
    assert "swim" in hits() and "fly" in hits()
    app.selectbox(key="sessions_collection").set_value("uni").run()
    assert not app.exception
    assert "swim" in hits() and "fly" not in hits()


def test_an_admin_lists_the_sessions_that_belong_to_nobody(app, roundtable, monkeypatch):
    add(roundtable, "Remember: the secret word is bird", user_id="ann", title="Of Ann")
    stray = add(roundtable, "Remember: the secret word is owl", user_id="bob", title="Of nobody")
    roundtable.database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_sessions SET user_id = NULL WHERE session_id = :session_id"), {"session_id": stray}
        )
    )
    while roundtable.database.follow():
        pass
    monkeypatch.setenv("ADMIN_USERS", "analyst")
    sessions_page(app)
    assert "nobody (1)" in app.selectbox(key="sessions_owner").options
    app.selectbox(key="sessions_owner").set_value("").run()
    assert titles(app) == ["Of nobody"] and "of nobody" in words(app)
    app.text_input(key="sessions_text").set_value("secret").run()
    hits = [button.label for button in app.button if (button.key or "").startswith("sessions_hits_")]
    assert len(hits) == 1 and "owl" in hits[0]


def test_nobody_else_is_offered_other_users_sessions(app, roundtable):
    add(roundtable, "Remember: the secret word is bird", user_id="ann", title="Of Ann")
    sessions_page(app)
    assert titles(app) == [] and not any(box.key == "sessions_owner" for box in app.selectbox)


def test_a_session_held_with_an_agent_is_read_and_says_why_it_ends_here(app, roundtable):
    roundtable.store.create_session(
        user_id="analyst", component_id="researcher", kind=SessionKind.AGENT, session_id="other-app"
    )
    app.query_params["session"] = "other-app"
    app.run()
    assert "agent 'researcher' directly" in words(app)
    assert app.chat_input(key="chat_input").proto.disabled


def test_a_new_session_is_given_its_collection_where_it_begins(app, roundtable):
    add_collection(roundtable, "Client: Initech")
    app.run()
    app.selectbox(key="new_session_collection").set_value("Client: Initech").run()
    app.chat_input(key="chat_input").set_value("What is the weather in Paris?").run()
    session_id = app.query_params["session"]
    summary = roundtable.store.get_session("".join(session_id), user_id="analyst")
    assert summary.collection == "Client: Initech"


def test_a_run_that_ended_unseen_is_bold_until_its_session_is_looked_at(app, roundtable):
    seen = add(roundtable, "What is the weather in Paris?", title="Paris")
    app.query_params["session"] = seen
    app.run()
    assert not any("**" in row for row in rows(app))
    app.button(key="new_session").click().run()
    roundtable.engine.start("And in Oslo?", user_id="analyst", team="market-desk", session_id=seen).wait(30)
    app.run()
    assert any("**Paris**" in row for row in rows(app))
    app.button(key=f"session_{seen}").click().run()
    assert not any("**" in row for row in rows(app))


def test_an_answer_read_on_the_replay_page_is_read_and_one_of_an_older_run_is_not_the_last(app, roundtable):
    session_id = add(roundtable, "What is the weather in Paris?", title="Paris")
    app.run()
    later = roundtable.engine.start("And in Oslo?", user_id="analyst", team="market-desk", session_id=session_id)
    later.wait(30)
    wait_for_another_second()
    last = roundtable.engine.start("And in Rome?", user_id="analyst", team="market-desk", session_id=session_id)
    last.wait(30)
    app.switch_page("pages/replay.py")
    app.query_params["session"] = session_id
    app.query_params["run"] = later.run_id
    app.run().run()
    assert any("**Paris**" in row for row in rows(app))
    app.query_params["run"] = last.run_id
    app.run().run()
    assert not any("**" in row for row in rows(app))


def test_nothing_is_unread_on_a_first_visit_and_what_is_unread_stays_so_in_another_process(app, roundtable):
    read = add(roundtable, "What is the weather in Paris?", title="Paris")
    app.run()
    assert not any("**" in row for row in rows(app))
    wait_for_another_second()
    roundtable.engine.start("And in Oslo?", user_id="analyst", team="market-desk", session_id=read).wait(30)
    app.run()
    assert any("**Paris**" in row for row in rows(app))
    st.cache_resource.clear()  # what a process keeps is gone
    again = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30).run()
    assert any("**Paris**" in row for row in rows(again))
    sessions_page(again)
    assert list(again.dataframe[0].value["state"]) == ["answered, unread"]


def test_a_session_that_another_program_stored_under_an_odd_id_opens_and_says_why_it_ends_here(app, roundtable):
    odd = "tab\there and a\nline "
    write_plainly(roundtable.database, odd, user_id="analyst", team_id="market-desk")
    app.run()
    app.button(key=f"session_{odd}").click().run()
    assert "In Norway." in words(app) and not app.error and not app.exception
    assert "it holds a control character. Fork it to go on." in words(app)
    app.switch_page("pages/replay.py").run()
    assert not app.error and not app.exception and "There is no session" not in words(app)
    roundtable.store.delete_session(odd, user_id="analyst")


def test_a_session_stored_under_no_id_opens_no_other_one_and_says_why(app, roundtable):
    other = add(roundtable, "What is the weather in Paris?")
    write_plainly(roundtable.database, "", user_id="analyst", team_id="market-desk")
    app.run()
    app.button(key=f"session_{other}").click().run()
    app.button(key="session_").click().run()
    assert "stored it under an empty id" in words(app) and app.query_params["session"] == other
    app.menu_button(key="session_menu_").click("Replay").run()
    assert "stored it under an empty id" in words(app) and not app.exception
    app.menu_button(key="session_menu_").click("Copy link").run()
    assert "No link leads to this session" in words(app)
    app.menu_button(key="session_menu_").click("Delete").run()
    app.button(key="delete_yes").click().run()
    assert not app.exception
    (left,) = roundtable.store.list_sessions(user_id="analyst").items
    assert left.session_id == other
