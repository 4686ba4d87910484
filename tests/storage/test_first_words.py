"""A deleted run's words are gone: from the session's title, its first question, lists and search."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from benchmarks.databases import open_plain_db
from lib.errors import InvalidInput
from lib.records import SessionFilter, Tokens
from lib.storage.heads import heads
from lib.storage.schema import sessions
from lib.storage.search_tables import texts
from tests.storage.workers import finished_run, new_id, stage

SECRET = "my salary is quokkas"  # no digits: ids and times hold any number by chance


def follow(database):
    while database.follow():
        pass


def ask(database, session_id, question):
    run_id = stage(database, session_id, question=question)
    run = finished_run(session_id, run_id=run_id, question=question)
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
    database.queue.leave(run_id)
    return run_id


def name_by_model(database, session_id, title):
    assert database.sessions.set_model_title(
        session_id, title, user_id="ann", tokens=Tokens(input=1, output=1, total=2)
    )


def everything_stored(database):
    """All that is stored of sessions, heads and search texts, as one text."""

    def read(connection):
        rows = [row for table in (sessions, heads, texts) for row in connection.execute(select(table)).mappings()]
        return json.dumps([dict(row) for row in rows], default=str)

    return database.connector.read(read)


def listed(database, words):
    page = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text=words))
    return [summary.session_id for summary in page.items]


def test_nothing_is_left_of_the_only_question(database):
    session_id = new_id()
    run_id = ask(database, session_id, SECRET)
    follow(database)
    assert database.sessions.describe_run_loss(run_id, user_id="ann").title
    database.sessions.delete_run(run_id, user_id="ann")
    follow(database)
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.title, summary.first_question, summary.name) == (None, None, "New session")
    assert listed(database, "quokkas") == [] and "quokkas" not in everything_stored(database)
    ask(database, session_id, "brand new topic")
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.title, summary.first_question) == ("brand new topic", "brand new topic")


@pytest.mark.parametrize("by_model", [False, True])
def test_the_next_question_takes_the_place_of_the_first(database, by_model):
    session_id = new_id()
    first = ask(database, session_id, SECRET)
    if by_model:
        name_by_model(database, session_id, "Salary of quokkas")
    second = ask(database, session_id, f"{'and then ' * 90}the end")  # longer than a first question is kept
    follow(database)
    assert not database.sessions.describe_run_loss(second, user_id="ann").title
    assert database.sessions.describe_run_loss(first, user_id="ann").title
    database.sessions.delete_run(first, user_id="ann")
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert summary.title == "and then and then and then and then and then and then and…"
    assert (summary.title_by, summary.first_question) == ("question", ("and then " * 90)[:500].strip())
    assert listed(database, "then") == [session_id] and listed(database, "quokkas") == []
    assert "quokkas" not in everything_stored(database)


def test_a_title_given_by_hand_stays(database, database_url):
    by_hand, elsewhere = new_id(), new_id()
    for session_id in (by_hand, elsewhere):
        run_id = ask(database, session_id, SECRET)
        if session_id == by_hand:
            database.sessions.rename_session(session_id, "Money", user_id="ann")
        else:
            name_by_model(database, session_id, "Salary")
            open_plain_db(database_url).rename_session(session_id, None, "Money")  # by another program
        assert not database.sessions.describe_run_loss(run_id, user_id="ann").title
        database.sessions.delete_run(run_id, user_id="ann")
        summary = database.sessions.get_session(session_id, user_id="ann")
        assert (summary.title, summary.first_question) == ("Money", None)
    assert "quokkas" not in everything_stored(database)


def test_another_run_leaves_title_and_first_question_alone(database):
    session_id = new_id()
    question = 'A long one with "quotes",\nlines and 🦊. ' * 200
    ask(database, session_id, question)
    before = database.sessions.get_session(session_id, user_id="ann")
    second = ask(database, session_id, SECRET)
    assert not database.sessions.describe_run_loss(second, user_id="ann").title
    database.sessions.delete_run(second, user_id="ann")
    after = database.sessions.get_session(session_id, user_id="ann")
    assert (after.title, after.first_question) == (before.title, before.first_question)


def test_a_question_asked_twice_keeps_the_title_while_one_of_them_is_there(database):
    session_id = new_id()
    first, second = ask(database, session_id, SECRET), ask(database, session_id, SECRET)
    assert not database.sessions.describe_run_loss(first, user_id="ann").title
    database.sessions.delete_run(first, user_id="ann")
    assert database.sessions.get_session(session_id, user_id="ann").title == SECRET
    assert database.sessions.describe_run_loss(second, user_id="ann").title
    database.sessions.delete_run(second, user_id="ann")
    assert "quokkas" not in everything_stored(database)


@pytest.mark.parametrize("by_model", [False, True])
def test_a_forks_title_goes_with_its_question_too(database, by_model):
    session_id = new_id()
    ask(database, session_id, SECRET)
    if by_model:
        name_by_model(database, session_id, "Salary of quokkas")
    fork = database.sessions.fork_session(session_id, user_id="ann")
    assert "quokkas" in (fork.title or "")
    (run,) = database.sessions.list_runs(fork.session_id, user_id="ann").items
    database.sessions.delete_session(session_id, user_id="ann")
    database.sessions.delete_run(run.run_id, user_id="ann")
    assert database.sessions.get_session(fork.session_id, user_id="ann").name == "New session"
    assert "quokkas" not in everything_stored(database)


def test_a_session_whose_first_run_goes_on_is_not_forked_yet(database):
    session_id = new_id()
    run_id = stage(database, session_id, question=SECRET)
    with pytest.raises(InvalidInput, match="first answer"):
        database.sessions.fork_session(session_id, user_id="ann")
    assert len(database.sessions.list_sessions(user_id="ann").items) == 1
    run = finished_run(session_id, run_id=run_id, question=SECRET)
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
    database.queue.leave(run_id)
    stage(database, session_id, question="a second one, which goes on")
    assert database.sessions.fork_session(session_id, user_id="ann").runs == 1
