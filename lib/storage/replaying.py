"""One stored session with every view of it: reading (`lib.storage`), views (`lib.replay`) and history rules (`lib.recall`)
put together, for the page and for the command line alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import islice

from lib.errors import RunNotFound
from lib.events import ModelStarted, RunEvent
from lib.recall.window import DEFAULT_HISTORY_RUNS, HistoryRules, PredictedContext, next_context
from lib.records import MessageRecord, RunRecord, RunStatus
from lib.replay.contexts import ModelRequest, list_requests
from lib.replay.delegations import Delegation, HandOver, list_delegations, list_hand_overs
from lib.replay.findings import Finding, list_findings
from lib.replay.order import in_stored_order
from lib.replay.steps import Step, list_steps
from lib.replay.timeline import Timeline, build_timeline
from lib.replay.token_evidence import find_window_by_tokens
from lib.storage.reading import to_run_events
from lib.storage.stored_sessions import StoredSession

NEIGHBOURS = 8
"""How many other runs of a session are asked which history limit they agree with."""


class Replay:
    """A stored session that can be looked at from every side. Reads nothing more than it was given."""

    def __init__(self, session: StoredSession, *, assumed_window: int = DEFAULT_HISTORY_RUNS) -> None:
        """Take a session; `assumed_window` is used where neither the window nor its messages were stored."""
        self.session = session
        self.runs = tuple(in_stored_order(session.runs))
        self._assumed_window = assumed_window
        self._rules: dict[str, HistoryRules] = {}
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

    def requests(self, run: RunRecord) -> tuple[ModelRequest, ...]:
        """Return what each model request of a run and its members was given, and what was absent."""
        events = self.events(run.run_id)
        starts = Counter(event.run_id for event in events if isinstance(event, ModelStarted)) if events else None
        return list_requests(run, self.runs, rule=self._predict, model_starts=starts)

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

    def _predict(self, earlier: Sequence[RunRecord], run: RunRecord) -> PredictedContext | None:
        if run.parent_run_id is not None:
            return None  # what a member was given is its leader's choice, and not stored
        earlier = with_deleted_runs(earlier, run)
        return next_context(earlier, self._rules_for(run, earlier))

    def _rules_for(self, run: RunRecord, earlier: Sequence[RunRecord]) -> HistoryRules:
        """Return the rules a run was asked under: as stored with it, else the ones that explain what it was given."""
        if run.run_id not in self._rules:
            self._rules[run.run_id] = self._find_rules(run, earlier)
        return self._rules[run.run_id]

    def _find_rules(self, run: RunRecord, earlier: Sequence[RunRecord]) -> HistoryRules:
        window = _stored_window(run.settings)
        given = _history_of(run)
        if not given and window is None:
            return HistoryRules.configured(num_history_runs=self._window_by_tokens)
        known = [HistoryRules.configured(num_history_runs=window)] if window is not None else []
        fitting = [rules for rules in (*known, *_candidates(given, earlier)) if _explains(rules, given, earlier)]
        for other in self._neighbours(run):
            before = with_deleted_runs([item for item in self.runs if _stands_before(item, other)], other)
            agreed = [rules for rules in fitting if _explains(rules, _history_of(other), before)]
            fitting = agreed or fitting
            if len(fitting) <= 1:
                break
        return fitting[0] if fitting else (known[0] if known else HistoryRules.configured())

    @cached_property
    def _window_by_tokens(self) -> int:
        """The window that the tokens speak for, where no history was stored; else the assumed one."""
        found = find_window_by_tokens(self.runs, assumed=self._assumed_window)
        return self._assumed_window if found is None else found

    def _neighbours(self, run: RunRecord) -> list[RunRecord]:
        """Return the nearest runs with history stored; those with the longest history tell the most."""
        others = [
            other for other in self.runs if other is not run and other.parent_run_id is None and _history_of(other)
        ]
        others = [other for other in others if other.component_id == run.component_id]
        place = run.run_index or 0
        return sorted(others, key=lambda other: abs((other.run_index or 0) - place))[:NEIGHBOURS]


def _stored_window(settings: Mapping[str, object]) -> int | None:
    for name in ("window", "num_history_runs"):
        value = settings.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _stands_before(item: RunRecord, run: RunRecord) -> bool:
    return item.parent_run_id is None and (item.run_index or 0) < (run.run_index or 0)


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


def _history_of(run: RunRecord) -> list[tuple[str, int]]:
    """Return which history a run was given: the messages, and how many tool requests each still had."""
    return _shape([message for message in run.messages if message.from_history])


def _shape(messages: Sequence[MessageRecord]) -> list[tuple[str, int]]:
    return [(message.message_id, len(message.tool_requests)) for message in messages]


def _explains(rules: HistoryRules, given: Sequence[tuple[str, int]], earlier: Sequence[RunRecord]) -> bool:
    return _shape(next_context(earlier, rules).messages) == list(given)


def _candidates(given: Sequence[tuple[str, int]], earlier: Sequence[RunRecord]) -> Iterator[HistoryRules]:
    """Yield the rules that could have given exactly this, the plainest first: a window of runs, then a message limit."""
    everything = next_context(earlier, HistoryRules(num_history_runs=None))
    places = {message.message_id: place for place, message in enumerate(everything.messages)}
    first = min((places[message_id] for message_id, _ in given if message_id in places), default=None)
    if first is None:
        yield HistoryRules.configured(num_history_runs=0)
        return
    run_of_first = everything.messages[first].run_id
    window = everything.window_run_ids
    runs = len(window) - window.index(run_of_first) if run_of_first in window else len(window)
    filters: list[int | None] = [
        None,
        sum(1 for message_id, _ in given if everything.messages[places[message_id]].role == "tool")
        if all(message_id in places for message_id, _ in given)
        else None,
    ]
    left = len(everything.messages) - first
    for max_tool_calls in dict.fromkeys(filters):
        for size in range(runs, min(runs + 3, len(window)) + 1):
            yield HistoryRules(num_history_runs=size, max_tool_calls=max_tool_calls)
        for size in islice(range(left, len(everything.messages) + 1), 12):
            yield HistoryRules(num_history_runs=None, num_history_messages=size, max_tool_calls=max_tool_calls)
