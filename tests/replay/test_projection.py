"""The fold of events is what a watcher sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lib.events import (
    DelegationEnded,
    DelegationLinked,
    DelegationStarted,
    ModelEnded,
    RunEnded,
    RunEvent,
    RunSaved,
    RunStarted,
    TextAdded,
    ToolEnded,
    ToolStarted,
)
from lib.records import (
    DelegationSegment,
    RunRecord,
    RunStatus,
    SavedState,
    SessionKind,
    TextSegment,
    Tokens,
    ToolCallRecord,
    ToolSegment,
)
from lib.replay.projection import RunProjection

START = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def waiting_run() -> RunRecord:
    return RunRecord(
        run_id="leader-run",
        session_id="s1",
        user_id="ann",
        kind=SessionKind.TEAM,
        component_id="desk",
        component_name="Desk",
        status=RunStatus.WAITING,
        question="a question",
        saved=SavedState.LIVE,
    )


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def words(text: str, run_id: str = "leader-run") -> TextAdded:
    return TextAdded(run_id=run_id, at=at(1), text=text)


def call(call_id: str, **fields: Any) -> ToolCallRecord:
    return ToolCallRecord(tool_call_id=call_id, tool_name="get_price", arguments={"ticker": "AAPL"}, **fields)


def delegation(call_id: str, member_run_id: str, *, ends: float) -> list[RunEvent]:
    leader: dict[str, Any] = {"run_id": "leader-run"}
    member: dict[str, Any] = {"run_id": member_run_id, "parent_run_id": "leader-run"}
    identity: dict[str, Any] = {"kind": SessionKind.AGENT, "component_id": "weather", "component_name": "Weather"}
    return [
        DelegationStarted(**leader, at=at(1), call=call(call_id, started_at=at(1)), member_id="weather", task="Paris?"),
        DelegationLinked(**leader, at=at(1), tool_call_id=call_id, member_run_id=member_run_id),
        RunStarted(**member, at=at(1), question="Paris?", **identity),
        TextAdded(**member, at=at(2), text="14 degrees"),
        RunEnded(**member, at=at(ends), status=RunStatus.COMPLETED),
    ]


def fold(*events: RunEvent) -> RunRecord:
    projection = RunProjection(waiting_run())
    for event in events:
        projection.apply(event)
    return projection.snapshot()


def test_words_and_calls_stand_in_the_order_in_which_they_happened() -> None:
    run = fold(
        words("Let me "),
        words("look."),
        ToolStarted(run_id="leader-run", at=at(1), call=call("c1", started_at=at(1))),
        ToolEnded(run_id="leader-run", at=at(3), call=call("c1", result="231", ended_at=at(3))),
        words("It is 231."),
    )
    shown, tool, answer = run.segments
    assert (shown, answer) == (TextSegment(text="Let me look."), TextSegment(text="It is 231."))
    assert isinstance(tool, ToolSegment)
    assert (tool.call.result, tool.call.duration_s) == ("231", 2.0)
    assert run.answer == "It is 231."


def test_a_members_words_stand_in_its_own_delegation() -> None:
    run = fold(*delegation("c1", "run-1", ends=2), *delegation("c2", "run-2", ends=3))
    delegations = [segment for segment in run.segments if isinstance(segment, DelegationSegment)]
    assert [segment.run.run_id for segment in delegations if segment.run] == ["run-1", "run-2"]
    assert all(segment.run and segment.run.answer == "14 degrees" for segment in delegations)
    assert [member.run_id for member in run.member_runs] == ["run-1", "run-2"]


def test_a_delegation_ends_with_its_member_not_with_the_slowest_one() -> None:
    """Agno reports the end of concurrent delegations together (agno-facts 1.4)."""
    late = DelegationEnded(run_id="leader-run", at=at(9), call=call("c1", ended_at=at(9)))
    (segment,) = fold(*delegation("c1", "run-1", ends=2), late).segments
    assert isinstance(segment, DelegationSegment)
    assert segment.call.ended_at == at(2)


def test_a_snapshot_is_the_same_object_until_something_happens() -> None:
    projection = RunProjection(waiting_run())
    projection.apply(words("one"))
    first = projection.snapshot()
    assert projection.snapshot() is first
    projection.apply(words(" two"))
    assert projection.snapshot().answer == "one two"
    assert first.answer == "one"


def test_a_run_that_streamed_nothing_shows_its_final_content() -> None:
    ended = RunEnded(run_id="leader-run", at=at(2), status=RunStatus.COMPLETED, content="All at once.")
    assert fold(ended).answer == "All at once."
    assert fold(words("streamed"), ended).segments == (TextSegment(text="streamed"),)


def test_tokens_are_summed_over_requests_and_members() -> None:
    spent = Tokens(input=5, output=2, total=7)
    member_events = delegation("c1", "run-1", ends=2)
    member_events.insert(-1, ModelEnded(run_id="run-1", parent_run_id="leader-run", at=at(2), tokens=spent))
    run = fold(ModelEnded(run_id="leader-run", at=at(1), tokens=spent), *member_events)
    assert run.tokens == spent
    assert run.total_tokens.total == 14


def test_what_was_not_stored_says_so() -> None:
    run = fold(RunSaved(run_id="leader-run", at=at(3), saved=SavedState.KEPT_ON_DISK, reason="The database is away."))
    assert (run.saved, run.notes) == (SavedState.KEPT_ON_DISK, ("The database is away.",))


def test_whole_seconds_are_told_from_exact_times() -> None:
    started = RunStarted(
        run_id="leader-run", at=START, kind=SessionKind.TEAM, component_id="desk", component_name="Desk"
    )
    assert fold(started).exact_times
    assert not fold(replace(started, at=START.replace(microsecond=0))).exact_times


def test_events_of_runs_that_never_started_change_nothing() -> None:
    assert fold(words("lost", run_id="nobody")) == waiting_run()
