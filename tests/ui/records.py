"""Hand-made runs, for what is drawn of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lib.records import (
    DelegationSegment,
    RunRecord,
    RunStatus,
    SavedState,
    Segment,
    SessionKind,
    TextSegment,
    Tokens,
    ToolCallRecord,
    ToolSegment,
)

STARTED = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)


def tool_call(
    tool_call_id: str, name: str = "get_weather", result: str | None = "14 °C", **changes: Any
) -> ToolCallRecord:
    ended = STARTED + timedelta(seconds=0.4) if result is not None else None
    values = {"arguments": {"city": "Paris"}, "result": result, "started_at": STARTED, "ended_at": ended}
    return ToolCallRecord(tool_call_id=tool_call_id, tool_name=name, **{**values, **changes})


def run(run_id: str = "r1", *segments: Segment, status: RunStatus = RunStatus.COMPLETED, **changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "session_id": "s1",
        "user_id": "ann",
        "kind": SessionKind.TEAM,
        "component_id": "market-desk",
        "component_name": "Market desk",
        "question": "What is the weather in Paris?",
        "question_message_id": None if status.live else f"{run_id}-question",
        "duration_s": None if status.live else 2.4,
        "exact_times": True,
        "started_at": STARTED,
        "tokens": Tokens(total=312),
        "saved": SavedState.LIVE if status.live else SavedState.STORED,
    }
    return RunRecord(run_id=run_id, status=status, segments=segments, **{**values, **changes})


def delegation(
    name: str, task: str, *segments: Segment, status: RunStatus = RunStatus.COMPLETED, **changes: Any
) -> DelegationSegment:
    member_id = name.lower()
    call = tool_call(f"delegate-{member_id}", "delegate_task_to_member", None if status.live else "done")
    member_run = run(
        f"run-{member_id}",
        *segments,
        status=status,
        component_name=name,
        question=task,
        kind=SessionKind.AGENT,
        **changes,
    )
    return DelegationSegment(call=call, member_id=member_id, task=task, run=member_run)


def two_delegations(*, finance: RunStatus = RunStatus.COMPLETED) -> tuple[Segment, ...]:
    """Weather has answered; Finance stands as asked."""
    price = tool_call("t-price", "get_price", None if finance.live else "12 USD")
    return (
        TextSegment(text="I ask both."),
        delegation("Weather", "Paris now?", ToolSegment(call=tool_call("t-weather")), TextSegment(text="14 °C there.")),
        delegation("Finance", "ACME?", ToolSegment(call=price), status=finance),
    )
