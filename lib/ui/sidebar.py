"""The left of every page: new session, the user's sessions, and at the foot who, which database and which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import StorageError
from lib.models import describe_model
from lib.records import SessionSummary
from lib.settings import Settings
from lib.ui.identity import Identity
from lib.ui.identity_foot import draw_identity
from lib.ui.notices import errors_shown
from lib.ui.safe_markdown import plain_label
from lib.ui.tab import CHAT_PAGE, SESSIONS_A_PAGE, TabState, open_tab
from lib.ui.words import place_in_words

if TYPE_CHECKING:
    from lib.roundtable import Roundtable

LIVE_EVERY_S = 2.0


def draw_sidebar(roundtable: Roundtable, settings: Settings, identity: Identity, tab: TabState) -> None:
    """Draw the sidebar of every page."""
    user_id = identity.user_id
    with st.sidebar:
        st.button(
            "New session",
            key="new_session",
            icon=":material/add:",
            width="stretch",
            on_click=_open_session,
            args=(None,),
        )
        live = bool(roundtable.engine.live(user_id=user_id))
        st.fragment(_draw_sessions, run_every=LIVE_EVERY_S if live else None)(roundtable, user_id, tab)
        draw_sidebar_foot(settings, identity, database=_database_words(roundtable))


def draw_sidebar_foot(settings: Settings, identity: Identity | None, *, database: tuple[str, bool] | None) -> None:
    """Draw who you are, the database (amber where it cannot be reached) and the model."""
    address, reachable = database or ("the database cannot be reached", False)
    where = plain_label(address, 80)
    lines = [
        f":material/database: {where}" if reachable else f":orange[:material/warning: {where}]",
        f":material/neurology: {plain_label(describe_model(settings.chat_model), 40)}",
    ]
    with st.container(key="sidebar_foot", gap="xxsmall"):
        draw_identity(identity, settings)
        for line in lines:
            st.caption(line)


@errors_shown()
def _draw_sessions(roundtable: Roundtable, user_id: str, tab: TabState) -> None:
    try:
        page = roundtable.store.list_sessions(user_id=user_id, limit=tab.sessions_shown)
    except StorageError:
        st.caption("Your sessions cannot be read now.")  # why is said at the foot and in the page
        return
    live = {handle.session_id for handle in roundtable.engine.live(user_id=user_id)}
    with st.container(key="session_list", gap=None):
        for summary in page.items:
            _draw_session(summary, current=summary.session_id == tab.session_id, live=summary.session_id in live)
    if not page.items:
        st.caption("No sessions yet. Ask something, and it is kept here.")
    if page.next_cursor:
        st.button("Show more", key="more_sessions", type="tertiary", icon=":material/expand_more:", on_click=_show_more)


def _draw_session(summary: SessionSummary, *, current: bool, live: bool) -> None:
    name = plain_label(summary.name, 40)
    label = f"**{name}**" if current else name
    st.button(
        f":green[●] {label}" if live else label,
        key=f"session_{summary.session_id}",
        type="secondary" if current else "tertiary",
        width="stretch",
        wrap=False,
        on_click=_open_session,
        args=(summary.session_id,),
    )


def _open_session(session_id: str | None) -> None:
    tab = open_tab()
    tab.select_session(session_id)
    tab.next_page = CHAT_PAGE
    st.rerun()  # the list is a fragment: from inside it, the whole page


def _show_more() -> None:
    open_tab().sessions_shown += SESSIONS_A_PAGE


def _database_words(roundtable: Roundtable) -> tuple[str, bool]:
    where = place_in_words(roundtable.database.address)
    try:
        roundtable.database.check()
    except StorageError:
        return f"cannot be reached: {where}", False
    return where, True
