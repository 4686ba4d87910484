"""What the reader's clicks do to runs: ask, ask again, stop. Callbacks only; they leave a notice where something fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from lib.ui.identity import current_user
from lib.ui.notices import to_notice
from lib.ui.resources import shared_roundtable, shared_settings
from lib.ui.tab import TabState, open_tab


def ask_what_was_written() -> None:
    """Ask what was written in the composer; where that is not possible, it stays there."""
    written = st.session_state.get("chat_input") or ""
    if not written.strip():
        return
    ask(written)
    if open_tab().notice is not None:
        st.session_state["chat_input"] = written


def ask(question: str) -> None:
    """Ask `question` in the tab's session, or in a new one."""
    tab = open_tab()
    with _failure_noted(tab):
        _start(tab, question)


def ask_again(run_id: str) -> None:
    """Ask the question of a run that did not end well once more."""
    tab = open_tab()
    with _failure_noted(tab):
        settings = shared_settings()
        run = shared_roundtable().store.get_run(run_id, user_id=current_user(settings))
        _start(tab, run.question)


def stop(run_id: str) -> None:
    """Stop a run; the page says so until it has come to its end."""
    tab = open_tab()
    with _failure_noted(tab):
        shared_roundtable().engine.stop(run_id, user_id=current_user(shared_settings()))
        tab.stopping_run_id = run_id


def _start(tab: TabState, question: str) -> None:
    settings, roundtable = shared_settings(), shared_roundtable()
    user_id = current_user(settings)
    window = st.session_state.get("history_window", settings.num_history_runs)
    if tab.session_id:
        team = roundtable.store.get_session(tab.session_id, user_id=user_id).component_id
    else:
        team = tab.team or roundtable.catalogue.entries[0].name
    handle = roundtable.engine.start(question, user_id=user_id, team=team, session_id=tab.session_id, window=window)
    tab.select_session(handle.session_id)
    st.session_state["history_window"] = window  # a new session goes on with the window it began with


@contextmanager
def _failure_noted(tab: TabState) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a callback has no place to draw: the page says it in its next run
        tab.notice = to_notice(error)
