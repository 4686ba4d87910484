"""A run belongs to nobody's browser tab: any number of watchers, from any point, each event once and in order."""

from __future__ import annotations

import threading
import time

from lib.events import RunEnded, RunSaved, RunStarted, TextAdded
from lib.records import RunStatus, SavedState
from tests.runs.scripted import ask, say, use, wait_for_words


def test_every_watcher_sees_every_event_once_in_order_whenever_it_comes(open_sqlite_engine):
    engine = open_sqlite_engine(ask(("a", "task a"), ("b", "task b")), delay_s=0.01, a=use("look_up"), b=use("look_up"))
    handle = engine.start("The question?", user_id="ada", team="desk")
    seen: dict[int, list] = {}

    def watch(number: int) -> None:
        time.sleep(number * 0.05)
        seen[number] = list(handle.events())

    watchers = [threading.Thread(target=watch, args=(number,)) for number in range(6)]
    for watcher in watchers:
        watcher.start()
    handle.wait(20)
    for watcher in watchers:
        watcher.join(20)
    everything = list(handle.events())
    assert [event.sequence for event in everything] == list(range(len(everything)))
    assert all(seen[number] == everything for number in range(6))
    assert isinstance(everything[0], RunStarted)
    assert isinstance(everything[-1], RunSaved)
    assert list(handle.events(7)) == everything[7:]
    assert list(handle.events(len(everything))) == []


def test_a_run_goes_on_when_whoever_started_it_is_gone(open_sqlite_engine):
    engine = open_sqlite_engine(say("word " * 30), delay_s=0.01)
    started: list[str] = []

    def browser_tab() -> None:
        handle = engine.start("The question?", user_id="ada", team="desk")
        next(handle.events())
        started.append(handle.run_id)

    tab = threading.Thread(target=browser_tab)
    tab.start()
    tab.join()
    handle = engine.find(started[0], user_id="ada")
    assert handle is not None
    assert handle.live
    assert engine.live(user_id="ada") == (handle,)
    assert engine.live_in_session(handle.session_id, user_id="ada") == (handle,)
    assert handle.wait(20).answer == "word " * 30 + " "
    assert not handle.live
    assert engine.live(user_id="ada") == ()
    assert engine.find(started[0], user_id="ada") is handle


def test_a_watcher_that_waits_only_so_long_gets_what_there_is(open_sqlite_engine):
    engine = open_sqlite_engine(say("First.", 30.0))
    handle = engine.start("The question?", user_id="ada", team="desk")
    wait_for_words(handle, "First.")
    since = time.monotonic()
    seen = list(handle.events(timeout=0.5))
    assert 0.4 < time.monotonic() - since < 3
    assert any(isinstance(event, TextAdded) for event in seen)
    assert not any(isinstance(event, RunEnded) for event in seen)
    assert list(handle.events(follow=False)) == seen


def test_the_picture_of_a_run_costs_nothing_while_nothing_happens(open_sqlite_engine):
    engine = open_sqlite_engine(say("First.", 30.0))
    handle = engine.start("The question?", user_id="ada", team="desk")
    wait_for_words(handle, "First.")
    picture = handle.snapshot()
    assert picture.status is RunStatus.RUNNING
    assert picture.saved is SavedState.LIVE
    assert picture.answer == "First. "
    assert handle.snapshot() is picture


def test_the_picture_grows_with_each_word(open_sqlite_engine):
    engine = open_sqlite_engine(say("one two three four five"), delay_s=0.05)
    handle = engine.start("The question?", user_id="ada", team="desk")
    answers = [handle.snapshot().answer for event in handle.events() if isinstance(event, TextAdded)]
    assert answers == sorted(answers, key=len)
    assert len(set(answers)) > 3


def test_two_delegations_of_one_turn_run_side_by_side(open_sqlite_engine):
    engine = open_sqlite_engine(
        ask(("a", "task a"), ("b", "task b"), ("a", "task c")), a=use("look_up_slowly"), b=use("look_up_slowly")
    )
    run = engine.start("The question?", user_id="ada", team="desk").wait(20)
    assert run.status is RunStatus.COMPLETED
    assert len(run.member_runs) == 3
    assert run.duration_s is not None
    assert 1.0 <= run.duration_s < 2.5, "each takes a second"
    latest_start = max(member.started_at for member in run.member_runs if member.started_at)
    earliest_end = min(member.ended_at for member in run.member_runs if member.ended_at)
    assert latest_start < earliest_end
    assert {segment.task: segment.run.question for segment in run.segments[:3]} == {
        "task a": "task a",
        "task b": "task b",
        "task c": "task c",
    }


def test_different_sessions_run_side_by_side(open_sqlite_engine):
    engine = open_sqlite_engine(say("Now.", 1.0, "Done."))
    since = time.monotonic()
    handles = [engine.start("The question?", user_id="ada", team="desk") for _ in range(6)]
    assert all(handle.wait(20).status is RunStatus.COMPLETED for handle in handles)
    assert time.monotonic() - since < 4
