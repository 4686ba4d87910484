"""Hits of the full text keep to the filters that a list of sessions is narrowed by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from agno.run.base import RunStatus as AgnoStatus

from lib.errors import NotAllowed
from lib.records import LAB_SESSION_PREFIX, Reader, SessionFilter, SessionKind, SessionState
from tests.storage.stored import follow, listed, session_of
from tests.storage.workers import finished_run, new_id, stage

ADMIN = Reader(user_id="root", admin=True)


def hit(database: Any, typed: str = "giraffe", *, user_id: Any = "ann", **where: Any) -> set[str]:
    """The sessions of all hits, read page by page."""
    found: set[str] = set()
    cursor = None
    while True:
        page = database.search.search(typed, user_id=user_id, where=SessionFilter(**where), limit=2, cursor=cursor)
        found |= {one.session_id for one in page.items}
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.fixture
def kept(database: Any) -> dict[str, str]:
    """Sessions about a giraffe, each in another state, collection or tag, by what is special about them."""
    store = database.sessions
    ids = {name: session_of(database, f"A giraffe, {name}?") for name in ("plain", "uni", "work", "tagged", "live")}
    ids |= {"bobs": session_of(database, "A giraffe of bob?", user_id="bob")}
    ids |= {"failed": new_id(), "lab": LAB_SESSION_PREFIX + new_id()}
    session_of(database, "An elephant?")
    store.set_collection(ids["uni"], "uni", user_id="ann")
    store.set_collection(ids["work"], "work", user_id="ann")
    store.set_tags(ids["tagged"], ["zoo"], user_id="ann")
    for name, status in (("failed", AgnoStatus.error), ("lab", AgnoStatus.completed)):
        run_id = stage(database, ids[name], question="A giraffe failed?")
        run = finished_run(ids[name], run_id=run_id, status=status, question="A giraffe failed?")
        database.adapter.upsert_run(run, session_id=ids[name], user_id="ann")
        database.queue.leave(run_id)
    stage(database, ids["live"], question="And another giraffe?")
    follow(database)
    return ids


FILTERS: list[dict[str, Any]] = [
    {},
    {"hidden": True},
    {"collection": "uni"},
    {"collection": "none such"},
    {"tag": "zoo"},
    {"component_id": "desk"},
    {"component_id": "another"},
    {"kind": SessionKind.TEAM},
    {"kind": SessionKind.AGENT},
    *({"state": state} for state in SessionState),
    {"since": datetime(2100, 1, 1, tzinfo=UTC)},
    {"until": datetime(2100, 1, 1, tzinfo=UTC)},
    {"until": datetime(2001, 1, 1, tzinfo=UTC)},
    {"collection": "uni", "tag": "zoo"},
]


def test_hits_are_of_the_very_sessions_that_the_list_under_the_same_filters_holds(database, kept):
    about_giraffes = set(kept.values()) - {kept["bobs"]}
    for where in FILTERS:  # one after the other: the sessions take longer to make than to find
        in_list = listed(database, **where)
        assert hit(database, **where) == in_list & about_giraffes, where
        counted = database.sessions.count_sessions(user_id="ann", where=SessionFilter(**where))
        assert counted.total == len(in_list), where


def test_each_filter_leaves_what_it_names(database, kept):
    assert hit(database, collection="uni") == {kept["uni"]}
    assert hit(database, tag="zoo") == {kept["tagged"]}
    assert hit(database, state=SessionState.FAILED) == {kept["failed"]}
    assert hit(database, state=SessionState.LIVE) == {kept["live"]}
    assert hit(database, hidden=True) - hit(database) == {kept["lab"]}


def test_words_of_the_filter_itself_do_not_hide_an_answer_whose_title_lacks_them(database, kept):
    database.sessions.rename_session(kept["plain"], "Long necks", user_id="ann")
    where = SessionFilter(text="giraffe plain", collection=None)
    assert [one.session_id for one in database.search.search("plain", user_id="ann", where=where).items] == [
        kept["plain"]
    ]


def test_an_admin_finds_what_the_chosen_user_has_under_the_other_filters(database, kept):
    assert hit(database, user_id=ADMIN, owner="bob") == {kept["bobs"]}
    assert hit(database, user_id=ADMIN, owner="bob", collection="uni") == set()
    assert hit(database, user_id=ADMIN, collection="uni") == {kept["uni"]}
    assert hit(database, user_id=ADMIN, owner="ann", state=SessionState.LIVE) == {kept["live"]}
    with pytest.raises(NotAllowed):
        hit(database, user_id="ann", owner="bob", collection="uni")


def test_a_session_is_under_its_new_collection_as_soon_as_it_is_put_there(database, kept):
    database.sessions.set_collection(kept["plain"], "uni", user_id="ann")
    assert hit(database, collection="uni") == {kept["uni"], kept["plain"]}
