"""What is drawn of a stored run can be named by the ids of its stored messages."""

from __future__ import annotations

from lib.records import TextSegment
from lib.storage.reading import to_run_record


def test_the_question_and_the_words_know_the_messages_they_came_from():
    messages = [
        {"id": "m-old", "role": "user", "content": "before", "from_history": True},
        {"id": "m-asked", "role": "user", "content": "hello"},
        {"id": "m-first", "role": "assistant", "content": "Hi "},
        {"id": "m-second", "role": "assistant", "content": "there."},
    ]
    data = {
        "run_id": "r1",
        "team_id": "t",
        "status": "COMPLETED",
        "messages": messages,
        "input": {"input_content": "hello"},
    }
    run = to_run_record({"run_id": "r1", "session_id": "s1", "user_id": "ann", "run_data": data})
    assert run.question_message_id == "m-asked"
    assert [segment.message_id for segment in run.segments if isinstance(segment, TextSegment)] == ["m-first"]
