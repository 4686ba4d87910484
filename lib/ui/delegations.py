"""Delegations and tool calls on the screen: one card a delegation, the member's own work inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from lib.records import DelegationSegment, RunRecord, RunStatus, TextSegment, ToolCallRecord, ToolSegment
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.safe_markdown import plain_label, safe_markdown, spell_out_turning
from lib.ui.words import elapsed_s, end_in_words, seconds_in_words, signature_in_words

TASK_IN_LABEL = 34
"""Characters of the task that the card's own line shows; a longer task is repeated whole inside."""
LONG_RESULT = 900
"""Characters from which a tool's result scrolls inside its box."""


@dataclass(frozen=True, kw_only=True)
class Cards:
    """What every card of a page shares: the keys in use, the members' names, and whether closed cards are left empty."""

    keys: DrawnKeys = field(default_factory=DrawnKeys)
    member_names: Mapping[str, str] = field(default_factory=dict)
    lazy: bool = False

    def name(self, delegation: DelegationSegment) -> str:
        """Return what to call the member."""
        known = delegation.run.component_name if delegation.run else ""
        return known or self.member_names.get(delegation.member_id) or delegation.member_id


def draw_delegation(delegation: DelegationSegment, cards: Cards, *, leader_live: bool) -> None:
    """Draw a delegation as a card: open while it runs, closed when done, then as the reader leaves it."""
    state = _state(delegation, leader_live=leader_live)
    running = state is RunStatus.RUNNING
    key = cards.keys.tool_call(delegation.call.tool_call_id)
    with st.container(key=key):
        card = st.expander(
            _label(delegation, state, cards.name(delegation)),
            expanded=running,
            icon=_ICONS[state],
            # The browser keeps a card open or closed by its key: the end of the work is a new key, closed to begin with.
            key=f"card_{'open_' if running else ''}{key}",
            on_change="rerun" if cards.lazy else "ignore",
        )
        if cards.lazy and not card.open:
            return
        with card:
            draw_member_work(delegation, cards, state=state)


def draw_member_work(delegation: DelegationSegment, cards: Cards, *, state: RunStatus) -> None:
    """Draw what a member did with its task: its tool calls and its own words, in order."""
    if len(delegation.task) > TASK_IN_LABEL:
        st.caption(f"Task: {plain_label(delegation.task, 2000)}")
    run = delegation.run
    if run is not None:
        _draw_steps(run, cards, running=state is RunStatus.RUNNING)
        if not run.status.live and (words := end_in_words(run)):
            color, icon = ("red", ":material/error:") if run.status is RunStatus.FAILED else ("orange", _ICONS[state])
            st.markdown(f":{color}[{icon}] {safe_markdown(words)}")
    elif delegation.call.result:
        st.markdown(safe_markdown(delegation.call.result))
    if state is RunStatus.RUNNING and not (run and run.segments):
        st.markdown(":shimmer[thinking]")


def draw_tool_call(call: ToolCallRecord, keys: DrawnKeys, *, running: bool) -> None:
    """Draw one tool call: what was asked, what came back, how long it took."""
    in_work = running and call.ended_at is None and call.result is None
    with st.container(key=keys.tool_call(call.tool_call_id), gap="xxsmall"):
        time = seconds_in_words(elapsed_s(call.started_at) if in_work else call.duration_s)
        mark = ":red[:material/error:]" if call.failed else ":material/build:"
        name = f":shimmer[{plain_label(call.tool_name)}]" if in_work else plain_label(call.tool_name)
        outcome = "failed" if call.failed else _GIVEN_UP if call.given_up else ""
        st.caption(" · ".join(part for part in (f"{mark} {name}", outcome, time) if part))
        result = "" if in_work or call.result is None else f"\n→ {call.result}"
        text = spell_out_turning(signature_in_words(call) + result)
        if len(text) > LONG_RESULT:
            st.code(text, language=None, wrap_lines=True, height=220)
        else:
            st.code(text, language=None, wrap_lines=True)


def _draw_steps(run: RunRecord, cards: Cards, *, running: bool) -> None:
    for position, segment in enumerate(run.segments):
        match segment:
            case TextSegment(draft=True):
                pass
            case TextSegment(text=text, message_id=message_id):
                with st.container(key=cards.keys.message(message_id, run_id=run.run_id, position=position)):
                    st.markdown(safe_markdown(text))
            case ToolSegment(call=call):
                draw_tool_call(call, cards.keys, running=running)
            case DelegationSegment():
                # A nested team: cards do not nest in Streamlit, so the inner one is a plain frame.
                state = _state(segment, leader_live=running)
                with st.container(border=True, key=cards.keys.tool_call(segment.call.tool_call_id), gap="small"):
                    st.markdown(f"{_ICON_IN_TEXT[state]} {_label(segment, state, cards.name(segment))}")
                    draw_member_work(segment, cards, state=state)


def _label(delegation: DelegationSegment, state: RunStatus, name: str) -> str:
    run, call = delegation.run, delegation.call
    if state is RunStatus.RUNNING:
        time = seconds_in_words(elapsed_s(call.started_at), whole=True)
    else:
        time = seconds_in_words(run.duration_s if run and run.duration_s is not None else call.duration_s)
    given_up = _GIVEN_UP if call.given_up else ""
    parts = [f"**{plain_label(name, 40)}**", plain_label(delegation.task, TASK_IN_LABEL), given_up]
    return " · ".join([*(part for part in parts if part), *([f":gray[{time}]"] if time else [])])


def _state(delegation: DelegationSegment, *, leader_live: bool) -> RunStatus:
    """Return where a delegation stands: running, completed, failed or stopped."""
    run, call = delegation.run, delegation.call
    if call.failed or (run is not None and run.status is RunStatus.FAILED):
        return RunStatus.FAILED
    if run is not None and not run.status.live:
        return RunStatus.COMPLETED if run.status is RunStatus.COMPLETED else RunStatus.STOPPED
    if call.ended_at is not None or call.result is not None:
        return RunStatus.COMPLETED
    return RunStatus.RUNNING if leader_live else RunStatus.STOPPED


_GIVEN_UP = "in an attempt that failed"
_ICONS = {
    RunStatus.RUNNING: "spinner",
    RunStatus.COMPLETED: ":material/check_circle:",
    RunStatus.FAILED: ":material/error:",
    RunStatus.STOPPED: ":material/stop_circle:",
}
_ICON_IN_TEXT = _ICONS | {RunStatus.RUNNING: ":material/pending:"}
