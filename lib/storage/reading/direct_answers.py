"""Answers of members that stand for their leader's: `respond_directly`. Agno keeps them in the run's content alone.

A watcher sees each behind its delegation, as words of the leader's run.
"""

from __future__ import annotations

from lib.records import DelegationSegment, RunRecord, RunStatus, Segment, TextSegment
from lib.storage.event_values import tells_of_tools
from lib.storage.reading.loose import squashed
from lib.storage.reading.stored import StoredRun


def with_direct_answers(stored: StoredRun, record: RunRecord, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Return the segments with what the content holds beyond the leader's own words, where it says nothing at the end."""
    content = stored.data.get("content")
    ended = record.status in (RunStatus.COMPLETED, RunStatus.REGENERATED)
    if not ended or not isinstance(content, str) or not any(isinstance(one, DelegationSegment) for one in segments):
        return segments
    if any(isinstance(segment, TextSegment) and segment.draft for segment in segments):
        return segments  # a second model wrote the content
    if isinstance(segments[-1], TextSegment):
        if segments[-1].message_id is not None or squashed(segments[-1].text) != squashed(content):
            return segments
        segments = segments[:-1]  # the content itself, which no message holds
    said = "".join(squashed(segment.text) for segment in segments if isinstance(segment, TextSegment))
    rest = _behind(content, said)
    if not rest.strip():
        return segments
    answers = [_words_of(segment) for segment in segments]
    if squashed("".join(answers)) != squashed(rest):
        return segments if tells_of_tools(rest) else (*segments, TextSegment(text=rest))
    return tuple(
        part
        for segment, answer in zip(segments, answers, strict=True)
        for part in (segment, *([TextSegment(text=answer)] if answer.strip() else []))
    )


def _behind(content: str, said: str) -> str:
    """Return what follows in the content on words without their blanks; nothing where it does not begin with them."""
    place = 0
    for sign in said:
        while place < len(content) and content[place].isspace():
            place += 1
        if place == len(content) or content[place] != sign:
            return ""
        place += 1
    return content[place:].lstrip()


def _words_of(segment: Segment) -> str:
    """Return all that the member said of a delegation that succeeded."""
    if not isinstance(segment, DelegationSegment) or segment.run is None or segment.call.given_up:
        return ""
    return "".join(segment.run.texts)
