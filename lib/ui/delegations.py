"""Delegations and tool calls on the screen: one card a delegation, the member's own work inside."""

from __future__ import annotations

import streamlit as st

from lib.records import DelegationSegment, RunRecord, RunStatus, TextSegment, ToolCallRecord, ToolSegment
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.safe_markdown import plain_label, safe_markdown
from lib.ui.words import elapsed_s, end_in_words, seconds_in_words, signature_in_words

TASK_IN_LABEL = 34
"""Characters of the task that the card's own line shows; a longer task is repeated whole inside."""
LONG_RESULT = 900
"""Characters from which a tool's result scrolls inside its box."""


def draw_delegation(delegation: DelegationSegment, keys: DrawnKeys, *, leader_live: bool, lazy: bool = False) -> None:
    """Draw a delegation as a card: open while it runs, closed when done."""
    state = _state(delegation, leader_live=leader_live)
    # The browser forgets whether the reader opened a card when its label changes: a running card's label stands still.
    label = _label(delegation, state)
    card = st.expander(
        label,
        expanded=state is RunStatus.RUNNING,
        icon=_ICONS[state],
        key=keys.tool_call(delegation.call.tool_call_id),
        on_change="rerun" if lazy else "ignore",
    )
    if lazy and not card.open:
        return
    with card:
        draw_member_work(delegation, keys, state=state)


def draw_member_work(delegation: DelegationSegment, keys: DrawnKeys, *, state: RunStatus) -> None:
    """Draw what a member did with its task: its tool calls and its own words, in order."""
    if len(delegation.task) > TASK_IN_LABEL:
        st.caption(f"Task: {plain_label(delegation.task, 2000)}")
    run = delegation.run
    if run is not None:
        _draw_steps(run, keys, running=state is RunStatus.RUNNING)
        if not run.status.live and (words := end_in_words(run)):
            st.markdown(f":red[{safe_markdown(words)}]" if run.status is RunStatus.FAILED else safe_markdown(words))
    elif delegation.call.result:
        st.markdown(safe_markdown(delegation.call.result))
    if state is RunStatus.RUNNING:
        st.caption(f":shimmer[working] {seconds_in_words(elapsed_s(delegation.call.started_at))}")


def draw_tool_call(call: ToolCallRecord, keys: DrawnKeys, *, running: bool) -> None:
    """Draw one tool call: what was asked, what came back, how long it took."""
    in_work = running and call.ended_at is None and call.result is None
    with st.container(key=keys.tool_call(call.tool_call_id), gap="xxsmall"):
        time = seconds_in_words(elapsed_s(call.started_at) if in_work else call.duration_s)
        mark = ":red[:material/error:]" if call.failed else ":material/build:"
        name = f":shimmer[{plain_label(call.tool_name)}]" if in_work else plain_label(call.tool_name)
        st.caption(" · ".join(part for part in (f"{mark} {name}", "failed" if call.failed else "", time) if part))
        result = "" if in_work or call.result is None else f"\n→ {call.result}"
        text = signature_in_words(call) + result
        if len(text) > LONG_RESULT:
            st.code(text, language=None, wrap_lines=True, height=220)
        else:
            st.code(text, language=None, wrap_lines=True)


def _draw_steps(run: RunRecord, keys: DrawnKeys, *, running: bool) -> None:
    for position, segment in enumerate(run.segments):
        match segment:
            case TextSegment(text=text, message_id=message_id):
                with st.container(key=keys.message(message_id, run_id=run.run_id, position=position)):
                    st.markdown(safe_markdown(text))
            case ToolSegment(call=call):
                draw_tool_call(call, keys, running=running)
            case DelegationSegment():
                # A nested team: cards do not nest in Streamlit, so the inner one is a plain frame.
                state = _state(segment, leader_live=running)
                with st.container(border=True, key=keys.tool_call(segment.call.tool_call_id), gap="small"):
                    st.markdown(f"{_ICON_IN_TEXT[state]} {_label(segment, state)}")
                    draw_member_work(segment, keys, state=state)


def _label(delegation: DelegationSegment, state: RunStatus) -> str:
    run = delegation.run
    name = plain_label(run.component_name if run else delegation.member_id, 40)
    parts = [f"**{name}**", plain_label(delegation.task, TASK_IN_LABEL)]
    if state is not RunStatus.RUNNING:
        duration = run.duration_s if run and run.duration_s is not None else delegation.call.duration_s
        parts.append(f":gray[{seconds_in_words(duration)}]" if duration is not None else "")
    return " · ".join(part for part in parts if part)


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


_ICONS = {
    RunStatus.RUNNING: "spinner",
    RunStatus.COMPLETED: ":material/check_circle:",
    RunStatus.FAILED: ":material/error:",
    RunStatus.STOPPED: ":material/stop_circle:",
}
_ICON_IN_TEXT = _ICONS | {RunStatus.RUNNING: ":material/pending:"}
