"""An experiment on recall as values: facts x distances x windows x repeats, their results, and what is drawn of them.

Words: a *cell* is one measurement. A fact is planted, `distance` filler runs pass, and it is asked for with a history
window of `window` runs. A *growth* is a session in which a fact was planted and fillers passed up to the greatest distance;
every cell asks in a fork of a growth, cut off at its distance, so that no question ever refreshes what another measures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from lib.errors import InvalidInput
from lib.recall.horizon import horizon_of_window
from lib.recall.judging import fold, holds_value
from lib.recall.statistics import Share, wilson_share

MOST_CELLS = 20_000
"""More cells than this are refused: a typing mistake, not an experiment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something to remember: `name` is what is asked for, `value` what must come back."""

    name: str  # "the secret word"
    value: str  # "bird"

    @property
    def text(self) -> str:
        """The fact as a statement; also what it is called in results."""
        return f"{self.name} is {self.value}"

    @property
    def planting(self) -> str:
        """The message that plants it."""
        return f"Remember: {self.text}."

    @property
    def question(self) -> str:
        """The question that asks for it."""
        return f"What is {self.name}?"


def read_fact(line: str) -> Fact:
    """Return the fact a line states: `the secret word is bird`, or with `=` in place of `is`. Raises InvalidInput."""
    for separator in (" = ", "=", " is "):
        name, found, value = line.strip().rstrip(".").partition(separator)
        if found and name.strip() and fold(value):
            return Fact(name=name.strip(), value=value.strip())
    raise InvalidInput(f"{line.strip()[:80]!r} states no fact. Write it as: the secret word is bird")


SAMPLE_FACTS = tuple(
    read_fact(line)
    for line in (
        "the secret word is bird",
        "my budget is 40k",
        "the project name is Lighthouse",
        "my favourite colour is turquoise",
        "the meeting room is B217",
        "my train number is ICE 578",
        "the launch date is 14 October",
        "my dog's name is Pickle",
        "the access code is 7291",
        "my hotel is Casa Verde",
    )
)
FILLERS = (
    "Hello, filler one: nothing to do.",
    "Filler two: thank you.",
    "Filler three: that is fine.",
    "Filler four: let us go on.",
    "Filler five: good.",
    "Filler six: all right.",
    "Filler seven: noted, thanks.",
    "Filler eight: one moment please.",
    "Filler nine: go on.",
    "Filler ten: still here.",
)
"""What passes between planting and asking: small talk without facts, questions or names to delegate on."""


class CellState(StrEnum):
    """What became of a cell."""

    ANSWERED = "answered"  # in context and answered
    MISSED = "missed"  # in context, but the answer does not hold the value
    NOT_IN_CONTEXT = "not_in_context"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One measurement to make."""

    fact: str
    repeat: int  # from 1
    window: int  # num_history_runs
    distance: int  # runs between planting and asking; 0 is the very next question


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure. Raises InvalidInput where it cannot be measured."""

    name: str
    team: str
    facts: tuple[Fact, ...] = SAMPLE_FACTS[:1]
    distances: tuple[int, ...] = tuple(range(11))
    windows: tuple[int, ...] = (1, 3, 10)
    repeats: int = 1
    fillers: tuple[str, ...] = FILLERS
    member_id: str | None = None  # set: the member is asked directly, and its own memory is measured
    source_session_id: str | None = None  # set: on forks of this stored session, else on fresh sessions
    model: str | None = None  # None: the one of the settings
    share_windows: bool = True  # one growth, under the smallest window, serves all; off: each window grows its own

    def __post_init__(self) -> None:
        _check(self)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All measurements, in the order in which they are made."""
        return tuple(
            Cell(fact=fact.text, repeat=repeat, window=window, distance=distance)
            for fact in self.facts
            for repeat in range(1, self.repeats + 1)
            for window in self.windows
            for distance in sorted(self.distances)
        )

    @property
    def growth_window(self) -> int:
        """The window under which a shared growth is grown: the smallest, so that fillers carry the least of the fact."""
        return min(self.windows)

    def growth_of(self, cell: Cell) -> tuple[str, int, int]:
        """Return which growth a cell forks: its fact, repeat and window."""
        return (cell.fact, cell.repeat, self.growth_window if self.share_windows else cell.window)

    @property
    def run_count(self) -> int:
        """How many runs the whole plan takes."""
        growths = len({self.growth_of(cell) for cell in self.cells})
        return growths * (1 + max(self.distances)) + len(self.cells)

    def filler(self, number: int) -> str:
        """Return the filler of a place, from 0."""
        return self.fillers[number % len(self.fillers)]

    def fact_called(self, text: str) -> Fact:
        """Return the fact of this plan that a cell names."""
        return next(fact for fact in self.facts if fact.text == text)


def _check(plan: Plan) -> None:
    if not plan.name.strip():
        raise InvalidInput("An experiment needs a name.")
    for what, values in (("distances", plan.distances), ("windows", plan.windows)):
        if not values or min(values) < 0 or len(set(values)) != len(values):
            raise InvalidInput(f"The {what} {list(values)} must be whole numbers from 0, each once, and at least one.")
    if not plan.facts or plan.repeats < 1 or not plan.fillers:
        raise InvalidInput("An experiment needs at least one fact, one filler and one repeat.")
    if len({fact.text for fact in plan.facts}) != len(plan.facts):
        raise InvalidInput("Each fact may be planted once; repeats are a number of their own.")
    cells = len(plan.facts) * len(plan.distances) * len(plan.windows) * plan.repeats
    if cells > MOST_CELLS:
        raise InvalidInput(f"{cells} cells are more than the {MOST_CELLS} that an experiment may have.")
    for fact in plan.facts:
        if holds_value(fact.question, fact.value) or any(holds_value(filler, fact.value) for filler in plan.fillers):
            raise InvalidInput(
                f"The value {fact.value!r} stands in its question or in a filler: it would be given away."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What one cell measured. `tokens` are those of the run that asked, members included."""

    cell: Cell
    predicted_in_context: bool
    in_context: bool
    answered: bool
    tokens: int | None
    run_ids: tuple[str, ...]  # planting, fillers, asking: in the session of this cell
    answer: str = ""
    session_id: str = ""
    same_context: bool = True  # every message given is the one predicted, not only the fact
    member_tokens: int | None = None  # the part of `tokens` that member runs took
    failed: str | None = None  # why a run of it did not complete: nothing was measured, and nothing is drawn

    @property
    def state(self) -> CellState:
        """The one of three states that the grid shows."""
        if not self.in_context:
            return CellState.NOT_IN_CONTEXT
        return CellState.ANSWERED if self.answered else CellState.MISSED

    @property
    def alarm(self) -> bool:
        """Whether prediction and measurement differ: the rule as stated here is not Agno's. Must never happen."""
        return self.failed is None and (self.predicted_in_context != self.in_context or not self.same_context)

    @property
    def guessed(self) -> bool:
        """Whether the value was answered although no message held it."""
        return self.answered and not self.in_context

    def to_row(self) -> dict[str, Any]:
        """Return the result as one flat row, for JSON lines and CSV."""
        return {
            "fact": self.cell.fact,
            "distance": self.cell.distance,
            "window": self.cell.window,
            "repeat": self.cell.repeat,
            "predicted_in_context": self.predicted_in_context,
            "in_context": self.in_context,
            "answered": self.answered,
            "tokens": self.tokens,
            "run_ids": list(self.run_ids),
            "answer": self.answer,
            "session_id": self.session_id,
            "same_context": self.same_context,
            "member_tokens": self.member_tokens,
            "failed": self.failed,
        }


def read_row(row: Mapping[str, Any]) -> CellResult:
    """Return the result that `CellResult.to_row` wrote."""
    values = dict(row)
    cell = Cell(**{key: values.pop(key) for key in ("fact", "repeat", "window", "distance")})
    return CellResult(cell=cell, **{**values, "run_ids": tuple(values["run_ids"])})


def to_stored_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain JSON values."""
    return asdict(plan)


def read_stored_plan(stored: Mapping[str, Any]) -> Plan:
    """Return the plan that `to_stored_plan` wrote."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    values["facts"] = tuple(Fact(**fact) for fact in stored["facts"])
    return Plan(**values)


# -- what is drawn of results ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GridPoint:
    """All repeats and facts of one window and distance."""

    window: int
    distance: int
    states: Mapping[CellState, int]
    recall: Share  # answered of all
    alarms: int
    forgotten: bool  # behind the predicted cliff of the window

    @property
    def state(self) -> CellState:
        """The commonest state; the worse one where two are equally common."""
        worst_first = (CellState.NOT_IN_CONTEXT, CellState.MISSED, CellState.ANSWERED)
        return max(worst_first, key=lambda state: self.states.get(state, 0))


def measured(results: Iterable[CellResult]) -> tuple[CellResult, ...]:
    """Return the results without those cells in which a run failed."""
    return tuple(result for result in results if result.failed is None)


def build_grid(results: Iterable[CellResult]) -> tuple[GridPoint, ...]:
    """Return a point for every window and distance measured, windows first, both rising."""
    groups: dict[tuple[int, int], list[CellResult]] = {}
    for result in measured(results):
        groups.setdefault((result.cell.window, result.cell.distance), []).append(result)
    return tuple(_to_point(window, distance, groups[window, distance]) for window, distance in sorted(groups))


def _to_point(window: int, distance: int, results: Sequence[CellResult]) -> GridPoint:
    cliff = horizon_of_window(window).forgotten_at
    return GridPoint(
        window=window,
        distance=distance,
        states=Counter(result.state for result in results),
        recall=share_answered(results),
        alarms=sum(result.alarm for result in results),
        forgotten=cliff is not None and distance >= cliff,
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
class RunCost:
    """What one run costs a model, measured or assumed."""

    prompt_tokens: int  # system message and tools, sent with every request
    turn_tokens: int  # question and answer, sent again as long as they are in the window


def estimate_tokens(plan: Plan, cost: RunCost) -> int:
    """Return about how many input and output tokens the whole plan takes, when no run delegates."""
    total = 0
    grown = {plan.growth_of(cell) for cell in plan.cells}
    for _, _, window in grown:
        for number in range(1 + max(plan.distances)):
            total += cost.prompt_tokens + (min(number, window) + 1) * cost.turn_tokens
    for cell in plan.cells:
        total += cost.prompt_tokens + (min(cell.distance + 1, cell.window) + 1) * cost.turn_tokens
    return total


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


CSV_COLUMNS = tuple(
    CellResult(
        cell=Cell(fact="", repeat=1, window=1, distance=0),
        predicted_in_context=False, in_context=False, answered=False, tokens=None, run_ids=(),
    ).to_row()
)  # fmt: skip


def csv_rows(results: Iterable[CellResult]) -> Iterator[list[str]]:
    """Yield the header and one row a result; run ids stand in one field, apart by spaces."""
    yield list(CSV_COLUMNS)
    for result in results:
        row = result.to_row() | {"run_ids": " ".join(result.run_ids)}
        yield ["" if value is None else str(value) for value in row.values()]
