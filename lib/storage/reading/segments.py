"""The segments of a stored run: words, tool calls and delegations in the order in which they happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from lib.records import (
    DelegationSegment,
    MessageRecord,
    RunRecord,
    RunStatus,
    Segment,
    TextSegment,
    ToolCallRecord,
    ToolRequest,
    ToolSegment,
)
from lib.storage.reading.calls import is_delegation, member_of, task_of, to_tool_call, to_unmade_call
from lib.storage.reading.loose import to_list, to_text
from lib.storage.reading.stored import StoredRun

_PLACE_INFERRED = "Its tool messages were not stored: where the calls stand among the words is inferred."


def build_segments(
    stored: StoredRun, record: RunRecord, told: RunRecord | None
) -> tuple[tuple[Segment, ...], str | None]:
    """Return the segments of a run, and a note where their order is inferred.

    The messages give the order; the calls of the events (`told`) their times. Members are linked afterwards.
    """
    calls = _Calls(stored, record.messages, told)
    own = [message for message in record.messages if message.role == "assistant" and message.own]
    segments: list[Segment] = []
    for message in own:
        if message.content:
            segments.append(TextSegment(text=message.content, message_id=message.message_id))
        for request in message.tool_requests:
            segments.extend(calls.take(request))
    left = calls.left()
    note = None
    if left and own:
        note = _PLACE_INFERRED
        last_words = next((i for i in reversed(range(len(segments))) if isinstance(segments[i], TextSegment)), 0)
        place = len(segments) if any(message.tool_requests for message in own) else last_words
        segments[place:place] = left
    else:
        segments.extend(left)
    content = to_text(stored.data.get("content"))
    spoken = any(isinstance(segment, TextSegment) for segment in segments)
    if content and not spoken and record.status in (RunStatus.COMPLETED, RunStatus.REGENERATED, RunStatus.UNKNOWN):
        segments.append(TextSegment(text=content))
    return tuple(_joined(segments)), note


def _joined(segments: Iterable[Segment]) -> Iterable[Segment]:
    """Yield the segments as a watcher saw them: words that follow each other as one, no blank words."""
    words: list[TextSegment] = []
    for segment in segments:
        if isinstance(segment, TextSegment):
            words.append(segment)
            continue
        yield from _as_one(words)
        words.clear()
        yield segment
    yield from _as_one(words)


def _as_one(words: list[TextSegment]) -> Iterable[TextSegment]:
    text = "".join(segment.text for segment in words)
    if text.strip():
        yield TextSegment(text=text, message_id=words[0].message_id)


class _Calls:
    """The calls of one run, from its events, its `tools` and its tool messages; each is handed out once."""

    def __init__(self, stored: StoredRun, messages: Iterable[MessageRecord], told: RunRecord | None) -> None:
        self._known: dict[str, list[Segment]] = defaultdict(list)
        self._results: dict[str, list[MessageRecord]] = defaultdict(list)
        for message in messages:
            if message.role == "tool" and message.own and message.tool_call_id:
                self._results[message.tool_call_id].append(message)
        for segment in told.segments if told else ():
            if not isinstance(segment, TextSegment):
                self._known[segment.call.tool_call_id].append(segment)
        told_ids = set(self._known)
        for item in to_list(stored.data.get("tools")):
            call = to_tool_call(item)
            if call.tool_call_id not in told_ids:
                self._known[call.tool_call_id].append(to_segment(call))
            elif call.result is not None:
                self._known[call.tool_call_id] = [_finished(part, call) for part in self._known[call.tool_call_id]]

    def take(self, request: ToolRequest) -> list[Segment]:
        """Return the segment of a request; one for each member where a task went to several."""
        known = self._known.get(request.tool_call_id, [])
        answer = self._answer(request.tool_call_id)
        if not known:
            return [to_segment(to_unmade_call(request, answer))]
        taken = known[:] if _is_broadcast(known) else known[:1]
        del known[: len(taken)]
        return [_with_result(segment, answer) for segment in taken]

    def _answer(self, tool_call_id: str) -> MessageRecord | None:
        answers = self._results.get(tool_call_id)
        return answers.pop(0) if answers else None

    def left(self) -> list[Segment]:
        """Return the calls that no stored message asks for, in the order of the events."""
        return [segment for segments in self._known.values() for segment in segments]


def to_segment(call: ToolCallRecord) -> Segment:
    """Return a call as a delegation where it names a member, else as a tool call."""
    if is_delegation(call):
        return DelegationSegment(call=call, member_id=member_of(call), task=task_of(call))
    return ToolSegment(call=call)


def _is_broadcast(segments: list[Segment]) -> bool:
    return len(segments) > 1 and all(
        isinstance(segment, DelegationSegment) and not segment.call.arguments.get("member_id") for segment in segments
    )


def _finished(segment: Segment, call: ToolCallRecord) -> Segment:
    """Return a call whose end no event tells of with the end that is stored beside it."""
    if isinstance(segment, TextSegment) or segment.call.result is not None:
        return segment
    return replace(segment, call=replace(segment.call, result=call.result, failed=call.failed, ended_at=call.ended_at))


def _with_result(segment: Segment, answer: MessageRecord | None) -> Segment:
    if isinstance(segment, TextSegment) or answer is None or segment.call.result is not None:
        return segment
    call = replace(segment.call, result=answer.content, failed=segment.call.failed or answer.tool_failed)
    return replace(segment, call=call)
