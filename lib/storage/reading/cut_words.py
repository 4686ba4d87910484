"""The last words of a run that failed or was stopped, where they stand in its `content` alone.

Agno stores no message for an answer that was cut off; the words are in the run's content, behind all that was said
before them, and mixed with what members and tools said (agno-facts 5.4). Our own engine stores them as a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lib.records import DelegationSegment, RunRecord, RunStatus, Segment, TextSegment
from lib.storage.reading.loose import to_text
from lib.storage.reading.stored import StoredRun

_CUT = "Its last words were cut off before their message was stored; they are taken from the run's content."
_MIXED = f"{_CUT} Agno mixes in what members and tools said meanwhile."
_REASON = (
    "Its content is shown as the reason of the failure; with no events stored, nothing tells it from words said before."
)
_TOOL_NOISE = re.compile(r"\w+\([^()]*\) completed in [\d.]+ ?s\.")


def with_cut_words(
    stored: StoredRun, record: RunRecord, segments: tuple[Segment, ...]
) -> tuple[tuple[Segment, ...], str | None]:
    """Return the segments with the words that only the content holds after them, and a note that says so."""
    content = to_text(stored.data.get("content"))
    if record.status not in (RunStatus.FAILED, RunStatus.STOPPED) or stored.roundtable or not content.strip():
        return segments, None
    if record.error is not None and content.strip() == record.error.strip():
        return segments, None if stored.events else _REASON
    said = [segment.text for segment in segments if isinstance(segment, TextSegment)]
    words = _after(content, said)
    own = _without_noise(words, segments)
    if not own.strip():
        return segments, None
    mixed = own != words
    if segments and isinstance(segments[-1], TextSegment):
        last = TextSegment(text=segments[-1].text + words, message_id=segments[-1].message_id)
        return (*segments[:-1], last), _MIXED if mixed else _CUT
    return (*segments, TextSegment(text=words)), _MIXED if mixed else _CUT


def _after(content: str, said: Sequence[str]) -> str:
    """Return what stands in the content behind the words that are told already."""
    rest = content
    for text in said:
        place = rest.find(text.strip())
        if place < 0:
            return "" if content.strip() in text else rest
        rest = rest[place + len(text.strip()) :]
    return rest.lstrip() if said else rest


def _without_noise(words: str, segments: Sequence[Segment]) -> str:
    """Return words without what Agno mixed into them: how long tools took, and what members said."""
    words = _TOOL_NOISE.sub("", words)
    for heard in _words_of_members(segments):
        if words.strip() in heard:
            return ""
        words = words.replace(heard.strip(), "")
    return words


def _words_of_members(segments: Sequence[Segment]) -> Iterator[str]:
    """Yield what the members said, each run's words as one."""
    for segment in segments:
        if isinstance(segment, DelegationSegment) and segment.run is not None:
            for run in segment.run.walk():
                text = "".join(part.text for part in run.segments if isinstance(part, TextSegment))
                if text.strip():
                    yield text
