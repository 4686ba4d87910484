"""A run as it happened: which part of it was there at which moment, from stored times.

Words have no stored times of their own: they appear when the model request that brought them had answered. Where no such
time is stored, as of a request that was cut off, they appear with what came next, at the latest at the end of their run:
never before it is known that they were said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lib.records import DelegationSegment, RunRecord, RunStatus, Segment, TextSegment, ToolCallRecord, ToolSegment
from lib.replay.steps import Step, StepKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A moment at which something new was there."""

    at_s: float  # seconds from the start of the run
    step_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """The moments of a run, and the run as it stood at any of them."""

    run: RunRecord
    frames: tuple[Frame, ...]
    shown_from: dict[tuple[str, str], float]  # (run id, what of it) -> seconds
    total_s: float
    exact: bool  # False: whole seconds, much of it at once

    def at(self, seconds: float) -> RunRecord:
        """Return the run as far as it had come; after `total_s` the run itself."""
        if seconds >= self.total_s:
            return self.run
        return self._cut(self.run, seconds)

    def _cut(self, run: RunRecord, seconds: float) -> RunRecord:
        segments: list[Segment] = []
        for place, segment in enumerate(run.segments):
            if self.shown_from.get((run.run_id, f"segment:{place}"), 0.0) > seconds:
                continue
            match segment:
                case TextSegment():
                    segments.append(segment)
                case ToolSegment(call=call):
                    segments.append(replace(segment, call=self._call(run, place, call, seconds)))
                case DelegationSegment(call=call):
                    begun = segment.run and self.shown_from.get((segment.run.run_id, "run"), 0.0) <= seconds
                    member_run = self._cut(segment.run, seconds) if segment.run and begun else None
                    segments.append(replace(segment, call=self._call(run, place, call, seconds), run=member_run))
        members = tuple(
            self._cut(member, seconds)
            for member in run.member_runs
            if self.shown_from.get((member.run_id, "run"), 0.0) <= seconds
        )
        ended = self.shown_from.get((run.run_id, "end"), self.total_s) <= seconds
        if ended:
            return replace(run, segments=tuple(segments), member_runs=members)
        return replace(
            run,
            segments=tuple(segments),
            member_runs=members,
            status=RunStatus.RUNNING,
            error=None,
            error_kind=None,
            ended_at=None,
        )

    def _call(self, run: RunRecord, place: int, call: ToolCallRecord, seconds: float) -> ToolCallRecord:
        if self.shown_from.get((run.run_id, f"result:{place}"), 0.0) <= seconds:
            return call
        return replace(call, result=None, failed=False, ended_at=None)


def build_playback(run: RunRecord, steps: Sequence[Step]) -> Playback:
    """Return the playback of a run from its steps (`list_steps`)."""
    runs = list(run.walk())
    moments = [at for part in runs for at in (part.started_at, part.ended_at) if at]
    moments += [at for step in steps for at in (step.started_at, step.ended_at) if at]
    if not moments:
        return Playback(run=run, frames=(), shown_from={}, total_s=0.0, exact=False)
    first, last = min(moments), max(moments)
    shown: dict[tuple[str, str], float] = {}
    for part in runs:
        shown[part.run_id, "run"] = _seconds(first, part.started_at, 0.0)
        shown[part.run_id, "end"] = _seconds(first, part.ended_at, (last - first).total_seconds())
    begun = {step.step_id: _seconds(first, step.started_at, 0.0) for step in steps if step.started_at}
    for part in runs:
        begun |= _place_segments(part, [step for step in steps if step.run_id == part.run_id], first, shown)
    frames = tuple(Frame(at_s=at_s, step_id=step_id) for step_id, at_s in begun.items())
    return Playback(
        run=run,
        frames=tuple(sorted(frames, key=lambda frame: frame.at_s)),
        shown_from=shown,
        total_s=(last - first).total_seconds(),
        exact=all(part.exact_times for part in runs if part.started_at),
    )


def _place_segments(
    run: RunRecord, steps: Sequence[Step], first: datetime, shown: dict[tuple[str, str], float]
) -> dict[str, float]:
    """Note when each segment of a run appeared, and return it by step; what has no time appears with what came next."""
    told = [step for step in steps if step.kind in (StepKind.TEXT, StepKind.TOOL_CALL, StepKind.DELEGATION)]
    placed = list(zip(range(len(run.segments)), told, strict=False))
    latest = result_by = shown[run.run_id, "end"]
    appears: dict[int, tuple[float, float]] = {}  # the segment, and at the latest its result: before the next words
    for place, step in reversed(placed):
        latest = _seconds(first, _appears(step, run.segments[place]), latest)
        appears[place] = latest, result_by
        result_by = latest if step.kind is StepKind.TEXT else result_by
    now = shown[run.run_id, "run"]
    found: dict[str, float] = {}
    for place, step in placed:
        at_s, result_by = appears[place]
        now = found[step.step_id] = shown[run.run_id, f"segment:{place}"] = max(now, at_s)
        if step.kind is not StepKind.TEXT:
            shown[run.run_id, f"result:{place}"] = max(now, _seconds(first, step.ended_at, result_by))
    return found


def _appears(step: Step, segment: Segment) -> datetime | None:
    if step.kind is StepKind.TEXT:
        return step.ended_at
    member_run = segment.run if isinstance(segment, DelegationSegment) else None
    return step.started_at or (member_run.started_at if member_run else None)


def _seconds(first: datetime, at: datetime | None, otherwise: float) -> float:
    return otherwise if at is None else (at - first).total_seconds()
