"""Who you are, at the foot of the sidebar: sign out, or act as somebody else for a demonstration."""

from __future__ import annotations

import streamlit as st

from lib.settings import Settings
from lib.ui.identity import Identity, SignIn, act_as, current_identity
from lib.ui.resources import shared_settings
from lib.ui.safe_markdown import plain_label


def draw_identity(identity: Identity | None, settings: Settings) -> None:
    """Draw who is at the browser and what can be done about it."""
    if identity is None:
        st.caption(":material/person_off: nobody")
        return
    name = plain_label(identity.name, 40)
    role = " · admin" if identity.admin else ""
    with st.container(
        horizontal=True, wrap=False, gap="xsmall", vertical_alignment="center", key="identity", width="stretch"
    ):
        words = f":orange[:material/theater_comedy: acting as {name}{role}]" if identity.acting else None
        st.caption(
            words or f":material/person: {name}{role}",
            width="stretch",
            help=f"User id: {plain_label(identity.user_id, 130)}" if identity.name != identity.user_id else None,
        )
        match identity.by:
            case SignIn.OIDC:
                st.button("Sign out", key="sign_out", type="tertiary", icon=":material/logout:", on_click=st.logout)
            case SignIn.LOCAL:
                _draw_act_as(identity, settings)
            case SignIn.HEADER:
                pass  # who signs out, and where, is the login proxy's


def _draw_act_as(identity: Identity, settings: Settings) -> None:
    with st.popover("Act as", type="tertiary", key="act_as"):
        st.caption("For demonstrations: be another user in this tab. There is no password, and no secret from you.")
        st.text_input(
            "Act as", key="act_as_user", max_chars=128, placeholder="name of a user", on_change=_act_as_written
        )
        others = dict.fromkeys((settings.local_user, *settings.admin_users))
        for position, user_id in enumerate(other for other in others if other != identity.user_id):
            st.button(
                plain_label(user_id, 40),
                key=f"act_as_{position}",
                type="tertiary",
                icon=":material/person:",
                on_click=act_as,
                args=(user_id,),
            )


def _act_as_written() -> None:
    written = st.session_state.get("act_as_user") or ""
    # A callback can be sent by anyone's browser: only in local mode is there somebody to act as.
    if written.strip() and current_identity(shared_settings()).by is SignIn.LOCAL:
        act_as(written)
