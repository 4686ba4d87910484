"""Agno's events, as it stores them, mean what the records say."""

from __future__ import annotations

from typing import Any

from lib.events import (
    DelegationEnded,
    DelegationLinked,
    DelegationStarted,
    RunEnded,
    RunEvent,
    RunStarted,
    TextAdded,
    ToolEnded,
    UnknownEvent,
)
from lib.records import RunStatus
from lib.storage.translation import EventTranslator

Stored = dict[str, Any]


def leader(event: str, **fields: Any) -> Stored:
    return {
        "event": event,
        "run_id": "leader-run",
        "team_id": "desk",
        "team_name": "Desk",
        "created_at": 10.5,
        **fields,
    }


def member(event: str, run_id: str, **fields: Any) -> Stored:
    identity = {"agent_id": "weather", "agent_name": "Weather", "parent_run_id": "leader-run"}
    return {"event": event, "run_id": run_id, "created_at": 11.5, **identity, **fields}


def delegate(call_id: str, task: str, member_id: str = "weather", **fields: Any) -> Stored:
    arguments = {"member_id": member_id, "task": task}
    return {"tool_call_id": call_id, "tool_name": "delegate_task_to_member", "tool_args": arguments, **fields}


def translated(*stored: Stored) -> list[RunEvent]:
    translator = EventTranslator("a question")
    return [event for one in stored for event in translator.translate(one)]


def of_kind(events: list[RunEvent], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_two_delegations_to_one_member_are_linked_in_the_order_of_the_calls() -> None:
    events = translated(
        leader("TeamToolCallStarted", tool=delegate("call-1", "Paris?")),
        leader("TeamToolCallStarted", tool=delegate("call-2", "Rome?")),
        member("RunStarted", "run-1"),
        member("RunStarted", "run-2"),
    )
    links = [(link.tool_call_id, link.member_run_id) for link in of_kind(events, DelegationLinked)]
    assert links == [("call-1", "run-1"), ("call-2", "run-2")]
    assert [start.question for start in of_kind(events, RunStarted)] == ["Paris?", "Rome?"]


def test_agnos_own_child_run_id_is_not_believed() -> None:
    """Agno names the last member's run for every delegation of a turn (agno-facts 1.8)."""
    wrong = delegate("call-1", "Paris?", child_run_id="somebody-else")
    events = translated(
        leader("TeamToolCallStarted", tool=wrong),
        member("RunStarted", "run-1"),
        leader("TeamToolCallCompleted", tool=wrong | {"result": "14"}),
    )
    assert [link.member_run_id for link in of_kind(events, DelegationLinked)] == ["run-1"]
    assert [end.call.result for end in of_kind(events, DelegationEnded)] == ["14"]


def test_a_member_named_by_its_url_safe_name_is_found() -> None:
    start = member("RunStarted", "run-1", agent_id="3f2a", agent_name="Weather Desk")
    other = leader("TeamToolCallStarted", tool=delegate("call-0", "price?", member_id="finance"))
    call = leader("TeamToolCallStarted", tool=delegate("call-1", "Paris?", member_id="weather-desk"))
    assert of_kind(translated(other, call, start), DelegationLinked)[0].tool_call_id == "call-1"


def test_a_task_given_to_all_members_is_one_delegation_for_each() -> None:
    call = {"tool_call_id": "call-1", "tool_name": "delegate_task_to_members", "tool_args": {"task": "Report."}}
    events = translated(
        leader("TeamToolCallStarted", tool=call),
        member("RunStarted", "run-1"),
        member("RunStarted", "run-2", agent_id="finance", agent_name="Finance"),
        leader("TeamToolCallCompleted", tool=call | {"result": "both"}),
    )
    assert [start.member_id for start in of_kind(events, DelegationStarted)] == ["weather", "finance"]
    assert [link.member_run_id for link in of_kind(events, DelegationLinked)] == ["run-1", "run-2"]


def test_a_completion_after_a_cancellation_is_not_a_completion() -> None:
    events = translated(leader("TeamRunCancelled"), leader("TeamRunCompleted", content="polluted"))
    assert [end.status for end in of_kind(events, RunEnded)] == [RunStatus.STOPPED]


def test_a_failed_tool_ends_once() -> None:
    tool = {
        "tool_call_id": "call-1",
        "tool_name": "get_price",
        "tool_args": {},
        "tool_call_error": True,
        "result": "no",
    }
    ends = of_kind(
        translated(leader("TeamToolCallCompleted", tool=tool), leader("TeamToolCallError", tool=tool)), ToolEnded
    )
    assert [(end.call.failed, end.call.result) for end in ends] == [(True, "no")]


def test_a_failed_member_ends_with_its_reason() -> None:
    """The only trace a failed member leaves is its RunError event (agno-facts 5.7)."""
    end = of_kind(translated(member("RunError", "run-1", content="no key", error_type="model_error")), RunEnded)[0]
    assert (end.run_id, end.status, end.error) == ("run-1", RunStatus.FAILED, "no key")


def test_times_keep_their_fraction() -> None:
    assert translated(leader("TeamRunContent", content="a"))[0].at.microsecond == 500_000


def test_content_that_is_no_text_is_said_as_json() -> None:
    assert of_kind(translated(leader("TeamRunContent", content={"a": 1})), TextAdded)[0].text == '{"a": 1}'


def test_an_event_of_another_version_is_kept_as_it_is() -> None:
    stored = leader("TeamDreamStarted", dream="sheep")
    assert of_kind(translated(stored), UnknownEvent)[0].raw == stored


def test_damaged_events_do_no_harm() -> None:
    damaged: list[Stored] = [
        {},
        {"event": None},
        {"event": "ToolCallStarted"},
        {"event": "RunStarted", "created_at": "x"},
    ]
    damaged.append(leader("TeamToolCallStarted", tool={"tool_name": 7, "tool_args": "half a {"}))
    translated(*damaged)
