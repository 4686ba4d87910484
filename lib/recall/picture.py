"""The grid of an experiment as a picture: an SVG file for slides and reports, the predicted cliff drawn over it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from lib.recall.experiment import CellState, GridPoint

COLORS = {
    CellState.ANSWERED: "#2a9d8f",
    CellState.MISSED: "#d9822b",
    CellState.NOT_IN_CONTEXT: "#aab4b4",
}
WORDS = {
    CellState.ANSWERED: "in context and answered",
    CellState.MISSED: "in context and missed",
    CellState.NOT_IN_CONTEXT: "not in context",
}
_CELL, _LEFT, _TOP, _FOOT, _NARROWEST = 48, 104, 64, 92, 700
_INK = "#1c2224"
_CLIFF = "#b3261e"


def list_cliffs(points: Iterable[GridPoint]) -> tuple[tuple[int, int | None], ...]:
    """Return for each window, rising, the first measured distance without the fact as predicted; None: beyond them all."""
    points = tuple(points)
    return tuple(
        (window, min((each.distance for each in points if each.window == window and each.forgotten), default=None))
        for window in sorted({point.window for point in points})
    )


def list_corners(
    points: Sequence[GridPoint], windows: Sequence[int], distances: Sequence[int]
) -> tuple[tuple[int, int], ...]:
    """Return the corners of the line along the cliffs, in columns and rows, from the top.

    Where a cliff lies beyond what is measured the line leaves the grid over that row.
    """
    corners: list[tuple[int, int]] = []
    for window, cliff in list_cliffs(points):
        row = windows.index(window)
        if cliff is None:
            if corners:
                corners.append((len(distances), row))
            break  # a greater window forgets no sooner
        column = sum(distance < cliff for distance in distances)
        corners += [(column, row), (column, row + 1)]
    return tuple(corners)


def label_of(point: GridPoint) -> str:
    """Return what stands in a cell: how many of its repeats were answered; a dash where nothing could be."""
    if point.state is CellState.NOT_IN_CONTEXT and not point.recall.hits:
        return "–"
    return f"{point.recall.hits}/{point.recall.trials}"


def draw_grid_picture(points: Sequence[GridPoint], *, title: str) -> str:
    """Return the grid as the text of an SVG file: rows are windows, columns distances."""
    distances = sorted({point.distance for point in points})
    windows = sorted({point.window for point in points})
    width = max(_LEFT + _CELL * len(distances) + 24, _NARROWEST)
    height = _TOP + _CELL * len(windows) + _FOOT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(24, 30, title, size=17, weight="600"),
        *_cells(points, windows, distances),
        _cliff_line(list_corners(points, windows, distances)),
        *_axes(windows, distances),
        *_legend(height),
        "</svg>",
    ]
    return "\n".join(lines)


def _cells(points: Iterable[GridPoint], windows: Sequence[int], distances: Sequence[int]) -> Iterator[str]:
    for point in points:
        left = _LEFT + _CELL * distances.index(point.distance)
        top = _TOP + _CELL * windows.index(point.window)
        yield (
            f'<rect x="{left}" y="{top}" width="{_CELL}" height="{_CELL}" fill="{COLORS[point.state]}" '
            'stroke="#ffffff" stroke-width="2"/>'
        )
        yield _text(left + _CELL / 2, top + _CELL / 2 + 4, label_of(point), anchor="middle")


def _cliff_line(corners: Sequence[tuple[int, int]]) -> str:
    places = " ".join(f"{_LEFT + _CELL * column},{_TOP + _CELL * row}" for column, row in corners)
    return f'<polyline points="{places}" fill="none" stroke="{_CLIFF}" stroke-width="4"/>'


def _axes(windows: Sequence[int], distances: Sequence[int]) -> Iterator[str]:
    bottom = _TOP + _CELL * len(windows)
    for row, window in enumerate(windows):
        yield _text(_LEFT - 10, _TOP + _CELL * row + _CELL / 2 + 4, f"window {window}", anchor="end")
    for column, distance in enumerate(distances):
        yield _text(_LEFT + _CELL * column + _CELL / 2, bottom + 18, str(distance), anchor="middle")
    yield _text(_LEFT, bottom + 40, "runs between planting and asking")


def _legend(height: int) -> Iterator[str]:
    left = 24
    for state, words in WORDS.items():
        yield f'<rect x="{left}" y="{height - 26}" width="12" height="12" fill="{COLORS[state]}"/>'
        yield _text(left + 18, height - 16, words, size=12)
        left += 40 + 7 * len(words)
    yield f'<rect x="{left}" y="{height - 22}" width="18" height="4" fill="{_CLIFF}"/>'
    yield _text(left + 24, height - 16, "predicted cliff", size=12)


def _text(x: float, y: float, words: str, *, size: int = 13, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{_INK}">'
        f"{escape(words)}</text>"
    )
