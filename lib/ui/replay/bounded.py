"""A run cut to what a browser bears at once; the steps view shows the rest, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lib.records import DelegationSegment, RunRecord, Segment, TextSegment, ToolCallRecord, ToolSegment
from lib.ui.replay.texts import MOST

MOST_PARTS = 90
"""Words, tool calls and delegations that are drawn of a run with its members: about three elements each."""
MOST_BESIDE = 20
"""The same of a run beside the one on screen."""


def count_parts(run: RunRecord) -> int:
    """Return how many words, tool calls and delegations a run and its members consist of."""
    return sum(len(part.segments) for part in run.walk())


def bounded(run: RunRecord, most: int = MOST_PARTS) -> RunRecord:
    """Return the run with its first parts and the beginnings of its longest texts."""
    return _cut_run(run, iter(range(most)))


def is_cut(run: RunRecord, most: int = MOST_PARTS) -> bool:
    """Whether `bounded` leaves something out."""
    return count_parts(run) > most or any(
        len(text) > MOST for part in run.walk() for segment in part.segments for text in _texts(segment)
    )


def _cut_run(run: RunRecord, left: Iterator[int]) -> RunRecord:
    segments: list[Segment] = []
    for segment in run.segments:
        if next(left, None) is None:
            break
        match segment:
            case TextSegment(text=text):
                segments.append(replace(segment, text=text[:MOST]))
            case ToolSegment(call=call):
                segments.append(replace(segment, call=_cut_call(call)))
            case DelegationSegment(call=call, run=member_run):
                inner = _cut_run(member_run, left) if member_run else None
                segments.append(replace(segment, call=_cut_call(call), task=segment.task[:MOST], run=inner))
    return replace(run, segments=tuple(segments), question=run.question[:MOST])


def _cut_call(call: ToolCallRecord) -> ToolCallRecord:
    return replace(call, result=call.result[:MOST]) if call.result else call


def _texts(segment: Segment) -> Iterator[str]:
    if isinstance(segment, TextSegment):
        yield segment.text
    elif segment.call.result:
        yield segment.call.result
