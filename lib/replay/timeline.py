"""A run as swimlanes: one lane a team or agent, with bars for its runs, model requests, tools and delegations.

Stored times are exact where our engine stamped them. Agno's own are whole seconds: then `exact` is False, every bar lies
on whole seconds, and nothing is measured more finely than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lib.records import RunRecord, Tokens
from lib.replay.order import whole_second
from lib.replay.steps import Step, StepKind


class BarKind(StrEnum):
    """What a bar stands for."""

    RUN = "run"
    MODEL_REQUEST = "model_request"
    TOOL_CALL = "tool_call"
    DELEGATION = "delegation"  # the leader waits for the member
    PAUSE = "pause"  # the run waits for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time in a lane; seconds count from the start of the timeline."""

    kind: BarKind
    label: str
    run_id: str
    step_id: str | None  # where a click leads
    start_s: float
    end_s: float
    ended: bool = True  # False: no end was stored; the bar reaches to the end of its run
    failed: bool = False
    row: int = 0  # within the lane: concurrent runs of one member lie under each other

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """All that one team or agent did."""

    agent_id: str
    name: str
    bars: tuple[Bar, ...]
    total_s: float  # in which any run of it was going on
    busy_s: float  # in which its model or a tool worked
    waiting_s: float  # in which it waited for members
    idle_s: float  # the rest of total_s
    tokens: Tokens
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The lanes of one run, the leader's first."""

    started_at: datetime | None
    total_s: float
    exact: bool
    lanes: tuple[Lane, ...]

    @property
    def precision(self) -> str:
        """How finely the times are known, in words."""
        return "exact" if self.exact else "whole seconds"


def build_timeline(run: RunRecord, steps: Sequence[Step]) -> Timeline:
    """Return the timeline of a run from its steps (`list_steps`)."""
    runs = list(run.walk())
    exact = all(part.exact_times for part in runs if part.started_at)
    moments = [at for part in runs for at in (part.started_at, part.ended_at) if at]
    moments += [at for step in steps for at in (step.started_at, step.ended_at) if at]
    if not moments:
        return Timeline(started_at=None, total_s=0.0, exact=False, lanes=())
    scale = _Scale(min(moments), exact)
    ends = {part.run_id: part.ended_at or max(moments) for part in runs}
    lanes: dict[str, list[RunRecord]] = {}
    for part in runs:
        lanes.setdefault(part.component_id, []).append(part)
    return Timeline(
        started_at=scale.start,
        total_s=scale.seconds(max(moments)),
        exact=exact,
        lanes=tuple(_lane(agent_id, own, steps, scale, ends) for agent_id, own in lanes.items()),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """Times as seconds from the start, rounded to what is known."""

    first: datetime
    exact: bool

    @property
    def start(self) -> datetime:
        return self.first if self.exact else whole_second(self.first)

    def seconds(self, at: datetime) -> float:
        return ((at if self.exact else whole_second(at)) - self.start) / timedelta(seconds=1)


def _lane(
    agent_id: str, runs: Sequence[RunRecord], steps: Iterable[Step], scale: _Scale, ends: dict[str, datetime]
) -> Lane:
    rows: list[float] = []  # the end of the last run in each row
    row_of: dict[str, int] = {}
    bars: list[Bar] = []
    for run in sorted((run for run in runs if run.started_at), key=lambda run: run.started_at or scale.first):
        assert run.started_at is not None
        start_s = scale.seconds(run.started_at)
        end_s = max(scale.seconds(ends[run.run_id]), start_s)
        row = next((place for place, end in enumerate(rows) if end <= start_s), len(rows))
        rows[row : row + 1] = [end_s]
        row_of[run.run_id] = row
        label = run.question or run.component_name
        ended = run.ended_at is not None
        failed = run.error is not None
        bars.append(
            Bar(
                kind=BarKind.RUN,
                label=label,
                run_id=run.run_id,
                step_id=None,
                start_s=start_s,
                end_s=end_s,
                ended=ended,
                failed=failed,
                row=row,
            )
        )
    own = {run.run_id for run in runs}
    done = [bar for step in steps if step.run_id in own and (bar := _bar(step, scale, ends, row_of)) is not None]
    bars += sorted(done, key=lambda bar: bar.kind is not BarKind.PAUSE)  # what was done meanwhile lies over the wait
    return _measured(agent_id, runs, bars, max(len(rows), 1))


_BARS = {
    StepKind.MODEL_REQUEST: BarKind.MODEL_REQUEST,
    StepKind.TOOL_CALL: BarKind.TOOL_CALL,
    StepKind.DELEGATION: BarKind.DELEGATION,
    StepKind.PAUSED: BarKind.PAUSE,
}


def _bar(step: Step, scale: _Scale, ends: dict[str, datetime], row_of: dict[str, int]) -> Bar | None:
    kind = _BARS.get(step.kind)
    if kind is None or step.started_at is None:
        return None
    start_s = scale.seconds(step.started_at)
    end_s = max(scale.seconds(step.ended_at or ends[step.run_id]), start_s)
    return Bar(
        kind=kind,
        label=_label(step),
        run_id=step.run_id,
        step_id=step.step_id,
        start_s=start_s,
        end_s=end_s,
        ended=step.ended_at is not None,
        failed=step.failed,
        row=row_of.get(step.run_id, 0),
    )


def _label(step: Step) -> str:
    if step.kind is StepKind.PAUSED:
        return step.text or "a person"
    return step.member_id or step.tool_name or f"model request {step.request or ''}".rstrip()


def _measured(agent_id: str, runs: Sequence[RunRecord], bars: Sequence[Bar], rows: int) -> Lane:
    total = _union(bar for bar in bars if bar.kind is BarKind.RUN)
    busy = _union(bar for bar in bars if bar.kind in (BarKind.MODEL_REQUEST, BarKind.TOOL_CALL))
    covered = _union(bar for bar in bars if bar.kind not in (BarKind.RUN, BarKind.PAUSE))
    tokens = Tokens()
    for run in runs:
        tokens += run.tokens
    busy_s, total_s = _length(busy), _length(total)
    waiting_s = _length(covered) - busy_s
    return Lane(
        agent_id=agent_id,
        name=runs[0].component_name or agent_id,
        bars=tuple(bars),
        total_s=total_s,
        busy_s=busy_s,
        waiting_s=waiting_s,
        idle_s=max(total_s - busy_s - waiting_s, 0.0),
        tokens=tokens,
        rows=rows,
    )


def _union(bars: Iterable[Bar]) -> list[tuple[float, float]]:
    """Return the stretches of time that the bars cover, without overlaps."""
    covered: list[tuple[float, float]] = []
    for start_s, end_s in sorted((bar.start_s, bar.end_s) for bar in bars):
        if covered and start_s <= covered[-1][1]:
            covered[-1] = (covered[-1][0], max(covered[-1][1], end_s))
        else:
            covered.append((start_s, end_s))
    return covered


def _length(stretches: Iterable[tuple[float, float]]) -> float:
    return sum(end_s - start_s for start_s, end_s in stretches)
