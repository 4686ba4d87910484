"""The facts of one session, in a drawer at the right: what was asked first and answered last, counts, origin, what can be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import StorageError
from lib.records import ForkRecord, Reader, RunRecord, SessionSummary
from lib.storage.labels import MAX_TITLE_LENGTH
from lib.ui.identity import current_identity
from lib.ui.resources import shared_roundtable, shared_settings
from lib.ui.safe_markdown import plain_label, safe_markdown
from lib.ui.sessions_actions import fork_session, open_dialog, open_session, rename_session, replay_session
from lib.ui.sessions_words import (
    browser_zone,
    moment_in_words,
    reason_not_to_go_on,
    state_in_words,
    team_in_words,
)
from lib.ui.words import count_in_words, seconds_in_words

if TYPE_CHECKING:
    from lib.storage import SessionStore

ANSWER_SHOWN = 1200
"""Characters of the last answer; the whole is on the page it opens."""
FORKS_SHOWN = 10


def draw_facts(session_id: str) -> None:
    """Draw the session's facts for whoever is at the browser. Raises SessionNotFound."""
    roundtable, identity = shared_roundtable(), current_identity(shared_settings())
    store, reader = roundtable.store, identity.reader
    session = store.get_session(session_id, user_id=reader)
    own = session.user_id == identity.user_id
    last = store.list_runs(session_id, user_id=reader, limit=1).items
    if not own:
        st.info(whose_in_words(session), icon=":material/visibility:")
    _draw_counts(session, team_in_words(session, roundtable.catalogue))
    _draw_buttons(session, own=own)
    reason = reason_not_to_go_on(session, roundtable.catalogue, user_id=identity.user_id) if own else None
    if reason:
        st.caption(f":material/lock: {plain_label(reason, 300)}")
    _draw_words(session, last[-1] if last else None)
    if own:
        st.text_input(
            "Title",
            value=(session.title or "")[:MAX_TITLE_LENGTH],  # a longer one, of another program, could not be changed
            key=f"facts_title_{session_id}",
            max_chars=MAX_TITLE_LENGTH,
            placeholder=session.name[:100],
            on_change=rename_session,
            args=(session_id, f"facts_title_{session_id}"),
        )
    _draw_forks(store, reader, session)


def whose_in_words(session: SessionSummary) -> str:
    """Return the banner over what an admin reads: whose it is, and that nothing can be changed."""
    return f"You read a session of {owner_in_words(session)} as an admin. Nothing in it can be changed."


def owner_in_words(session: SessionSummary) -> str:
    """Return who owns a session, as Markdown."""
    return f"**{plain_label(session.user_id, 130)}**" if session.user_id else "nobody (another program stored it so)"


def _draw_counts(session: SessionSummary, team: str) -> None:
    zone = browser_zone()
    facts = [team, state_in_words(session), count_in_words(session.runs, "run")]
    if session.failed_runs:
        facts.append(f"{session.failed_runs} failed")
    if session.tokens:
        facts.append(count_in_words(session.tokens, "token"))
    if session.duration_s:
        facts.append(seconds_in_words(session.duration_s))
    began, used = (f"{moment.astimezone(zone):%d %b %Y, %H:%M}" for moment in (session.created_at, session.updated_at))
    with st.container(gap="xxsmall"):
        st.caption(" · ".join(plain_label(fact, 120) for fact in facts))
        st.caption(f"began {began} · last used {used}")
    labels = [f":gray-badge[:material/folder: {plain_label(session.collection, 60)}]"] if session.collection else []
    labels += [f":primary-badge[{plain_label(tag, 60)}]" for tag in session.tags]
    if labels:
        st.markdown(" ".join(labels))


def _draw_buttons(session: SessionSummary, *, own: bool) -> None:
    session_id = session.session_id
    with st.container(horizontal=True, gap="xsmall", key="facts_buttons"):
        if own:
            st.button(
                "Open",
                key="facts_open",
                type="primary",
                icon=":material/forum:",
                on_click=open_session,
                args=(session_id,),
            )
        st.button(
            "Replay",
            key="facts_replay",
            type="secondary" if own else "primary",
            icon=":material/history:",
            on_click=replay_session,
            args=(session_id,),
        )
        if not own:
            return  # an admin reads
        st.button("Tags", key="facts_tags", icon=":material/sell:", on_click=open_dialog, args=("Tags", [session_id]))
        st.button(
            "Fork",
            key="facts_fork",
            icon=":material/fork_right:",
            disabled=not session.runs,
            on_click=fork_session,
            args=(session_id,),
        )
        st.button(
            "Delete", key="facts_delete", icon=":material/delete:", on_click=open_dialog, args=("Delete", [session_id])
        )


def _draw_words(session: SessionSummary, last: RunRecord | None) -> None:
    if session.first_question is None:
        st.caption("Nothing was asked in it yet.")
        return
    with st.container(gap="xxsmall"):
        st.caption("First question")
        st.markdown(plain_label(session.first_question, 600))
    if last is None:
        return
    answer = last.answer.strip()
    st.caption(f"Last answer · {moment_in_words(last.ended_at or session.updated_at)}")
    with st.container(border=True, height=260 if len(answer) > 700 else "content", key="facts_answer"):
        st.markdown(safe_markdown(answer[:ANSWER_SHOWN] + ("…" if len(answer) > ANSWER_SHOWN else "")) or "none yet")


def _draw_forks(store: SessionStore, reader: Reader, session: SessionSummary) -> None:
    for fork in store.list_forks(session.session_id, user_id=reader)[:FORKS_SHOWN]:
        _draw_fork(store, reader, fork, here=session.session_id)


def _draw_fork(store: SessionStore, reader: Reader, fork: ForkRecord, *, here: str) -> None:
    is_origin = fork.session_id == here
    other_id = fork.source_session_id if is_origin else fork.session_id
    try:
        other = store.get_session(other_id, user_id=reader)
    except StorageError:
        return  # gone, or not this reader's
    words = "Forked from" if is_origin else "Fork:"
    st.button(
        f"{words} {plain_label(other.name, 80)}",
        key=f"facts_fork_{other_id}",
        type="tertiary",
        icon=":material/fork_right:",
        on_click=open_dialog,
        args=("Facts", [other_id]),
    )
