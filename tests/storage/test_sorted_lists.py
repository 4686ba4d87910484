"""Lists of sessions in every order: over all sessions, page by page, alike on both databases."""

from __future__ import annotations

import json
import time

import pytest
from sqlalchemy import insert, text

from lib.errors import InvalidInput
from lib.records import Reader, SessionFilter, SessionOrder, SessionSort
from lib.storage import open_database
from lib.storage.schema import runs, sessions
from tests.storage.workers import new_id, stage, store_runs

BEGAN = 1_700_000_000
# title, created, used (seconds after BEGAN), runs, tokens of each run, seconds of each run, failed runs
SESSIONS = {
    "a": ("émile", 5, 50, 1, 7, 0.1, 0),
    "b": ("Zebra", 4, 60, 3, 5, 0.2, 1),
    "c": ("apple", 3, 70, 2, None, None, 0),
    "d": (None, 2, 80, 0, None, None, 0),
    "e": ("Émile", 1, 90, 3, 1000, 0.30000000000000004, 3),
    "f": ("  tab\tand line", 6, 40, 1, 0, 1e-7, 0),
    "g": ("苹果", 7, 30, 1, 7, 0.1, 0),
}


def write_sessions(database, *, user_id="ann", prefix=""):
    """As another program does."""
    of_sessions, of_runs = [], []
    for name, (title, created, used, number, tokens, seconds, failed) in SESSIONS.items():
        session_id = f"{prefix}{name}"
        of_sessions.append(
            {"session_id": session_id, "session_type": "agent", "agent_id": "solo", "user_id": user_id,
             "session_data": {"session_name": title}, "created_at": BEGAN + created, "updated_at": BEGAN + used}
        )  # fmt: skip
        for place in range(number):
            run_id = f"{session_id}-{place}"
            data = {"run_id": run_id, "metrics": {"total_tokens": tokens, "duration": seconds}}
            of_runs.append(
                {"run_id": run_id, "session_id": session_id, "run_type": "agent", "user_id": user_id, "run_data": data,
                 "status": "ERROR" if place < failed else "COMPLETED", "run_index": place, "created_at": BEGAN,
                 "updated_at": BEGAN + place}
            )  # fmt: skip
    database.connector.write(
        lambda connection: (
            connection.execute(insert(sessions), of_sessions),
            connection.execute(insert(runs), of_runs),
        )
    )


def follow(database):
    while database.follow():
        pass


def pages(database, order, *, user_id="ann", limit=2, where=None):
    """All pages of a list, one after the other."""
    found, cursor = [], None
    while True:
        page = database.sessions.list_sessions(user_id=user_id, limit=limit, cursor=cursor, order=order, where=where)
        found += [summary.session_id for summary in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return "".join(found)


@pytest.mark.parametrize(
    ("by", "ascending"),
    [
        (SessionSort.USED, "gfabcde"),
        (SessionSort.CREATED, "edcbafg"),
        (SessionSort.TITLE, "caedfbg"),  # a session without a title is called "New session"
        (SessionSort.RUNS, "dgfacbe"),
        (SessionSort.TOKENS, "cdfgabe"),
        (SessionSort.DURATION, "cdfgabe"),
        (SessionSort.FAILED, "gfacdbe"),
    ],
)
def test_each_order_holds_every_session_once_in_both_directions(database, by, ascending):
    write_sessions(database)
    write_sessions(database, user_id="bob", prefix="bobs-")
    follow(database)
    for limit in (1, 2, 3, 500):
        assert pages(database, SessionOrder(by=by, descending=False), limit=limit) == ascending
        assert pages(database, SessionOrder(by=by), limit=limit) == ascending[::-1]
    narrowed = SessionFilter(text="e")  # all that have a title in these letters
    found = pages(database, SessionOrder(by=by, descending=False), where=narrowed)
    assert found == "".join(name for name in ascending if name not in "dg")
    everybody = pages(database, SessionOrder(by=by), user_id=Reader(user_id="root", admin=True))
    assert everybody.replace("bobs-", "").count("a") == 2 and len(everybody.replace("bobs-", "")) == 14


def test_times_and_tokens_are_numbers_on_every_database(database):
    write_sessions(database)
    follow(database)
    (longest,) = database.sessions.list_sessions(
        user_id="ann", limit=1, order=SessionOrder(by=SessionSort.DURATION)
    ).items
    assert (type(longest.duration_s), type(longest.tokens)) == (float, int)
    assert longest.duration_s == pytest.approx(0.9) and longest.tokens == 3000


def test_the_first_order_is_the_one_of_a_list_without_any(database):
    write_sessions(database)
    follow(database)
    assert pages(database, None) == pages(database, SessionOrder()) == "edcbafg"


def test_a_cursor_of_another_order_is_refused_and_says_what_to_do(database):
    write_sessions(database)
    follow(database)
    store, orders = (
        database.sessions,
        [SessionOrder(by=by, descending=down) for by in SessionSort for down in (True, False)],
    )
    cursors = {order: store.list_sessions(user_id="ann", limit=2, order=order).next_cursor for order in orders}
    for order in orders:
        for other, cursor in cursors.items():
            if other != order:
                with pytest.raises(InvalidInput, match=r"another order\. Start at the first page"):
                    store.list_sessions(user_id="ann", order=order, cursor=cursor)
        with pytest.raises(InvalidInput, match="cannot be read"):
            store.list_sessions(user_id="ann", order=order, cursor="nonsense")


@pytest.mark.parametrize(
    "parts",
    [["title down", "\ud800", 1, "x"], ["runs down", 10**30, 1, "x"], ["duration down", float("nan"), 1, "x"],
     ["runs down", True, 1, "x"], ["runs down", 1, 1, "x", "y"], ["runs down"], [10**30, "x"], [], {}, [1, "\ud800"]],
)  # fmt: skip
def test_a_cursor_that_no_database_takes_is_refused_in_words(database, parts):
    from base64 import urlsafe_b64encode

    cursor = urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")
    named = parts[0].split()[0] if parts and isinstance(parts[0] if isinstance(parts, list) else None, str) else "used"
    with pytest.raises(InvalidInput, match="cannot be read"):
        database.sessions.list_sessions(user_id="ann", order=SessionOrder(by=SessionSort(named)), cursor=cursor)


def test_a_live_run_is_no_failure_in_the_order_either(database):
    first, second, live = "first", "second", "live"
    for session_id in (first, second):
        store_runs(database, session_id, 1)
    run_id = stage(database, live)
    interrupted = stage(database, second)
    database.queue.leave(interrupted)
    order = SessionOrder(by=SessionSort.FAILED)

    def told():
        return [(one.session_id, one.failed_runs) for one in database.sessions.list_sessions(
            user_id="ann", order=order).items]  # fmt: skip

    assert told()[0] == (second, 1) and dict(told())[live] == 0
    time.sleep(1.1)  # used at another second than the others
    store_runs(database, first, 1)
    assert told()[:2] == [(second, 1), (first, 0)]
    database.queue.leave(run_id)
    assert dict(told()) == {first: 0, second: 1, live: 1}
    assert {one for one, _ in told()[:2]} == {second, live}


def test_what_is_renamed_or_used_moves_in_the_order_at_once(database):
    for session_id in ("one", "two"):
        store_runs(database, session_id, 1)
    by_title = SessionOrder(by=SessionSort.TITLE, descending=False)
    database.sessions.rename_session("two", "A first title", user_id="ann")
    assert pages(database, by_title) == "twoone"
    database.sessions.rename_session("two", "Zuletzt", user_id="ann")
    assert pages(database, by_title) == "onetwo"
    store_runs(database, "one", 2)
    assert pages(database, SessionOrder(by=SessionSort.RUNS)) == "onetwo"


def test_heads_of_an_older_version_are_made_anew(database, database_settings):
    """As a database looks in which an earlier version of this app kept its heads."""
    session_id = new_id()
    store_runs(database, session_id, 2)
    follow(database)

    def make_old(connection):
        connection.execute(text("DROP TABLE roundtable_session_heads"))
        connection.execute(
            text("CREATE TABLE roundtable_session_heads (session_key VARCHAR(64) PRIMARY KEY, used_at BIGINT)")
        )
        connection.execute(text("INSERT INTO roundtable_session_heads VALUES ('x', 1)"))

    database.connector.write(make_old)
    again = open_database(database_settings)
    try:
        follow(again)
        (summary,) = again.sessions.list_sessions(user_id="ann", order=SessionOrder(by=SessionSort.TITLE)).items
        assert (summary.session_id, summary.runs) == (session_id, 2)
    finally:
        again.close()
