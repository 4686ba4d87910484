"""The timeline view: one lane a member, bars for what it did, and how long each was busy, waiting and idle."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    BarKind.PAUSE: "waiting for a person",
}
_COLORS = {
    "light": ("#0f6f68", "#c0692b", "#b3bfbc", "#7d8b88", "#8a6fc0"),
    "dark": ("#4fb8ac", "#e0975c", "#5f6d74", "#8b989d", "#ab95dd"),
}
BARS_A_PAGE = 20


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
    colors = _COLORS["dark" if st.context.theme.type == "dark" else "light"]
    _draw_legend({row["kind"] for row in rows}, colors)
    st.altair_chart(
        _build_chart(timeline, rows, str(opened.place.step_number or ""), colors),
        key=f"{_CHART}_{opened.position}",
        on_select=lambda: _follow(f"{_CHART}_{opened.position}"),
        selection_mode=["pick"],
        width="stretch",
        alt=_in_words(timeline),
    )
    if timeline.exact:
        st.caption(
            "Hover for details, click a bar to go to its step. The list of all bars below says and does the same."
        )
    else:
        st.caption(
            ":material/info: Times are stored in whole seconds: bars begin and end on full seconds, and what took less "
            "than a second has no length. Click a bar to go to its step, or take it from the list of all bars below."
        )
    draw_table([_lane_row(lane, timeline) for lane in timeline.lanes], limit=60)
    _draw_bars(rows)


def _draw_legend(kinds: Collection[str], colors: Sequence[str]) -> None:
    """Draw what the colours stand for, in words that wrap where the chart's own legend would be cut off."""
    marks = [
        f'<span class="timeline-mark"><i style="background:{color}"></i>{kind}</span>'
        for kind, color in zip(_KINDS.values(), colors, strict=True)
        if kind in kinds
    ]
    st.html(f'<div class="timeline-legend">{"".join(marks)}</div>')


def _draw_bars(rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw what hovering and clicking tell of each bar as a list, for the keyboard and for the reading aloud."""
    with st.expander(
        f"All {count_in_words(len(rows), 'bar')} as a list", key="timeline_bars", on_change="rerun"
    ) as bars:
        if not bars.open:
            return
        pages = -(-len(rows) // BARS_A_PAGE)
        page = min(st.pagination(pages, key=f"timeline_page_{pages}", max_visible_pages=5), pages) if pages > 1 else 1
        shown = list(enumerate(sorted(rows, key=lambda row: row["start"])))
        with st.container(key="timeline_list", gap="xxsmall"):
            for place, row in shown[(page - 1) * BARS_A_PAGE : page * BARS_A_PAGE]:
                st.button(
                    _bar_in_words(row),
                    key=f"timeline_bar_{place}",
                    type="tertiary",
                    disabled=not row["step"],
                    on_click=open_step,
                    args=(int(row["step"] or 0), View.STEPS),
                )


def _bar_in_words(row: Mapping[str, Any]) -> str:
    what = row["kind"] if row["kind"] == _KINDS[BarKind.MODEL_REQUEST] else f"{row['kind']}: {line(row['what'], 60)}"
    failed = " · :red[failed]" if row["failed"] == "failed" else ""
    return f"{row['from']} · **{line(row['lane'], 30)}** · {what} · {row['took']}{failed}"


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


def _build_chart(
    timeline: Timeline, rows: list[dict[str, Any]], step: str, colors: Sequence[str]
) -> alt.LayerChart | alt.FacetChart:
    """Return the chart: thin bars for whole runs, thick ones for what was done in them."""
    import altair as alt

    lanes = list(dict.fromkeys(_lane_name(lane, row) for lane in timeline.lanes for row in range(lane.rows)))
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
        legend=None,
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
        told = seconds_in_words(seconds) if timeline.exact and seconds >= 0.0005 else f"{seconds:.0f} s"
        return told.replace(" ", "\u00a0")  # a number and its unit stay together in a narrow column

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
