"""The table of the Sessions page, what can be done with the ticked rows, and what is said where it is empty."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lib.errors import StorageError
from lib.records import SessionFilter, SessionOrder, SessionSummary
from lib.ui.keyboard import let_keyboard_in
from lib.ui.notices import errors_shown
from lib.ui.safe_markdown import plain_label
from lib.ui.sessions_actions import open_dialog, open_session
from lib.ui.sessions_filters import clear_filters, in_words, is_narrowed
from lib.ui.sessions_hits import draw_hits
from lib.ui.sessions_order import draw_order, order_by_column, order_in_words, read_order, to_heading
from lib.ui.sessions_words import browser_zone, state_in_words, team_in_words
from lib.ui.tab import TABLE_ROWS, open_tab
from lib.ui.words import count_in_words

if TYPE_CHECKING:
    from lib.ui.frame import PageFrame

Shown = tuple[list[SessionSummary], frozenset[str], bool]
"""The rows of the table, the ids of the unread ones, and whether there are more."""

PAGE = 100
HITS_SHOWN = 12
EVERY_S = 3.0
"""How soon another tab's changes are seen."""
TABLE = "sessions_table"


def draw_table(page: PageFrame, where: SessionFilter) -> None:
    """Draw the sessions that fit, in the order chosen above the table or at a column's head."""
    order = read_order()
    shown = _read(page, where, order)
    summaries, unread, more = shown
    counts = page.roundtable.store.count_sessions(user_id=page.identity.reader, where=where)
    if not summaries:
        _draw_empty(page, where)
    else:
        if where.owner != page.user_id:
            whose = "of everybody" if where.owner is None else f"of {plain_label(where.owner or 'nobody', 130)}"
            st.info(
                f"You read the sessions {whose} as an admin. Only your own can be changed.",
                icon=":material/visibility:",
            )
        _draw_rows(page, summaries, unread, order, in_words(counts, len(summaries), latest=order == SessionOrder()))
        if more:
            st.button("Older", key="more_rows", type="tertiary", icon=":material/expand_more:", on_click=_show_more)
    if where.text.strip():
        found = page.roundtable.database.search.search(
            where.text, user_id=page.identity.reader, where=where, limit=HITS_SHOWN
        )
        draw_hits(found.items, key="sessions_hits")
    st.fragment(_watch, run_every=EVERY_S)(page, where, order, shown)


@errors_shown()
def _watch(page: PageFrame, where: SessionFilter, order: SessionOrder, shown: Shown) -> None:
    """Draw the page anew where the sessions it shows have changed; not while that would lose what is typed."""
    if page.tab.being_written:
        return
    try:
        changed = _read(page, where, order) != shown
    except StorageError:
        return  # said when the page is used; a watcher does not disturb reading
    if changed:
        st.rerun()


def _read(page: PageFrame, where: SessionFilter, order: SessionOrder) -> Shown:
    summaries: list[SessionSummary] = []
    cursor = None
    while len(summaries) < page.tab.table_rows:
        found = page.roundtable.store.list_sessions(
            user_id=page.identity.reader, limit=PAGE, cursor=cursor, where=where, order=order
        )
        summaries += found.items
        cursor = found.next_cursor
        if cursor is None:
            break
    unread = page.roundtable.database.read_marks.list_unread(summaries, user_id=page.user_id)
    return summaries, unread, cursor is not None


def _draw_rows(
    page: PageFrame, summaries: list[SessionSummary], unread: Collection[str], order: SessionOrder, shown: str
) -> None:
    bar = st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="sessions_bar")
    ids = tuple(summary.session_id for summary in summaries)
    everybody = any(summary.user_id != page.user_id for summary in summaries)
    _keep_ticks(page, ids)
    event = st.dataframe(
        _to_frame(page, summaries, unread, everybody=everybody),
        key=TABLE,
        hide_index=True,
        width="stretch",
        height=min(38 + 36 * len(summaries), 560),
        row_height=36,
        on_select=_take_selection,
        # With columns to be chosen, Streamlit sorts nothing itself: it has only the rows that are shown.
        selection_mode=["multi-row", "single-column"],
        placeholder="",
        alt=f"Sessions: {order_in_words(order)}",
        column_config=_columns(ids, order),
    )
    ticked = [summaries[row] for row in event.selection.rows if row < len(summaries)]
    with bar:
        draw_order(order)
        _draw_bar(page, ticked, shown)
    with st.container(key="sessions_keys"):
        st.caption("Keyboard: arrows move, Shift and Space tick a row, Escape leaves the table.")
        let_keyboard_in(TABLE)


def _take_selection() -> None:
    """Sort by a column whose head was chosen, and let go of it; ticks stay."""
    selection = st.session_state[TABLE]["selection"]
    if selection["columns"]:
        order_by_column(selection["columns"][0])
        st.session_state[TABLE] = {"selection": {"rows": selection["rows"], "columns": [], "cells": []}}


def _keep_ticks(page: PageFrame, ids: tuple[str, ...]) -> None:
    """Move the ticks with their sessions: Streamlit keeps them by place, and a table that stays the same keeps its scroll."""
    before, page.tab.table_ids = page.tab.table_ids, ids
    if before == ids or TABLE not in st.session_state:
        return
    ticked = {before[row] for row in st.session_state[TABLE]["selection"]["rows"] if row < len(before)}
    rows = [row for row, session_id in enumerate(ids) if session_id in ticked]
    st.session_state[TABLE] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _draw_bar(page: PageFrame, ticked: list[SessionSummary], shown: str) -> None:
    if not ticked:
        st.caption(shown, width="content")
        return
    ids = [summary.session_id for summary in ticked]
    st.caption(f"{count_in_words(len(ids), 'session')} chosen", width="content")
    others = any(summary.user_id != page.user_id for summary in ticked)
    if len(ids) == 1:
        if not others:
            st.button("Open", key="bar_open", icon=":material/forum:", on_click=open_session, args=(ids[0],))
        st.button("Details", key="bar_facts", icon=":material/info:", on_click=open_dialog, args=("Facts", ids))
    if others:
        st.caption("Another user's sessions are read only.", width="content")
        return
    st.button("Tag", key="bar_tag", icon=":material/sell:", on_click=open_dialog, args=("Tag all", ids))
    st.button("Delete", key="bar_delete", icon=":material/delete:", on_click=open_dialog, args=("Delete", ids))


def _to_frame(
    page: PageFrame, summaries: list[SessionSummary], unread: Collection[str], *, everybody: bool
) -> pd.DataFrame:
    catalogue = page.roundtable.catalogue
    rows = [
        {
            "details": "Details",
            "title": " ".join(summary.name.split()),
            "user": summary.user_id or "nobody",
            "team": team_in_words(summary, catalogue),
            "state": state_in_words(summary, unread=summary.session_id in unread),
            "used": pd.Timestamp(summary.updated_at),
            "tags": list(summary.tags),
            "collection": summary.collection,
            "runs": summary.runs,
            "failed": summary.failed_runs or 0,
            "tokens": summary.tokens,
            "seconds": summary.duration_s,
        }
        for summary in summaries
    ]
    frame = pd.DataFrame(rows)
    for name in ("failed", "tokens"):
        frame[name] = frame[name].astype("Int64")
    # A column that says nothing takes no room.
    unsaid = [] if frame["failed"].any() else ["failed"]
    unsaid += [] if frame["collection"].notna().any() else ["collection"]
    if not frame["tags"].map(len).any():
        unsaid.append("tags")
    return frame.drop(columns=unsaid if everybody else [*unsaid, "user"])


def _columns(ids: tuple[str, ...], order: SessionOrder) -> dict[str, Any]:
    column, key = st.column_config, "sessions_details"
    zone = getattr(browser_zone(), "key", "UTC")
    return {
        "details": column.ButtonColumn("", type="tertiary", width=64, key=key, on_click=_open_row, args=(key, ids)),
        "title": column.TextColumn(to_heading("Title", "title", order), width=196),
        "user": column.TextColumn("User", width=90),
        "team": column.TextColumn("Team", width=98),
        "state": column.TextColumn("State", width=116, help="How the last run stands"),
        "used": column.DatetimeColumn(
            to_heading("Last used", "used", order), format="D MMM YY, HH:mm", timezone=zone, width=122
        ),
        "tags": column.ListColumn("Tags", width=130),
        "collection": column.TextColumn("Collection", width=110),
        "runs": column.NumberColumn(to_heading("Runs", "runs", order), format="localized", width=62),
        "failed": column.NumberColumn(
            to_heading("Failed", "failed", order), help="Runs that failed or were interrupted", width=70
        ),
        "tokens": column.NumberColumn(to_heading("Tokens", "tokens", order), format="localized", width=78),
        "seconds": column.NumberColumn(
            to_heading("Duration", "seconds", order), format="%.1f s", help="Of all runs together", width=86
        ),
    }


def _draw_empty(page: PageFrame, where: SessionFilter) -> None:
    with st.container(key="sessions_empty", horizontal_alignment="center", gap="small"):
        st.space("small")
        if is_narrowed(where, page.user_id):
            st.markdown("**No session fits.** Fewer words or another choice may.", width="content")
            st.button("Clear filters", key="clear_filters", icon=":material/filter_alt_off:", on_click=clear_filters)
        else:
            others = " Under User, choose whose sessions to read." if page.identity.admin else ""
            st.markdown(f"**No sessions yet.** Ask a team something, and it is kept here.{others}", width="content")
            st.button(
                "New session",
                key="first_session",
                type="primary",
                icon=":material/add:",
                on_click=open_session,
                args=(None,),
            )


def _open_row(key: str, ids: tuple[str, ...]) -> None:
    clicked = st.session_state.get(key)
    if clicked is not None and 0 <= clicked["row"] < len(ids):
        open_dialog("Facts", [ids[clicked["row"]]])


def _show_more() -> None:
    open_tab().table_rows += TABLE_ROWS
