"""Titles, tags and collections: all that is asked for is written, or nothing."""

from __future__ import annotations

import pytest

from lib.errors import InvalidInput, SessionNotFound
from lib.storage.labels import MAX_TAGS
from tests.storage.workers import store_runs

FULL = [f"tag {number}" for number in range(MAX_TAGS)]


@pytest.fixture
def two(database):
    """Two sessions of ann's, the second with as many tags as fit."""
    for session_id in ("a", "b"):
        store_runs(database, session_id, 1, user_id="ann")
    store_runs(database, "bobs", 1, user_id="bob")
    database.sessions.set_tags("b", FULL, user_id="ann")
    return database


def labels_of(database, session_id):
    summary = database.sessions.get_session(session_id, user_id="ann")
    return list(summary.tags), summary.collection


@pytest.mark.parametrize("other", ["b", "bobs", "no such session"])
def test_tags_are_given_to_all_sessions_or_to_none(two, other):
    with pytest.raises((InvalidInput, SessionNotFound)):
        two.sessions.change_tags(["a", other], add=["new"], user_id="ann")
    assert labels_of(two, "a") == ([], None)


@pytest.mark.parametrize("collection", ["two\nlines", "x" * 201])
def test_tags_are_not_stored_without_the_collection_that_came_with_them(two, collection):
    with pytest.raises(InvalidInput):
        two.sessions.change_tags(["a"], add=["new"], collection=collection, user_id="ann")
    with pytest.raises(InvalidInput):
        two.sessions.set_labels("a", tags=["new"], collection=collection, user_id="ann")
    assert labels_of(two, "a") == ([], None)


def test_labels_are_set_together_and_taken_out_again(two):
    two.sessions.set_labels("a", tags=["x", "x", " y "], collection=" Client ", user_id="ann")
    assert labels_of(two, "a") == (["x", "y"], "Client")
    two.sessions.change_tags(["a"], remove=["x"], user_id="ann")
    assert labels_of(two, "a") == (["y"], "Client")
    two.sessions.change_tags(["a"], collection="", user_id="ann")
    assert labels_of(two, "a") == (["y"], None)


def test_a_collection_given_at_the_start_is_the_one_given_later(two):
    made = two.sessions.create_session(user_id="ann", component_id="market-desk", collection=" Client ")
    assert made.collection == "Client"


def test_what_changes_nothing_leaves_a_session_in_its_place(two):
    two.sessions.set_labels("a", tags=["x"], collection="Client", user_id="ann")
    before = two.sessions.get_session_row("a", user_id="ann")
    with two.connector.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE agno_sessions SET updated_at = 5 WHERE session_id = 'a'")
    two.sessions.change_tags(["a"], add=["x"], remove=["z"], user_id="ann")
    two.sessions.set_collection("a", "Client", user_id="ann")
    assert two.sessions.get_session_row("a", user_id="ann") == {**before, "updated_at": 5}


@pytest.mark.parametrize(
    "words", ["two\u2028lines", "two\u2029lines", "a\nb", "evil \u202egnp.exe", "\u2066isolated\u2069", "\u200b\u2060"]
)
def test_one_line_is_refused_what_would_break_it_turn_it_round_or_show_nothing(two, words):
    store = two.sessions
    for change in (
        lambda: store.rename_session("a", words, user_id="ann"),
        lambda: store.set_tags("a", [words], user_id="ann"),
        lambda: store.set_collection("a", words, user_id="ann"),
        lambda: store.create_session(user_id="ann", component_id="x", collection=words),
    ):
        with pytest.raises(InvalidInput, match=r"[Nn]othing was written"):
            change()


@pytest.mark.parametrize("words", ["שלום world", "\u200fשלום", "👩\u200d🚀 trip", "مرحبا 2024"])
def test_scripts_from_right_to_left_and_joined_emoji_are_kept_as_written(two, words):
    two.sessions.rename_session("a", words, user_id="ann")
    assert two.sessions.get_session("a", user_id="ann").title == words
