"""The last words of a run that failed or was stopped, where they stand in its `content` alone.

Agno stores no message for an answer that was cut off; the words are in the run's content, behind all that was said
before them, and mixed with what members and tools said (agno-facts 5.4). Our own engine stores them as a message.
"""

from __future__ import annotations

from collections.abc import Sequence

from lib.records import RunRecord, RunStatus, Segment, TextSegment
from lib.storage.reading.agno_words import without_reports
from lib.storage.reading.loose import to_text
from lib.storage.reading.stored import StoredRun

_CUT = "Its last words were cut off before their message was stored; they are taken from the run's content."
_MIXED = f"{_CUT} What Agno mixed in of members and tools is left out, as far as it is known."
_REASON = (
    "Its content is shown as the reason of the failure; with no events stored, nothing tells it from words said before."
)


def with_cut_words(
    stored: StoredRun, record: RunRecord, segments: tuple[Segment, ...]
) -> tuple[tuple[Segment, ...], str | None]:
    """Return the segments with the words that only the content holds after them, and a note that says so."""
    content = to_text(stored.data.get("content"))
    if record.status not in (RunStatus.FAILED, RunStatus.STOPPED) or stored.roundtable or not content.strip():
        return segments, None
    if record.error is not None and content.strip() == record.error.strip():
        return segments, None if stored.events else _REASON
    if record.stop_reason is not None and content.strip() == record.stop_reason.strip():
        return segments, None
    said = [segment.text for segment in segments if isinstance(segment, TextSegment)]
    words = _after(content, said)
    own = without_reports(words, stored, segments)
    if not own.strip():
        return segments, None
    mixed = own != words
    if segments and isinstance(segments[-1], TextSegment):
        last = TextSegment(text=segments[-1].text + own, message_id=segments[-1].message_id)
        return (*segments[:-1], last), _MIXED if mixed else _CUT
    return (*segments, TextSegment(text=own)), _MIXED if mixed else _CUT


def _after(content: str, said: Sequence[str]) -> str:
    """Return what stands in the content behind the words that are told already."""
    rest = content
    for text in said:
        place = rest.find(text.strip())
        if place < 0:
            return "" if content.strip() in text else rest
        rest = rest[place + len(text.strip()) :]
    return rest.lstrip() if said else rest
