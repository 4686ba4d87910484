"""Findings are looked for in the background: once for what was read, by anybody's page, and never for nobody."""

from __future__ import annotations

import threading
import time

import pytest

from lib.replay.findings import Finding, FindingKind
from lib.ui.replay import finding_searches
from lib.ui.replay.finding_searches import KEPT, FindingSearches, Told

FOUND = (Finding(kind=FindingKind.FOREIGN_USER, run_id="r1", evidence="The run is of user 'eve'."),)


def test_whoever_asks_again_is_given_the_same_search_and_what_it_found():
    searches, gate = FindingSearches(), threading.Event()

    def work(looked: Told) -> tuple[Finding, ...]:
        looked(3)
        gate.wait(10)
        return FOUND

    search = searches.ask("as read", work, runs=9)
    assert searches.ask("as read", work, runs=9) is search
    assert not search.over.is_set()
    gate.set()
    assert search.over.wait(10)
    assert (search.found, search.looked, search.error) == (FOUND, 3, None)
    assert searches.ask("written to since", work, runs=10) is not search


def test_a_search_that_fails_says_why_and_is_begun_anew_when_it_is_let_go_of():
    searches = FindingSearches()
    search = searches.ask("as read", lambda looked: (1 / 0, ())[1], runs=1)
    assert search.over.wait(10)
    assert isinstance(search.error, ZeroDivisionError)
    assert searches.ask("as read", lambda looked: FOUND, runs=1) is search
    searches.forget("as read")
    again = searches.ask("as read", lambda looked: FOUND, runs=1)
    assert again.over.wait(10)
    assert again.found == FOUND


def test_a_search_that_nobody_waits_for_any_more_is_given_up_and_begun_anew_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(finding_searches, "GIVEN_UP_AFTER_S", -1.0)
    searches = FindingSearches()

    def work(looked: Told) -> tuple[Finding, ...]:
        looked(1)
        return FOUND

    search = searches.ask("as read", work, runs=2)
    assert search.over.wait(10)
    assert (search.found, search.error) == (None, None)
    assert searches.ask("as read", lambda looked: FOUND, runs=2) is not search


def test_only_so_many_searches_are_remembered():
    searches = FindingSearches()
    first = searches.ask("0", lambda looked: (), runs=0)
    for number in range(1, KEPT + 1):
        assert searches.ask(str(number), lambda looked: (), runs=0).over.wait(10)
    assert searches.ask("0", lambda looked: (), runs=0) is not first


def test_a_pausing_search_stands_back_while_a_page_is_drawn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding_searches, "STANDS_BACK_S", 0.2)
    searches = FindingSearches()
    worked_at: list[float] = []

    def work(looked: Told) -> tuple[Finding, ...]:
        for count in range(20):
            worked_at.append(time.monotonic())
            looked(count)
        return FOUND

    drawn_at = []
    for _ in range(4):
        drawn_at.append(time.monotonic())
        search = searches.ask("as read", work, runs=20, pausing=True)
        time.sleep(0.1)
    assert not worked_at  # each page came before the last one was let go
    assert search.over.wait(10) and search.found == FOUND
    assert worked_at[0] >= drawn_at[-1] + 0.2


def test_a_search_gets_on_however_often_its_page_is_drawn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding_searches, "STANDS_BACK_S", 0.2)
    monkeypatch.setattr(finding_searches, "NO_LONGER_THAN_S", 0.4)
    searches, until = FindingSearches(), time.monotonic() + 10
    search = searches.ask("as read", lambda looked: FOUND, runs=20, pausing=True)
    while not search.over.wait(0.05) and time.monotonic() < until:
        searches.ask("as read", lambda looked: FOUND, runs=20, pausing=True)
    assert search.found == FOUND
