"""What a member is given inside a team: its own earlier delegations, or the team's history as text.

A member does not read the session; the leader hands it its history (`team/_tools.py:_get_history_for_member_agent`,
agno-facts 8.4), and only if the member has `add_history_to_context`. Its rule differs from the leader's:

- The member's runs count, whatever became of the run they stand under: a fact told in a stopped run is forgotten by the
  leader and still known to the member. Runs in which it was asked directly count too.
- The window is the member's own `num_history_runs`, else the leader's; an Agent that sets neither number has 3 of its
  own, so the leader's holds only where the member's is 0 or where it sets `num_history_messages`.
- Runs of the present question count as soon as they are done: asked twice, a member sees its first answer.
- The tool call filter does not apply, neither the leader's nor the member's.
- A member that is itself a team gets all user texts of its own runs in one user message (`get_text_from_message`), and
  hands no history to members of its own: their session is thrown away after each delegation.

With `add_team_history_to_members` the task text begins with question and answer of the newest completed top-level runs
(`TeamSession.get_team_history`, `get_team_history_context`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lib.recall.reasons import Reason
from lib.recall.window import (
    HistoryRules,
    PredictedContext,
    cut_messages,
    gather_messages,
    keep_newest,
    next_context,
    reason_to_skip,
)
from lib.records import RunRecord, RunStatus, SessionKind

DEFAULT_TEAM_HISTORY_RUNS = 3
"""Agno's `num_team_history_runs`."""


def rules_for_member(member: HistoryRules, leader: HistoryRules) -> HistoryRules:
    """Return the rules by which the leader picks a member's history; both as their settings are in force."""
    return HistoryRules(
        add_history=member.add_history,
        num_history_runs=member.num_history_runs or leader.num_history_runs,
        num_history_messages=member.num_history_messages,
        system_role=leader.system_role,
    )


def next_member_context(
    runs: Sequence[RunRecord], rules: HistoryRules, *, member_id: str, kind: SessionKind = SessionKind.AGENT
) -> PredictedContext:
    """Return the history that `member_id` is given with its next delegation. `rules`: see `rules_for_member`.

    `runs` are the session's top-level runs in stored order with their member runs, the present one too while it works.
    """
    own = [run for run in runs_in_stored_order(runs) if run.component_id == member_id and run.kind is kind]
    reasons = [reason_to_skip(run) if rules.add_history else Reason.HISTORY_OFF for run in own]
    places = keep_newest(own, reasons, rules.num_history_runs)
    given, absent = gather_messages(own, places, rules)
    return cut_messages(given, absent, places, rules)


def runs_in_stored_order(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return all runs, members included, as the database orders them: members come before the run they stand under.

    A run without a place of its own, one found only inside its parent's row, stands where its parent does.
    """
    placed: list[_Placed] = []
    for position, run in enumerate(runs):
        placed.extend(_walk(run, run.run_index, position))
    # Where places are missing altogether (records made by hand), the given order counts.
    if any(item.index is None for item in placed):
        return [item.run for item in placed]
    return [item.run for item in sorted(placed, key=lambda item: (item.index or 0, item.position))]


@dataclass(frozen=True, slots=True)
class _Placed:
    run: RunRecord
    index: int | None
    position: int


def _walk(run: RunRecord, index: int | None, position: int) -> Iterator[_Placed]:
    for member_run in run.member_runs:
        yield from _walk(member_run, index if member_run.run_index is None else member_run.run_index, position)
    yield _Placed(run, index, position)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamHistoryRules:
    """The settings of `add_team_history_to_members`."""

    num_team_history_runs: int | None = DEFAULT_TEAM_HISTORY_RUNS  # None: all
    nested_team_id: str | None = None  # set: the member is this team, and is told its own runs


def list_team_history(runs: Sequence[RunRecord], rules: TeamHistoryRules) -> tuple[RunRecord, ...]:
    """Return the runs whose question and answer a member's task begins with, oldest first."""
    every = runs_in_stored_order(runs)
    if rules.nested_team_id is None:
        told = [run for run in every if run.parent_run_id is None]
    else:
        told = [run for run in every if run.kind is SessionKind.TEAM and run.component_id == rules.nested_team_id]
    completed = [run for run in told if run.status is RunStatus.COMPLETED]
    if rules.num_team_history_runs is None:
        return tuple(completed)
    return tuple(completed[-rules.num_team_history_runs :]) if rules.num_team_history_runs > 0 else ()


_TEAM_HISTORY = ("<team_history_context>", "</team_history_context>")


def to_team_history_text(told: Sequence[RunRecord]) -> str:
    """Return the words in which a member is told of these runs; empty where there are none."""
    if not told:
        return ""
    lines = [_TEAM_HISTORY[0]]
    for number, run in enumerate(told, 1):
        lines.append(f"[run-{number}]")
        lines += [f"{word}: {text}" for word, text in zip(("input", "response"), _said_in(run), strict=True) if text]
        lines.append("")
    return "\n".join([*lines, _TEAM_HISTORY[1]])


def split_task(task: str) -> tuple[str, str]:
    """Return the team history that a member's task begins with, and what it was asked to do; both may be empty."""
    begin, end = task.find(_TEAM_HISTORY[0]), task.rfind(_TEAM_HISTORY[1])
    if begin < 0 or end < begin:
        return "", task
    after = end + len(_TEAM_HISTORY[1])
    return task[begin:after], f"{task[:begin]}{task[after:]}".strip()


def _said_in(run: RunRecord) -> tuple[str, str]:
    """Return question and answer of a run as Agno tells them: all the leader said, not only after its last tool."""
    stored = run.raw.get("run_data")
    content = stored.get("content") if isinstance(stored, Mapping) else None
    return run.question, content if isinstance(content, str) else run.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRules:
    """All that decides what a member is given of earlier runs, as it is in force."""

    history: HistoryRules = HistoryRules(add_history=False)  # see `rules_for_member`
    team_history: TeamHistoryRules | None = None  # None: nothing is told of the team's runs


def predict_past(earlier: Sequence[RunRecord], run: RunRecord) -> PredictedContext:
    """Return what `run` was given of the runs stored before it, by the settings it was stored with.

    For runs whose history messages were not stored. Where no window was stored Agno's default counts; a member counts as
    given none, since nothing stored says that it asked for some.
    """
    if run.parent_run_id is not None:
        rules = HistoryRules(add_history=False)
        return next_member_context(earlier, rules, member_id=run.component_id, kind=run.kind)
    window = run.settings.get("window")
    return next_context(earlier, HistoryRules.configured(num_history_runs=window if isinstance(window, int) else None))
