"""Words that Agno itself writes into the place of a model's: why a run was cancelled, and how long its tools took.

A run that is cancelled before it said anything has the reason as its content. What streamed of a team run, the reports
and words of its members among it, is written into the leader's last message where that has no words of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lib.records import DelegationSegment, RunRecord, RunStatus, Segment, TextSegment, ToolSegment
from lib.storage.event_values import TOOL_REPORT
from lib.storage.reading.loose import to_optional_text, to_text
from lib.storage.reading.stored import StoredRun

NOT_SAID = "Agno wrote what its tools and members reported into the leader's message; it is not shown as its words."


def list_stop_reasons(stored: StoredRun) -> Iterator[tuple[str, str]]:
    """Yield the runs that the events say were cancelled, each with the reason."""
    for event in stored.events_named("RunCancelled"):
        if reason := to_optional_text(event.get("reason")):
            yield to_text(event.get("run_id")), reason


def find_stop_reason(stored: StoredRun, status: RunStatus, reasons: Mapping[str, str]) -> str | None:
    """Return why a run was cancelled: as the events say, else its content where that is Agno's own sentence.

    Of a run of our own it is known who stopped it.
    """
    if status is not RunStatus.STOPPED or stored.roundtable:
        return None
    own_sentence = f"Run {stored.run_id} was cancelled"
    content = to_text(stored.data.get("content")).strip()
    return reasons.get(stored.run_id) or (own_sentence if content == own_sentence else None)


def without_filled_message(
    stored: StoredRun, record: RunRecord, segments: tuple[Segment, ...]
) -> tuple[tuple[Segment, ...], str | None]:
    """Return the segments without the words that Agno filled the last message with, and a note that says so."""
    content = to_text(stored.data.get("content"))
    last = next((message for message in reversed(record.messages) if message.role == "assistant"), None)
    if record.status is not RunStatus.STOPPED or stored.roundtable or last is None or not last.tool_requests:
        return segments, None
    filled = last.own and last.content == content and without_reports(content, stored, segments) != content
    if not filled:
        return segments, None
    kept = tuple(part for part in segments if not (isinstance(part, TextSegment) and part.text == content))
    return kept, NOT_SAID if kept != segments else None


def without_reports(words: str, stored: StoredRun, segments: Sequence[Segment]) -> str:
    """Return words without what Agno mixed into them: how long tools took, and what members said."""
    for event in stored.events_named("ToolCallCompleted"):
        if report := to_text(event.get("content")).strip():
            words = words.replace(report, "")
    called = set(_names_of_calls(segments))  # of a run whose events were not stored
    words = TOOL_REPORT.sub(lambda report: "" if report[1] in called else report[0], words)
    for heard in _words_of_members(segments):
        if words.strip() in heard:
            return ""
        words = words.replace(heard.strip(), "")
    return words


def _names_of_calls(segments: Sequence[Segment]) -> Iterator[str]:
    for segment in segments:
        if isinstance(segment, ToolSegment | DelegationSegment):
            yield segment.call.tool_name
        if isinstance(segment, DelegationSegment) and segment.run is not None:
            yield from _names_of_calls(segment.run.segments)


def _words_of_members(segments: Sequence[Segment]) -> Iterator[str]:
    """Yield what the members said, each run's words as one."""
    for segment in segments:
        if isinstance(segment, DelegationSegment) and segment.run is not None:
            for run in segment.run.walk():
                text = "".join(run.texts)
                if text.strip():
                    yield text
