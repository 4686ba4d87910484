"""What its owner can do with a stored run: replay it, fork the session up to it, delete it."""

from __future__ import annotations

import streamlit as st

from lib.records import RunRecord, SavedState
from lib.ui.sessions_actions import ask_to_delete_run, fork_session, replay_session

MENU = {
    "Replay": ":material/history: Replay",
    "Fork": ":material/fork_right: Fork from here",
    "Delete": ":material/delete: Delete this question and its answer",
}


def draw_run_menu(run: RunRecord, *, key: str, in_replay: bool = False, then_run_id: str | None = None) -> None:
    """Draw the menu of a run that has ended; `then_run_id` is shown where this run was, once it is deleted."""
    names = list(MENU)
    if in_replay:
        names.remove("Replay")
    if run.saved is not SavedState.STORED:
        names.remove("Fork")  # a copy would lack the answer
    st.menu_button(
        "More",
        names,
        key=key,
        type="tertiary",
        icon=":material/more_horiz:",
        format_func=MENU.__getitem__,
        on_click=_act,
        args=(key, run.session_id, run.run_id, then_run_id),
    )


def _act(key: str, session_id: str, run_id: str, then_run_id: str | None) -> None:
    match st.session_state.get(key):
        case "Replay":
            replay_session(session_id, run_id)
        case "Fork":
            fork_session(session_id, upto_run_id=run_id)
        case "Delete":
            ask_to_delete_run(session_id, run_id, then_run_id=then_run_id)
