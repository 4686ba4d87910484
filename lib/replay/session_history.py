"""A session as it stood when one of its runs began: which runs were there, and what had become of them by then.

The stored rows tell how the session stands now. A run that was answered anew later was still complete then, and one
that was paused was not done. A run that answers anew was given the history of the run it replaces, as that had it: Agno
takes over the history messages that are stored with it, and asks the session again only where there are none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

from lib.records import MessageRecord, RunRecord, RunStatus
from lib.replay.order import in_stored_order, is_before, same_second, whole_second

DOUBTS = 4
"""So many runs, the newest, are looked at in two ways where their rows leave open how they stood."""

Standing = tuple[RunRecord, ...]
"""The runs that were stored when a run began, in stored order, as they stood then."""


@dataclass(slots=True)
class SessionHistory:
    """The runs of a session, the messages they said first, and which of them answer another one anew."""

    runs: Sequence[RunRecord]
    origins: dict[str, str] = field(default_factory=dict)  # message id -> the run that said it first
    compressed: set[str] = field(default_factory=set)  # messages that were compressed in the run that said them
    _by_id: dict[str, RunRecord] = field(default_factory=dict)
    _storing: set[tuple[str, bool]] = field(default_factory=set)  # component, whether as a member
    _tops: dict[str, RunRecord] = field(default_factory=dict)  # run id -> the top-level run it is under
    _successors: dict[str, RunRecord] = field(
        default_factory=dict
    )  # run id -> the first new answer to the same question

    def __post_init__(self) -> None:
        self.runs = in_stored_order(self.runs)
        for run in self.runs:
            self._by_id.setdefault(run.run_id, run)
            if (replaced := replaced_by(run)) is not None:
                self._successors.setdefault(replaced, run)
        for top in _originals_first(self.runs):
            for run in top.walk():
                self._tops.setdefault(run.run_id, top)
                for message in run.messages:
                    if message.from_history:
                        self._storing.add(_component_of(run))
                    else:
                        self.origins.setdefault(message.message_id, run.run_id)
                        if message.compressed is not None:
                            self.compressed.add(message.message_id)

    def is_stored_for(self, run: RunRecord) -> bool:
        """Whether the team, agent or member of a run stored the history it was given, in this run or in another."""
        return _component_of(run) in self._storing

    def is_ours(self, run: RunRecord) -> bool:
        """Whether a run was asked by this app, which has every team and every member store its history."""
        return bool(run.settings or self._tops.get(run.run_id, run).settings)

    def resumed_at(self, run: RunRecord) -> int | None:
        """Return the place of the message with which a paused run went on, where Agno read its history anew then.

        It does so where none was stored with the paused run, and that holds what was said since. None: it was not so.
        """
        awaited = _awaited_calls(run)
        if not awaited or not any(
            self._was_said_since(message, run) for message in run.messages if message.from_history
        ):
            return None
        return next(
            (i for i, message in enumerate(run.messages) if message.own and message.tool_call_id in awaited), None
        )

    def _was_said_since(self, message: MessageRecord, run: RunRecord) -> bool:
        said_by = self._by_id.get(self.origins.get(message.message_id, ""))
        if said_by is None:
            return False
        # What was taken over from a run that is gone is older than the new answer that holds it.
        said_at = message.created_at if self.took_over_from_deleted(said_by) else said_by.started_at
        return whole_second(said_at) > whole_second(run.started_at)

    def replaced_runs(self, run: RunRecord) -> set[str]:
        """Return the ids of the runs that `run` answers anew: the one before it, and all that that one replaced."""
        found: set[str] = set()
        here = replaced_by(run)
        while here is not None and here not in found:
            found.add(here)
            here = replaced_by(self._by_id[here]) if here in self._by_id else None
        return found

    def standings(self, run: RunRecord) -> Iterator[list[Standing]]:
        """Yield how the session may have stood when the history of `run` was taken, the likeliest first.

        Those that come together are equally likely: nothing stored tells one from the other.
        """
        asked = self._first_asked(run)
        given = {message.message_id for message in run.messages if message.from_history}
        given_by = {self.origins[message_id] for message_id in given if message_id in self.origins}
        then = [
            self._as_it_was(other, asked, given)
            for other in self.runs_beside(run)
            if other.run_id not in (run.run_id, asked.run_id)
            and (self._was_there(other, asked) or self._was_given(other, given, given_by))
        ]
        likely = [tuple(one for one, _ in then)]
        for place in [place for place, (_, otherwise) in enumerate(then) if otherwise is not None][-DOUBTS:]:
            otherwise = then[place][1]
            likely += [(*one[:place], otherwise, *one[place + 1 :]) for one in likely if otherwise is not None]
        yield likely
        # Of two runs in one second, at the same time perhaps, the row of one may have come too late for the other.
        close = [
            place
            for place, (other, _) in enumerate(then)
            if other.status is RunStatus.COMPLETED
            and same_second(other, asked)
            and not self._was_given(other, given, given_by)
            and not (other.exact_times and asked.exact_times)
        ][-DOUBTS:]
        for count in range(1, len(close) + 1):
            yield [
                tuple(other for place, other in enumerate(likely[0]) if place not in late)
                for late in combinations(close, count)
            ]

    def runs_beside(self, run: RunRecord) -> Sequence[RunRecord]:
        """Return the runs that the history of `run` is taken from: a member's own, where it is a member's."""
        if run.parent_run_id is None:
            return self.runs
        own = [part for top in self.runs for part in top.walk() if part.component_id == run.component_id]
        # A run without a place has no row: it is kept inside another one, or known by the events of its leader's alone.
        placed = in_stored_order(part for part in own if part.run_index is not None)
        return [*placed, *(part for part in own if part.run_index is None)]

    def _was_there(self, other: RunRecord, asked: RunRecord) -> bool:
        """Whether `other` was stored when `asked` began; a member finds what its leader's run found, and that run's own."""
        if self._was_paused(other):  # it was stored when it paused, long before it ended
            other = replace(other, ended_at=None)
        tops = self._tops.get(other.run_id, other), self._tops.get(asked.run_id, asked)
        if tops[0] is tops[1] or asked.parent_run_id is None:
            return is_before(other, asked)
        return is_before(*tops)

    def _first_asked(self, run: RunRecord) -> RunRecord:
        """Return the run that the history of `run` was read for: itself, or the one whose question it answers anew."""
        here, seen = run, {run.run_id}
        while (source_id := replaced_by(here)) is not None and source_id not in seen:
            seen.add(source_id)
            source = self._by_id.get(source_id)
            if source is None:
                return _at_its_question(here) if _took_over_history(here) else here
            if not has_history(source):
                return here
            here = source
        return here

    def _as_it_was(self, other: RunRecord, asked: RunRecord, given: set[str]) -> tuple[RunRecord, RunRecord | None]:
        """Return a run as it stood when `asked` began, and how it may have stood as well, where that is not told."""
        if other.status is RunStatus.REGENERATED:
            aside = self._was_set_aside(other, asked, given)
            paused, complete = (_with_status(other, status) for status in (RunStatus.PAUSED, RunStatus.COMPLETED))
            if aside:
                return other, None
            unfinished: bool | None = False
            if self._was_paused(other) and not _answer_is_given(other, given):
                unfinished = _ended_after(other, asked)
            if aside is None:
                return other, paused if unfinished else complete
            return (complete, paused) if unfinished is None else (paused if unfinished else complete, None)
        if other.status is RunStatus.COMPLETED and self._was_paused(other) and not _answer_is_given(other, given):
            done = _was_written_before(other, asked)
            paused = _with_status(other, RunStatus.PAUSED)
            return (other, paused) if done is None else (other if done else paused, None)
        return other, None

    def _was_set_aside(self, other: RunRecord, asked: RunRecord, given: set[str]) -> bool | None:
        """Whether a run that was regenerated was so already when `asked` began; None where that is not told."""
        successor = self._successors.get(other.run_id)
        if successor is not None:
            # Agno sets the old answer aside before it asks for the new one.
            return successor.run_id == asked.run_id or is_before(successor, asked)
        # Its answer is its own; the question may have come with the new answer, which has the same message.
        return False if _answer_is_given(other, given) else _was_written_before(other, asked)

    def _was_given(self, other: RunRecord, given: set[str], given_by: set[str]) -> bool:
        """Whether messages that `other` said first were given: then it came before, whatever its time and place say."""
        if other.run_id in given_by and self.took_over_from_deleted(other):
            return _answer_is_given(other, given)  # of the rest, the run that is gone may have said it
        return other.run_id in given_by

    def _was_paused(self, run: RunRecord) -> bool:
        """Whether a run once waited for somebody's decision; not one that took over the calls of the run it replaced."""
        awaited = _awaited_calls(run)
        if replaced_by(run) is None:
            return bool(awaited)
        return any(
            self.origins.get(message.message_id) == run.run_id
            for message in run.messages
            if any(request.tool_call_id in awaited for request in message.tool_requests)
        )

    def took_over_from_deleted(self, run: RunRecord) -> bool:
        """Whether a run answers one anew that is not stored any more: some of its messages are that one's."""
        source_id = replaced_by(run)
        return source_id is not None and source_id not in self._by_id


def _component_of(run: RunRecord) -> tuple[str, bool]:
    return run.component_id, run.parent_run_id is not None


def has_history(run: RunRecord) -> bool:
    """Whether history messages are stored with a run."""
    return any(message.from_history for message in run.messages)


def replaced_by(run: RunRecord) -> str | None:
    """Return the id of the run that `run` is a new answer to."""
    data: Any = run.raw.get("run_data", run.raw)
    for name in ("regenerated_from", "forked_from_run_id"):
        if isinstance(data, Mapping) and isinstance(data.get(name), str):
            return str(data[name])
    return None


def _originals_first(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return runs with every new answer after the run it replaced, whose messages it holds too, whatever their places."""
    replaced = {run.run_id: replaced_by(run) for run in runs}

    def generation(run: RunRecord) -> int:
        count, here = 0, replaced[run.run_id]
        while here is not None and count <= len(runs):  # rows may name each other
            count, here = count + 1, replaced.get(here)
        return count

    return sorted(runs, key=generation)


def _took_over_history(run: RunRecord) -> bool:
    """Whether the history in a run was that of the run it answers anew, of which no row is left; else it was read anew.

    Agno notes how many messages it took over. They are the ones before the new answer; with the history, if that was
    there already.
    """
    data: Any = run.raw.get("run_data", run.raw)
    taken = data.get("forked_from_message_index") if isinstance(data, Mapping) else None
    history = sum(message.from_history for message in run.messages)
    if not history or not isinstance(taken, int):
        return history > 0
    began = whole_second(run.started_at)
    before = sum(not m.from_history and m.created_at is not None and m.created_at < began for m in run.messages)
    return taken > history + 1 if before != taken else False


def _at_its_question(run: RunRecord) -> RunRecord:
    """Return a run at the time of its question, which was asked of a run that is not stored any more."""
    asked = next((message.created_at for message in run.messages if message.role == "user" and message.own), None)
    return run if asked is None else replace(run, started_at=asked)


def _with_status(run: RunRecord, status: RunStatus) -> RunRecord:
    return replace(run, status=status, raw={})  # what is stored now is not how it stood then


def _answer_is_given(run: RunRecord, given: set[str]) -> bool:
    answer = next((message.message_id for message in reversed(run.messages) if not message.from_history), None)
    return answer in given


def _awaited_calls(run: RunRecord) -> set[str]:
    """Return the ids of the calls that a run waited for somebody's decision on."""
    data: Any = run.raw.get("run_data", run.raw)
    requirements = data.get("requirements") if isinstance(data, Mapping) else None
    calls = (
        item.get("tool_execution")
        for item in (requirements if isinstance(requirements, list) else ())
        if isinstance(item, Mapping)
    )
    return {str(call.get("tool_call_id")) for call in calls if isinstance(call, Mapping)}


def _ended_after(other: RunRecord, asked: RunRecord) -> bool | None:
    """Whether `other` ended after `asked` began; None within a second."""
    if not other.ended_at or not asked.started_at:
        return False
    ended, began = whole_second(other.ended_at), whole_second(asked.started_at)
    return None if ended == began else ended > began


def _was_written_before(other: RunRecord, asked: RunRecord) -> bool | None:
    """Whether the row of `other` was last written before `asked` began; None within a second, or where no time is told."""
    written = other.raw.get("updated_at")
    if not isinstance(written, int | float) or isinstance(written, bool) or asked.started_at is None:
        return None
    try:
        at = whole_second(datetime.fromtimestamp(written, UTC))
    except (OverflowError, OSError, ValueError):
        return None
    began = whole_second(asked.started_at)
    return None if at == began else at < began
