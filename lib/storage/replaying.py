"""One stored session with every view of it: reading (`lib.storage`), views (`lib.replay`) and history rules (`lib.recall`)
put together, for the page and for the command line alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

from lib.errors import RunNotFound
from lib.events import ModelStarted, RunEvent
from lib.recall.window import DEFAULT_HISTORY_RUNS, HistoryRules, next_context
from lib.recall.window.evidence import LimitRange, Shape, Unit, agree, find_limits, shape_of
from lib.records import MessageRecord, RunRecord, RunStatus
from lib.replay.absences import Explanation
from lib.replay.contexts import ModelRequest, list_requests
from lib.replay.delegations import Delegation, HandOver, list_delegations, list_hand_overs
from lib.replay.findings import Finding, list_findings
from lib.replay.order import in_stored_order
from lib.replay.session_history import SessionHistory, Standing
from lib.replay.steps import Step, list_steps
from lib.replay.timeline import Timeline, build_timeline
from lib.replay.token_evidence import find_window_by_tokens
from lib.storage.reading import to_run_events
from lib.storage.stored_sessions import StoredSession

NEIGHBOURS = 24
"""How many other runs of a session are asked which history limit they agree with."""


class Replay:
    """A stored session that can be looked at from every side. Reads nothing more than it was given."""

    def __init__(self, session: StoredSession, *, assumed_window: int = DEFAULT_HISTORY_RUNS) -> None:
        """Take a session; `assumed_window` is used where neither the window nor its messages were stored."""
        self.session = session
        self.runs = tuple(in_stored_order(session.runs))
        self._assumed_window = assumed_window
        self._limits: dict[str, list[LimitRange]] = {}
        self.events = lru_cache(maxsize=64)(self._read_events)

    def get_run(self, run_id: str) -> RunRecord:
        """Return a run of the session, a member's too. Raises RunNotFound."""
        found = next((part for run in self.runs for part in run.walk() if part.run_id == run_id), None)
        if found is None:
            raise RunNotFound(run_id)
        return found

    def _read_events(self, run_id: str) -> tuple[RunEvent, ...]:
        top = next((run for run in self.runs if any(part.run_id == run_id for part in run.walk())), None)
        return to_run_events(top) if top else ()

    def steps(self, run: RunRecord) -> tuple[Step, ...]:
        """Return everything that happened in a run, in order."""
        return list_steps(run, self.events(run.run_id))

    def timeline(self, run: RunRecord) -> Timeline:
        """Return the run as swimlanes."""
        return build_timeline(run, self.steps(run))

    def delegations(self, run: RunRecord) -> tuple[Delegation, ...]:
        """Return who was asked what."""
        return list_delegations(run)

    @cached_property
    def history(self) -> SessionHistory:
        """The session's runs, as each of them found them."""
        return SessionHistory(self.runs)

    def requests(self, run: RunRecord) -> tuple[ModelRequest, ...]:
        """Return what each model request of a run and its members was given, and what was absent."""
        events = self.events(run.run_id)
        starts = Counter(event.run_id for event in events if isinstance(event, ModelStarted)) if events else None
        return list_requests(run, self.history, rule=self._explain, model_starts=starts)

    def hand_overs(self, run: RunRecord) -> tuple[HandOver, ...]:
        """Return what each member was told and what it lacked."""
        return list_hand_overs(run, self.requests(run))

    def findings(self) -> tuple[Finding, ...]:
        """Return what is not as it should be."""
        return list_findings(
            self.runs,
            session=self.session.summary,
            session_data=self.session.session_data,
            events_of=lambda run: self.events(run.run_id),
        )

    # -- the history rules in force ------------------------------------------------------------------------------------

    def _explain(self, standing: Standing, run: RunRecord) -> Explanation:
        """Return what the history of a run was, or can have been, under each of the settings that explain it."""
        told = bool(self.history.stores_history or run.settings or _history_of(run))
        if run.parent_run_id is not None:
            return _explain_member(standing, run) if told else Explanation()
        if not told:
            assumed = next_context(standing, HistoryRules.configured(num_history_runs=self._window_by_tokens))
            nothing = next_context(standing, HistoryRules.configured(num_history_messages=0))
            # A message limit of 0 switches history off as well.
            return Explanation(predictions=[assumed] if assumed.messages else [assumed, nothing])
        whole, ranges = _find_limits(standing, run)
        window = _stored_window(run.settings)
        if window is not None:
            ranges = agree(ranges, [_exactly(window)]) or ranges
        ranges, against = self._narrow(ranges, run)
        return Explanation(predictions=[next_context(whole, one.to_rules()) for one in ranges], against=against)

    def _narrow(self, ranges: list[LimitRange], run: RunRecord) -> tuple[list[LimitRange], int]:
        """Return those settings that explain what the runs about it were given, too, and how many of these none explains."""
        against = 0
        for other in self._neighbours(run) if not run.settings else ():
            agreed = agree(ranges, self._limits_of(other))
            against += not agreed
            ranges = agreed or ranges
        return ranges, against

    def _limits_of(self, run: RunRecord) -> list[LimitRange]:
        """Return the settings under which a run was given what it was given."""
        if run.run_id not in self._limits:
            groups = ([_find_limits(standing, run)[1] for standing in group] for group in self.history.standings(run))
            found = next((group for group in groups if any(group)), [])
            self._limits[run.run_id] = list(dict.fromkeys(limits for ranges in found for limits in ranges))
        return self._limits[run.run_id]

    @cached_property
    def _window_by_tokens(self) -> int:
        """The window that the tokens speak for, where no history was stored; else the assumed one."""
        found = find_window_by_tokens(self.runs, assumed=self._assumed_window)
        return self._assumed_window if found is None else found

    def _neighbours(self, run: RunRecord) -> list[RunRecord]:
        """Return the nearest runs of the same team that were asked without settings of their own."""
        others = [
            other
            for other in self.runs
            if other.run_id != run.run_id
            and other.parent_run_id is None
            and other.component_id == run.component_id
            and other.messages
            and not other.settings
        ]
        place = run.run_index or 0
        return sorted(others, key=lambda other: abs((other.run_index or 0) - place))[:NEIGHBOURS]


def _explain_member(standing: Standing, run: RunRecord) -> Explanation:
    """Return what a member was given of its own runs; no row tells whether it asked for some."""
    own = [replace(other, parent_run_id=None, member_runs=()) for other in standing]
    ranges = find_limits(own, _history_of(run))
    return Explanation(predictions=[next_context(own, limits.to_rules()) for limits in ranges])


def _find_limits(standing: Standing, run: RunRecord) -> tuple[Standing, list[LimitRange]]:
    """Return the runs before `run` with those that were deleted since, and the settings that explain its history."""
    whole = tuple(with_deleted_runs(standing, run))
    return whole, find_limits(whole, _history_of(run), incomplete=len(whole) > len(standing))


def _history_of(run: RunRecord) -> Shape:
    return shape_of(message for message in run.messages if message.from_history)


def _exactly(window: int) -> LimitRange:
    return LimitRange(unit=Unit.RUNS, least=window, most=window)


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
