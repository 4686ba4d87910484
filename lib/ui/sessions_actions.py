"""What the reader's clicks do to sessions and their runs: open, rename, tag, fork, delete. Callbacks only; each asks again who it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlencode, urlsplit

import streamlit as st

from lib.ui.identity import current_user
from lib.ui.notices import Notice, to_notice
from lib.ui.resources import shared_roundtable, shared_settings
from lib.ui.tab import CHAT_PAGE, REPLAY_PAGE, SESSIONS_PAGE, Dialog, open_tab

_NO_ADDRESS = Notice(
    "A session without an id cannot be opened",
    "Another program stored it under an empty id, and an address without an id leads to a new session. Fork it to read "
    "the copy, or delete it.",
)


def open_session(session_id: str | None) -> None:
    """Show a session on the chat page; None: a new one."""
    _go_to(CHAT_PAGE, session_id)


def replay_session(session_id: str, run_id: str | None = None) -> None:
    """Show a session, or one run of it, on the replay page."""
    _go_to(REPLAY_PAGE, session_id, run_id)


def show_all_sessions() -> None:
    """Go to the Sessions page."""
    open_tab().next_page = SESSIONS_PAGE
    st.rerun()


def act_on_session(action: str, session_id: str) -> None:
    """Do what a row's menu names."""
    tab = open_tab()
    match action:
        case "Open":
            open_session(session_id)
        case "Rename":
            tab.rename(session_id)
        case "Fork":
            fork_session(session_id)
        case "Replay":
            replay_session(session_id)
        case _:
            open_dialog(action, [session_id])


def open_dialog(name: str, session_ids: Sequence[str]) -> None:
    """Ask something over the page."""
    open_tab().dialog = Dialog(name, tuple(session_ids))
    st.rerun()  # drawn by the page itself: a fragment that draws itself anew would close it


def ask_to_delete_run(session_id: str, run_id: str, *, then_run_id: str | None = None) -> None:
    """Ask over the page whether a run is to be deleted; `then_run_id` is shown afterwards where it was on the page."""
    open_tab().dialog = Dialog("Delete run", (session_id,), run_id=run_id, then_run_id=then_run_id)
    st.rerun()


def close_dialog() -> None:
    """Take the dialog away."""
    tab = open_tab()
    tab.dialog = None
    tab.dialog_notice = None


def rename_session(session_id: str, key: str) -> None:
    """Give a session the title that is written in the field `key`; an empty one changes nothing."""
    title = str(st.session_state.get(key) or "").strip()
    with failure_noted():
        if title:
            shared_roundtable().store.rename_session(session_id, title, user_id=_user())
    open_tab().rename(None)
    st.rerun()


def stop_renaming() -> None:
    """Leave the title as it is."""
    open_tab().rename(None)


def fork_session(session_id: str, upto_run_id: str | None = None) -> None:
    """Copy a session, up to a run, and go on in the copy."""
    with failure_noted():
        fork = shared_roundtable().store.fork_session(session_id, user_id=_user(), upto_run_id=upto_run_id)
        close_dialog()
        open_tab().select_session(fork.session_id)
        open_tab().next_page = CHAT_PAGE
    st.rerun()


def delete_sessions(session_ids: Sequence[str]) -> None:
    """Delete sessions for good; one that is on the page is left first."""
    tab = open_tab()
    close_dialog()
    with failure_noted():
        shared_roundtable().store.delete_sessions(session_ids, user_id=_user())
        if tab.session_id in session_ids:
            tab.select_session(None)
    st.rerun()


def delete_run(run_id: str, then_run_id: str | None = None) -> None:
    """Delete a run for good; the page stays in its session, and where it showed this run it shows `then_run_id`."""
    tab = open_tab()
    close_dialog()
    with failure_noted():
        shared_roundtable().store.delete_run(run_id, user_id=_user())
        if then_run_id or tab.run_id == run_id:
            tab.select_session(tab.session_id, run_id=then_run_id)
            st.query_params.pop("step", None)  # it was one of this run
    st.rerun()


def save_labels(session_id: str) -> None:
    """Store the tags and the collection chosen in the dialog."""
    tags = st.session_state.get("tags_choice") or []
    collection = str(st.session_state.get("collection_choice") or "").strip()
    with failure_noted(in_dialog=True):
        shared_roundtable().store.set_labels(session_id, tags=tags, collection=collection or None, user_id=_user())
        close_dialog()
    st.rerun()


def change_tags(session_ids: Sequence[str]) -> None:
    """Add and take away the tags chosen in the dialog for several sessions."""
    add = st.session_state.get("tags_to_add") or []
    remove = st.session_state.get("tags_to_remove") or []
    with failure_noted(in_dialog=True):
        shared_roundtable().store.change_tags(session_ids, user_id=_user(), add=add, remove=remove)
        close_dialog()
    st.rerun()


def link_to(session_id: str) -> str:
    """Return the address of a session, to be sent to a colleague."""
    here = urlsplit(st.context.url or "")
    folder = here.path.rstrip("/").removesuffix("/sessions").removesuffix("/replay").removesuffix("/recall")
    return f"{here.scheme}://{here.netloc}{folder}/?{urlencode({'session': session_id})}"


@contextmanager
def failure_noted(*, in_dialog: bool = False) -> Iterator[None]:
    """Keep what went wrong for the next script run, which has a place to draw it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a callback has no place to draw: the page says it in its next run
        tab = open_tab()
        if in_dialog:
            tab.dialog_notice = to_notice(error)
        else:
            tab.notice = to_notice(error)


def _go_to(page: str, session_id: str | None, run_id: str | None = None) -> None:
    close_dialog()
    tab = open_tab()
    tab.rename(None)
    if session_id == "":
        tab.notice = _NO_ADDRESS
    else:
        tab.select_session(session_id, run_id=run_id)
        tab.next_page = page
    st.rerun()  # also from inside a fragment: the whole page


def _user() -> str:
    return current_user(shared_settings())
