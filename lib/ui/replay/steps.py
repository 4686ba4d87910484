"""The steps view: everything that happened in the run, nested, in order; filtered, searched, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from lib.replay.steps import Step, StepKind, find_steps
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import View, open_step
from lib.ui.replay.scrolling import bring_into_view
from lib.ui.replay.texts import draw_arguments, draw_result, draw_text, line
from lib.ui.words import count_in_words, seconds_in_words, unlike

STEPS_A_PAGE = 20
DEEPEST = 6
"""Levels that are set in; deeper ones stand below each other."""
LABELS: Mapping[StepKind, str] = MappingProxyType(
    {
        StepKind.QUESTION: "question",
        StepKind.MODEL_REQUEST: "model request",
        StepKind.TEXT: "text",
        StepKind.TOOL_CALL: "tool call",
        StepKind.DELEGATION: "delegation",
        StepKind.MEMBER_RUN: "member run",
        StepKind.EVENT: "event",
        StepKind.ERROR: "error",
        StepKind.STOPPED: "stopped",
        StepKind.PAUSED: "paused",
        StepKind.CONTINUED: "continued",
        StepKind.RETRIED: "tried again",
    }
)
ICONS: Mapping[StepKind, str] = MappingProxyType(
    {
        StepKind.QUESTION: ":material/person:",
        StepKind.MODEL_REQUEST: ":material/neurology:",
        StepKind.TEXT: ":material/notes:",
        StepKind.TOOL_CALL: ":material/build:",
        StepKind.DELEGATION: ":material/call_split:",
        StepKind.MEMBER_RUN: ":material/hub:",
        StepKind.EVENT: ":material/bolt:",
        StepKind.ERROR: ":material/error:",
        StepKind.STOPPED: ":material/stop_circle:",
        StepKind.PAUSED: ":material/pause_circle:",
        StepKind.CONTINUED: ":material/play_circle:",
        StepKind.RETRIED: ":material/replay:",
    }
)


def draw_steps(opened: OpenedReplay) -> None:
    """Draw the steps of the run on screen."""
    steps = opened.steps
    found = _draw_filter(steps)
    numbers = {id(step): number for number, step in enumerate(steps, start=1)}
    listed = [(numbers[id(step)], step) for step in found]
    if opened.place.step and not 1 <= (opened.place.step_number or 0) <= len(steps):
        st.caption(f":material/info: This run has no step {line(opened.place.step, 20)}; it has {len(steps):,}.")
    chosen = opened.place.step_number
    here = next((place for place, (number, _) in enumerate(listed) if number >= (chosen or 1)), 0)
    _draw_walk(listed, here, len(steps), chosen)
    if not listed:
        st.caption("No step matches. Clear the search or the filters to see all.")
        return
    first = here // STEPS_A_PAGE * STEPS_A_PAGE
    keys = DrawnKeys()
    for number, step in listed[first : first + STEPS_A_PAGE]:
        _draw_step(opened, number, step, keys, chosen=number == chosen)
    if chosen:
        bring_into_view("step_here_", f"{opened.head.run_id}{chosen}")


def _draw_filter(steps: Sequence[Step]) -> tuple[Step, ...]:
    kinds = [kind for kind in StepKind if any(step.kind is kind for step in steps)]
    members = unlike({step.agent_id: line(step.agent_name or step.agent_id, 40).replace("\\", "") for step in steps})
    _keep("step_kinds", kinds)
    _keep("step_members", list(members))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="step_filter"):
        text = st.text_input(
            "Find in steps",
            key="step_search",
            type="search",
            live="300ms",
            placeholder="Find in text",
            width=240,
            persist_state="page",
        )
        chosen = st.multiselect(
            "Kinds",
            kinds,
            key="step_kinds",
            format_func=lambda kind: LABELS[kind],
            placeholder="All kinds",
            width=260,
            persist_state="page",
        )
        agent_ids = st.multiselect(
            "Members",
            list(members),
            key="step_members",
            format_func=lambda agent_id: members[agent_id],
            placeholder="Leader and members",
            width=260,
            persist_state="page",
        )
    return find_steps(steps, text=text.strip(), kinds=tuple(chosen), agent_ids=tuple(agent_ids))


def _keep(key: str, options: Sequence[object]) -> None:
    """Keep a choice over views and runs, as far as it can be made here."""
    st.session_state[key] = [value for value in st.session_state.get(key, []) if value in options]


def _draw_walk(listed: Sequence[tuple[int, Step]], here: int, total: int, chosen: int | None) -> None:
    """Draw how many there are, previous and next, and the pages."""
    before = listed[here - 1][0] if chosen and here > 0 and listed else None
    at_chosen = bool(listed) and listed[here][0] == chosen
    following = here + 1 if at_chosen else here
    after = listed[following][0] if following < len(listed) else None
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="step_walk"):
        for key, label, icon, number in (
            ("previous_step", "Previous step", ":material/arrow_upward:", before),
            ("next_step", "Next step", ":material/arrow_downward:", after),
        ):
            st.button(
                label,
                key=key,
                icon=icon,
                type="tertiary",
                disabled=number is None,
                on_click=open_step,
                args=(number or 0,),
            )
        some = "" if len(listed) == total else f"{len(listed):,} of "
        st.caption(f"{some}{count_in_words(total, 'step')}", width="content")
        pages = -(-len(listed) // STEPS_A_PAGE)
        if pages > 1:
            key = f"step_page_{pages}"
            st.session_state[key] = here // STEPS_A_PAGE + 1
            st.pagination(
                pages,
                key=key,
                max_visible_pages=5,
                on_change=_turn_page,
                args=(key, [number for number, _ in listed[::STEPS_A_PAGE]]),
            )


def _turn_page(key: str, first_numbers: Sequence[int]) -> None:
    page = min(max(int(st.session_state[key]), 1), len(first_numbers))
    open_step(first_numbers[page - 1])


def _draw_step(opened: OpenedReplay, number: int, step: Step, keys: DrawnKeys, *, chosen: bool) -> None:
    depth = min(step.depth, DEEPEST)
    mark = "here_" if chosen else ""
    with st.container(key=f"step_{mark}d{depth}_{opened.position}_{number}", gap="xxsmall"):
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall"):
            st.button(f"{number}", key=f"open_step_{number}", type="tertiary", on_click=open_step, args=(number,))
            st.markdown(_headline(step), width="content")
            if step.kind is StepKind.MODEL_REQUEST and step.request is not None:
                st.button(
                    "Context",
                    help="What this request was given",
                    key=f"step_context_{number}",
                    type="tertiary",
                    icon=":material/visibility:",
                    on_click=open_step,
                    args=(number, View.CONTEXT),
                )
        _draw_body(step, f"{opened.head.run_id}_{number}", keys)


def _headline(step: Step) -> str:
    color = "red" if step.failed or step.kind is StepKind.ERROR else "gray"
    parts = [f":{color}[{ICONS[step.kind]} {LABELS[step.kind]}]"]
    match step.kind:
        case StepKind.TOOL_CALL:
            parts.append(f"**{line(step.tool_name or '', 60)}**")
        case StepKind.DELEGATION | StepKind.MEMBER_RUN:
            parts.append(f"to **{line(step.member_id or '', 60)}**")
        case StepKind.MODEL_REQUEST:
            given, said = step.tokens.input, step.tokens.output
            if step.request is not None:
                parts.append(f"**{step.request}**")
            elif not step.failed:
                parts.append(":gray[answer not stored]")
            if given is not None or said is not None:
                parts.append(
                    f":gray[· {given if given is not None else '?'} tokens in, {said if said is not None else '?'} out]"
                )
        case StepKind.TEXT if step.draft:
            parts.append(":gray[draft for a second model]")
        case _:
            pass
    took = seconds_in_words(step.duration_s) if step.duration_s is not None else ""
    tail = [line(step.agent_name or step.agent_id or "unknown", 40), took, "failed" if step.failed else ""]
    return f"{' '.join(parts)} :gray[· {' · '.join(part for part in tail if part)}]"


def _draw_body(step: Step, key: str, keys: DrawnKeys) -> None:
    match step.kind:
        case StepKind.TOOL_CALL | StepKind.DELEGATION:
            with st.container(key=keys.tool_call(step.tool_call_id or key), gap="xxsmall"):
                if step.kind is StepKind.DELEGATION:
                    draw_text(step.text or "", f"task_{key}")
                else:
                    draw_arguments(step.arguments or {}, key)
                if step.result is None:
                    st.caption("No result is stored.")
                elif step.kind is StepKind.DELEGATION:
                    with st.expander("Result", key=f"result_{key}", type="compact", on_change="rerun") as result:
                        if result.open:
                            draw_result(step.result, f"result_{key}")
                else:
                    draw_result(step.result, f"result_{key}")
        case StepKind.EVENT:
            draw_text(step.text or "", key)
            draw_arguments(step.raw, key, label="JSON")
        case StepKind.PAUSED:
            st.caption(f"{'Waits' if step.ended_at is None else 'Waited'} for {line(step.text or 'a person')}.")
        case StepKind.MODEL_REQUEST | StepKind.MEMBER_RUN | StepKind.CONTINUED | StepKind.RETRIED:
            pass
        case _:
            draw_text(step.text or "", key)
