"""Findings without reading a whole session: those that columns tell, and those of one run with what stands around it."""

from __future__ import annotations

from lib.recall.window import DEFAULT_HISTORY_RUNS
from lib.replay.findings import COLUMN_KINDS, Finding, FindingKind, in_order_of_kind, list_column_findings
from lib.storage.connector import Connector
from lib.storage.replaying import Replay
from lib.storage.session_columns import read_column_runs
from lib.storage.session_overview import SessionOverview, SessionOverviews

AROUND = 60
"""Runs before and after one that are read for its findings: what was answered before, what was asked again."""


def find_by_columns(connector: Connector, overview: SessionOverview) -> tuple[Finding, ...]:
    """Return the findings of a whole session that its columns tell (`COLUMN_KINDS`); no body is read."""
    return list_column_findings(read_column_runs(connector, overview.session.session_id), session=overview.summary)


def find_for_run(
    connector: Connector,
    overviews: SessionOverviews,
    overview: SessionOverview,
    run_id: str,
    *,
    assumed_window: int = DEFAULT_HISTORY_RUNS,
) -> tuple[Finding, ...]:
    """Return the findings of one run and the runs under it; of the bodies, those of `AROUND` runs about it are read.

    Raises:
        RunNotFound: the session has no such run.
    """
    place = overview.place_of(run_id)
    near = [head.run_id for head in overview.heads[max(place - AROUND, 0) : place + AROUND + 1]]
    replay = Replay(overviews.get_runs(overview, near), assumed_window=assumed_window)
    wanted = {part.run_id for part in replay.get_run(run_id).walk()}
    by_columns = replay.findings() if overview.older_format else find_by_columns(connector, overview)
    found = [item for item in by_columns if item.kind in COLUMN_KINDS]
    found += [item for item in replay.findings() if item.kind not in COLUMN_KINDS]
    last = overview.heads[-1].run_id
    return in_order_of_kind(
        item
        for item in found
        # What the session's row lost is told by its last run alone, which may be none of those that were read.
        if item.run_id in wanted and (item.kind is not FindingKind.OVERWRITTEN_TITLE or item.run_id == last)
    )
