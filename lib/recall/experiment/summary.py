"""What is drawn of results: the grid with its cliff, recall against tokens, two experiments beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lib.recall.experiment.plan import Cell
from lib.recall.experiment.results import CellResult, CellState, measured
from lib.recall.statistics import Share, wilson_share


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """All repeats and facts of one window and distance, of one subject (see `split_by_subject`)."""

    window: int
    distance: int
    states: Mapping[CellState, int]
    recall: Share  # answered of all
    alarms: int
    forgotten: bool  # predicted to be out of context: behind the cliff

    @property
    def state(self) -> CellState:
        """The commonest state; the worse one where two are equally common."""
        worst_first = (CellState.NOT_IN_CONTEXT, CellState.MISSED, CellState.ANSWERED)
        return max(worst_first, key=lambda state: self.states.get(state, 0))


def build_grid(results: Iterable[CellResult]) -> tuple[GridPoint, ...]:
    """Return a point for every window and distance measured, windows first, both rising."""
    groups: dict[tuple[int, int], list[CellResult]] = {}
    for result in measured(results):
        groups.setdefault((result.cell.window, result.cell.distance), []).append(result)
    return tuple(_to_point(window, distance, groups[window, distance]) for window, distance in sorted(groups))


def _to_point(window: int, distance: int, results: Sequence[CellResult]) -> GridPoint:
    return GridPoint(
        window=window,
        distance=distance,
        states=Counter(result.state for result in results),
        recall=share_answered(results),
        alarms=sum(result.alarm for result in results),
        forgotten=not any(result.predicted_in_context for result in results),
    )


def share_answered(results: Sequence[CellResult]) -> Share:
    """Return how many of `results` were answered, with the interval from their number."""
    return wilson_share(sum(result.answered for result in results), len(results))


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPoint:
    """What a window costs and what it remembers, over all distances."""

    window: int
    tokens_per_run: float | None  # of the runs that asked; None where the model reported none
    recall: Share


def cost_curve(results: Iterable[CellResult]) -> tuple[CostPoint, ...]:
    """Return one point a window, rising: recall against tokens."""
    groups: dict[int, list[CellResult]] = {}
    for result in measured(results):
        groups.setdefault(result.cell.window, []).append(result)
    points = []
    for window, group in sorted(groups.items()):
        tokens = [result.tokens for result in group if result.tokens is not None]
        mean = sum(tokens) / len(tokens) if tokens else None
        points.append(CostPoint(window=window, tokens_per_run=mean, recall=share_answered(group)))
    return tuple(points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A cell that two experiments measured with another outcome."""

    cell: Cell
    first: CellState
    second: CellState


def compare_results(first: Iterable[CellResult], second: Iterable[CellResult]) -> tuple[Difference, ...]:
    """Return the cells that both measured and whose state differs, in order."""
    states = {result.cell: result.state for result in measured(first)}
    return tuple(
        Difference(cell=result.cell, first=states[result.cell], second=result.state)
        for result in sorted(measured(second), key=lambda result: result.cell)
        if result.cell in states and states[result.cell] is not result.state
    )
