"""The arguments of a call are shown as the model wrote them, half a JSON too."""

from __future__ import annotations

import json

import pytest

from lib.records import TextSegment
from lib.storage.reading import to_run_record
from lib.storage.reading.calls import to_arguments


@pytest.mark.parametrize(
    "written", ["{not json", '{"text": "abc", "more": "half', '{"a": 1} trailing', "[1, 2]", "just text", "[" * 5_000]
)
def test_text_that_is_no_whole_json_object_is_kept_whole(written):
    assert to_arguments(written) == {"arguments": written}


@pytest.mark.parametrize(
    ("written", "arguments"), [('{"a": 1}', {"a": 1}), ("", {}), ("null", {}), (None, {}), ({}, {})]
)
def test_an_object_is_read_and_nothing_is_nothing(written, arguments):
    assert to_arguments(written) == arguments


def test_a_call_with_half_a_json_shows_all_that_was_written():
    half = '{"text": "abc", "more": "half'
    call = {"id": "c1", "type": "function", "function": {"name": "note", "arguments": half}}
    messages = [{"id": "m1", "role": "assistant", "tool_calls": [call]}]
    run = to_run_record({"run_id": "r1", "run_data": json.dumps({"messages": messages, "status": "COMPLETED"})})
    (segment,) = run.segments
    assert not isinstance(segment, TextSegment)
    assert segment.call.arguments == {"arguments": half}
