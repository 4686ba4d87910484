"""The frame of every page: guard, identity, resources, sidebar. `open_page` is the first line of each page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from lib.errors import LocalIdentityRefused, NotSignedIn, RoundtableError
from lib.settings import Settings
from lib.ui.assets import FAVICON, LOGO, STYLE
from lib.ui.identity import Identity, SignIn, current_identity
from lib.ui.identity_notice import draw_nobody
from lib.ui.notices import draw_notice, to_notice
from lib.ui.resources import shared_roundtable, shared_settings
from lib.ui.sessions_dialogs import draw_open_dialog
from lib.ui.sidebar import draw_sidebar, draw_sidebar_foot
from lib.ui.tab import TabState, open_tab
from lib.ui.wanted_address import go_where_wanted

if TYPE_CHECKING:
    from lib.roundtable import Roundtable


@dataclass(frozen=True, slots=True)
class PageFrame:
    """What a page works with: the shared parts, the user it acts for, and this tab's state."""

    settings: Settings
    roundtable: Roundtable
    user_id: str
    tab: TabState
    identity: Identity


def open_page(title: str, *, wide: bool = False) -> PageFrame:
    """Return the frame of the page called `title`, drawn around it, with user and resources checked; stops it otherwise.

    The page's file is `pages/<title in small letters>.py`; `wide` is for a table.
    """
    _guard()
    st.set_page_config(page_title=f"{title} · Roundtable", page_icon=FAVICON, layout="wide" if wide else "centered")
    st.logo(LOGO, icon_image=FAVICON, size="large")
    st.html(STYLE)
    page = f"pages/{title.lower()}.py"
    settings, identity, roundtable = _open_resources(page)
    tab = open_tab()
    tab.belong_to(identity.user_id)
    if identity.by is SignIn.OIDC:
        go_where_wanted(page)
    tab.follow(page)
    tab.read_address()
    draw_sidebar(roundtable, settings, identity, tab, looking=title == "Chat")
    draw_open_dialog(tab)
    return PageFrame(settings, roundtable, identity.user_id, tab, identity)


def _guard() -> None:
    """Send a deep link that reached this page file directly through app.py.

    Beside a `pages` folder Streamlit runs the page file alone until some tab has executed `st.navigation`
    (streamlit-facts 0.3): navigation and error handling of app.py would be passed by.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def _open_resources(page: str) -> tuple[Settings, Identity, Roundtable]:
    settings, identity = None, None
    try:
        settings = shared_settings()
        identity = current_identity(settings)
        return settings, identity, shared_roundtable()
    except RoundtableError as error:
        _draw_closed(error, settings, identity, page)
        st.stop()


def _draw_closed(error: RoundtableError, settings: Settings | None, identity: Identity | None, page: str) -> None:
    """Draw why there is no page; who is nobody learns nothing of the database either."""
    if isinstance(error, NotSignedIn | LocalIdentityRefused):
        draw_nobody(error, page)
        return
    draw_notice(to_notice(error))
    st.button("Try again", key="try_again", icon=":material/refresh:")
    if settings is not None:
        with st.sidebar:
            draw_sidebar_foot(settings, identity, database=None)
