"""A session that cannot be opened on the chat page: one clear box, and the way on."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from lib.errors import NotFound, RoundtableError
from lib.records import SessionSummary
from lib.ui.frame import PageFrame
from lib.ui.notices import draw_notice, to_notice
from lib.ui.sessions_actions import replay_session
from lib.ui.sessions_drawer import owner_in_words
from lib.ui.tab import open_tab


def draw_not_found(page: PageFrame, session_id: str, error: NotFound) -> NoReturn:
    """Draw one and the same box for whatever is not the user's, and stop the page; an admin can read it in Replay."""
    others = _find_as_admin(page, session_id)
    if others is None:
        draw_notice(to_notice(error))
    else:
        st.info(
            f"It belongs to {owner_in_words(others)}. As an admin you can read it in Replay; nothing in it can be changed.",
            title="A session of somebody else",
            icon=":material/visibility:",
        )
    with st.container(horizontal=True, gap="small"):
        if others is not None:
            st.button(
                "Read it in Replay",
                key="read_in_replay",
                type="primary",
                icon=":material/history:",
                on_click=replay_session,
                args=(session_id,),
            )
        st.button("New session", key="new_session_instead", icon=":material/add:", on_click=_leave_session)
    st.stop()


def _find_as_admin(page: PageFrame, session_id: str) -> SessionSummary | None:
    if not page.identity.admin:
        return None  # whether there is such a session is not for anybody else to know
    try:
        return page.roundtable.store.find_session(session_id, user_id=page.identity.reader)
    except RoundtableError:
        return None  # the box says that it was not found; Replay says why it cannot be read


def _leave_session() -> None:
    open_tab().select_session(None)
