"""Bringing the chosen step or run into view: the one thing of this page that only a script in the browser can do."""

from __future__ import annotations

import streamlit as st


def bring_into_view(key_prefix: str, of: str) -> None:
    """Scroll to what is drawn under a key that begins so. Without scripts the page is the same, and does not scroll.

    The script holds nothing that was stored; `of`, letters and digits of an id, only makes it run again for another one.
    """
    mark = "".join(sign for sign in of if sign.isascii() and sign.isalnum())
    st.html(
        f"<script>/* {mark} */ setTimeout(() => document.querySelector('[class*=\"st-key-{key_prefix}\"]')"
        "?.scrollIntoView({block: 'nearest'}), 80)</script>",
        unsafe_allow_javascript=True,
    )
