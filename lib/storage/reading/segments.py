"""The segments of a stored run: words, tool calls and delegations in the order in which they happened."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

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
from lib.storage.delegating import TeamTask, list_tasks_given, to_task, to_tasks
from lib.storage.event_values import tells_of_tools
from lib.storage.reading.calls import is_delegation, member_of, to_tool_call, to_unmade_call
from lib.storage.reading.loose import to_list, to_mapping, to_text
from lib.storage.reading.stored import StoredRun

CallSegment = ToolSegment | DelegationSegment

_PLACE_INFERRED = "Its tool messages were not stored: where the calls stand among the words is inferred."

_WORDS_UNKNOWN = "Its tool messages were not stored: what was said with the calls is not known."

_GIVEN_UP = "Calls that none of its messages asks for are taken for those of an attempt that failed."

_MORE_ENTRIES = (
    "Its list of tool calls has more entries with one id than its messages ask for; all are shown, and where the others "
    "stand among the words is inferred."
)


def build_segments(
    stored: StoredRun, record: RunRecord, told: RunRecord | None
) -> tuple[tuple[Segment, ...], str | None]:
    """Return the segments of a run, and a note where their order is inferred.

    The messages give the order; the calls of the events (`told`) their times. Members are linked afterwards.
    """
    calls = _Calls(stored, record.messages, told)
    own = [message for message in record.messages if message.role == "assistant" and message.own]
    answers = [list(_words_and_calls(message, calls, number)) for number, message in enumerate(own)]
    restated = {message.message_id for message in own if message.unasked}
    left = calls.left()
    given_up = _mark_given_up(left, record, own, told)
    before: dict[int | None, list[Segment]] = defaultdict(list)
    for call in left:
        before[call.answer if own else None].append(call.segment)
    segments: list[Segment] = []
    for number, answer in enumerate(answers):
        segments += before[number] + answer
    nowhere = before[None]
    asking = any(message.tool_requests for message in own)
    last_words = next((i for i in reversed(range(len(segments))) if isinstance(segments[i], TextSegment)), 0)
    place = len(segments) if asking or not own else last_words
    segments[place:place] = nowhere
    inferred = [call.segment.call.tool_call_id for call in left if not call.segment.call.given_up]
    by_events = (
        {part.call.tool_call_id for part in told.segments if not isinstance(part, TextSegment)} if told else set()
    )
    note = _why_inferred(inferred, own, by_events) if own and inferred else _GIVEN_UP if given_up else None
    content = to_text(stored.data.get("content"))
    spoken = any(isinstance(segment, TextSegment) for segment in segments)
    if (
        content
        and not spoken
        and not tells_of_tools(content)
        and record.status in (RunStatus.COMPLETED, RunStatus.REGENERATED, RunStatus.UNKNOWN)
    ):
        segments.append(TextSegment(text=content))
    return tuple(_joined(segments, apart=restated)), note


def _mark_given_up(
    left: Iterable[_Known], record: RunRecord, answers: Iterable[MessageRecord], told: RunRecord | None
) -> bool:
    """Mark the calls of an attempt that failed, of which no event tells; whether there are any.

    Agno stores the messages of the last attempt only: that one's calls are asked for, and these stand before them.
    """
    ended = record.status in (RunStatus.COMPLETED, RunStatus.REGENERATED)
    if not ended or (told and told.segments) or not any(message.tool_requests for message in answers):
        return False
    asked_for = {request.tool_call_id for message in record.messages for request in message.tool_requests}
    found = [one for one in left if one.answer is not None and one.segment.call.tool_call_id not in asked_for]
    for one in found:
        one.segment = replace(one.segment, call=replace(one.segment.call, given_up=True))
        one.answer = 0
    return bool(found)


def _why_inferred(call_ids: Collection[str], answers: Iterable[MessageRecord], by_events: Collection[str]) -> str:
    """Return what is not known of calls: nothing asks for them, or other entries stand for what was asked."""
    asked_for = {request.tool_call_id for answer in answers for request in answer.tool_requests}
    if asked_for.issuperset(call_ids):
        return _MORE_ENTRIES
    return _WORDS_UNKNOWN if set(call_ids) <= set(by_events) else _PLACE_INFERRED


def _joined(segments: Iterable[Segment], *, apart: Collection[str]) -> Iterable[Segment]:
    """Yield the segments as a watcher saw them: words that follow each other as one, no blank words.

    `apart` names the messages whose words are another model's, which stand for themselves.
    """
    words: list[TextSegment] = []
    for segment in segments:
        if isinstance(segment, TextSegment) and segment.message_id not in apart:
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


def _words_and_calls(message: MessageRecord, calls: _Calls, number: int) -> Iterable[Segment]:
    """Yield what one answer of the model says and asks for."""
    if message.content:
        yield TextSegment(text=message.content, message_id=message.message_id)
    for request in message.tool_requests:
        yield from calls.take(request, number)


@dataclass(slots=True)
class _Known:
    """A call that the events or `tools` tell of."""

    segment: CallSegment
    answer: int | None = None  # the answer of the model that asked for it, or before which it was made


class _Calls:
    """The calls of one run, from its events, its `tools` and its tool messages; each is handed out once.

    The calls of several requests may have the same id: the first that is told is the first that was asked for.
    """

    def __init__(self, stored: StoredRun, messages: Iterable[MessageRecord], told: RunRecord | None) -> None:
        self._tasks = to_tasks(to_mapping(stored.data.get("session_state")))
        self._known: list[_Known] = []  # in the order in which they are told
        self._free: dict[str, deque[list[_Known]]] = defaultdict(deque)  # those for several members come together
        self._results: dict[str, deque[MessageRecord]] = defaultdict(deque)
        taken_over: Counter[str] = Counter()  # `tools` begins with the calls of the run that this one answers anew
        for message in messages:
            if message.role == "tool" and message.own and message.tool_call_id:
                self._results[message.tool_call_id].append(message)
            if message.taken_over:
                taken_over.update(request.tool_call_id for request in message.tool_requests)
        for segment in told.segments if told else ():
            if not isinstance(segment, TextSegment):
                self._add(segment)
        told_calls = {call_id: deque(calls) for call_id, calls in self._free.items()}
        for item in to_list(stored.data.get("tools")):
            call = to_tool_call(item)
            if taken_over[call.tool_call_id]:
                taken_over[call.tool_call_id] -= 1
            elif same := told_calls.get(call.tool_call_id):
                for known in same.popleft():
                    known.segment = _finished(known.segment, call)
            else:
                for segment in to_segments(call, self._tasks):
                    self._add(segment)

    def _add(self, segment: CallSegment) -> None:
        known, same = _Known(segment), self._free[segment.call.tool_call_id]
        self._known.append(known)
        if same and _is_broadcast(segment) and _is_broadcast(same[-1][0].segment):
            same[-1].append(known)
        else:
            same.append([known])

    def take(self, request: ToolRequest, answer: int) -> list[CallSegment]:
        """Return the segment of what answer number `answer` asks for; one a member where a task went to several."""
        free = self._free[request.tool_call_id]
        while free and free[0][0].segment.call.given_up:
            free.popleft()  # the messages of a failed attempt are not stored
        replied = self._results[request.tool_call_id]
        result = replied.popleft() if replied else None
        if not free:
            return to_segments(to_unmade_call(request, result), self._tasks)
        taken = free.popleft()
        for known in taken:
            known.answer = answer
        return [_with_result(known.segment, result) for known in taken]

    def left(self) -> list[_Known]:
        """Return the calls that no stored message asks for, in order, each before the answer that was next to call."""
        left: list[_Known] = []
        taken = {id(known) for known in self._known if known.answer is not None}
        following: int | None = None
        for known in reversed(self._known):
            if id(known) in taken:
                following = known.answer
            else:
                known.answer = 0 if known.segment.call.given_up else following
                left.append(known)
        return left[::-1]


def to_segments(call: ToolCallRecord, tasks: Mapping[str, TeamTask]) -> list[CallSegment]:
    """Return a call as a delegation where it names a member, one a task where it names several, else as a tool call."""
    if is_delegation(call):
        return [DelegationSegment(call=call, member_id=member_of(call), task=to_task(call, tasks))]
    given = list_tasks_given(call, tasks)
    parts = [DelegationSegment(call=call, member_id=task.member_id, task=task.words) for task in given]
    return [*parts] if parts else [ToolSegment(call=call)]


def _is_broadcast(segment: CallSegment) -> bool:
    return isinstance(segment, DelegationSegment) and not segment.call.arguments.get("member_id")


def _finished(segment: CallSegment, call: ToolCallRecord) -> CallSegment:
    """Return a call whose end no event tells of with the end that is stored beside it."""
    if segment.call.result is not None or (call.result is None and not call.failed):
        return segment
    ended_at = segment.call.ended_at or call.ended_at
    return replace(segment, call=replace(segment.call, result=call.result, failed=call.failed, ended_at=ended_at))


def _with_result(segment: CallSegment, answer: MessageRecord | None) -> CallSegment:
    if answer is None or segment.call.result is not None:
        return segment
    call = replace(segment.call, result=answer.content, failed=segment.call.failed or answer.tool_failed)
    return replace(segment, call=call)
