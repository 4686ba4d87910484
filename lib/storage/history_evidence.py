"""Which settings explain the history that the runs of a session were given: the rules of `lib.recall` put to what
`lib.replay` knows of the session as it stood.

What a run of ours was asked under is stored with it. Of other runs it is told by what they were given, and by what the
runs about them were given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from lib.recall.window import DEFAULT_HISTORY_RUNS, HistoryRules, PredictedContext, next_context
from lib.recall.window.evidence import LimitRange, Shape, Unit, agree, find_limits, shape_of
from lib.records import MessageRecord, RunRecord, RunStatus
from lib.replay.absences import Explanation
from lib.replay.session_history import SessionHistory, Standing
from lib.replay.token_evidence import find_window_by_tokens

NEIGHBOURS = 24
"""How many other runs of a session are asked which history limit they agree with."""

ENOUGH = 3
"""...and how many once only one is left."""


class HistoryEvidence:
    """Explains the histories of one session's runs."""

    def __init__(self, history: SessionHistory, *, assumed_window: int = DEFAULT_HISTORY_RUNS) -> None:
        """Take a session; `assumed_window` is used where neither the window nor its messages were stored."""
        self._history = history
        self._assumed_window = assumed_window
        self._limits: dict[str, list[LimitRange]] = {}

    def explain(self, standing: Standing, run: RunRecord) -> Explanation:
        """Return what the history of a run was, or can have been, under each of the settings that explain it."""
        told = bool(self._history.stores_history or run.settings or _shape_of_history(run))
        if not told:
            # What a member was given is its leader's choice, and not stored.
            return Explanation(predictions=self._assume(standing) if run.parent_run_id is None else [])
        whole, ranges = self._find_limits(standing, run)
        window = _stored_window(run.settings)
        if window is not None:
            of_row = [LimitRange(unit=Unit.RUNS, least=window, most=window)]
            ranges = [limits for limits in ranges if agree([limits], of_row)] or ranges
        against = 0
        left = {limits: [limits] for limits in ranges}  # what the other runs leave of each
        for number, other in enumerate(self._neighbours(run) if window is None else ()):
            if number >= ENOUGH and len(left) <= 1:
                break
            agreed = {limits: agree(parts, self._limits_of(other)) for limits, parts in left.items()}
            if any(agreed.values()):
                left = {limits: parts for limits, parts in agreed.items() if parts}
            else:
                against += 1
        predictions = [prediction for limits in left for prediction in _predict(whole, run, limits)]
        return Explanation(predictions=predictions, against=against)

    def _assume(self, standing: Standing) -> list[PredictedContext]:
        assumed = next_context(standing, HistoryRules.configured(num_history_runs=self._window_by_tokens))
        # A message limit of 0 switches history off as well.
        nothing = next_context(standing, HistoryRules.configured(num_history_messages=0))
        return [assumed] if assumed.messages else [assumed, nothing]

    def _limits_of(self, run: RunRecord) -> list[LimitRange]:
        """Return the settings under which a run was given what it was given."""
        if run.run_id not in self._limits:
            groups = (
                [self._find_limits(standing, run)[1] for standing in group] for group in self._history.standings(run)
            )
            found = next((group for group in groups if any(group)), [])
            self._limits[run.run_id] = list(dict.fromkeys(limits for ranges in found for limits in ranges))
        return self._limits[run.run_id]

    def _find_limits(self, standing: Standing, run: RunRecord) -> tuple[Standing, list[LimitRange]]:
        """Return the runs before `run` with those that were deleted since, and the settings that explain its history."""
        of_member = run.parent_run_id is not None
        if of_member:  # its own runs are to it what the session's are to a leader
            standing = tuple(replace(other, parent_run_id=None, member_runs=()) for other in standing)
        there = {other.run_id for other in standing}
        origins = self._history.origins
        lost = any(message.from_history and origins.get(message.message_id) not in there for message in run.messages)
        whole = tuple(with_deleted_runs(standing, run)) if lost else standing
        found = find_limits(whole, _shape_of_history(run), incomplete=len(whole) > len(standing))
        # No tool call filter applies to what a member is given.
        return whole, [limits for limits in found if limits.most_calls is None or not of_member]

    @cached_property
    def _window_by_tokens(self) -> int:
        """The window that the tokens speak for, where no history was stored; else the assumed one."""
        found = find_window_by_tokens(self._history.runs, assumed=self._assumed_window)
        return self._assumed_window if found is None else found

    def _neighbours(self, run: RunRecord) -> list[RunRecord]:
        """Return the nearest runs of the same team or member that were asked without settings of their own."""
        others = [
            other
            for other in self._history.runs_beside(run)
            if other.run_id != run.run_id
            and other.component_id == run.component_id
            and other.messages
            and not other.settings
        ]
        place = run.run_index or 0
        return sorted(others, key=lambda other: abs((other.run_index or 0) - place))[:NEIGHBOURS]


def _predict(whole: Standing, run: RunRecord, limits: LimitRange) -> list[PredictedContext]:
    rules = limits.to_rules()
    predicted = [next_context(whole, rules)]
    if run.parent_run_id is not None and limits.unit is Unit.MESSAGES and predicted[0].messages:
        # A member with a message limit has its leader's window beside it: as few runs as hold what it was given, or more.
        places = [place.run_id for place in predicted[0].runs if place.in_window]
        runs = len(places) - places.index(str(predicted[0].messages[0].run_id))
        predicted.append(next_context(whole, replace(rules, num_history_runs=runs)))
    return predicted


def _shape_of_history(run: RunRecord) -> Shape:
    return shape_of(message for message in run.messages if message.from_history)


def _stored_window(settings: Mapping[str, object]) -> int | None:
    for name in ("window", "num_history_runs"):
        value = settings.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def with_deleted_runs(earlier: Sequence[RunRecord], run: RunRecord) -> list[RunRecord]:
    """Return the runs before `run` with those that were deleted since, as far as `run` still holds what they said.

    A deleted run stands where its messages stood in the history; if all of the history was deleted, it was the newest.
    """
    places = {
        message.message_id: place
        for place, other in enumerate(earlier)
        for message in other.messages
        if not message.from_history
    }
    history = [message for message in run.messages if message.from_history]
    known = [places[message.message_id] for message in history if message.message_id in places]
    here = known[0] - 1 if known else len(earlier) - 1  # the run that the next deleted one stood after
    deleted: dict[int, list[list[MessageRecord]]] = {}
    previous: MessageRecord | None = None
    for message in history:
        if message.message_id in places:
            here, previous = places[message.message_id], None
            continue
        if previous is None or message.role == "user":
            deleted.setdefault(here, []).append([])
        deleted[here][-1].append(replace(message, from_history=False))
        previous = message
    found = [_to_deleted_run(messages, run) for messages in deleted.get(-1, ())]
    for place, other in enumerate(earlier):
        found += [other, *(_to_deleted_run(messages, run) for messages in deleted.get(place, ()))]
    return found


def _to_deleted_run(messages: Sequence[MessageRecord], run: RunRecord) -> RunRecord:
    return RunRecord(
        run_id=f"deleted:{messages[0].message_id}",
        session_id=run.session_id,
        user_id=run.user_id,
        kind=run.kind,
        component_id=run.component_id,
        component_name=run.component_name,
        status=RunStatus.COMPLETED,
        question=messages[0].content if messages[0].role == "user" else "",
        messages=tuple(messages),
    )
