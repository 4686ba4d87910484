"""The context view: exactly what a model request was given, beside it what was not there, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import streamlit as st

from lib.records import DelegationSegment, MessageRecord
from lib.replay.absences import Absence, AbsentMessage
from lib.replay.contexts import GivenMessage, ModelRequest
from lib.replay.prompts import list_prompt_lines
from lib.replay.steps import StepKind
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.replay.handover import draw_hand_overs
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import open_run, open_step
from lib.ui.replay.texts import draw_text, line
from lib.ui.words import count_in_words

MESSAGES_A_PAGE = 20
REASONS: Mapping[Absence, str] = MappingProxyType(
    {
        Absence.OUTSIDE_WINDOW: "outside the history window",
        Absence.MESSAGE_LIMIT: "cut off by the message limit",
        Absence.RUN_CANCELLED: "its run was stopped",
        Absence.RUN_ERROR: "its run failed",
        Absence.RUN_PAUSED: "its run was paused",
        Absence.RUN_REGENERATED: "its run was answered anew",
        Absence.MEMBER_MESSAGE: "a member's own message",
        Absence.TOOL_CALL_FILTERED: "tool calls beyond the limit are left out",
        Absence.LATER: "said later",
        Absence.NOT_STORED: "not stored",
    }
)


def draw_context(opened: OpenedReplay) -> None:
    """Draw the model requests of the run on screen, and the hand-overs to members."""
    everything = bool(st.session_state.get(_whole_key(opened)))
    replay = opened.near(everything=everything)
    run = replay.get_run(opened.head.run_id)
    requests = replay.requests(run)
    if not requests:
        st.caption("No model request of this run is stored.")
        return
    show = "Model requests"
    if any(isinstance(segment, DelegationSegment) for part in run.walk() for segment in part.segments):
        show = (
            st.segmented_control(
                "Show",
                ["Model requests", "Hand-overs"],
                default=show,
                key="context_show",
                required=True,
                label_visibility="collapsed",
                persist_state="page",
            )
            or show
        )
    if show == "Hand-overs":
        draw_hand_overs(replay.hand_overs(run))
        return
    place = _choose_request(opened, requests)
    request = requests[place]
    before = requests[place - 1] if place and requests[place - 1].run.run_id == request.run.run_id else None
    numbers = {head.run_id: number for number, head in enumerate(opened.heads, start=1)}
    numbers |= {run_id: numbers[top] for run_id, top in opened.overview.tops.items() if top in numbers}
    _draw_facts(request)
    _draw_system_prompt(opened, request, numbers, everything=everything)
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_given(request, before, numbers)
    with right:
        _draw_absent(opened, request, numbers, everything=everything)


def _choose_request(opened: OpenedReplay, requests: Sequence[ModelRequest]) -> int:
    """Return which request is looked at: the one the chosen step is, or followed from; else the first."""
    asked = [(number, step) for number, step in enumerate(opened.steps, start=1) if step.kind is StepKind.MODEL_REQUEST]
    number_of = {(step.run_id, step.request): number for number, step in asked}
    chosen = opened.place.step_number or 0
    step = next((step for number, step in reversed(asked) if number <= chosen), None)
    here = next(
        (
            place
            for place, request in enumerate(requests)
            if step and (request.run.run_id, request.number) == (step.run_id, step.request)
        ),
        0,
    )
    counts = Counter(request.run.run_id for request in requests)

    def label(place: int) -> str:
        request = requests[place]
        name = " ".join(request.run.component_name.split())[:40] or "unknown"
        return f"{place + 1}. {name}, request {request.number} of {counts[request.run.run_id]}"

    key = f"context_request_{opened.head.run_id}"
    st.session_state[key] = here
    st.selectbox(
        "Model request",
        range(len(requests)),
        key=key,
        format_func=label,
        on_change=_go_to_request,
        args=(key, [number_of.get((request.run.run_id, request.number)) for request in requests]),
        width=360,
    )
    return here


def _go_to_request(key: str, steps: Sequence[int | None]) -> None:
    step = steps[int(st.session_state[key])]
    if step is not None:
        open_step(step)


def _draw_facts(request: ModelRequest) -> None:
    given, said = request.tokens.input, request.tokens.output
    facts = [
        count_in_words(request.size, "message"),
        f"{given:,} tokens in" if given is not None else "tokens not reported",
        f"{said:,} tokens out" if said is not None else "",
    ]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if request.reconstructed:
            st.badge("reconstructed", color="orange", icon=":material/build_circle:")
        else:
            st.badge("stored", color="green", icon=":material/check:")
        st.caption(" · ".join(fact for fact in facts if fact), width="content")
    if request.reconstructed:
        st.caption(
            request.doubt
            or "The history in this request was not stored with the run. It is put in by Agno's rules, from the stored runs."
        )


def _draw_system_prompt(
    opened: OpenedReplay, request: ModelRequest, numbers: Mapping[str, int], *, everything: bool
) -> None:
    """Draw the system prompt, with what changed since the previous run's."""
    if not request.system_prompt:
        return
    previous = _find_previous(opened, request, everything=everything)
    lines = list_prompt_lines(request, previous)
    changed = sum(item.change != "same" for item in lines)
    said = f"{count_in_words(changed, 'line')} changed" if changed else "unchanged"
    since = (
        f"{said} since run {numbers.get(previous.run.run_id, '?')}" if previous else "nothing earlier to compare with"
    )
    with st.expander(f"System prompt · {since}", key="context_prompt", type="compact", on_change="rerun") as prompt:
        if prompt.open:
            marks = {"same": "  ", "added": "+ ", "removed": "- "}
            st.code(
                "\n".join(marks[item.change] + item.text for item in lines)[:100_000],
                language="diff" if changed else None,
                wrap_lines=True,
            )


def _find_previous(opened: OpenedReplay, request: ModelRequest, *, everything: bool) -> ModelRequest | None:
    """Return the first request of the same team or agent in the nearest earlier run that has one."""
    replay = opened.near(everything=everything)
    own = [run.run_id for run in replay.runs]
    top = opened.head.run_id
    before = own[: own.index(top)] if top in own else []
    for run_id in reversed(before[-5:]):
        for other in replay.requests(replay.get_run(run_id)):
            if other.run.component_id == request.run.component_id and other.system_prompt:
                return other
    return None


# -- given -------------------------------------------------------------------------------------------------------------


def _draw_given(request: ModelRequest, before: ModelRequest | None, numbers: Mapping[str, int]) -> None:
    messages = request.messages
    st.markdown(f"##### Given :gray[· {count_in_words(len(messages), 'message')}]")
    if before is not None:
        st.caption(f"Since the previous request: {sum(given.new for given in messages)} new, marked so.")
    keys = DrawnKeys()
    for place in _page_of(len(messages), "context_given_page"):
        _draw_given_message(request, messages[place], numbers, keys, marked=before is not None, place=place)


def _draw_given_message(
    request: ModelRequest,
    given: GivenMessage,
    numbers: Mapping[str, int],
    keys: DrawnKeys,
    *,
    marked: bool,
    place: int,
) -> None:
    message = given.message
    sent = replace(message, content=given.text)
    key = keys.message(message.message_id, run_id=request.run.run_id, position=place)
    with st.container(key=key, gap="xxsmall"):
        new = ":primary[new] " if marked and given.new else ""
        with st.expander(
            f"{new}**{line(message.role, 20)}** {line(_first_line(sent), 90)}",
            key=f"text_{key}",
            type="compact",
            on_change="rerun",
        ) as body:
            if body.open:
                draw_text(_whole_text(sent), f"given_{key}")
                if sent.content != message.content:
                    st.caption("Before it was compressed:")
                    draw_text(message.content, f"original_{key}")
        st.progress(min(max(given.share, 0.0), 1.0), text=_share_words(request, given, numbers))


def _share_words(request: ModelRequest, given: GivenMessage, numbers: Mapping[str, int]) -> str:
    origin = given.origin_run_id
    if origin == request.run.run_id and not given.message.from_history:
        where = "this run"
    elif origin is None:
        where = "from a run that is not stored or not read"
    else:
        where = f"from run {numbers.get(origin, '?')}"
    tokens = given.message.tokens.output
    if tokens is None and request.tokens.input is not None:
        about = f"about {round(request.tokens.input * given.share):,} tokens"
    else:
        about = f"{tokens:,} tokens" if tokens is not None else ""
    return " · ".join(part for part in (where, about, f"{given.share:.0%}", given.note) if part)


def _first_line(message: MessageRecord) -> str:
    said = message.content.strip()
    if not said and message.tool_requests:
        return "asks for " + ", ".join(request.tool_name for request in message.tool_requests)
    return said.partition("\n")[0] or "(no text)"


def _whole_text(message: MessageRecord) -> str:
    asked = [f"{request.tool_name}({request.arguments})" for request in message.tool_requests]
    return "\n".join([*([message.content] if message.content else []), *asked]) or "(no text)"


# -- not given ---------------------------------------------------------------------------------------------------------


def _draw_absent(opened: OpenedReplay, request: ModelRequest, numbers: Mapping[str, int], *, everything: bool) -> None:
    with st.container(key="context_absent", gap="small"):
        st.markdown(f"##### Not given :gray[· {count_in_words(len(request.absent), 'message')}]")
        if not opened.is_short and not everything:
            _draw_unread(opened)
        if not request.absent:
            st.caption("Nothing: every message that was looked through is in this request.")
            return
        counts = Counter(absent.reason for absent in request.absent)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            text = st.text_input(
                "Find what was not given",
                key="absent_search",
                type="search",
                live="300ms",
                placeholder="Find a fact",
                label_visibility="collapsed",
                width=180,
                persist_state="page",
            )
            key = f"absent_reason_{opened.head.run_id}_{request.run.run_id}_{request.number}"
            reason = st.selectbox(
                "Reason",
                [None, *(reason for reason, _ in counts.most_common())],
                key=key,
                format_func=lambda reason: "all reasons" if reason is None else f"{REASONS[reason]} ({counts[reason]})",
                label_visibility="collapsed",
                width=220,
            )
        wanted = text.strip().casefold()
        found = [
            absent
            for absent in request.absent
            if reason in (None, absent.reason)
            and (not wanted or wanted in _whole_text(absent.message).casefold() or wanted in _why(absent))
        ]
        if not found:
            st.caption("No message that was not given holds this.")
        for place in _page_of(len(found), "context_absent_page"):
            _draw_absent_message(found[place], numbers, place)


def _draw_absent_message(absent: AbsentMessage, numbers: Mapping[str, int], place: int) -> None:
    key = f"left_out_{place}_{absent.message.message_id}"
    with st.container(key=key, gap="xxsmall"):
        label = f"**{line(absent.message.role, 20)}** {line(_first_line(absent.message), 90)}"
        with st.expander(label, key=f"text_{key}", type="compact", on_change="rerun") as body:
            if body.open:
                draw_text(_whole_text(absent.message), f"text_{key}")
                st.button(
                    "Go to this run",
                    key=f"go_{key}",
                    type="tertiary",
                    icon=":material/arrow_forward:",
                    on_click=open_run,
                    args=(absent.run_id,),
                )
        st.caption(f"{_why(absent)} · run {numbers.get(absent.run_id, '?')}")


def _why(absent: AbsentMessage) -> str:
    """Return why a message was not given, in words; every reason where what is stored leaves it open."""
    return ", or ".join(REASONS[reason] for reason in (absent.reason, *absent.or_else))


def _draw_unread(opened: OpenedReplay) -> None:
    near = len(opened.near().runs)
    total = len(opened.heads)
    st.caption(f":material/info: Looked through the {near} runs up to this one, of {total:,}.")
    st.button(
        f"Look through all {total:,} runs",
        key="context_everything",
        type="tertiary",
        icon=":material/manage_search:",
        on_click=_read_everything,
        args=(_whole_key(opened),),
    )


def _whole_key(opened: OpenedReplay) -> str:
    return f"context_whole_{opened.summary.session_id}"


def _read_everything(key: str) -> None:
    st.session_state[key] = True


def _page_of(count: int, key: str) -> range:
    """Return the places that are shown of a long list, with the pages to turn over them."""
    pages = -(-count // MESSAGES_A_PAGE)
    page = 1
    if pages > 1:
        page = min(st.pagination(pages, key=f"{key}_{pages}", max_visible_pages=5), pages)
    return range((page - 1) * MESSAGES_A_PAGE, min(page * MESSAGES_A_PAGE, count))
