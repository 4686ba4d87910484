"""What the reader's clicks do to runs: ask, ask again, stop. Callbacks only; they leave a notice where something fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from lib.errors import RunRefused
from lib.records import Attachment
from lib.ui.attaching import keep_waiting, take_files, waiting_images
from lib.ui.identity import current_user
from lib.ui.notices import Notice, to_notice
from lib.ui.resources import shared_roundtable, shared_settings
from lib.ui.sessions_collection import chosen_collection
from lib.ui.sessions_words import reason_not_to_go_on
from lib.ui.tab import TabState, open_tab


def ask_what_was_written() -> None:
    """Ask what was written in the composer; where that is not possible, it and its images stay there."""
    sent = st.session_state.get("chat_input") or ""
    question, files = (sent, []) if isinstance(sent, str) else (sent.text, sent.files)
    refused = take_files(files)
    images = waiting_images()
    if refused is None and images and not question.strip():
        refused = Notice("Not asked yet", "Write what you want to know about the image.")
    if refused is None and question.strip():
        ask(question, images)
        refused = open_tab().take_notice()
        images = images if refused else ()
    keep_waiting(images, refused)
    if refused is not None:
        st.session_state["chat_input"] = question


def ask(question: str, images: Sequence[Attachment] = ()) -> None:
    """Ask `question` in the tab's session, or in a new one."""
    tab = open_tab()
    with _failure_noted(tab):
        _start(tab, question, images)


def ask_again(run_id: str) -> None:
    """Ask the question of a run that did not end well once more."""
    tab = open_tab()
    with _failure_noted(tab):
        settings = shared_settings()
        user_id, store = current_user(settings), shared_roundtable().store
        run = store.get_run(run_id, user_id=user_id)
        images = [
            Attachment(store.get_image(run_id, image.image_id, user_id=user_id), image.mime_type or "", image.name)
            for image in run.images
        ]
        _start(tab, run.question, images)


def stop(run_id: str) -> None:
    """Stop a run; the page says so until it has come to its end."""
    tab = open_tab()
    with _failure_noted(tab):
        shared_roundtable().engine.stop(run_id, user_id=current_user(shared_settings()))
        tab.stopping_run_id = run_id


def _start(tab: TabState, question: str, images: Sequence[Attachment]) -> None:
    settings, roundtable = shared_settings(), shared_roundtable()
    user_id = current_user(settings)
    window = st.session_state.get("history_window", settings.num_history_runs)
    collection = None if tab.session_id else chosen_collection()
    if tab.session_id:
        session = roundtable.store.get_session(tab.session_id, user_id=user_id)
        if reason := reason_not_to_go_on(session, roundtable.catalogue, user_id=user_id):
            raise RunRefused(reason)
        team = session.component_id
    else:
        team = tab.team or roundtable.catalogue.entries[0].name
    handle = roundtable.engine.start(
        question, user_id=user_id, team=team, session_id=tab.session_id, window=window, images=images
    )
    tab.select_session(handle.session_id)
    if collection:
        roundtable.store.set_collection(handle.session_id, collection, user_id=user_id)
    st.session_state["history_window"] = window  # a new session goes on with the window it began with


@contextmanager
def _failure_noted(tab: TabState) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - a callback has no place to draw: the page says it in its next run
        tab.notice = to_notice(error)
