"""The sessions of the sidebar: by day, or as one searches; one row a session, its menu at the right.

An idle tab asks every few seconds for the store's change token, draws nothing, and draws its page anew when the list shows
something else than before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import RoundtableError, StorageError
from lib.records import SearchHit, SessionFilter, SessionSummary
from lib.storage.labels import MAX_TITLE_LENGTH
from lib.ui.keyboard import go_on_in
from lib.ui.notices import errors_shown
from lib.ui.safe_markdown import plain_label
from lib.ui.sessions_actions import (
    act_on_session,
    open_session,
    rename_session,
    show_all_sessions,
    stop_renaming,
)
from lib.ui.sessions_hits import draw_hits
from lib.ui.sessions_words import browser_zone, by_day, mark_in_words
from lib.ui.tab import MOST_SESSIONS_SHOWN, SESSIONS_A_PAGE, TabState, open_tab

if TYPE_CHECKING:
    from lib.roundtable import Roundtable

EVERY_S = 3.0
"""How soon another tab's changes are seen."""
LIVE_EVERY_S = 2.0
HITS_SHOWN = 6
MENU = {
    "Rename": ":material/edit: Rename",
    "Tags": ":material/sell: Tags and collection",
    "Fork": ":material/fork_right: Fork",
    "Replay": ":material/history: Replay",
    "Copy link": ":material/link: Copy link",
    "Delete": ":material/delete: Delete",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What the list shows."""

    summaries: tuple[SessionSummary, ...]
    unread: frozenset[str]
    hits: tuple[SearchHit, ...] = ()
    more: bool = False

    @property
    def fingerprint(self) -> str:
        """Changes with what is shown; the days that sessions stand under change at midnight."""
        told = repr((self.summaries, sorted(self.unread), self.hits, self.more, datetime.now(browser_zone()).date()))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def draw_sessions(roundtable: Roundtable, user_id: str, tab: TabState, *, looking: bool) -> None:
    """Draw search and list, and follow what changes. `looking`: the page shows the newest of the tab's session."""
    live = bool(roundtable.engine.live(user_id=user_id))
    every = LIVE_EVERY_S if live else EVERY_S
    st.fragment(_draw_sessions)(roundtable, user_id, tab, looking)
    st.fragment(_watch, run_every=every)(roundtable, user_id, tab, looking)


@errors_shown()
def _draw_sessions(roundtable: Roundtable, user_id: str, tab: TabState, looking: bool) -> None:
    text = st.text_input(
        "Search sessions",
        key="session_search",
        type="search",
        live="300ms",
        placeholder="Search",
        label_visibility="collapsed",
    )
    tab.listed = tab.listed_token = None
    with st.container(key="session_scroll", gap="xxsmall"):
        try:
            # First: what changes after it is seen at the next look.
            token = _read_token(roundtable, user_id, tab)
            listed = _read(roundtable, user_id, tab, text or "", looking=looking)
        except StorageError:
            st.caption("Your sessions cannot be read now.")  # why is said at the foot and in the page
            return
        if text and text.strip():
            _draw_found(roundtable, listed, tab, text.strip())
        else:
            _draw_recent(roundtable, listed, tab)
    tab.listed, tab.listed_token = listed.fingerprint, token


@errors_shown()
def _watch(roundtable: Roundtable, user_id: str, tab: TabState, looking: bool) -> None:
    """Draw the page anew where the list shows something else; not while that would lose what is typed."""
    if tab.being_written:
        return
    text = st.session_state.get("session_search") or ""
    try:
        token = _read_token(roundtable, user_id, tab)
        if token == tab.listed_token and not text.strip():  # what is found changes with the index of words, too
            return
        listed = _read(roundtable, user_id, tab, text, looking=looking)
    except StorageError:
        return  # said when the page is used; a watcher does not disturb reading
    if listed.fingerprint != tab.listed:
        st.rerun()
    tab.listed_token = token


def _read_token(roundtable: Roundtable, user_id: str, tab: TabState) -> str:
    """Return what changes with the recent sessions, and at midnight."""
    token = roundtable.store.get_change_token(user_id=user_id, limit=tab.sessions_shown)
    return f"{token} {datetime.now(browser_zone()).date()}"


def _read(roundtable: Roundtable, user_id: str, tab: TabState, text: str, *, looking: bool) -> Listed:
    """Return the recent sessions or, while one searches, those found; the one on the page is being read."""
    store = roundtable.store
    hits: tuple[SearchHit, ...] = ()
    if words := text.strip():
        page = store.list_sessions(user_id=user_id, limit=SESSIONS_A_PAGE, where=SessionFilter(text=words))
        hits = roundtable.database.search.search(words, user_id=user_id, limit=HITS_SHOWN).items
    else:
        page = store.list_sessions(user_id=user_id, limit=tab.sessions_shown)
    unread = roundtable.database.read_marks.list_unread(page.items, user_id=user_id)
    return Listed(
        summaries=page.items,
        unread=unread - {tab.session_id} if looking else unread,  # it is noted once it has been drawn
        hits=hits,
        more=page.next_cursor is not None,
    )


def _draw_recent(roundtable: Roundtable, listed: Listed, tab: TabState) -> None:
    with st.container(key="session_list", gap=None):
        for day, summaries in by_day(listed.summaries):
            st.caption(day)
            for summary in summaries:
                _draw_session(roundtable, summary, tab, unread=summary.session_id in listed.unread)
    if not listed.summaries:
        st.caption("No sessions yet. Ask something, and it is kept here.")
    elif listed.more and tab.sessions_shown < MOST_SESSIONS_SHOWN:
        st.button("Older", key="more_sessions", type="tertiary", icon=":material/expand_more:", on_click=_show_older)
    elif listed.more:
        st.button(
            "All sessions", key="all_sessions", type="tertiary", icon=":material/list:", on_click=show_all_sessions
        )


def _draw_found(roundtable: Roundtable, listed: Listed, tab: TabState, text: str) -> None:
    with st.container(key="session_list", gap=None):
        for summary in listed.summaries:
            _draw_session(roundtable, summary, tab, unread=summary.session_id in listed.unread)
    draw_hits(listed.hits, key="session_hits")
    if not listed.summaries and not listed.hits:
        st.caption(f"Nothing of yours holds “{plain_label(text, 40)}”. Fewer or other words may.")


def _draw_session(roundtable: Roundtable, summary: SessionSummary, tab: TabState, *, unread: bool) -> None:
    session_id = summary.session_id
    current = session_id == tab.session_id
    key = f"session_row_open_{session_id}" if current else f"session_row_{session_id}"
    with st.container(horizontal=True, wrap=False, gap=None, vertical_alignment="center", key=key):
        if tab.renaming == session_id:
            _draw_title_field(summary)
            return
        st.button(
            _to_label(roundtable, summary, unread=unread),
            key=f"session_{session_id}",
            type="secondary" if current else "tertiary",
            width="stretch",
            wrap=False,
            on_click=open_session,
            args=(session_id,),
        )
        menu = f"session_menu_{session_id}"
        st.menu_button(
            f"Menu of {plain_label(summary.name, 60)}",
            [name for name in MENU if name != "Fork" or summary.runs],
            key=menu,
            type="tertiary",
            icon=":material/more_vert:",
            format_func=MENU.__getitem__,
            on_click=_act,
            args=(menu, session_id),
        )


def _draw_title_field(summary: SessionSummary) -> None:
    key = f"session_title_{summary.session_id}"
    st.text_input(
        "New title",
        value=summary.name[:MAX_TITLE_LENGTH],  # a longer one, of another program, could not be changed
        key=key,
        max_chars=MAX_TITLE_LENGTH,
        label_visibility="collapsed",
        on_change=rename_session,
        args=(summary.session_id, key),
    )
    st.button("Cancel", key=f"keep_{key}", icon=":material/close:", type="tertiary", on_click=stop_renaming)
    go_on_in("session_title_")


def _to_label(roundtable: Roundtable, summary: SessionSummary, *, unread: bool) -> str:
    name = plain_label(summary.name, 60)
    if unread:
        name = f"**{name}**"
    marks = [mark_in_words(summary, roundtable.catalogue)]
    if summary.live:
        marks.insert(0, ":green[●]")
    if _not_stored_yet(roundtable, summary.session_id):
        marks.insert(0, ":orange[not stored yet]")
    return " ".join((*marks, name))


def _not_stored_yet(roundtable: Roundtable, session_id: str) -> bool:
    outbox = roundtable.database.outbox
    try:
        return bool(
            outbox.pending_for(session_id=session_id) or outbox.pending_for(session_id=session_id, set_aside=True)
        )
    except (OSError, RoundtableError):
        return False  # the folder is away: that is said where something should be kept in it


def _act(menu: str, session_id: str) -> None:
    chosen = st.session_state.get(menu)
    if chosen in MENU:
        act_on_session(chosen, session_id)


def _show_older() -> None:
    tab = open_tab()
    tab.sessions_shown = min(tab.sessions_shown + SESSIONS_A_PAGE, MOST_SESSIONS_SHOWN)
