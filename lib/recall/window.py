"""Which runs and messages of a session enter the next prompt, and the reason for each that does not.

Agno's rule (`TeamSession.get_messages`, `team/_messages.py:_get_run_messages`, `utils/message.py:filter_tool_calls`;
a session with one agent follows the same steps in `session/agent.py` and `agent/_messages.py`), step by step:

1. Only top-level runs count: those without a parent run. A member that was asked directly in the same session counts
   too (agno-facts 4.4). A nested team, and an agent object that was once a member, sees only runs of its own id.
2. Runs stored as PAUSED, CANCELLED, ERROR or REGENERATED are left out. RUNNING and PENDING are not: they take a place
   in the window, with the messages they have so far, often none (agno-facts 2.8, 5.6).
3. The newest `num_history_runs` of these form the window; 0 or less means no history at all.
4. Stored copies of earlier messages and system messages are left out. (Where the system message has an unusual role,
   only messages of that role are; the first `system` message then stays.)
5. `num_history_messages` keeps the newest messages, and drops tool results that then stand first without their request.
   Such a first `system` message takes one of the places.
6. `max_tool_calls_from_history` keeps the newest tool results, with only those requests that they answer; an assistant
   message that loses all its requests stays only if it says something.

Runs must be given in stored order, oldest first: run_index, then creation, then id, as the session store reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lib.recall.reasons import Reason
from lib.records import MessageRecord, RunRecord, RunStatus, SavedState

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsentMessage:
    """A stored message that is not given, and why."""

    message: MessageRecord
    run_id: str
    reason: Reason

    @property
    def message_id(self) -> str:
        """The id of the absent message."""
        return self.message.message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedContext:
    """The history part of a prompt: what is given, oldest first, and everything that is not."""

    messages: tuple[MessageRecord, ...]  # as given: marked `from_history`, `run_id` is the run they come from
    runs: tuple[RunPlace, ...]  # every run that was looked at, in stored order
    absent: tuple[AbsentMessage, ...]
    trimmed_message_ids: tuple[str, ...] = ()  # given, but without some of their tool requests

    @property
    def window_run_ids(self) -> tuple[str, ...]:
        """The runs that take a place in the window, oldest first, also those that have no message to give."""
        return tuple(place.run_id for place in self.runs if place.in_window)


@dataclass(frozen=True, slots=True)
class Given:
    """A message on its way into the prompt, and the run it comes from."""

    run_id: str
    message: MessageRecord


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


def next_context(
    runs: Sequence[RunRecord], rules: HistoryRules, *, before_run_id: str | None = None
) -> PredictedContext:
    """Return the history that the next question (or `before_run_id` when it was asked) is given.

    Messages of member runs found under `runs` are told as absent too: the leader is never given them.
    """
    places = place_runs(runs, rules, before_run_id=before_run_id)
    given, absent = gather_messages(runs, places, rules)
    context = cut_messages(given, absent, places, rules)
    under = [
        AbsentMessage(message=message, run_id=member_run.run_id, reason=Reason.MEMBER_MESSAGE)
        for run in runs
        for top in run.member_runs
        for member_run in top.walk()
        for message in member_run.messages
    ]
    return replace(context, absent=context.absent + tuple(under))


def gather_messages(
    runs: Sequence[RunRecord], places: Sequence[RunPlace], rules: HistoryRules
) -> tuple[list[Given], list[AbsentMessage]]:
    """Step 4: return the messages of the runs in the window, and those left out so far."""
    given: list[Given] = []
    absent: list[AbsentMessage] = []
    skip_role = None if rules.system_role in ("user", "assistant", "tool") else rules.system_role
    system_seen = False
    for run, place in zip(runs, places, strict=True):
        for message in run.messages:
            reason = place.reason
            if reason is None and message.from_history:
                reason = Reason.HISTORY_COPY
            elif reason is None and (message.role == skip_role or (message.role == "system" and system_seen)):
                reason = Reason.SYSTEM_MESSAGE
            if reason is not None:
                absent.append(AbsentMessage(message=message, run_id=run.run_id, reason=reason))
                continue
            system_seen = system_seen or message.role == "system"
            given.append(Given(run.run_id, message))
    return given, absent


def cut_messages(
    given: Sequence[Given], absent: Sequence[AbsentMessage], places: Sequence[RunPlace], rules: HistoryRules
) -> PredictedContext:
    """Steps 5 and 6: return what the message limit and the tool call filter leave."""
    left_out = list(absent)
    kept = _limit_messages(given, left_out, rules.num_history_messages)
    trimmed: list[str] = []
    if rules.max_tool_calls is not None:
        kept = _filter_tool_calls(kept, left_out, trimmed, rules.max_tool_calls)
    return PredictedContext(
        messages=tuple(replace(item.message, from_history=True, run_id=item.run_id) for item in kept),
        runs=tuple(places),
        absent=tuple(left_out),
        trimmed_message_ids=tuple(trimmed),
    )


def _limit_messages(given: Sequence[Given], absent: list[AbsentMessage], limit: int | None) -> list[Given]:
    if limit is None:
        return list(given)
    system = [item for item in given if item.message.role == "system"]
    others = [item for item in given if item.message.role != "system"]
    places = max(limit - len(system), 0)
    kept = others[-places:] if places else []
    absent.extend(_absent(item, Reason.MESSAGE_LIMIT) for item in others[: len(others) - len(kept)])
    kept = system + kept
    while kept and kept[0].message.role == "tool":
        absent.append(_absent(kept.pop(0), Reason.ORPHAN_TOOL_RESULT))
    return kept


def _filter_tool_calls(
    given: Sequence[Given], absent: list[AbsentMessage], trimmed: list[str], limit: int
) -> list[Given]:
    results = [item.message for item in given if item.message.role == "tool"]
    if len(results) <= limit:
        return list(given)
    # Agno walks back over the results and stops once it has `limit` ids; results without an id do not count.
    ids = [message.tool_call_id for message in reversed(results) if message.tool_call_id]
    keep = set(ids[: max(limit, 0)])
    kept: list[Given] = []
    for item in given:
        message = item.message
        if message.role == "tool":
            stays = message.tool_call_id in keep
        elif message.role == "assistant" and message.tool_requests:
            requests = tuple(request for request in message.tool_requests if request.tool_call_id in keep)
            stays = bool(requests or message.content)
            if stays and len(requests) < len(message.tool_requests):
                trimmed.append(message.message_id)
                item = Given(item.run_id, replace(message, tool_requests=requests))
        else:
            stays = True
        if stays:
            kept.append(item)
        else:
            absent.append(_absent(item, Reason.TOOL_CALL_FILTERED))
    return kept


def _absent(item: Given, reason: Reason) -> AbsentMessage:
    return AbsentMessage(message=item.message, run_id=item.run_id, reason=reason)


def as_stored(
    messages: Sequence[MessageRecord], *, store_tool_messages: bool = True, store_history_messages: bool = False
) -> tuple[MessageRecord, ...]:
    """Return which messages of a finished run Agno stores (`utils/agent.py:scrub_..._from_run_output`).

    Without tool messages a whole assistant message goes as soon as one of its calls was answered.
    """
    kept = list(messages)
    if not store_tool_messages:
        answered = {m.tool_call_id for m in kept if m.role == "tool" and m.tool_call_id}
        kept = [
            m
            for m in kept
            if m.role != "tool"
            and not (m.role == "assistant" and any(request.tool_call_id in answered for request in m.tool_requests))
        ]
    if not store_history_messages:
        kept = [m for m in kept if not m.from_history]
    return tuple(kept)
