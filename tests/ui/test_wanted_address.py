"""Where a browser wanted to go before it signed in: kept for it alone, once, for a while, and not at any length."""

from __future__ import annotations

from lib.ui.wanted_address import KEPT_S, MOST_CHARACTERS, MOST_KEPT, WantedAddress, WantedAddresses

ANNS, BOBS = b"ann's browser", b"bob's browser"
PAGE = WantedAddress("pages/chat.py", {"session": "s1"})


def test_it_is_given_to_its_own_browser_and_once():
    kept = WantedAddresses()
    kept.keep(ANNS, PAGE)
    assert kept.take(BOBS) is None
    assert kept.take(ANNS) == PAGE
    assert kept.take(ANNS) is None


def test_the_last_one_counts_and_none_for_long():
    now = 0.0
    kept = WantedAddresses(clock=lambda: now)
    kept.keep(ANNS, WantedAddress("pages/replay.py", {}))
    kept.keep(ANNS, PAGE)
    now = float(KEPT_S)
    assert kept.take(ANNS) == PAGE
    kept.keep(ANNS, PAGE)
    now += KEPT_S + 1
    assert kept.take(ANNS) is None


def test_visitors_who_never_sign_in_fill_no_memory():
    kept = WantedAddresses()
    for number in range(MOST_KEPT + 50):
        kept.keep(str(number).encode(), PAGE)
    kept.keep(ANNS, WantedAddress("pages/chat.py", {"session": "x" * (MOST_CHARACTERS + 1)}))
    assert kept.take(ANNS) is None
    assert kept.take(b"0") is None and kept.take(str(MOST_KEPT + 49).encode()) == PAGE
