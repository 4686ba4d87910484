"""Questions and answers that hold what was searched for: the hit in its sentence, which opens the run."""

from __future__ import annotations

import streamlit as st

from lib.records import SearchHit
from lib.ui.sessions_actions import replay_session
from lib.ui.sessions_words import hit_in_words, moment_in_words


def draw_hits(hits: tuple[SearchHit, ...], *, key: str) -> None:
    """Draw hits under their heading; nothing where there are none."""
    if not hits:
        return
    st.caption("In questions and answers")
    with st.container(key=key, gap="xxsmall"):
        for place, hit in enumerate(hits):
            st.button(
                f"{hit_in_words(hit)} :gray[{hit.found_in}, {moment_in_words(hit.asked_at)}]",
                key=f"{key}_{place}_{hit.run_id}",
                type="tertiary",
                width="stretch",
                wrap=True,
                on_click=replay_session,
                args=(hit.session_id, hit.run_id),
            )
