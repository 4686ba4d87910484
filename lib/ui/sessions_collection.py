"""The collection of a session: chosen, quietly, where a new one begins; shown where it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import StorageError
from lib.records import SessionSummary
from lib.ui.safe_markdown import plain_label

if TYPE_CHECKING:
    from lib.ui.frame import PageFrame

KEY = "new_session_collection"
MAX_LENGTH = 200


def draw_collection(page: PageFrame, session: SessionSummary | None) -> None:
    """Draw the collection of `session`; for a new one (None), the choice of it."""
    if session is not None:
        if session.collection:
            st.caption(f":material/folder: {plain_label(session.collection, 40)}", width="content")
        return
    try:
        names = list(page.roundtable.store.count_sessions(user_id=page.user_id).collections)
    except StorageError:
        return  # the page says why
    st.selectbox(
        "Collection",
        names,
        index=None,
        key=KEY,
        accept_new_options=True,
        placeholder="no collection",
        label_visibility="collapsed",
        width=170,
        help="One group a session: a course, a client, a project. Choose one or write a new name.",
    )


def chosen_collection() -> str | None:
    """Return what was chosen for the next new session."""
    return str(st.session_state.get(KEY) or "").strip()[:MAX_LENGTH] or None
