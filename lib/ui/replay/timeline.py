"""The timeline view: one lane a member, bars for what it did, and how long each was busy, waiting and idle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from lib.replay.timeline import Bar, BarKind, Lane, Timeline
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import View, open_step
from lib.ui.replay.texts import draw_table, line
from lib.ui.words import count_in_words, seconds_in_words

if TYPE_CHECKING:
    import altair as alt

MOST_BARS = 600
"""Bars that are drawn; of more, the longest."""
_CHART = "replay_timeline"
_KINDS = {
    BarKind.MODEL_REQUEST: "model request",
    BarKind.TOOL_CALL: "tool",
    BarKind.DELEGATION: "waiting for a member",
    BarKind.RUN: "run",
}
_COLORS = {
    "light": ("#0f6f68", "#c0692b", "#c3ccca", "#e4e9e7"),
    "dark": ("#4fb8ac", "#e0975c", "#56636a", "#2b3436"),
}


def draw_timeline(opened: OpenedReplay) -> None:
    """Draw the run on screen as swimlanes; a click goes to the step."""
    timeline = opened.replay.timeline(opened.run)
    if not timeline.lanes:
        st.caption("No times are stored for this run.")
        return
    steps = {step.step_id: number for number, step in enumerate(opened.steps, start=1)}
    bars = [(lane, bar) for lane in timeline.lanes for bar in lane.bars]
    if len(bars) > MOST_BARS:
        st.caption(f":material/info: The longest {MOST_BARS} of {len(bars):,} bars are drawn. The steps view has all.")
        bars = sorted(bars, key=lambda item: -item[1].duration_s)[:MOST_BARS]
    rows = [_row(timeline, lane, bar, steps) for lane, bar in bars]
    st.altair_chart(
        _build_chart(timeline, rows, str(opened.place.step_number or "")),
        key=f"{_CHART}_{opened.position}",
        on_select=lambda: _follow(f"{_CHART}_{opened.position}"),
        selection_mode=["pick"],
        width="stretch",
        alt=_in_words(timeline),
    )
    if timeline.exact:
        st.caption("Hover for details, click a bar to go to its step.")
    else:
        st.caption(
            ":material/info: Times are stored in whole seconds: bars begin and end on full seconds, and what took less "
            "than a second has no length. Click a bar to go to its step."
        )
    draw_table([_lane_row(lane, timeline) for lane in timeline.lanes], limit=60)


def _row(timeline: Timeline, lane: Lane, bar: Bar, steps: Mapping[str, int]) -> dict[str, Any]:
    number = steps.get(bar.step_id or "")
    if number is None:  # a run's own bar leads to its first step
        number = next((place for step_id, place in steps.items() if step_id.startswith(f"{bar.run_id}:")), None)
    least = timeline.total_s * 0.004
    took = seconds_in_words(bar.duration_s) if timeline.exact else f"about {bar.duration_s:.0f} s"
    return {
        "lane": _lane_name(lane, bar.row),
        "kind": _KINDS[bar.kind],
        "what": bar.label[:120],
        "start": bar.start_s,
        "end": max(bar.end_s, bar.start_s + least),
        "from": _moment(bar.start_s, exact=timeline.exact),
        "took": took if bar.ended else "no end is stored",
        "failed": "failed" if bar.failed else "no",
        "step": str(number or ""),
    }


def _lane_name(lane: Lane, row: int) -> str:
    name = " ".join(lane.name.split())[:24] or "unknown"
    return name if not row else f"{name} ({row + 1})"


def _moment(seconds: float, *, exact: bool) -> str:
    return f"{seconds:.3f} s" if exact else f"{seconds:.0f} s"


def _build_chart(timeline: Timeline, rows: list[dict[str, Any]], step: str) -> alt.LayerChart | alt.FacetChart:
    """Return the chart: thin bars for whole runs, thick ones for what was done in them."""
    import altair as alt

    lanes = list(dict.fromkeys(_lane_name(lane, row) for lane in timeline.lanes for row in range(lane.rows)))
    colors = _COLORS["dark" if st.context.theme.type == "dark" else "light"]
    whole_seconds = alt.Axis(title="seconds", tickMinStep=1, format="d")
    axis = alt.Axis(title="seconds") if timeline.exact else whole_seconds
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("start:Q", axis=axis, scale=alt.Scale(domain=[0, timeline.total_s or 1.0], nice=False)),
        x2="end:Q",
        y=alt.Y("lane:N", sort=lanes, title=None, scale=alt.Scale(domain=lanes)),
        tooltip=[
            alt.Tooltip("lane:N", title="who"),
            alt.Tooltip("kind:N", title="what"),
            alt.Tooltip("what:N", title="of"),
            alt.Tooltip("from:N", title="began at"),
            alt.Tooltip("took:N", title="took"),
            alt.Tooltip("failed:N", title="failed"),
        ],
    )
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(_KINDS.values()), range=list(colors)),
        legend=alt.Legend(orient="top", title=None, direction="horizontal", columns=4, symbolStrokeWidth=0),
    )
    pick = alt.selection_point(name="pick", fields=["step"], on="click", clear="dblclick")
    whole = base.transform_filter("datum.kind == 'run'").mark_bar(height=6, cornerRadius=2)
    parts = base.transform_filter("datum.kind != 'run'").mark_bar(height=16, cornerRadius=3, cursor="pointer")
    failed, chosen = alt.datum.failed == "failed", alt.datum.step == (step or "none")
    edge = alt.condition(failed, alt.value("#d0453a"), alt.value("#808080"))
    width = alt.condition(chosen | failed, alt.value(2), alt.value(0))
    return alt.layer(
        whole.encode(color=color),
        parts.encode(color=color, stroke=edge, strokeWidth=width).add_params(pick),
    ).properties(height=alt.Step(30), usermeta={"embedOptions": {"renderer": "svg"}})


def _follow(key: str) -> None:
    """Go to the step of the bar that was clicked."""
    picked = st.session_state[key].selection.get("pick") or []
    step = str(picked[0].get("step", "")) if picked else ""
    if step.isdecimal():
        open_step(int(step), View.STEPS)


def _lane_row(lane: Lane, timeline: Timeline) -> dict[str, str]:
    def words(seconds: float) -> str:
        return seconds_in_words(seconds) if timeline.exact and seconds >= 0.0005 else f"{seconds:.0f} s"

    total = lane.tokens.total
    return {
        "Who": line(lane.name, 40),
        "Total": words(lane.total_s),
        "Busy": words(lane.busy_s),
        "Waiting for members": words(lane.waiting_s),
        "Idle": words(lane.idle_s),
        "Tokens": count_in_words(total, "token").partition(" ")[0] if total is not None else "not reported",
    }


def _in_words(timeline: Timeline) -> str:
    lanes = ", ".join(f"{lane.name[:40]} busy {lane.busy_s:.2g} seconds" for lane in timeline.lanes[:20])
    return f"Timeline of {timeline.total_s:.3g} seconds: {lanes}. The table below holds the numbers."
