"""Stored rows become records in true order; nothing that is stored is lost and nothing bad raises."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.records import DelegationSegment, RunStatus, SavedState, TextSegment, ToolSegment
from lib.storage.reading import to_run_record, to_run_records


def a_row(run_id: str = "r1", **changes: Any) -> dict[str, Any]:
    data = {
        "run_id": run_id,
        "team_id": "desk",
        "team_name": "Desk",
        "session_id": "s1",
        "input": {"input_content": "How is Paris?"},
        "messages": [
            {"id": "m1", "role": "user", "content": "How is Paris?"},
            {
                "id": "m2",
                "role": "assistant",
                "content": "Let me ask. ",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {
                            "name": "delegate_task_to_member",
                            "arguments": json.dumps({"member_id": "weather", "task": "Paris"}),
                        },
                    }
                ],
            },
            {"id": "m3", "role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"id": "m4", "role": "assistant", "content": "It is sunny."},
        ],
    } | changes.pop("data", {})
    row = {
        "run_id": run_id,
        "session_id": "s1",
        "run_type": "team",
        "team_id": "desk",
        "user_id": "ann",
        "parent_run_id": None,
        "status": "COMPLETED",
        "run_index": 1,
        "run_data": json.dumps(data),
        "created_at": 1795244388,
    }
    return row | changes


def test_messages_given_with_every_question_are_neither_the_question_nor_words_of_the_run():
    examples = [
        {"id": "x1", "role": "user", "content": "An example question?"},
        {"id": "x2", "role": "assistant", "content": "An example answer."},
    ]
    said = [
        {"id": "m1", "role": "user", "content": "How is Paris?"},
        {"id": "m2", "role": "assistant", "content": "Sunny."},
    ]
    data = {"messages": examples + said, "additional_input": examples, "input": None}
    run = to_run_record(a_row(data=data))
    assert (run.question, run.question_message_id, run.answer) == ("How is Paris?", "m1", "Sunny.")
    assert [message.message_id for message in run.messages] == ["x1", "x2", "m1", "m2"], "all are still there"
    assert [message.own for message in run.messages] == [False, False, True, True]


def a_member_row(
    run_id: str, parent_run_id: str = "r1", *, task: str = "Paris", answer: str = "sunny"
) -> dict[str, Any]:
    data = {
        "agent_name": "Weather",
        "input": {"input_content": task},
        "messages": [{"role": "user", "content": task}, {"role": "assistant", "content": answer}],
    }
    row = a_row(run_id, parent_run_id=parent_run_id, run_type="agent", team_id=None, agent_id="weather")
    return row | {"run_data": json.dumps(data)}


def test_words_and_delegations_come_in_the_order_in_which_they_happened() -> None:
    run = to_run_record(a_row(), [a_member_row("w1")])
    first, delegation, last = run.segments
    assert first == TextSegment(text="Let me ask. ")
    assert isinstance(delegation, DelegationSegment)
    assert (delegation.member_id, delegation.task, delegation.call.result) == ("weather", "Paris", "sunny")
    assert delegation.run is not None and delegation.run.run_id == "w1"
    assert last == TextSegment(text="It is sunny.")
    assert run.answer == "It is sunny."


def test_two_runs_of_one_member_are_told_apart_by_their_tasks() -> None:
    calls = [
        {
            "id": f"c{n}",
            "function": {
                "name": "delegate_task_to_member",
                "arguments": json.dumps({"member_id": "weather", "task": city}),
            },
        }
        for n, city in enumerate(("Paris", "Rome"))
    ]
    row = a_row(data={"messages": [{"role": "assistant", "tool_calls": calls}]})
    run = to_run_record(row, [a_member_row("w-rome", task="Rome"), a_member_row("w-paris", task="Paris")])
    linked = [(part.task, part.run.run_id) for part in run.segments if isinstance(part, DelegationSegment) and part.run]
    assert linked == [("Paris", "w-paris"), ("Rome", "w-rome")]


def test_the_crash_marker_is_running_while_it_lives_and_interrupted_after() -> None:
    row = a_row(status="ERROR", data={"messages": [], "metadata": {"roundtable": {"marker": True}}})
    assert to_run_record(row).status is RunStatus.INTERRUPTED
    live = to_run_record(row, live_run_ids={"r1"})
    assert (live.status, live.saved) == (RunStatus.RUNNING, SavedState.LIVE)
    assert to_run_record(row, live_run_ids={"r1": RunStatus.WAITING}).status is RunStatus.WAITING


def test_an_unknown_status_is_said_and_kept() -> None:
    run = to_run_record(a_row(status="DREAMING"))
    assert run.status is RunStatus.UNKNOWN
    assert any("DREAMING" in note for note in run.notes)
    assert run.raw["status"] == "DREAMING"


def test_half_a_json_is_read_as_far_as_it_goes() -> None:
    row = a_row()
    row["run_data"] = row["run_data"][: row["run_data"].index("It is sunny")]
    run = to_run_record(row)
    assert run.question == "How is Paris?"
    assert [type(part) for part in run.segments] == [TextSegment, DelegationSegment]
    assert any("damaged" in note for note in run.notes)


def test_no_row_is_lost_to_missing_parents_or_circles() -> None:
    rows = [
        a_row("top"),
        a_row("a", parent_run_id="b"),
        a_row("b", parent_run_id="a"),
        a_row("c", parent_run_id="gone"),
    ]
    records = to_run_records(rows)
    assert {run.run_id for record in records for run in record.walk()} == {"top", "a", "b", "c"}


def test_nothing_stored_makes_reading_fail() -> None:
    odd: list[Any] = [None, 3, "x", "{", [], {}, [None], {"role": 3}, [[["deep"]]], float("nan"), True, b"\xff"]
    names = (
        "messages",
        "events",
        "tools",
        "input",
        "metrics",
        "metadata",
        "member_responses",
        "content",
        "created_at",
        "model",
    )
    for value in odd:
        assert to_run_record({"run_data": value}).notes is not None
        for name in names:
            to_run_record({"run_id": "r", "run_data": {name: value}})
            to_run_record({"run_id": "r", "run_data": {name: [value]}})
            to_run_record(
                {"run_id": "r", "run_data": {"messages": [{"role": "assistant", "content": "x", name: value}]}}
            )
            to_run_record(
                {"run_id": "r", "run_data": {"events": [{"event": "TeamRunStarted", "run_id": "r", name: value}]}}
            )
            to_run_record({"run_id": "r", "run_data": {"tools": [{name: value, "tool_args": value}]}})
            to_run_record({name: value, "parent_run_id": value, "run_type": value, "status": value})


def test_a_tool_call_without_stored_messages_is_still_shown() -> None:
    row = a_row(
        data={"messages": None, "content": "done", "tools": [{"tool_call_id": "t1", "tool_name": "add", "result": "3"}]}
    )
    tool, words = to_run_record(row).segments
    assert isinstance(tool, ToolSegment) and tool.call.result == "3"
    assert words == TextSegment(text="done")


def test_of_tool_entries_that_are_stored_twice_no_message_is_said_to_be_missing() -> None:
    entry = {
        "tool_call_id": "c1",
        "tool_name": "delegate_task_to_member",
        "tool_args": {"member_id": "weather", "task": "Paris"},
        "result": "sunny",
    }
    assert to_run_record(a_row(data={"tools": [entry]})).notes == ()
    run = to_run_record(a_row(data={"tools": [entry, entry]}))
    assert sum(isinstance(part, DelegationSegment) for part in run.segments) == 2
    (note,) = run.notes
    assert note.startswith("Its list of tool calls has more entries with one id than its messages ask for")
    (note,) = to_run_record(a_row(data={"tools": [{**entry, "tool_call_id": "c2"}]})).notes
    assert note.startswith("Its tool messages were not stored")


@pytest.mark.parametrize("name", ["messages", "tools", "events"])
@pytest.mark.parametrize("value", [{"a": 1}, "x", 7, True])
def test_what_has_no_shape_that_can_be_read_is_said_to_be_in_the_raw_row_alone(name: str, value: Any) -> None:
    run = to_run_record(a_row(data={name: value, "content": "done"}))
    assert f"Its stored {name} are no list that can be read; only the raw row shows them." in run.notes
    assert not any("no list" in note for note in to_run_record(a_row(data={name: None, "content": "done"})).notes)
