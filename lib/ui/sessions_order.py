"""The order of the Sessions page: chosen from a list or at a column's head, over all sessions, and named in the address."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from lib.records import SessionOrder, SessionSort
from lib.ui.tab import open_tab

PARAMETER = "sort"
"""In the address: `?sort=title`; the first order is not named there."""
FIRST = "used"
_REVERSED = "-reversed"
_WORDS: Mapping[SessionSort, tuple[str, str]] = {  # descending, ascending
    SessionSort.USED: ("Last used first", "Longest unused first"),
    SessionSort.CREATED: ("Newest first", "Oldest first"),
    SessionSort.TITLE: ("Title, Z to A", "Title, A to Z"),
    SessionSort.RUNS: ("Most runs first", "Fewest runs first"),
    SessionSort.TOKENS: ("Most tokens first", "Fewest tokens first"),
    SessionSort.DURATION: ("Longest duration first", "Shortest duration first"),
    SessionSort.FAILED: ("Most failures first", "Fewest failures first"),
}
ORDERS: Mapping[str, SessionOrder] = {
    f"{by.value}{mark}": SessionOrder(by=by, descending=(by is not SessionSort.TITLE) is not bool(mark))
    for by in _WORDS
    for mark in ("", _REVERSED)
}
COLUMNS: Mapping[str, SessionSort] = {
    "title": SessionSort.TITLE,
    "used": SessionSort.USED,
    "runs": SessionSort.RUNS,
    "failed": SessionSort.FAILED,
    "tokens": SessionSort.TOKENS,
    "seconds": SessionSort.DURATION,
}
"""The table's columns at whose head an order is chosen."""
_KEY = "sessions_sort"


def read_order() -> SessionOrder:
    """Return the order that the address names, else this tab's last one; the address says it from now on."""
    tab = open_tab()
    name = st.query_params.get(PARAMETER) or tab.sessions_sort or FIRST
    tab.sessions_sort = name = name if name in ORDERS else FIRST
    _write_address(name)
    return ORDERS[name]


def draw_order(order: SessionOrder) -> None:
    """Draw the choice of the order."""
    st.session_state[_KEY] = _to_name(order)
    st.selectbox(
        "Sort",
        list(ORDERS),
        key=_KEY,
        format_func=lambda name: order_in_words(ORDERS[name]),
        label_visibility="collapsed",
        width=190,
        on_change=_choose,
        help="Over all sessions that fit, also those not shown yet.",
    )


def order_in_words(order: SessionOrder) -> str:
    """Return "Last used first"."""
    return _WORDS[order.by][0 if order.descending else 1]


def order_by_column(column: str) -> None:
    """Sort by a column, at its head: a first time the most (or A) first, a second time the other way round."""
    by = COLUMNS.get(column)
    if by is None:
        return  # it is narrowed by above the table, not sorted by
    tab = open_tab()
    now = ORDERS[tab.sessions_sort or FIRST]
    descending = not now.descending if now.by is by else by is not SessionSort.TITLE
    _take(_to_name(SessionOrder(by=by, descending=descending)))


def to_heading(label: str, column: str, order: SessionOrder) -> str:
    """Return a column's label, with an arrow where the table is sorted by it."""
    if COLUMNS.get(column) is not order.by:
        return label
    return f"{label} {'↓' if order.descending else '↑'}"


def _choose() -> None:
    _take(st.session_state[_KEY])


def _take(name: str) -> None:
    open_tab().sessions_sort = name
    _write_address(name)


def _write_address(name: str) -> None:
    if name != FIRST:
        st.query_params[PARAMETER] = name
    elif PARAMETER in st.query_params:
        del st.query_params[PARAMETER]


def _to_name(order: SessionOrder) -> str:
    return next(name for name, one in ORDERS.items() if one == order)
