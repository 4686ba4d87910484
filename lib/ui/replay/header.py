"""The top of the replay page: the session, the run on screen, and the tabs that switch the view."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import streamlit as st

from lib.models import describe_model
from lib.records import RunStatus
from lib.ui.assets import REPLAY_STYLE
from lib.ui.page_links import mend_page_links
from lib.ui.replay.findings import POLL_S, watch_search
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import View, open_place, open_run
from lib.ui.replay.texts import line
from lib.ui.run_menu import draw_run_menu
from lib.ui.tab import CHAT_PAGE
from lib.ui.words import count_in_words, run_time_in_words

_TABS = "replay_view"
MOST_NOTES = 5
LABELS: Mapping[View, str] = MappingProxyType({view: view.value.capitalize() for view in View})
QUESTIONS: Mapping[View, str] = MappingProxyType(
    {
        View.CONVERSATION: "What did the analyst see?",
        View.STEPS: "What happened, in what order?",
        View.TIMELINE: "Where did the time go?",
        View.DELEGATION: "Who asked whom?",
        View.CONTEXT: "What did the model see?",
        View.RAW: "What is stored?",
        View.FINDINGS: "Is the history sound?",
        View.COMPARE: "What was different?",
    }
)
STATUS_COLORS: Mapping[RunStatus, Literal["green", "red", "orange", "blue"]] = MappingProxyType(
    {
        RunStatus.COMPLETED: "green",
        RunStatus.FAILED: "red",
        RunStatus.STOPPED: "orange",
        RunStatus.INTERRUPTED: "orange",
        RunStatus.RUNNING: "blue",
        RunStatus.WAITING: "blue",
    }
)


def draw_session_line(opened: OpenedReplay) -> None:
    """Draw which session this is."""
    st.html(REPLAY_STYLE)
    mend_page_links()
    summary = opened.summary
    facts = [
        line(_component_name(opened), 40),
        line(summary.user_id or "nobody", 40),
        count_in_words(len(opened.heads), "run"),
    ]
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="replay_session"
    ):
        with st.container(gap=None, width="content"):
            st.subheader(line(summary.name, 80), anchor=False)
            st.caption(" · ".join(facts))
            for note in opened.overview.session.notes:
                st.caption(f":material/info: {line(note, 300)}")
        if summary.user_id == opened.page.user_id:  # an admin reads here, and only here
            st.page_link(
                CHAT_PAGE,
                label="Open in chat",
                icon=":material/forum:",
                query_params={"session": summary.session_id},
            )


def _component_name(opened: OpenedReplay) -> str:
    """Return the name of the session's team, as the run on screen tells it, else its id."""
    summary = opened.summary
    of_run = opened.run.component_name if opened.heads and opened.run.component_id == summary.component_id else ""
    return summary.component_name or of_run or summary.component_id or "unknown team"


def draw_run_line(opened: OpenedReplay) -> None:
    """Draw which run is on screen, and the way to the others."""
    heads, position, run = opened.heads, opened.position, opened.run
    with st.container(key="replay_run", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            _draw_step_to(opened, position - 1, "previous_run", "Previous run", ":material/chevron_left:")
            _draw_step_to(opened, position + 1, "next_run", "Next run", ":material/chevron_right:")
            with st.popover(
                f"Run {position + 1:,} of {len(heads):,}", type="tertiary", key="replay_runs", on_change="rerun"
            ) as runs:
                if runs.open:
                    _draw_run_choice(opened)
            st.badge(run.status.value, color=STATUS_COLORS.get(run.status, "gray"))
            st.caption(" · ".join(_run_facts(opened)), width="content")
            _draw_menu(opened)
        st.markdown(f"**{line(run.question, 200) or '*(no text)*'}**")
        notes = list(dict.fromkeys(note for part in run.walk() for note in part.notes))
        for note in notes[:MOST_NOTES]:
            st.caption(f":material/info: {line(note, 300)}")


def _draw_menu(opened: OpenedReplay) -> None:
    """Draw what the owner can do with the run on screen; an admin reads only."""
    heads, position, run = opened.heads, opened.position, opened.run
    if opened.summary.user_id != opened.page.user_id or run.status.live:
        return
    beside = heads[position + 1 : position + 2] or heads[max(position - 1, 0) : position]
    then_run_id = beside[0].run_id if beside else None
    draw_run_menu(run, key=f"run_menu_{run.run_id}", in_replay=True, then_run_id=then_run_id)


def draw_tabs(opened: OpenedReplay) -> None:
    """Draw the tabs; only the open view costs anything."""
    from lib.ui.replay.views import draw_view

    place = opened.place
    search, labels = opened.search, dict(LABELS)
    if search.found is not None:
        labels[View.FINDINGS] = f"Findings ({len(search.found)})"
    elif search.error is None and place.view is not View.FINDINGS:
        st.fragment(watch_search, run_every=POLL_S)(search)
    st.session_state[_TABS] = labels[place.view]
    tabs = st.tabs(list(labels.values()), key=_TABS, on_change=_switch)
    with tabs[list(View).index(place.view)]:
        st.caption(QUESTIONS[place.view])
        draw_view(opened)


def _switch() -> None:
    chosen = str(st.session_state[_TABS]).partition(" (")[0].lower()
    open_place().go(view=View(chosen))


def _draw_step_to(opened: OpenedReplay, position: int, key: str, help_text: str, icon: str) -> None:
    there = 0 <= position < len(opened.heads)
    st.button(
        help_text,
        key=key,
        icon=icon,
        type="tertiary",
        disabled=not there,
        on_click=open_run,
        args=(opened.heads[position].run_id,) if there else ("",),
    )


def _draw_run_choice(opened: OpenedReplay) -> None:
    st.number_input(
        "Go to run",
        min_value=1,
        max_value=len(opened.heads),
        value=opened.position + 1,
        key=f"go_to_run_{opened.head.run_id}",
        on_change=_go_to_run,
        args=(f"go_to_run_{opened.head.run_id}", [head.run_id for head in opened.heads]),
    )
    begun = opened.run.started_at
    if begun:
        st.caption(f"This one began {begun:%Y-%m-%d %H:%M:%S} UTC.")
    st.caption(f"Run id {line(opened.run.run_id, 80)}")


def _go_to_run(key: str, run_ids: list[str]) -> None:
    open_run(run_ids[int(st.session_state[key]) - 1])


def _run_facts(opened: OpenedReplay) -> list[str]:
    run = opened.run
    total = run.total_tokens.total
    window = run.settings.get("window")
    model = run.settings.get("model") or run.model
    facts = [
        run_time_in_words(run),
        count_in_words(total, "token") if total is not None else "",
        f"window {line(str(window), 12)}" if window is not None else "window not stored",
        line(describe_model(str(model)) if model else "model not stored", 60),
    ]
    return [fact for fact in facts if fact]
