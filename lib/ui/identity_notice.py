"""The page of somebody who is nobody yet: why, and how to sign in. No data is read for it."""

from __future__ import annotations

import streamlit as st
from streamlit.errors import StreamlitAuthError

from lib.errors import NotSignedIn, RoundtableError
from lib.ui.identity import login_configured, login_providers
from lib.ui.notices import Notice, draw_notice, to_notice
from lib.ui.safe_markdown import plain_label
from lib.ui.tab import open_tab
from lib.ui.wanted_address import keep_wanted_address


def draw_nobody(error: RoundtableError, page: str) -> None:
    """Draw who cannot go on here, on `page`: one button where there is a login, else what is missing."""
    if isinstance(error, NotSignedIn) and login_configured():
        _draw_sign_in(str(error), page)
        return
    draw_notice(to_notice(error))
    st.button("Try again", key="try_again", icon=":material/refresh:")


def _draw_sign_in(reason: str, page: str) -> None:
    tab = open_tab()
    notice = tab.take_notice()
    with st.container(key="sign_in", gap="small"):
        st.header("Roundtable", anchor=False)
        st.markdown("Ask a team of agents, watch it delegate, and come back to the same session tomorrow.")
        st.caption(plain_label(reason, 200))
        if notice:
            draw_notice(notice)
        for provider in login_providers():
            st.button(
                "Sign in" if provider is None else f"Sign in with {plain_label(provider.capitalize())}",
                key="sign_in_button" if provider is None else f"sign_in_button_{provider}",
                type="primary",
                icon=":material/login:",
                on_click=_sign_in,
                args=(provider, page),
            )


def _sign_in(provider: str | None, page: str) -> None:
    keep_wanted_address(page)
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        open_tab().notice = Notice("The login is not set up", f"{error} It is the [auth] section of secrets.toml.")
