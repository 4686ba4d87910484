"""What an experiment measures: facts x subjects x distances x windows x repeats, and about what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from lib.errors import InvalidInput
from lib.recall.experiment.facts import FILLERS, SAMPLE_FACTS, Fact
from lib.recall.judging import holds_value

MOST_CELLS = 20_000
"""More cells than this are refused: a typing mistake, not an experiment."""
REQUESTS_OF_A_DELEGATION = 3
"""The leader delegates, the member answers, the leader answers."""
LEADER = "leader"
"""The subject that is no member: the team's leader, asked as any question is."""


class MemberHistory(StrEnum):
    """What members are given of earlier runs, on the copy of the team that is measured; the window is the cell's."""

    AS_BUILT = "built"  # as the team's own settings say
    NONE = "none"
    OWN = "own"  # add_history_to_context: their own earlier delegations
    TEAM = "team"  # add_team_history_to_members: questions and answers of the team, as text in the task


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One measurement to make."""

    fact: str
    repeat: int  # from 1
    window: int  # num_history_runs
    distance: int  # runs between planting and asking; 0 is the very next question
    subject: str = LEADER  # or a member's id


class Growth(NamedTuple):
    """Which growth a cell forks."""

    fact: str
    repeat: int
    window: int
    subject: str = LEADER


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure. Raises InvalidInput where it cannot be measured.

    A member is measured through the team: what is told or asked begins with "Ask <member>:", so that the leader hands it
    on. What passes in between is said to the leader, or with `fillers_to_subject` to the member too.
    """

    name: str
    team: str
    facts: tuple[Fact, ...] = SAMPLE_FACTS[:1]
    distances: tuple[int, ...] = tuple(range(11))
    windows: tuple[int, ...] = (1, 3, 10)
    repeats: int = 1
    fillers: tuple[str, ...] = FILLERS
    subjects: tuple[str, ...] = (LEADER,)  # whose memory is measured: the leader's, or members' by their ids
    member_history: MemberHistory = MemberHistory.AS_BUILT
    fillers_to_subject: bool = False
    source_session_id: str | None = None  # set: on forks of this stored session, else on fresh sessions
    model: str | None = None  # None: the one of the settings
    share_windows: bool = True  # one growth, under the smallest window, serves all; off: each window grows its own

    def __post_init__(self) -> None:
        _check(self)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All measurements, in the order in which they are made."""
        return tuple(
            Cell(fact=fact.text, repeat=repeat, window=window, distance=distance, subject=subject)
            for fact in self.facts
            for subject in self.subjects
            for repeat in range(1, self.repeats + 1)
            for window in self.windows
            for distance in sorted(self.distances)
        )

    @property
    def growth_window(self) -> int:
        """The window under which a shared growth is grown: the smallest, so that fillers carry the least of the fact."""
        return min(self.windows)

    def growth_of(self, cell: Cell) -> Growth:
        """Return which growth a cell forks."""
        return Growth(cell.fact, cell.repeat, self.growth_window if self.share_windows else cell.window, cell.subject)

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
    if not plan.subjects or len(set(plan.subjects)) != len(plan.subjects):
        raise InvalidInput(f"The subjects {list(plan.subjects)} must be at least one, each once.")
    if not plan.facts or plan.repeats < 1 or not plan.fillers:
        raise InvalidInput("An experiment needs at least one fact, one filler and one repeat.")
    if len({fact.text for fact in plan.facts}) != len(plan.facts):
        raise InvalidInput("Each fact may be planted once; repeats are a number of their own.")
    cells = len(plan.facts) * len(plan.subjects) * len(plan.distances) * len(plan.windows) * plan.repeats
    if cells > MOST_CELLS:
        raise InvalidInput(f"{cells} cells are more than the {MOST_CELLS} that an experiment may have.")
    for fact in plan.facts:
        if holds_value(fact.question, fact.value) or any(holds_value(filler, fact.value) for filler in plan.fillers):
            raise InvalidInput(
                f"The value {fact.value!r} stands in its question or in a filler: it would be given away."
            )


def read_numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of `0-10`, `1,3,10` or a mixture, in order. Raises InvalidInput."""
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InvalidInput(f"{text!r} is no list of numbers. Write it as 0-10 or 1,3,10.")
        several = range(int(first), int(last if dash else first) + 1)
        if len(several[:MOST_CELLS]) == MOST_CELLS:
            raise InvalidInput(f"{part.strip()!r} are more numbers than the {MOST_CELLS} cells an experiment may have.")
        numbers.extend(several)
    return tuple(dict.fromkeys(numbers))


def to_stored_plan(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain JSON values."""
    return asdict(plan)


def read_stored_plan(stored: Mapping[str, Any]) -> Plan:
    """Return the plan that `to_stored_plan` wrote."""
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    values["facts"] = tuple(Fact(**fact) for fact in stored["facts"])
    values["member_history"] = MemberHistory(values.get("member_history", MemberHistory.AS_BUILT))
    values.pop("member_id", None)  # of plans stored before members could be measured: always None
    return Plan(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """What one run costs a model, measured or assumed."""

    prompt_tokens: int  # system message and tools, sent with every request
    turn_tokens: int  # question and answer, sent again as long as they are in the window


def estimate_tokens(plan: Plan, cost: RunCost) -> int:
    """Return about how many input and output tokens the whole plan takes.

    What is said to the leader is taken as answered at once; what is said to a member as handed on to it.
    """
    total = 0
    for growth in {plan.growth_of(cell) for cell in plan.cells}:
        for number in range(1 + max(plan.distances)):
            handed_on = growth.subject != LEADER and (number == 0 or plan.fillers_to_subject)
            total += _tokens_of_run(min(number, growth.window), cost, handed_on=handed_on)
    for cell in plan.cells:
        handed_on = cell.subject != LEADER
        total += _tokens_of_run(min(cell.distance + 1, cell.window), cost, handed_on=handed_on)
    return total


def _tokens_of_run(carried: int, cost: RunCost, *, handed_on: bool) -> int:
    requests = REQUESTS_OF_A_DELEGATION if handed_on else 1
    return requests * (cost.prompt_tokens + (carried + 1) * cost.turn_tokens)
