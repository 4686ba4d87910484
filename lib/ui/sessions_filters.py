"""The filter row of the Sessions page: words, team, collection, tag, state, time and, for admins, whose; each with its count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from lib.records import SessionCounts, SessionFilter, SessionState
from lib.ui.sessions_words import browser_zone, component_in_words

if TYPE_CHECKING:
    from lib.ui.frame import PageFrame

EVERYBODY = "\0everybody"  # no user's name holds this
STATE_WORDS = {
    SessionState.LIVE: "running now",
    SessionState.COMPLETED: "answered",
    SessionState.STOPPED: "stopped",
    SessionState.FAILED: "failed or interrupted",
    SessionState.PAUSED: "paused",
    SessionState.EMPTY: "no question yet",
    SessionState.UNKNOWN: "unknown",
}
TIMES = {"today": (0, None), "last 7 days": (7, None), "last 30 days": (30, None), "earlier": (None, 30)}
"""From how many days ago, and until how many days ago; days begin at the reader's midnight."""
WIDGETS = tuple(f"sessions_{name}" for name in ("text", "owner", "component", "collection", "tag", "state", "time"))


def draw_filters(page: PageFrame) -> SessionFilter:
    """Draw the row and return what it narrows the list to."""
    store, reader = page.roundtable.store, page.identity.reader
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="bottom", key="sessions_filters"):
        text = st.text_input(
            "Search",
            key="sessions_text",
            type="search",
            live="300ms",
            placeholder="Title, question, tag",
            width=160,
        )
        owner: str | None = page.user_id
        if reader.admin:
            owners = store.count_sessions(user_id=reader).owners
            owner = _draw_owner(owners, page.user_id)
        counts = store.count_sessions(user_id=reader, where=SessionFilter(owner=owner))
        component_id = _draw_choice("Team", "component", counts.components, page)
        collection = _draw_choice("Collection", "collection", counts.collections, page)
        tag = _draw_choice("Tag", "tag", counts.tags, page)
        state = st.selectbox(
            "State",
            list(STATE_WORDS),
            index=None,
            key="sessions_state",
            format_func=STATE_WORDS.__getitem__,
            placeholder="any",
            width=104,
        )
        since, until = _draw_time()
        return SessionFilter(
            text=text or "",
            owner=owner,
            component_id=component_id,
            collection=collection,
            tag=tag,
            state=state,
            since=since,
            until=until,
        )


def is_narrowed(where: SessionFilter, user_id: str) -> bool:
    """Whether anything is filtered beside whose sessions they are."""
    return where not in (SessionFilter(owner=user_id), SessionFilter())


def clear_filters() -> None:
    """Show everything of one's own again."""
    for key in WIDGETS:
        if key in st.session_state:
            del st.session_state[key]
    st.session_state["sessions_text"] = ""


def _draw_owner(owners: Mapping[str, int], user_id: str) -> str | None:
    options = [user_id, EVERYBODY, *(owner for owner in owners if owner != user_id)]

    def in_words(owner: str) -> str:
        if owner == EVERYBODY:
            return f"everybody ({sum(owners.values())})"
        return f"{'me' if owner == user_id else owner or 'nobody'} ({owners.get(owner, 0)})"

    chosen = st.selectbox("User", options, key="sessions_owner", format_func=in_words, width=104)
    return None if chosen == EVERYBODY else chosen


def _draw_choice(label: str, name: str, counts: Mapping[str, int], page: PageFrame) -> str | None:
    key = f"sessions_{name}"
    options = list(counts)
    chosen = st.session_state.get(key)
    if chosen is not None and chosen not in counts:
        options.append(chosen)  # its last session is gone; the choice stays what the reader made it

    def in_words(value: str) -> str:
        shown = component_in_words(value, page.roundtable.catalogue) if name == "component" else value
        return f"{shown} ({counts.get(value, 0)})"

    return st.selectbox(label, options, index=None, key=key, format_func=in_words, placeholder="any", width=104)


def _draw_time() -> tuple[datetime | None, datetime | None]:
    chosen = st.selectbox("Last used", list(TIMES), index=None, key="sessions_time", placeholder="any time", width=104)
    midnight = datetime.now(browser_zone()).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    since, until = TIMES[chosen] if chosen else (None, None)
    return (
        None if since is None else midnight - timedelta(days=since),
        None if until is None else midnight - timedelta(days=until),
    )


def in_words(counts: SessionCounts, shown: int, *, latest: bool = True) -> str:
    """Return "7 sessions" or "the latest 100 of 2,000 sessions"; in another order, the first of them."""
    noun = "session" if counts.total == 1 else "sessions"
    if shown >= counts.total:
        return f"{counts.total:,} {noun}"
    return f"the {'latest' if latest else 'first'} {shown} of {counts.total:,} {noun}"
