"""Words that the run's own model was not asked for: an introduction, and those of a second model.

An `output_model` writes the answer from what was said before, a `parser_model` restates it. Agno keeps none of what such
a model is given. Of an output model only the run's content tells; the message of a parser model stands behind the last
answer, as if the run's own model had been asked once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lib.records import MessageRecord, RunRecord, RunStatus, Segment, TextSegment
from lib.storage.reading.loose import squashed, to_list
from lib.storage.reading.stored import StoredRun

_REPORTED = "ModelRequestStarted"
"""Where this event is stored, a second model would be reported, too."""

_OUTPUT_MODEL = "A second model (output_model) wrote the answer; what it was given is not stored."
_PARSER_MODEL = "A second model (parser_model) restated the answer; what it was given is not stored."
_ANOTHER_HAND = "Its answer is not what its last message says: a second model or the program wrote it."
_CHANGED = "Its stored answer is not what was said: the program changed it afterwards."


def is_introduction(stored: StoredRun) -> bool:
    """Whether a run is a team's introduction: one message of its own that nobody asked for. Agno stores it as running."""
    messages = to_list(stored.data.get("messages"))
    roles = [message.get("role") for message in messages if isinstance(message, Mapping)]
    return roles == ["assistant"] and not stored.data.get("input") and not stored.data.get("tools")


def with_unasked_marked(stored: StoredRun, messages: tuple[MessageRecord, ...]) -> tuple[MessageRecord, ...]:
    """Return the messages of a run, those marked that its own model was not asked for."""
    places = set()
    if len(messages) == 1 and _is_own_answer(messages[0]) and not messages[0].tool_requests:
        places.add(0)  # an introduction: nobody asked for it
    if len(messages) > 1 and _is_of_parser_model(stored, *messages[-2:]):
        places.add(len(messages) - 1)
    if not places:
        return messages
    return tuple(replace(message, unasked=place in places) for place, message in enumerate(messages))


def _is_of_parser_model(stored: StoredRun, answer: MessageRecord, last: MessageRecord) -> bool:
    """Whether the last message restates the answer before it: a model is not asked again after an answer without a call."""
    if not _is_own_answer(answer) or not _is_own_answer(last) or answer.tool_requests:
        return False
    if stored.reported(_REPORTED):
        return stored.reported("ParserModelResponseStarted")
    content = stored.data.get("content")  # its words alone, or what they were read as
    return squashed(content) == squashed(last.content) if isinstance(content, str) else content is not None


def with_second_model(
    stored: StoredRun, record: RunRecord, segments: tuple[Segment, ...]
) -> tuple[tuple[Segment, ...], str | None]:
    """Return the segments with the answer as it was seen, its drafts marked as such, and a note on who wrote it."""
    content = stored.data.get("content")
    ended = record.status in (RunStatus.COMPLETED, RunStatus.REGENERATED)
    if record.messages and record.messages[-1].unasked and record.question:
        return segments, _PARSER_MODEL
    if not ended or not isinstance(content, str) or not content.strip():
        return segments, None
    texts = [segment for segment in segments if isinstance(segment, TextSegment)]
    by_output_model = stored.reported("OutputModelResponseStarted")
    if not texts or (not by_output_model and _is_told(content, texts)):
        return segments, None
    if not by_output_model and stored.reported(_REPORTED):
        return segments, _CHANGED
    if texts[-1].message_id is None and texts[-1].text == content:  # nothing else was said
        return segments, _OUTPUT_MODEL
    # A watcher of a run with an output model sees none of its drafts; without events only the last words are known to be.
    drafts = texts if by_output_model else texts[-1:]
    seen = [
        replace(segment, draft=True) if isinstance(segment, TextSegment) and segment in drafts else segment
        for segment in segments
    ]
    return (*seen, TextSegment(text=content)), _OUTPUT_MODEL if by_output_model else _ANOTHER_HAND


def _is_told(content: str, texts: Sequence[TextSegment]) -> bool:
    """Whether the content is what was said: all of it or its end, or with words before or behind that no message holds."""
    told, said = squashed(content), [squashed(segment.text) for segment in texts]
    return told in "".join(said) or told.startswith("".join(said)) or told.endswith(said[-1])


def _is_own_answer(message: MessageRecord) -> bool:
    return message.role == "assistant" and message.own
