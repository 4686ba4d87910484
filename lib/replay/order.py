"""Which of two stored runs came first."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from lib.records import RunRecord

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

OVERLAP = timedelta(seconds=0.25)
"""Agno's duration counts the reading of the session, which our start does not: so much may two runs in a row overlap."""


def in_stored_order(runs: Iterable[RunRecord]) -> list[RunRecord]:
    """Return runs as Agno reads them back: by run_index, then creation, then id; without an index as they are given."""
    listed = list(runs)
    if any(run.run_index is None for run in listed):
        return listed
    return sorted(listed, key=lambda run: (run.run_index or 0, whole_second(run.started_at), run.run_id))


def is_before(other: RunRecord, run: RunRecord) -> bool:
    """Whether `other` was stored before `run` began: by time where that is clear, else by stored order."""
    if other.started_at and run.started_at:
        if whole_second(other.started_at) != whole_second(run.started_at) and other.started_at > run.started_at:
            return False
        if other.exact_times and run.exact_times and other.ended_at and other.ended_at > run.started_at + OVERLAP:
            return False
        if whole_second(other.started_at) != whole_second(run.started_at):
            return True
    if other.run_index is not None and run.run_index is not None and other.run_index != run.run_index:
        return other.run_index < run.run_index
    return (other.started_at or _NO_TIME) < (run.started_at or _NO_TIME)


def whole_second(at: datetime | None) -> datetime:
    """Return a time without its fraction; the epoch where there is none."""
    return (at or _NO_TIME).replace(microsecond=0)
