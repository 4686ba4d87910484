"""Which runs the next prompt holds: steps 1 to 3. No message is needed for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lib.recall.reasons import Reason
from lib.records import RunRecord, RunStatus, SavedState

DEFAULT_HISTORY_RUNS = 3
"""Agno's window when neither a number of runs nor of messages is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRules:
    """The settings that decide what history a prompt holds, as they are in force. See `configured`."""

    add_history: bool = True
    num_history_runs: int | None = DEFAULT_HISTORY_RUNS  # None: all runs
    num_history_messages: int | None = None  # None: all messages
    max_tool_calls: int | None = None  # None: all tool calls
    system_role: str = "system"
    component_id: str | None = None  # set: only runs of this team or agent

    @classmethod
    def configured(
        cls,
        *,
        num_history_runs: int | None = None,
        num_history_messages: int | None = None,
        max_tool_calls_from_history: int | None = None,
        add_history_to_context: bool = True,
        system_role: str = "system",
        component_id: str | None = None,
    ) -> HistoryRules:
        """Return what a Team or Agent built with these arguments does: neither set means 3 runs, both set: runs win."""
        if num_history_runs is not None:
            num_history_messages = None
        elif num_history_messages is None:
            num_history_runs = DEFAULT_HISTORY_RUNS
        return cls(
            add_history=add_history_to_context,
            num_history_runs=num_history_runs,
            num_history_messages=num_history_messages,
            max_tool_calls=max_tool_calls_from_history,
            system_role=system_role,
            component_id=component_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRun:
    """The head of a run, where no body was read."""

    run_id: str
    status: RunStatus
    component_id: str = ""
    parent_run_id: str | None = None
    saved: SavedState = SavedState.STORED
    stored_status: str | None = None  # the word in the database, where it says more than `status`


RunHead = RunRecord | BareRun
"""What must be known of a run to place it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlace:
    """Whether a run is in the window, and why not."""

    run_id: str
    reason: Reason | None = None

    @property
    def in_window(self) -> bool:
        """Whether the next prompt holds this run."""
        return self.reason is None


_SKIPPED = {
    "PAUSED": Reason.RUN_PAUSED,
    "CANCELLED": Reason.RUN_CANCELLED,
    "ERROR": Reason.RUN_ERROR,
    "REGENERATED": Reason.RUN_REGENERATED,
}
_BY_STATUS = {
    RunStatus.PAUSED: Reason.RUN_PAUSED,
    RunStatus.STOPPED: Reason.RUN_CANCELLED,
    RunStatus.FAILED: Reason.RUN_ERROR,
    RunStatus.INTERRUPTED: Reason.RUN_INTERRUPTED,
    RunStatus.REGENERATED: Reason.RUN_REGENERATED,
    RunStatus.RUNNING: Reason.RUN_LIVE,
    RunStatus.WAITING: Reason.RUN_LIVE,
}


def reason_to_skip(run: RunHead) -> Reason | None:
    """Return why Agno leaves the whole run out of every history, or None where it counts."""
    by_status = _BY_STATUS.get(run.status)
    stored = _stored_status(run)
    if stored is not None:
        # The database decides. Our own words for the same row say more about it: the marker of a live or an
        # interrupted run is stored as ERROR, while RUNNING or PENDING, which other apps write, do take a place.
        return (by_status or _SKIPPED[stored]) if stored in _SKIPPED else None
    if run.saved is SavedState.KEPT_ON_DISK:
        return Reason.NOT_STORED
    return by_status


def _stored_status(run: RunHead) -> str | None:
    if isinstance(run, BareRun):
        return run.stored_status
    raw = run.raw
    # Agno goes by the run inside the row; the row's own column is for its queries.
    run_data = raw.get("run_data")
    inner = run_data.get("status") if isinstance(run_data, Mapping) else None
    status = inner if inner is not None else raw.get("status")
    return status if isinstance(status, str) else None


def place_runs(
    runs: Sequence[RunHead], rules: HistoryRules, *, before_run_id: str | None = None
) -> tuple[RunPlace, ...]:
    """Return for each run whether the next prompt holds it; no messages are needed for that.

    With `num_history_messages` in force a run in the window may still give none of its messages: only `next_context`
    knows. `before_run_id` asks what that run itself was given: it and everything after it is `LATER`.
    """
    reasons: list[Reason | None] = []
    later = False
    for run in runs:
        later = later or run.run_id == before_run_id
        reasons.append(Reason.LATER if later else _reason_outside(run, rules))
    return keep_newest(runs, reasons, rules.num_history_runs)


def keep_newest(runs: Sequence[RunHead], reasons: Sequence[Reason | None], window: int | None) -> tuple[RunPlace, ...]:
    """Step 3: return the place of each run when only the newest `window` of those without a reason stay."""
    outside = Reason.HISTORY_OFF if window is not None and window <= 0 else Reason.OUTSIDE_WINDOW
    newer = 0
    places: list[RunPlace] = []
    for run, reason in zip(reversed(runs), reversed(reasons), strict=True):
        if reason is None:
            newer += 1
            if window is not None and newer > window:
                reason = outside
        places.append(RunPlace(run_id=run.run_id, reason=reason))
    return tuple(reversed(places))


def _reason_outside(run: RunHead, rules: HistoryRules) -> Reason | None:
    if run.parent_run_id is not None:
        return Reason.MEMBER_MESSAGE
    if rules.component_id is not None and run.component_id != rules.component_id:
        return Reason.OTHER_COMPONENT
    skip = reason_to_skip(run)
    if skip is not None:
        return skip
    return None if rules.add_history else Reason.HISTORY_OFF
