"""What is asked over a page about sessions: tags and collection, the link, whether to delete them or one run; and the facts of one.

The page draws an open dialog in every one of its runs, outside all fragments, so that nothing that draws itself anew
closes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from lib.errors import NotFound
from lib.records import Loss, SessionCounts
from lib.ui.identity import current_identity
from lib.ui.notices import draw_notice, errors_shown, to_notice
from lib.ui.resources import shared_roundtable, shared_settings
from lib.ui.safe_markdown import plain_label
from lib.ui.sessions_actions import change_tags, close_dialog, delete_run, delete_sessions, link_to, save_labels
from lib.ui.sessions_drawer import draw_facts
from lib.ui.sessions_words import loss_in_words
from lib.ui.tab import TabState, open_tab
from lib.ui.words import count_in_words

MAX_NAMES = 5


def draw_open_dialog(tab: TabState) -> None:
    """Draw the dialog that is open in this tab, if one is."""
    if tab.dialog is None:
        return
    if tab.dialog.run_id is not None:
        _draw_delete_run(tab.dialog.run_id, tab.dialog.then_run_id)
        return
    dialogs: Mapping[str, Callable[[tuple[str, ...]], None]] = {
        "Tags": _draw_labels,
        "Tag all": _draw_bulk_tags,
        "Copy link": _draw_link,
        "Delete": _draw_delete,
        "Facts": _draw_facts,
    }
    dialogs[tab.dialog.name](tab.dialog.session_ids)


def _draw_facts(session_ids: tuple[str, ...]) -> None:
    (session_id,) = session_ids
    found = shared_roundtable().store.find_session(session_id, user_id=current_identity(shared_settings()).reader)
    drawer = st.dialog(
        plain_label(found.name, 120) if found else "Session",
        position="right",
        width="medium",
        icon=":material/forum:",
        on_dismiss=close_dialog,
    )
    drawer(_draw_facts_within)(session_id)


@errors_shown()
def _draw_facts_within(session_id: str) -> None:
    with _said():
        draw_facts(session_id)


@st.dialog("Tags and collection", icon=":material/sell:", on_dismiss=close_dialog)
@errors_shown()
def _draw_labels(session_ids: tuple[str, ...]) -> None:
    (session_id,) = session_ids
    with _said():
        user_id, store = _user_id(), shared_roundtable().store
        session = store.get_session(session_id, user_id=user_id)
        counts = store.count_sessions(user_id=user_id)
        st.caption(plain_label(session.name, 120))
        st.multiselect(
            "Tags",
            list(dict.fromkeys((*session.tags, *counts.tags))),
            default=list(session.tags),
            key="tags_choice",
            accept_new_options=True,
            placeholder="Choose tags or write new ones",
        )
        names = list(dict.fromkeys((*([session.collection] if session.collection else ()), *counts.collections)))
        st.selectbox(
            "Collection",
            names,
            index=0 if session.collection else None,
            key="collection_choice",
            accept_new_options=True,
            placeholder="None. Choose one or write a new one",
            help="One group a session: a course, a client, a project.",
        )
        _draw_buttons("Save", "save_labels", ":material/check:", save_labels, session_id)


@st.dialog("Tag sessions", icon=":material/sell:", on_dismiss=close_dialog)
@errors_shown()
def _draw_bulk_tags(session_ids: tuple[str, ...]) -> None:
    with _said():
        counts: SessionCounts = shared_roundtable().store.count_sessions(user_id=_user_id())
        st.caption(f"The other tags of the {count_in_words(len(session_ids), 'session')} stay as they are.")
        st.multiselect(
            "Add", list(counts.tags), key="tags_to_add", accept_new_options=True, placeholder="Choose or write tags"
        )
        st.multiselect("Take away", list(counts.tags), key="tags_to_remove", placeholder="Choose tags")
        _draw_buttons("Save", "save_bulk_tags", ":material/check:", change_tags, session_ids)


@st.dialog("Link to this session", icon=":material/link:", on_dismiss=close_dialog)
@errors_shown()
def _draw_link(session_ids: tuple[str, ...]) -> None:
    if not session_ids[0]:
        st.markdown("No link leads to this session: another program stored it under an empty id. Fork it to have one.")
        return
    st.code(link_to(session_ids[0]), language=None, wrap_lines=True)
    st.caption("It opens for you alone. Admins are offered to read it in Replay.")


@st.dialog("Delete for good?", icon=":material/delete:", on_dismiss=close_dialog)
@errors_shown()
def _draw_delete(session_ids: tuple[str, ...]) -> None:
    with _said():
        user_id, store = _user_id(), shared_roundtable().store
        loss = store.describe_loss(session_ids, user_id=user_id)
        names = [store.get_session(session_id, user_id=user_id).name for session_id in session_ids[:MAX_NAMES]]
        bullet = "- " if len(names) > 1 else ""
        st.markdown("\n".join(f"{bullet}**{plain_label(name, 80)}**" for name in names))
        if len(session_ids) > MAX_NAMES:
            st.caption(f"and {len(session_ids) - MAX_NAMES} more")
        _draw_end_of_delete(loss, loss_in_words(loss), delete_sessions, session_ids)


@st.dialog("Delete this question and its answer?", icon=":material/delete:", on_dismiss=close_dialog)
@errors_shown()
def _draw_delete_run(run_id: str, then_run_id: str | None) -> None:
    with _said():
        user_id, store = _user_id(), shared_roundtable().store
        question = store.get_run(run_id, user_id=user_id).question
        loss = store.describe_run_loss(run_id, user_id=user_id)
        st.markdown(f"**{plain_label(question, 200) or 'A question without text'}**")
        _draw_end_of_delete(loss, f"What is lost: {loss_in_words(loss)}", delete_run, run_id, then_run_id)


def _draw_end_of_delete(loss: Loss, words: str, act: Callable[..., None], *about: object) -> None:
    st.markdown(f"{words}. This cannot be undone.")
    if loss.live_runs:
        st.markdown(f":orange[{count_in_words(loss.live_runs, 'run')} still at work will be stopped.]")
    _draw_buttons("Delete", "delete_yes", ":material/delete:", act, *about)


def _draw_buttons(label: str, key: str, icon: str, act: Callable[..., None], *about: object) -> None:
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.button("Cancel", key="dialog_cancel", on_click=_cancel)
        st.button(label, key=key, icon=icon, type="primary", on_click=act, args=about)


def _cancel() -> None:
    close_dialog()
    st.rerun()


@contextmanager
def _said() -> Iterator[None]:
    """Draw what went wrong before; where a session is gone meanwhile, say that and draw nothing else."""
    notice = open_tab().dialog_notice
    if notice:
        draw_notice(notice)
    try:
        yield
    except NotFound as error:
        draw_notice(to_notice(error))
        st.button("Close", key="dialog_close", on_click=_cancel)


def _user_id() -> str:
    return current_identity(shared_settings()).user_id
