"""What changes by itself on the chat page: short fragments that read the engine's snapshots, never a blocking loop.

Each reads what it shows anew by id; while one runs, clicks elsewhere are answered (streamlit-facts 2).
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from lib.errors import NotFound, StorageError
from lib.records import RunRecord, RunStatus
from lib.ui.asking import stop
from lib.ui.chat import Chat
from lib.ui.frame import PageFrame
from lib.ui.notices import errors_shown
from lib.ui.runs import draw_run
from lib.ui.safe_markdown import plain_label
from lib.ui.tab import TabState
from lib.ui.words import activity_in_words, elapsed_s, seconds_in_words

LIVE_EVERY_S = 0.25
IDLE_EVERY_S = 3.0
BEGINS_WITHIN_S = 1.0
"""How long a question may be on its way before the page says that it waits."""


def draw_live_runs(chat: Chat) -> None:
    """Draw the runs that go on, as they go on; when none does, watch for one that another tab starts."""
    if chat.live_run_ids:
        st.fragment(_draw_live_runs, run_every=LIVE_EVERY_S)(chat)
    elif chat.session:
        going_on_elsewhere = any(run.status.live for run in chat.runs)
        seen = (chat.session.runs, chat.session.updated_at, chat.session.last_status)
        every = 1.0 if going_on_elsewhere else IDLE_EVERY_S
        st.fragment(_watch_session, run_every=every)(chat.page, chat.session.session_id, seen)


def draw_progress(chat: Chat) -> None:
    """Draw what the team is doing and the stop button, over the composer."""
    if chat.live_run_ids:
        st.fragment(_draw_progress, run_every=2 * LIVE_EVERY_S)(chat)
        return
    elsewhere = next((run for run in chat.runs if run.status.live), None)
    if elsewhere is not None:
        _draw_stop_row(f"{elsewhere.component_name} is working, started from another process", elsewhere, chat.page.tab)


@errors_shown()
def _draw_live_runs(chat: Chat) -> None:
    page, run_ids, drawing = chat.page, chat.live_run_ids, chat.drawing()
    handles = [page.roundtable.engine.find(run_id, user_id=page.user_id) for run_id in run_ids]
    for place, handle in enumerate(handles):
        if handle is not None:
            draw_run(_begun(handle.snapshot()) if place == 0 else handle.snapshot(), drawing)
    if page.tab.being_written or page.tab.session_id is None:
        return
    now_live = page.roundtable.engine.live_in_session(page.tab.session_id, user_id=page.user_id)
    if tuple(handle.run_id for handle in now_live) != run_ids:
        st.rerun()  # one ended or another began: the whole page draws what is stored


@errors_shown()
def _draw_progress(chat: Chat) -> None:
    run = _running(chat.page, chat.live_run_ids)
    if run is None:
        return
    doing = activity_in_words(run, chat.drawing().cards.member_names)
    time = seconds_in_words(elapsed_s(run.started_at), whole=True)
    _draw_stop_row(", ".join((f"{run.component_name} is working: {doing}", time)), run, chat.page.tab)


def _draw_stop_row(words: str, run: RunRecord, tab: TabState) -> None:
    stopping = tab.stopping_run_id == run.run_id
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="progress"):
        st.caption(plain_label("Stopping" if stopping else words, 160), width="content")
        st.button(
            "Stop",
            key="stop_run",
            icon=":material/stop_circle:",
            shortcut="Escape",
            disabled=stopping,
            on_click=stop,
            args=(run.run_id,),
        )


@errors_shown()
def _watch_session(page: PageFrame, session_id: str, seen: tuple[object, ...]) -> None:
    if page.tab.being_written:
        return
    try:
        session = page.roundtable.store.get_session(session_id, user_id=page.user_id)
    except NotFound:
        st.rerun()  # deleted in another tab: the page says so
    except StorageError:
        return  # the page itself says what is wrong when it is used; a watcher does not disturb reading
    live = page.roundtable.engine.live_in_session(session_id, user_id=page.user_id)
    if live or (session.runs, session.updated_at, session.last_status) != seen:
        st.rerun()


def _begun(run: RunRecord) -> RunRecord:
    """Return a run that is about to begin as running: for its first moment nothing is known to be before it."""
    about_to_begin = run.status is RunStatus.WAITING and (elapsed_s(run.started_at) or 0) < BEGINS_WITHIN_S
    return replace(run, status=RunStatus.RUNNING) if about_to_begin else run


def _running(page: PageFrame, run_ids: tuple[str, ...]) -> RunRecord | None:
    """Return the run that is at work, else the first that waits."""
    handles = [page.roundtable.engine.find(run_id, user_id=page.user_id) for run_id in run_ids]
    runs = [handle.snapshot() for handle in handles if handle is not None and handle.live]
    return next((run for run in runs if run.status is RunStatus.RUNNING), runs[0] if runs else None)
