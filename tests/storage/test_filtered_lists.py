"""Lists of sessions, narrowed by words, names, state and time, and the counts beside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from agno.run.base import RunStatus as AgnoStatus

from lib.errors import InvalidInput
from lib.records import Reader, SessionFilter, SessionKind, SessionState
from tests.storage.stored import listed, session_of
from tests.storage.workers import finished_run, new_id, stage

ADMIN = Reader(user_id="root", admin=True)


@pytest.mark.parametrize(
    "typed",
    ["pAris", "weath", "par weather", "what is the", "köln", "KOLN", "straße", "STRASSE", "天气", "🦊", "100%", "a_b",
     "'quoted", '"in paris', "münchen"],
)  # fmt: skip
def test_a_session_is_found_by_what_one_types_of_its_first_question(database, typed):
    question = "What is the weather in Paris, Köln, Straße, MÜNCHEN 天气怎么样 🦊 100% a_b 'quoted'?"
    mine = session_of(database, question)
    session_of(database, "Something else entirely")
    session_of(database, question, user_id="bob")
    assert listed(database, text=typed) == {mine}


@pytest.mark.parametrize("typed", ["%", "_", "a%b", "axb", "\\", "weather_in", '"paris in"'])
def test_wildcards_are_letters_like_others(database, typed):
    session_of(database, "What is the weather in Paris a_b")
    assert listed(database, text=typed) == (listed(database) if typed == "_" else set())


def test_titles_and_tags_are_searched_as_soon_as_they_are_given(database):
    session_id = session_of(database)
    store = database.sessions
    store.rename_session(session_id, "Ünïted Kingdom", user_id="ann")
    store.set_tags(session_id, ["Kurs 5", "a,b"], user_id="ann")
    for typed in ("united", "kurs 5", "a,b", "paris"):
        assert listed(database, text=typed) == {session_id}
    assert listed(database, tag="Kurs 5") == {session_id}
    assert listed(database, tag="Kurs") == listed(database, tag="kurs 5") == set()
    store.rename_session(session_id, "Other", user_id="ann")
    assert listed(database, text="united") == set()


def test_lists_are_narrowed_by_collection_team_kind_state_and_time(database):
    store = database.sessions
    done, failed, empty = session_of(database), session_of(database), new_id()
    run_id = stage(database, failed)
    run = finished_run(failed, run_id=run_id, status=AgnoStatus.error)
    database.adapter.upsert_run(run, session_id=failed, user_id="ann")
    database.queue.leave(run_id)
    store.create_session(
        session_id=empty, user_id="ann", component_id="weather", kind=SessionKind.AGENT, collection="Client A"
    )
    live = new_id()
    live_run = stage(database, live)

    assert listed(database, state=SessionState.LIVE) == {live}
    assert listed(database, state=SessionState.COMPLETED) == {done}
    assert listed(database, state=SessionState.FAILED) == {failed}
    assert listed(database, state=SessionState.EMPTY) == {empty}
    assert listed(database, collection="Client A") == listed(database, kind=SessionKind.AGENT) == {empty}
    assert listed(database, component_id="market-desk") == {done, failed, live}
    now = datetime.now(UTC)
    assert listed(database, since=now - timedelta(minutes=1)) == {done, failed, empty, live}
    assert listed(database, until=now - timedelta(minutes=1)) == set()

    database.queue.leave(live_run)  # its process died: nothing was answered
    assert listed(database, state=SessionState.FAILED) == {failed, live}
    counts = store.count_sessions(user_id="ann")
    assert (counts.total, counts.components, counts.collections) == (
        4,
        {"market-desk": 3, "weather": 1},
        {"Client A": 1},
    )


def test_counts_are_the_users_own_and_of_what_the_list_shows(database):
    store = database.sessions
    for tags in (["x", "y"], ["x"], []):
        store.set_tags(session_of(database), tags, user_id="ann")
    session_of(database, user_id="bob")
    assert store.count_sessions(user_id="ann").tags == {"x": 2, "y": 1}
    assert store.count_sessions(user_id="ann", where=SessionFilter(tag="y")).total == 1
    assert store.count_sessions(user_id=ADMIN).owners == {"ann": 3, "bob": 1}
    assert store.count_sessions(user_id="eve").total == 0


def test_the_recall_labs_sessions_are_left_out_unless_asked_for(database):
    store = database.sessions
    lab, mine = "recall-lab-1", session_of(database)
    store.create_session(session_id=lab, user_id="ann", component_id="market-desk", collection="recall lab")
    assert listed(database) == listed(database, component_id="market-desk") == {mine}
    assert store.count_sessions(user_id="ann").total == 1
    assert listed(database, hidden=True) == {lab, mine}
    assert listed(database, collection="recall lab") == {lab}


def test_a_filtered_list_is_paged_without_gap_or_double(database):
    ids = [session_of(database, f"weather {number}") for number in range(7)]
    session_of(database, "nothing of it")
    where, found, cursor = SessionFilter(text="weather"), [], None
    while True:
        page = database.sessions.list_sessions(user_id="ann", where=where, limit=3, cursor=cursor)
        found += [summary.session_id for summary in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(found) == sorted(ids)
    with pytest.raises(InvalidInput):
        database.sessions.list_sessions(user_id="ann", where=where, cursor="nonsense")


def test_a_page_that_was_pasted_into_the_search_breaks_nothing(database):
    session_of(database, "word0 word1 and no more")
    page = " ".join(f"word{number}" for number in range(1100))
    assert listed(database, text=page) == set()
    assert database.search.search(page, user_id="ann").items == ()
