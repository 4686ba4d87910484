"""Which of two stored runs came first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from lib.records import RunRecord

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

OVERLAP = timedelta(seconds=0.25)
"""Agno's duration counts the reading of the session, which our start does not: so much may two runs in a row overlap."""

WHOLE_SECONDS = timedelta(seconds=2)
"""...and so much where times are whole seconds: start and end may each lie almost a second later."""


def in_stored_order(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Return runs as Agno reads them back: by run_index, then creation, then id; without an index as they are given."""
    listed = list(runs)
    if any(run.run_index is None for run in listed):
        return listed
    return sorted(listed, key=lambda run: (run.run_index or 0, _stored_second(run), run.run_id))


def _stored_second(run: RunRecord) -> float:
    """Return the creation time that the database orders by; the events of a run may tell another second."""
    stored = run.raw.get("created_at")
    if isinstance(stored, int | float):
        return stored
    return whole_second(run.started_at).timestamp()


def is_before(other: RunRecord, run: RunRecord) -> bool:
    """Whether `other` was stored before `run` began: by time where that is clear, else by stored order."""
    if other.started_at and run.started_at:
        if whole_second(other.started_at) > whole_second(run.started_at):
            return False
        exact = other.exact_times and run.exact_times
        if other.ended_at and other.ended_at > run.started_at + (OVERLAP if exact else WHOLE_SECONDS):
            return False
        clear = run.started_at if exact else run.started_at - WHOLE_SECONDS
        if (other.ended_at or other.started_at) <= clear:
            return True
    found = _found_runs(run)
    if other.run_index is not None and found is not None:
        return other.run_index < found
    return (other.started_at or _NO_TIME) < (run.started_at or _NO_TIME)


def _found_runs(run: RunRecord) -> int | None:
    """Return how many runs a run found in its session: Agno counts on from there, its members' runs first."""
    return min((part.run_index for part in run.walk() if part.run_index is not None), default=None)


def whole_second(at: datetime | None) -> datetime:
    """Return a time without its fraction; the epoch where there is none."""
    return (at or _NO_TIME).replace(microsecond=0)


def same_second(one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs began in the same second, as far as is known."""
    return whole_second(one.started_at) == whole_second(other.started_at)
