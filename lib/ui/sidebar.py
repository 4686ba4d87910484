"""The left of every page: new session, the user's sessions, and at the foot who, which database and which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import StorageError
from lib.models import describe_model
from lib.settings import Settings
from lib.ui.assets import SESSIONS_STYLE
from lib.ui.identity import Identity
from lib.ui.identity_foot import draw_identity
from lib.ui.safe_markdown import plain_label
from lib.ui.sessions_actions import open_session
from lib.ui.sidebar_list import draw_sessions
from lib.ui.tab import TabState
from lib.ui.words import place_in_words

if TYPE_CHECKING:
    from lib.roundtable import Roundtable


def draw_sidebar(
    roundtable: Roundtable, settings: Settings, identity: Identity, tab: TabState, *, looking: bool
) -> None:
    """Draw the sidebar of every page. `looking`: the page shows the newest of the tab's session."""
    st.html(SESSIONS_STYLE)
    with st.sidebar:
        st.button(
            "New session",
            key="new_session",
            icon=":material/add:",
            width="stretch",
            on_click=open_session,
            args=(None,),
        )
        draw_sessions(roundtable, identity.user_id, tab, looking=looking)
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


def _database_words(roundtable: Roundtable) -> tuple[str, bool]:
    where = place_in_words(roundtable.database.address)
    try:
        roundtable.database.check()
    except StorageError:
        return f"cannot be reached: {where}", False
    return where, True
