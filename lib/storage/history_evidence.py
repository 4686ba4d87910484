"""Which settings explain the history that the runs of a session were given: the rules of `lib.recall` put to what
`lib.replay` knows of the session as it stood.

What a run of ours was asked under is stored with it. Of other runs it is told by what they were given, and by what the
runs about them were given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib.recall.window import DEFAULT_HISTORY_RUNS, HistoryRules, PredictedContext, next_context
from lib.recall.window.evidence import LimitRange, Shape, Unit, agree, find_limits, shape_of
from lib.records import MessageRecord, RunRecord, RunStatus
from lib.replay.absences import Explanation
from lib.replay.order import whole_second
from lib.replay.session_history import SessionHistory, Standing, has_history
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
        self._windows: dict[str | None, int | None] = {}

    def explain(self, standing: Standing, run: RunRecord) -> Explanation:
        """Return what the history of a run was, or can have been, under each of the settings that explain it."""
        ours = self._history.is_ours(run)
        if not ours and not self._history.is_stored_for(run):
            return self._assume(standing, run)
        unstored = Explanation() if ours or has_history(run) else self._like_its_neighbours(standing, run)
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
            of_other = self._limits_of(other)
            if not of_other:
                continue  # whatever this run was given, nothing explains that one
            agreed = {limits: agree(parts, of_other) for limits, parts in left.items()}
            if any(agreed.values()):
                left = {limits: parts for limits, parts in agreed.items() if parts}
            else:
                against += 1
        predictions = [prediction for limits in left for prediction in _predict(whole, run, limits)]
        return replace(unstored, predictions=predictions, against=against)

    def _assume(self, standing: Standing, run: RunRecord) -> Explanation:
        """Return what a run can have been given whose team, agent or member never stored any history."""
        kind = "member" if run.parent_run_id is not None else str(run.kind)
        by_tokens = self._window_by_tokens(run.component_id if run.parent_run_id is not None else None)
        window = by_tokens
        if window is None:  # members are given no history unless they ask for it
            window = self._assumed_window if run.parent_run_id is None else 0
        by_what = "is assumed" if by_tokens is None else "fits the tokens it was charged"
        doubt = (
            f"No run of this {kind} that was read has its history stored. That it was {_in_words(window)} {by_what}."
        )
        standing = _as_its_own(standing, run)
        assumed = next_context(standing, HistoryRules.configured(num_history_runs=window))
        # A message limit of 0 switches history off as well.
        nothing = next_context(standing, HistoryRules.configured(num_history_messages=0))
        of_member = run.parent_run_id is not None
        return Explanation(unstored=[assumed] if assumed.messages or of_member else [assumed, nothing], doubt=doubt)

    def _like_its_neighbours(self, standing: Standing, run: RunRecord) -> Explanation:
        """Return what a run was given if its team or member stored histories, but not this one."""
        ranges: list[LimitRange] = []
        against = 0
        for other in self._neighbours(run):
            of_other = self._limits_of(other)
            if not of_other:
                continue
            agreed = agree(ranges, of_other) if ranges else of_other
            against += not agreed
            ranges = agreed or ranges
        whole = _as_its_own(standing, run)
        assumed = [limits.nearest_to(self._assumed_window) for limits in ranges]
        predictions = [prediction for limits in assumed for prediction in _predict(whole, run, limits)]
        doubt = "Its history was not stored with it. That it was given as much as the runs around it is assumed."
        return Explanation(unstored=predictions, unstored_against=against, doubt=doubt)

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
        standing = _as_its_own(standing, run)
        there = {other.run_id for other in standing}
        origins = self._history.origins
        lost = any(message.from_history and origins.get(message.message_id) not in there for message in run.messages)
        whole = tuple(with_deleted_runs(standing, run)) if lost else standing
        found = find_limits(whole, _shape_of_history(run), incomplete=len(whole) > len(standing))
        # No tool call filter applies to what a member is given.
        return whole, [limits for limits in found if limits.most_calls is None or not of_member]

    def _window_by_tokens(self, member_id: str | None) -> int | None:
        """Return the window that the tokens of the session's runs, or of a member's, speak for; None where they say nothing."""
        if member_id not in self._windows:
            runs, assumed = self._history.runs, self._assumed_window
            if member_id is not None:
                # Told by whose run it is, not by its place: one whose leader's run is lost stands at the top.
                parts = (part for top in runs for part in top.walk())
                own = next(part for part in parts if part.parent_run_id and part.component_id == member_id)
                runs, assumed = _as_its_own(self._history.runs_beside(own), own), 0
            self._windows[member_id] = find_window_by_tokens(runs, assumed=assumed)
        return self._windows[member_id]

    def _neighbours(self, run: RunRecord) -> list[RunRecord]:
        """Return the nearest runs of the same team or member that were asked without settings of their own, and with history.

        Those with none tell nothing: nothing was there yet, or was done when they began, or it was not stored.
        """
        others = [
            other
            for other in self._history.runs_beside(run)
            if other.run_id != run.run_id
            and other.component_id == run.component_id
            and has_history(other)
            and not other.settings
        ]
        place = run.run_index or 0
        return sorted(others, key=lambda other: abs((other.run_index or 0) - place))[:NEIGHBOURS]


def _as_its_own(standing: Sequence[RunRecord], run: RunRecord) -> Standing:
    """Return the runs a history is taken from; a member's own runs are to it what the session's are to a leader."""
    if run.parent_run_id is None:
        return tuple(standing)
    return tuple(replace(other, parent_run_id=None, member_runs=()) for other in standing)


def _in_words(window: int) -> str:
    if window == 0:
        return "given none"
    return "given the newest run" if window == 1 else f"given the newest {window} runs"


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

    A deleted run stands where its messages stood in the history; if all of the history was deleted, it stands by its
    time, and as the newest of those that began in the same second.
    """
    places = {
        message.message_id: place
        for place, other in enumerate(earlier)
        for message in other.messages
        if not message.from_history
    }
    history = [message for message in run.messages if message.from_history]
    known = [places[message.message_id] for message in history if message.message_id in places]
    here = known[0] - 1 if known else _last_until(history, earlier)  # the run that the next deleted one stood after
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


def _last_until(history: Sequence[MessageRecord], earlier: Sequence[RunRecord]) -> int:
    """Return the place of the last run that began when the first message of a history was said, or before; -1: none."""
    said_at = next((message.created_at for message in history if message.created_at), None)
    places = (
        place
        for place, other in reversed(list(enumerate(earlier)))
        if said_at is None or whole_second(other.started_at) <= said_at
    )
    return next(places, -1)


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
