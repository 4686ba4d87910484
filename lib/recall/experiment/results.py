"""What an experiment measured: one result a cell, as a row for JSON lines and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lib.recall.experiment.plan import LEADER, Cell


class CellState(StrEnum):
    """What became of a cell."""

    ANSWERED = "answered"  # in context and answered
    MISSED = "missed"  # in context, but the answer does not hold the value
    NOT_IN_CONTEXT = "not_in_context"


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
            "subject": self.cell.subject,
        }


def read_row(row: Mapping[str, Any]) -> CellResult:
    """Return the result that `CellResult.to_row` wrote."""
    values = dict(row)
    subject = values.pop("subject", LEADER)
    cell = Cell(subject=subject, **{key: values.pop(key) for key in ("fact", "repeat", "window", "distance")})
    return CellResult(cell=cell, **{**values, "run_ids": tuple(values["run_ids"])})


def measured(results: Iterable[CellResult]) -> tuple[CellResult, ...]:
    """Return the results without those cells in which a run failed."""
    return tuple(result for result in results if result.failed is None)


def split_by_subject(results: Iterable[CellResult]) -> dict[str, tuple[CellResult, ...]]:
    """Return the results of each subject apart, in the order in which the subjects come."""
    groups: dict[str, list[CellResult]] = {}
    for result in results:
        groups.setdefault(result.cell.subject, []).append(result)
    return {subject: tuple(group) for subject, group in groups.items()}


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
