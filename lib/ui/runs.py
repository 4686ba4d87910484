"""One run on the screen: the only renderer, for live, stored and replayed runs alike.

A run is drawn from its `segments`, so the leader's words, tool calls and delegations stand where they happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import streamlit as st

from lib.records import (
    DelegationSegment,
    RunRecord,
    RunStatus,
    SavedState,
    Segment,
    TextSegment,
    ToolSegment,
)
from lib.ui.delegations import Cards, draw_delegation, draw_tool_call
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.images import ImageSource, draw_images
from lib.ui.run_menu import draw_run_menu
from lib.ui.safe_markdown import plain_label, safe_markdown
from lib.ui.words import count_in_words, end_in_words, run_time_in_words

NOT_STORED = "Answered, not stored yet: the database cannot be reached. It is kept and will be stored."


@dataclass(frozen=True, kw_only=True)
class RunDrawing:
    """How runs are drawn on this page: the keys in use, and what the reader may do with a run."""

    cards: Cards = field(default_factory=Cards)
    ask_again: Callable[[str], None] | None = None  # called with the run's id
    images: ImageSource | None = None  # None: images are named, not shown
    actions: bool = True  # the line with time, tokens and copy
    menu: bool = False  # whether the reader owns what is drawn: replay, fork from here, delete

    @property
    def keys(self) -> DrawnKeys:
        """The keys in use on this page."""
        return self.cards.keys


def draw_run(run: RunRecord, drawing: RunDrawing | None = None) -> None:
    """Draw one question and everything that came of it, in order."""
    drawing = drawing or RunDrawing()
    with st.container(key=drawing.keys.run(run.run_id), gap="small"):
        _draw_question(run, drawing)
        with st.chat_message("assistant", avatar=":material/hub:"):
            draw_segments(run, drawing)
            _draw_end(run, drawing)
            if drawing.actions and not run.status.live and run.answer:
                _draw_actions(run, drawing)


def draw_segments(run: RunRecord, drawing: RunDrawing) -> None:
    """Draw what happened in a run; delegations given in one turn stand side by side."""
    position = 0
    for is_delegation, group in groupby(run.segments, key=lambda segment: isinstance(segment, DelegationSegment)):
        segments = list(group)
        if is_delegation:
            _draw_delegations(run, list(_delegations(segments)), drawing)
        else:
            for segment in segments:
                _draw_segment(run, segment, drawing, position)
                position += 1
    if run.status is RunStatus.RUNNING and not run.segments:
        st.markdown(":shimmer[thinking]")


def _draw_question(run: RunRecord, drawing: RunDrawing) -> None:
    with (
        st.container(key=drawing.keys.message(run.question_message_id, run_id=run.run_id, position="question")),
        st.chat_message("user", avatar=":material/person:"),
    ):
        st.markdown(safe_markdown(run.question) or "*(no text)*")
        draw_images(run, drawing.images, drawing.keys)


def _draw_segment(run: RunRecord, segment: Segment, drawing: RunDrawing, position: int) -> None:
    match segment:
        case TextSegment(draft=True):
            pass  # a second model wrote the answer from it; it is among the steps
        case TextSegment(text=text, message_id=message_id):
            with st.container(key=drawing.keys.message(message_id, run_id=run.run_id, position=position)):
                st.markdown(safe_markdown(text))
        case ToolSegment(call=call):
            draw_tool_call(call, drawing.keys, running=run.status.live)
        case DelegationSegment():
            _draw_delegations(run, [segment], drawing)


def _draw_delegations(run: RunRecord, delegations: Sequence[DelegationSegment], drawing: RunDrawing) -> None:
    if len(delegations) == 1:
        draw_delegation(delegations[0], drawing.cards, leader_live=run.status.live)
        return
    with st.grid(min_column_width=260):
        for delegation in delegations:
            draw_delegation(delegation, drawing.cards, leader_live=run.status.live)


def _delegations(segments: Sequence[Segment]) -> Iterator[DelegationSegment]:
    return (segment for segment in segments if isinstance(segment, DelegationSegment))


def _draw_end(run: RunRecord, drawing: RunDrawing) -> None:
    """Say how the run ended where that is not simply an answer, and offer to ask again."""
    if run.saved is SavedState.KEPT_ON_DISK and run.status is RunStatus.COMPLETED:
        st.markdown(f":orange[:material/cloud_off: {NOT_STORED}]")
        return
    words = end_in_words(run)
    menu_here = drawing.menu and not run.status.live and not run.answer  # else it stands under the answer
    if not words and not menu_here:
        return
    icon, color = _END_LOOK.get(run.status, (":material/info:", "gray"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if words:
            st.markdown(f":{color}[{icon}] {safe_markdown(words)}", width="content")
        if drawing.ask_again and run.status in _MAY_BE_ASKED_AGAIN:
            st.button(
                "Ask again",
                key=drawing.keys.once(f"ask_again_{run.run_id}"),
                type="tertiary",
                icon=":material/refresh:",
                on_click=drawing.ask_again,
                args=(run.run_id,),
            )
        if menu_here:
            _draw_menu(run, drawing)


_MAY_BE_ASKED_AGAIN = (RunStatus.STOPPED, RunStatus.FAILED, RunStatus.INTERRUPTED)
_END_LOOK = {
    RunStatus.WAITING: (":material/hourglass_top:", "gray"),
    RunStatus.STOPPED: (":material/stop_circle:", "orange"),
    RunStatus.FAILED: (":material/error:", "red"),
    RunStatus.INTERRUPTED: (":material/power_off:", "orange"),
}


def _draw_actions(run: RunRecord, drawing: RunDrawing) -> None:
    """Draw the quiet line under an answer: time, tokens, copy, and what its owner can do with it."""
    keys, total = drawing.keys, run.total_tokens.total
    facts = [run_time_in_words(run), count_in_words(total, "token") if total is not None else ""]
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=keys.once(f"actions_{run.run_id}")
    ):
        st.caption(" · ".join(plain_label(fact) for fact in facts if fact), width="content")
        copy = st.popover(
            "Copy",
            type="tertiary",
            icon=":material/content_copy:",
            key=keys.once(f"copy_{run.run_id}"),
            on_change="rerun",
        )
        if copy.open:
            # The answer as it was written. Streamlit has no button that copies but the one of a code block.
            copied = copy.container(key=keys.once(f"copied_{run.run_id}"))
            copied.code(run.answer, language=None, wrap_lines=True, width=420)
        if drawing.menu:
            _draw_menu(run, drawing)


def _draw_menu(run: RunRecord, drawing: RunDrawing) -> None:
    draw_run_menu(run, key=drawing.keys.once(f"run_menu_{run.run_id}"))
