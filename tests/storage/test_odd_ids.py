"""Sessions that other programs stored under ids we would not give: listed, opened, changed, replayed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from lib.errors import InvalidInput, RunNotFound, SessionNotFound
from lib.records import Reader, SessionFilter
from lib.storage.session_overview import SessionOverviews
from lib.storage.stored_sessions import StoredSessions
from tests.storage.stored import follow, listed, write_plainly
from tests.storage.workers import stage

ADMIN = Reader(user_id="root", admin=True)
ODD = ["tab\there", "two\nlines", "", "  ", "trailing ", "nul\x00here", "\u2028", "<b>&'\"%_\\", "🦊"]
LONG = "x" * 300
MALFORMED: list[Any] = [
    "half \ud800",
    "x" * 200,
    "x" * 20_000,
    "nul\x00",
    "\x7f",
    "🦊 nobody's",
    "",
    " ",
    "\n",
    5,
    None,
    b"x",
]


@pytest.fixture(params=[*ODD, LONG], ids=ascii)
def odd(request: pytest.FixtureRequest, database: Any) -> str:
    session_id: str = request.param
    if database.dialect == "mysql":
        session_id = session_id[:128]  # of the longest one, as much as its column takes
    write_plainly(database, session_id)
    return session_id


def test_a_listed_session_opens_and_is_replayed_whatever_its_id(database, odd):
    store, queue = database.sessions, database.queue
    for _ in range(2):  # before it is followed, and after
        (summary,) = store.list_sessions(user_id="ann").items
        assert store.find_session(summary.session_id, user_id="ann") == summary
        assert (summary.session_id, summary.name, summary.runs) == (odd, "Where is Oslo?", 1)
        follow(database)
    assert [run.answer for run in store.list_runs(odd, user_id="ann").items] == ["In Norway."]
    assert store.get_session_row(odd, user_id=ADMIN)["session_id"] == odd
    assert store.list_forks(odd, user_id="ann") == ()
    overview = SessionOverviews(database.connector, queue=queue).get_overview(odd, user_id="ann")
    assert [head.run_id for head in overview.heads] == ["r1"]
    assert StoredSessions(database.connector).get_session(odd, user_id="ann").runs[0].answer == "In Norway."
    assert [hit.session_id for hit in database.search.search("norway", user_id="ann").items] == [odd]
    assert listed(database, text="oslo") == {odd}
    for other in ("eve", Reader(user_id="eve")):
        with pytest.raises(SessionNotFound):
            store.get_session(odd, user_id=other)


def test_a_session_is_named_forked_and_deleted_whatever_its_id(database, odd):
    store = database.sessions
    store.rename_session(odd, "Odd one", user_id="ann")
    store.set_tags(odd, ["kept"], user_id="ann")
    assert listed(database, tag="kept") == {odd}
    fork = store.fork_session(odd, user_id="ann")
    assert fork.runs == 1 and store.list_forks(fork.session_id, user_id="ann")[0].source_session_id == odd
    assert store.describe_loss([odd], user_id="ann").runs == 1
    assert store.delete_sessions([odd], user_id="ann") == 1
    follow(database)
    assert listed(database) == {fork.session_id}
    assert store.was_deleted(odd)
    assert store.count_sessions(user_id="ann").total == 1


def test_a_run_is_read_noted_and_deleted_whatever_its_id(database):
    run_id = "run\twith\ttabs "
    write_plainly(database, "plain", run_id=run_id)
    store, marks = database.sessions, database.read_marks
    marks.list_unread(store.list_sessions(user_id="ann").items, user_id="ann")
    marks.note_read(run_id, user_id="ann")
    assert store.get_run(run_id, user_id="ann").answer == "In Norway."
    store.delete_run(run_id, user_id="ann")
    with pytest.raises(RunNotFound):
        store.get_run(run_id, user_id="ann")


@pytest.mark.parametrize("session_id", [*ODD, "half \ud800", "x" * 129], ids=ascii)
def test_we_ourselves_store_no_such_id(database, session_id):
    if session_id in ("trailing ", "\u2028", "<b>&'\"%_\\", "🦊"):
        return  # every database keeps these as they are
    with pytest.raises(InvalidInput, match="Nothing was written"):
        stage(database, session_id)
    assert listed(database) == set()


@pytest.mark.parametrize("malformed", MALFORMED, ids=lambda value: ascii(value)[:20])
def test_an_id_that_nobody_has_is_not_found_on_every_way_whatever_it_is(database, malformed):
    write_plainly(database, "there")
    store = database.sessions
    overviews = SessionOverviews(database.connector, queue=database.queue)
    for of_session in (
        *(store.get_session, store.get_session_row, store.list_runs, store.list_forks, store.delete_session),
        *(store.fork_session, overviews.get_overview, StoredSessions(database.connector).get_session),
        *(
            lambda one, user_id: store.describe_loss([one], user_id=user_id),
            lambda one, user_id: store.rename_session(one, "A title", user_id=user_id),
        ),
    ):
        with pytest.raises(SessionNotFound):
            of_session(malformed, user_id="ann")
    for of_run in (store.get_run, store.get_run_row, store.delete_run, store.describe_run_loss):
        with pytest.raises(RunNotFound):
            of_run(malformed, user_id="ann")
    assert store.find_session(malformed, user_id=ADMIN) is None
    assert store.was_deleted(malformed) is False and store.was_deleted(malformed, kind="run") is False
    assert store.is_run_id_taken(malformed, user_id="ann") is False
    assert database.queue.request_stop(malformed, user_id="ann") is False
    assert store.delete_sessions([malformed], user_id="ann") == 0
    database.read_marks.note_read(malformed, user_id="ann")
    assert listed(database) == {"there"}


@pytest.mark.parametrize("blank", ["", "  ", "\n\t", "\u200b", "\u2028", "\u3000"], ids=ascii)
def test_a_title_of_blanks_is_none_and_the_first_question_names_the_session(database, blank):
    write_plainly(database, "there", title=blank)
    for _ in range(2):  # before it is followed, and after
        (summary,) = database.sessions.list_sessions(user_id="ann").items
        assert (summary.title, summary.name) == (None, "Where is Oslo?")
        follow(database)
    replayed = SessionOverviews(database.connector, queue=database.queue).get_overview("there", user_id="ann")
    assert replayed.summary.name == "Where is Oslo?"
    assert StoredSessions(database.connector).get_session("there").summary.name == "Where is Oslo?"
    where = SessionFilter(text="oslo")
    assert [one.name for one in database.sessions.list_sessions(user_id="ann", where=where).items] == ["Where is Oslo?"]
