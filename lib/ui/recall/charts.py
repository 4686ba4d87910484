"""The charts of an experiment. Colours are never alone: cells hold figures, lines have names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt
import pandas as pd
import streamlit as st

from lib.recall.experiment import CellResult, GridPoint, Plan, cost_curve
from lib.recall.picture import COLORS, WORDS, label_of, list_corners

_ROW = 34


def draw_grid(points: Sequence[GridPoint], *, key: str, plan: Plan | None = None) -> None:
    """Draw windows by distances, the three states, and the predicted cliff as a line over them.

    With a plan, the cells that are not measured yet have their place already: nothing jumps while it is measured.
    """
    windows = sorted(plan.windows if plan else {point.window for point in points})
    distances = sorted(plan.distances if plan else {point.distance for point in points})
    cells = [
        {
            "left": distances.index(point.distance),
            "right": distances.index(point.distance) + 1,
            "top": windows.index(point.window),
            "bottom": windows.index(point.window) + 1,
            "state": WORDS[point.state],
            "label": label_of(point),
            "window": point.window,
            "distance": point.distance,
            "answered": f"{point.recall.hits} of {point.recall.trials}",
        }
        for point in points
    ]
    corners = list_corners(points, windows, distances)
    if plan and corners and corners[-1][0] == len(distances):
        corners = corners[:-1]  # not measured that far yet: nothing is said of where it leaves the grid
    cliff = [{"x": column, "y": row, "order": order} for order, (column, row) in enumerate(corners)]
    across = alt.X(
        "left:Q",
        title="runs between planting and asking",
        scale=alt.Scale(domain=[0, len(distances)], nice=False),
        axis=_axis(distances),
    )
    down = alt.Y(
        "top:Q",
        title="history window, runs",
        scale=alt.Scale(domain=[0, len(windows)], reverse=True, nice=False),
        axis=_axis(windows),
    )
    base = alt.Chart(pd.DataFrame(cells))
    rects = base.mark_rect(stroke=_paper(), strokeWidth=1.5).encode(
        x=across,
        x2="right:Q",
        y=down,
        y2="bottom:Q",
        color=alt.Color(
            "state:N",
            title=None,
            scale=alt.Scale(domain=list(WORDS.values()), range=list(COLORS.values())),
            legend=alt.Legend(orient="bottom"),
        ),
        tooltip=["window:Q", "distance:Q", "state:N", "answered:N"],
    )
    labels = (
        base.transform_calculate(x="datum.left + 0.5", y="datum.top + 0.5")
        .mark_text(color="#1c2224", fontSize=12)
        .encode(x=alt.X("x:Q", axis=None), y=alt.Y("y:Q", axis=None), text="label:N")
    )
    line = (
        alt.Chart(pd.DataFrame(cliff, columns=["x", "y", "order"]))
        .mark_line(color=_cliff_color(), strokeWidth=4, strokeCap="butt")
        .encode(x="x:Q", y="y:Q", order="order:Q")
    )
    # The labels' own axes are off; the rectangles' stand.
    chart = alt.layer(rects, labels.encode(x=alt.X("x:Q"), y=alt.Y("y:Q")), line).properties(
        height=_ROW * len(windows) + 130
    )
    st.altair_chart(
        chart, key=key, alt="Grid of windows by distances: what was in context and answered, and the predicted cliff"
    )


def draw_recall_by_distance(points: Sequence[GridPoint], *, key: str) -> None:
    """Draw recall against distance, a line a window, with the intervals that follow from the number of repeats."""
    windows = sorted({point.window for point in points})
    distances = sorted({point.distance for point in points})
    rows = [
        {
            # Side by side, or the intervals of several windows would hide one another.
            "x": point.distance + (windows.index(point.window) - (len(windows) - 1) / 2) * 0.08,
            "distance": point.distance,
            "window": f"window {point.window}",
            "recall": point.recall.share,
            "low": point.recall.low,
            "high": point.recall.high,
            "answered": f"{point.recall.hits} of {point.recall.trials}",
        }
        for point in points
        if point.recall.share is not None
    ]
    names = [f"window {window}" for window in windows]
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X(
            "x:Q",
            title="runs between planting and asking",
            axis=alt.Axis(values=distances, format="d"),
            scale=alt.Scale(domain=[distances[0] - 0.4, distances[-1] + 0.4], nice=False),
        ),
        color=alt.Color("window:N", title=None, sort=names, legend=alt.Legend(orient="bottom")),
        tooltip=[
            "window:N",
            "distance:Q",
            "answered:N",
            alt.Tooltip("low:Q", format=".0%"),
            alt.Tooltip("high:Q", format=".0%"),
        ],
    )
    share = alt.Y("recall:Q", title="recall", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    chart = alt.layer(
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(y=alt.Y("low:Q", title="recall"), y2="high:Q"),
        base.mark_line().encode(y=share),
        base.mark_point(filled=True, size=50).encode(y=share, shape=alt.Shape("window:N", sort=names, title=None)),
    ).properties(height=260)
    st.altair_chart(chart, key=key, alt="Recall against distance, with 95 percent intervals")


def draw_cost(results: Iterable[CellResult], *, key: str) -> bool:
    """Draw recall against tokens per question, a point a window; False where no tokens were reported."""
    rows = [
        {
            "tokens": point.tokens_per_run,
            "recall": point.recall.share,
            "low": point.recall.low,
            "high": point.recall.high,
            "window": f"window {point.window}",
        }
        for point in cost_curve(results)
        if point.tokens_per_run is not None and point.recall.share is not None
    ]
    if not rows:
        return False
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("tokens:Q", title="tokens per question", scale=alt.Scale(zero=False, padding=24)),
        tooltip=["window:N", alt.Tooltip("tokens:Q", format=",.0f"), alt.Tooltip("recall:Q", format=".0%")],
    )
    share = alt.Y("recall:Q", title="recall", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    chart = alt.layer(
        base.mark_line(opacity=0.5).encode(y=share),
        base.mark_rule(opacity=0.6, color=_ink()).encode(y=alt.Y("low:Q", title="recall"), y2="high:Q"),
        base.mark_point(filled=True, size=70).encode(y=share),
        base.mark_text(dy=-12, fontSize=12, color=_ink()).encode(y=share, text="window:N"),
    ).properties(height=260)
    st.altair_chart(chart, key=key, alt="Recall against tokens per question, one point a window")
    return True


def _axis(names: Sequence[int]) -> alt.Axis:
    words = ",".join(f"'{name}'" for name in names)
    return alt.Axis(
        values=[place + 0.5 for place in range(len(names))],
        labelExpr=f"[{words}][floor(datum.value)]",
        grid=False,
        ticks=False,
        domain=False,
        labelAngle=0,
    )


def _dark() -> bool:
    return st.context.theme.type == "dark"


def _cliff_color() -> str:
    return "#ff9a91" if _dark() else "#b3261e"


def _ink() -> str:
    return "#e6eaea" if _dark() else "#1c2224"


def _paper() -> str:
    return "#15191b" if _dark() else "#ffffff"
