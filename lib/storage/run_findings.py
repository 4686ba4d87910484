"""Findings of stored sessions without holding a whole one: those of a session a few runs at a time, those of one run with
what stands around it, and those that columns alone tell.
"""

from __future__ import annotations

from collections.abc import Callable

from lib.recall.window import DEFAULT_HISTORY_RUNS
from lib.replay.finding_search import FindingSearch
from lib.replay.findings import COLUMN_KINDS, Finding, FindingKind, in_order_of_kind, list_column_findings
from lib.storage.connector import Connector
from lib.storage.replaying import Replay
from lib.storage.session_columns import read_column_runs
from lib.storage.session_overview import SessionOverview, SessionOverviews

AROUND = 60
"""Runs before and after one that are read for its findings: what was answered before, what was asked again."""
AT_ONCE = 10
"""Runs whose bodies are held at a time."""


def find_by_columns(connector: Connector, overview: SessionOverview) -> tuple[Finding, ...]:
    """Return the findings of a whole session that its columns tell (`COLUMN_KINDS`); no body is read."""
    return list_column_findings(read_column_runs(connector, overview.session.session_id), session=overview.summary)


def find_for_session(
    connector: Connector,
    overviews: SessionOverviews,
    overview: SessionOverview,
    *,
    looked: Callable[[int], None] = lambda count: None,
) -> tuple[Finding, ...]:
    """Return all findings of a session; of its bodies, those of `AT_ONCE` runs are held at a time.

    `looked` is told after each reading through how many runs was looked so far, and may raise to give up.
    """
    if overview.older_format:  # all of it lies in one cell
        return Replay(overviews.get_runs(overview)).findings()
    search = FindingSearch(overview.session.session_data)
    heads = [head.run_id for head in overview.heads]
    for start in range(0, len(heads), AT_ONCE):
        some = heads[start : start + AT_ONCE]
        replay = Replay(overviews.get_runs(overview, some))
        for run in replay.runs:
            search.look_at(run, replay.events(run.run_id))
        looked(start + len(some))
    return in_order_of_kind((*find_by_columns(connector, overview), *search.list_findings()))


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
