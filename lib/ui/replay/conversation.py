"""The conversation view: the session as the analyst saw it, drawn by the chat page's own renderer, and play back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import streamlit as st

from lib.records import DelegationSegment, RunRecord, Segment, ToolCallRecord, ToolSegment
from lib.replay.playback import Playback, build_playback
from lib.ui.delegations import Cards
from lib.ui.images import ImageSource
from lib.ui.notices import errors_shown
from lib.ui.replay.bounded import MOST_BESIDE, MOST_PARTS, bounded, count_parts, is_cut
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import open_run
from lib.ui.replay.scrolling import bring_into_view
from lib.ui.runs import RunDrawing, draw_run
from lib.ui.words import count_in_words, seconds_in_words

AROUND = 2
"""Runs shown before and after the one on screen."""
SPEEDS = (0.5, 1.0, 2.0, 5.0, 20.0)
TICK_S = 0.25
_AT, _PLAYING, _SPEED = "playback_at", "playback_playing", "playback_speed"


def draw_conversation(opened: OpenedReplay) -> None:
    """Draw the run on screen among its neighbours, or play it back."""
    playback = build_playback(opened.run, opened.steps)
    can_play = playback.total_s > 0 and not opened.run.status.live
    if can_play and st.toggle("Play back", key=f"play_back_{opened.head.run_id}"):
        playing = bool(st.session_state.get(_key(opened, _PLAYING)))
        st.fragment(_draw_playback, run_every=TICK_S if playing else None)(opened, playback)
        return
    first, last = max(0, opened.position - AROUND), min(len(opened.heads), opened.position + AROUND + 1)
    shown = opened.read([head.run_id for head in opened.heads[first:last]])
    if first:
        _draw_way("Earlier runs", "earlier_runs", ":material/expand_less:", opened.heads[first - 1].run_id)
    lazy = RunDrawing(cards=Cards(lazy=True), images=_images(opened))
    filled = replace(lazy, cards=replace(lazy.cards, lazy=False))
    for run in shown.runs:
        here = run.run_id == opened.head.run_id
        with st.container(key="replay_here" if here else None):
            draw_run(bounded(run, MOST_PARTS if here else MOST_BESIDE), filled if here else lazy)
            if is_cut(run, MOST_PARTS if here else MOST_BESIDE):
                _draw_cut(run)
    if opened.page.tab.run_id and opened.position:
        bring_into_view("replay_here", opened.head.run_id)
    if last < len(opened.heads):
        _draw_way("Later runs", "later_runs", ":material/expand_more:", opened.heads[last].run_id)


def _images(opened: OpenedReplay) -> ImageSource:
    return ImageSource(opened.page.roundtable.store, opened.page.identity.reader)


def _draw_cut(run: RunRecord) -> None:
    count = count_in_words(count_parts(run), "part")
    st.caption(f":material/info: This run has {count}: too much to draw at once. The steps view has all of it.")


def _draw_way(label: str, key: str, icon: str, run_id: str) -> None:
    st.button(label, key=key, type="tertiary", icon=icon, width="stretch", on_click=open_run, args=(run_id,))


# -- play back ---------------------------------------------------------------------------------------------------------


def _key(opened: OpenedReplay, name: str) -> str:
    return f"{name}_{opened.head.run_id}"


@errors_shown()
def _draw_playback(opened: OpenedReplay, playback: Playback) -> None:
    at_key, playing_key, speed_key = (_key(opened, name) for name in (_AT, _PLAYING, _SPEED))
    total = playback.total_s
    playing = bool(st.session_state.get(playing_key))
    at = min(float(st.session_state.get(at_key, 0.0)), total)
    if playing:
        at = min(at + TICK_S * float(st.session_state.get(speed_key, 1.0)), total)
        st.session_state[at_key] = at
        if at >= total:
            st.session_state[playing_key] = False
            st.rerun()  # the clock stops
    else:
        st.session_state[at_key] = at
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="playback"):
        st.button(
            "Pause" if playing else "Play",
            key="play_pause",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            on_click=_play_or_pause,
            args=(playing_key, at_key, total),
        )
        st.slider(
            "Seconds since the run began",
            0.0,
            total,
            key=at_key,
            step=max(total / 200, 0.001),
            format="%.2f",
            width=420,
        )
        st.session_state.setdefault(speed_key, 1.0)
        st.selectbox("Speed", SPEEDS, key=speed_key, format_func=lambda speed: f"{speed:g} ×", width=110)
    if not playback.exact:
        st.caption(":material/info: Times are stored in whole seconds: much appears at once.")
    st.caption(
        f"{seconds_in_words(at) or '0 s'} of {seconds_in_words(total)}. Words appear when their request was answered; "
        "where no answer is stored, with what came next, at the latest at the end of their run."
    )
    draw_run(
        bounded(_as_of_then(playback.at(at), playback, at)), RunDrawing(actions=at >= total, images=_images(opened))
    )


def _as_of_then(run: RunRecord, playback: Playback, at: float) -> RunRecord:
    """Return the run with what was under way begun as long ago from now as it had from then: no clock runs on from the past."""
    first = min((part.started_at for part in playback.run.walk() if part.started_at), default=None)
    return run if first is None else _moved(run, datetime.now(UTC) - (first + timedelta(seconds=at)))


def _moved(run: RunRecord, by: timedelta) -> RunRecord:
    segments: list[Segment] = []
    for segment in run.segments:
        match segment:
            case DelegationSegment(call=call, run=member_run):
                inner = _moved(member_run, by) if member_run else None
                segments.append(replace(segment, call=_begun(call, by), run=inner))
            case ToolSegment(call=call):
                segments.append(replace(segment, call=_begun(call, by)))
            case _:
                segments.append(segment)
    return replace(run, segments=tuple(segments))


def _begun(call: ToolCallRecord, by: timedelta) -> ToolCallRecord:
    if call.started_at is None or call.ended_at is not None:
        return call
    return replace(call, started_at=call.started_at + by)


def _play_or_pause(playing_key: str, at_key: str, total: float) -> None:
    playing = not st.session_state.get(playing_key)
    st.session_state[playing_key] = playing
    if playing and float(st.session_state.get(at_key, 0.0)) >= total:
        st.session_state[at_key] = 0.0
    st.rerun()  # a fragment cannot start or stop its own clock
