"""Two things side by side: history that is injected by hand beside history that is kept, and the price of all events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from lib.ui.notices import errors_shown
from lib.ui.recall.cases import FACT, draw_given
from lib.ui.recall.opened import LIVE_EVERY_S, OpenedLab, draw_failure
from lib.ui.safe_markdown import plain_label

if TYPE_CHECKING:
    from lib.recall.lab.rescues import EventCost

INJECTION, EVENTS = "injection", "events"
QUESTION = "What is the weather in Paris and the price of ACME?"


def draw_beside(lab: OpenedLab) -> None:
    """Draw both comparisons."""
    st.markdown("##### Injected by hand, or kept")
    st.caption(
        "The same two messages, once given with every question as additional_input, once as the stored history of the "
        "session (add_history_to_context)."
    )
    _draw_comparison(lab, INJECTION, _show_injection)
    st.divider()
    st.markdown("##### What storing every event costs")
    st.caption(
        "Agno can store the events of a run. The app leaves out the pieces of text, which the messages hold anyway, and "
        "the events that repeat the whole run. Here is one answer both ways."
    )
    _draw_comparison(lab, EVENTS, _show_events)


def _draw_comparison(lab: OpenedLab, name: str, begin: object) -> None:
    step = lab.find(name)
    live = step is not None and step.live
    st.button(
        "Compare" if step is None else "Compare again",
        key=f"compare_{name}",
        icon=":material/compare_arrows:",
        disabled=live,
        on_click=begin,  # type: ignore[arg-type]  # one of the two below
        args=(lab,),
    )
    st.fragment(_draw_compared, run_every=LIVE_EVERY_S if live else None)(lab, name, was_live=live)


def _show_injection(lab: OpenedLab) -> None:
    from lib.recall.lab.rescues import show_injection

    lab.begin(INJECTION, lambda: show_injection(lab.roundtable, FACT, user_id=lab.user_id))


def _show_events(lab: OpenedLab) -> None:
    from lib.recall.lab.rescues import compare_event_cost

    lab.begin(EVENTS, lambda: compare_event_cost(lab.roundtable, QUESTION, user_id=lab.user_id))


@errors_shown()
def _draw_compared(lab: OpenedLab, name: str, *, was_live: bool) -> None:
    step = lab.find(name)
    if step is None:
        return
    if step.live:
        st.markdown(":shimmer[Asking twice]")
    elif was_live:
        st.rerun()
    elif step.error is not None:
        draw_failure(step)
    elif name == INJECTION:
        for column, shown in zip(st.columns(2), step.result, strict=True):
            with column:
                st.markdown(f"`{shown.variant.name}`")
                st.caption(plain_label(shown.variant.sentence, 200))
                draw_given(shown)
    else:
        _draw_costs(*step.result)


def _draw_costs(default: EventCost, everything: EventCost) -> None:
    for column, title, cost in zip(
        st.columns(2), ("As the app stores it", "Nothing skipped"), (default, everything), strict=True
    ):
        with column, st.container(border=True, gap="xsmall"):
            st.markdown(f"**{title}**")
            st.metric("Bytes of the stored run", f"{cost.run_bytes:,}", border=False)
            st.caption(f"{cost.count} events, {cost.events_bytes:,} bytes of them")
    more = everything.run_bytes - default.run_bytes
    st.markdown(
        f"Skipping nothing costs **{more:,} bytes more for this answer**, "
        f"{everything.run_bytes / max(default.run_bytes, 1):.1f} times as much."
    )
    with st.expander("Events by kind"):
        kinds = sorted({*default.events, *everything.events}, key=lambda kind: -everything.events.get(kind, 0))
        st.dataframe(
            pd.DataFrame(
                {
                    "event": kinds,
                    "as the app stores it": [default.events.get(kind, 0) for kind in kinds],
                    "nothing skipped": [everything.events.get(kind, 0) for kind in kinds],
                }
            ),
            hide_index=True,
        )
