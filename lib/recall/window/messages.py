"""Which messages of the runs in the window the next prompt holds: steps 4 to 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lib.recall.reasons import Reason
from lib.recall.window.places import HistoryRules, RunPlace, place_runs
from lib.records import MessageRecord, RunRecord


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
