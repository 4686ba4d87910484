"""An experiment on recall as values: what is measured, what came of it, and what is drawn of that.

Words: a *cell* is one measurement. A fact is planted, `distance` filler runs pass, and it is asked for with a history
window of `window` runs; whose memory that measures is its *subject*: the leader or a member. A *growth* is a session in
which a fact was planted for a subject and fillers passed up to the greatest distance; every cell asks in a fork of a
growth, cut off at its distance, so that no question ever refreshes what another measures.

    facts.py    what is planted, and what passes between
    plan.py     what is measured, of whom, and about what it costs
    results.py  what was measured, one row a cell
    summary.py  the grid with its cliff, recall against tokens, comparison
"""

from __future__ import annotations

from lib.recall.experiment.facts import (
    FILLERS,
    SAMPLE_FACTS,
    Fact,
    read_fact,
)
from lib.recall.experiment.plan import (
    LEADER,
    MOST_CELLS,
    Cell,
    Growth,
    MemberHistory,
    Plan,
    RunCost,
    estimate_tokens,
    read_numbers,
    read_stored_plan,
    to_stored_plan,
)
from lib.recall.experiment.results import (
    CSV_COLUMNS,
    CellResult,
    CellState,
    csv_rows,
    measured,
    read_row,
    split_by_subject,
)
from lib.recall.experiment.summary import (
    CostPoint,
    Difference,
    GridPoint,
    build_grid,
    compare_results,
    cost_curve,
    share_answered,
)

__all__ = [
    "CSV_COLUMNS",
    "FILLERS",
    "LEADER",
    "MOST_CELLS",
    "SAMPLE_FACTS",
    "Cell",
    "CellResult",
    "CellState",
    "CostPoint",
    "Difference",
    "Fact",
    "GridPoint",
    "Growth",
    "MemberHistory",
    "Plan",
    "RunCost",
    "build_grid",
    "compare_results",
    "cost_curve",
    "csv_rows",
    "estimate_tokens",
    "measured",
    "read_fact",
    "read_numbers",
    "read_row",
    "read_stored_plan",
    "share_answered",
    "split_by_subject",
    "to_stored_plan",
]
