"""The rule by example: what is in, and the reason for each message that is not."""

from __future__ import annotations

import pytest

from lib.recall.horizon import (
    Horizon,
    about_tokens,
    count_carried,
    horizon_of_window,
    predict_horizon,
    runs_left,
)
from lib.recall.members import next_member_context
from lib.recall.reasons import Reason, describe_reason
from lib.recall.window import BareRun, HistoryRules, as_stored, next_context, place_runs, reason_to_skip
from lib.records import MessageRecord, RunRecord, RunStatus, SavedState, SessionKind, ToolRequest


def message(message_id: str, role: str = "user", content: str = "", **more: object) -> MessageRecord:
    return MessageRecord(message_id=message_id, role=role, content=content or message_id, **more)  # type: ignore[arg-type]  # keyword passing of a test


def run(run_id: str, *messages: MessageRecord, status: RunStatus = RunStatus.COMPLETED, **more: object) -> RunRecord:
    given = {"kind": SessionKind.TEAM, "component_id": "desk", **more}
    if not messages:
        messages = (message(f"{run_id}-q"), message(f"{run_id}-a", "assistant"))
    return RunRecord(
        run_id=run_id, session_id="s", user_id="ann", component_name="", status=status, question="", messages=messages,
        **given,  # type: ignore[arg-type]  # keyword passing of a test
    )  # fmt: skip


def tool_turn(run_id: str, *call_ids: str, content: str = "") -> RunRecord:
    requests = tuple(ToolRequest(tool_call_id=call_id, tool_name="note", arguments="{}") for call_id in call_ids)
    return run(
        run_id,
        message(f"{run_id}-q"),
        MessageRecord(message_id=f"{run_id}-call", role="assistant", content=content, tool_requests=requests),
        *(message(f"{run_id}-{call_id}", "tool", tool_call_id=call_id) for call_id in call_ids),
        message(f"{run_id}-a", "assistant"),
    )


def ids(context: object) -> list[str]:
    return [item.message_id for item in context.messages]  # type: ignore[attr-defined]  # a PredictedContext


def reasons(context: object) -> dict[str, Reason]:
    return {item.message_id: item.reason for item in context.absent}  # type: ignore[attr-defined]  # a PredictedContext


def test_a_window_of_two_runs_holds_the_two_newest_and_says_why_the_oldest_is_out() -> None:
    context = next_context([run("r1"), run("r2"), run("r3")], HistoryRules(num_history_runs=2))
    assert ids(context) == ["r2-q", "r2-a", "r3-q", "r3-a"]
    assert context.window_run_ids == ("r2", "r3")
    assert reasons(context) == {"r1-q": Reason.OUTSIDE_WINDOW, "r1-a": Reason.OUTSIDE_WINDOW}
    assert all(item.from_history for item in context.messages)
    assert [item.run_id for item in context.messages] == ["r2", "r2", "r3", "r3"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (RunStatus.STOPPED, Reason.RUN_CANCELLED),
        (RunStatus.FAILED, Reason.RUN_ERROR),
        (RunStatus.INTERRUPTED, Reason.RUN_INTERRUPTED),
        (RunStatus.PAUSED, Reason.RUN_PAUSED),
        (RunStatus.REGENERATED, Reason.RUN_REGENERATED),
        (RunStatus.RUNNING, Reason.RUN_LIVE),
        (RunStatus.WAITING, Reason.RUN_LIVE),
    ],
)
def test_a_run_that_did_not_complete_is_out_with_its_own_reason_and_takes_no_place(
    status: RunStatus, reason: Reason
) -> None:
    context = next_context([run("r1"), run("r2", status=status), run("r3")], HistoryRules(num_history_runs=2))
    assert context.window_run_ids == ("r1", "r3")
    assert set(reasons(context).values()) == {reason}


def test_a_row_that_another_app_stored_as_running_takes_a_place() -> None:
    foreign = run("r2", status=RunStatus.INTERRUPTED, raw={"status": "RUNNING"})
    assert reason_to_skip(foreign) is None
    assert next_context([run("r1"), foreign, run("r3")], HistoryRules(num_history_runs=2)).window_run_ids == (
        "r2",
        "r3",
    )


def test_the_marker_of_an_interrupted_run_is_out_as_interrupted_not_as_failed() -> None:
    marker = run("r1", status=RunStatus.INTERRUPTED, raw={"status": "ERROR"})
    assert reason_to_skip(marker) is Reason.RUN_INTERRUPTED


def test_an_answer_the_database_does_not_hold_yet_is_not_remembered_yet() -> None:
    assert reason_to_skip(run("r1", saved=SavedState.KEPT_ON_DISK)) is Reason.NOT_STORED


def test_member_runs_are_out_and_their_messages_say_so() -> None:
    member = run("m1", kind=SessionKind.AGENT, component_id="weather", parent_run_id="r1")
    context = next_context([run("r1", member_runs=(member,))], HistoryRules())
    assert reasons(context) == {"m1-q": Reason.MEMBER_MESSAGE, "m1-a": Reason.MEMBER_MESSAGE}


def test_a_member_that_was_asked_directly_counts_for_the_team() -> None:
    direct = run("m1", kind=SessionKind.AGENT, component_id="weather")
    assert next_context([direct], HistoryRules()).window_run_ids == ("m1",)


@pytest.mark.parametrize("rules", [HistoryRules(num_history_runs=0), HistoryRules(add_history=False)])
def test_without_history_everything_is_out_for_that_reason(rules: HistoryRules) -> None:
    context = next_context([run("r1"), run("r2")], rules)
    assert context.messages == ()
    assert set(reasons(context).values()) == {Reason.HISTORY_OFF}


def test_neither_limit_set_means_three_runs_and_both_set_means_runs_win() -> None:
    assert HistoryRules.configured() == HistoryRules(num_history_runs=3)
    assert HistoryRules.configured(num_history_runs=5, num_history_messages=2) == HistoryRules(num_history_runs=5)
    only = HistoryRules.configured(num_history_messages=2)
    assert (only.num_history_runs, only.num_history_messages) == (None, 2)


def test_the_message_limit_drops_a_tool_result_that_would_stand_first() -> None:
    context = next_context([tool_turn("r1", "c1")], HistoryRules.configured(num_history_messages=2))
    assert ids(context) == ["r1-a"]
    assert reasons(context) == {
        "r1-q": Reason.MESSAGE_LIMIT,
        "r1-call": Reason.MESSAGE_LIMIT,
        "r1-c1": Reason.ORPHAN_TOOL_RESULT,
    }


def test_the_tool_call_filter_trims_a_pair_to_its_newest_call() -> None:
    context = next_context([tool_turn("r1", "c1", "c2")], HistoryRules.configured(max_tool_calls_from_history=1))
    assert ids(context) == ["r1-q", "r1-call", "r1-c2", "r1-a"]
    assert [request.tool_call_id for request in context.messages[1].tool_requests] == ["c2"]
    assert context.trimmed_message_ids == ("r1-call",)
    assert reasons(context) == {"r1-c1": Reason.TOOL_CALL_FILTERED}


@pytest.mark.parametrize(("content", "stays"), [("", False), ("let me see", True)])
def test_a_request_without_calls_left_stays_only_if_it_says_something(content: str, stays: bool) -> None:
    rules = HistoryRules.configured(max_tool_calls_from_history=0)
    assert ("r1-call" in ids(next_context([tool_turn("r1", "c1", content=content)], rules))) is stays


def test_stored_copies_of_earlier_messages_and_system_messages_are_left_out() -> None:
    copies = run("r1", message("s", "system"), message("old", from_history=True), message("q"))
    assert reasons(next_context([copies], HistoryRules())) == {"s": Reason.SYSTEM_MESSAGE, "old": Reason.HISTORY_COPY}


def test_what_a_past_run_was_given_leaves_out_itself_and_all_later_ones() -> None:
    context = next_context([run("r1"), run("r2"), run("r3")], HistoryRules(num_history_runs=1), before_run_id="r2")
    assert context.window_run_ids == ("r1",)
    assert set(reasons(context).values()) == {Reason.LATER}


def test_a_fact_in_a_stopped_run_is_forgotten_by_the_leader_and_known_to_the_member() -> None:
    member = run("m1", kind=SessionKind.AGENT, component_id="weather", parent_run_id="r1")
    stopped = run("r1", status=RunStatus.STOPPED, member_runs=(member,))
    assert next_context([stopped], HistoryRules()).messages == ()
    assert ids(next_member_context([stopped], HistoryRules(), member_id="weather")) == ["m1-q", "m1-a"]


def test_what_is_stored_without_tool_messages_holds_neither_call_nor_result() -> None:
    stored = as_stored(tool_turn("r1", "c1").messages, store_tool_messages=False)
    assert [item.message_id for item in stored] == ["r1-q", "r1-a"]


def test_what_is_stored_holds_history_copies_only_on_request() -> None:
    messages = (message("old", from_history=True), message("q"))
    assert [item.message_id for item in as_stored(messages)] == ["q"]
    assert as_stored(messages, store_history_messages=True) == messages


def test_heads_alone_tell_what_the_next_question_carries() -> None:
    heads = [BareRun(run_id=f"r{number}", status=RunStatus.COMPLETED) for number in range(5)]
    places = place_runs(heads, HistoryRules(num_history_runs=2))
    assert [place.run_id for place in places if place.in_window] == ["r3", "r4"]


def test_every_reason_has_a_sentence() -> None:
    assert all(describe_reason(reason).endswith(".") for reason in Reason)


@pytest.mark.parametrize("window", [1, 2, 3, 10])
def test_the_horizon_of_a_window_is_where_the_rule_loses_the_fact(window: int) -> None:
    planting, filler = run("plant"), run("filler")
    predicted = predict_horizon(
        planting, filler, HistoryRules(num_history_runs=window), holds=lambda item: item.run_id == "plant"
    )
    assert predicted == horizon_of_window(window) == Horizon(distance=window - 1, forgotten_at=window)


def test_no_window_means_that_not_even_the_next_question_is_given_the_fact() -> None:
    assert horizon_of_window(0) == Horizon(distance=None, forgotten_at=0)
    assert horizon_of_window(None).forgotten_at is None


def test_failing_fillers_push_nothing_out() -> None:
    failed = run("filler", status=RunStatus.FAILED)
    horizon = predict_horizon(
        run("plant"), failed, HistoryRules(num_history_runs=1), holds=lambda m: m.run_id == "plant"
    )
    assert horizon.forgotten_at is None


def test_a_message_limit_gives_a_horizon_of_its_own() -> None:
    rules = HistoryRules.configured(num_history_messages=4)
    horizon = predict_horizon(run("plant"), run("filler"), rules, holds=lambda m: m.message_id == "plant-q")
    assert horizon == Horizon(distance=1, forgotten_at=2)


def test_runs_left_counts_down_to_the_question_that_forgets() -> None:
    runs = [run("r1"), run("r2"), run("r3")]
    rules = HistoryRules(num_history_runs=3)
    assert [runs_left(runs, run_id, rules) for run_id in ("r1", "r2", "r3")] == [1, 2, 3]
    assert runs_left(runs, "r1", HistoryRules(num_history_runs=2)) == 0
    assert runs_left(runs, "r1", HistoryRules(num_history_runs=None)) is None


def test_what_the_next_question_carries_is_counted() -> None:
    context = next_context([run("r1", message("q", content="one two, three"))], HistoryRules())
    carried = count_carried(context)
    assert (carried.runs, carried.messages, carried.tokens) == (1, 1, 4)
    assert carried.share_of(16) == 0.25
    assert carried.share_of(None) is None
    assert about_tokens(tool_turn("r1", "c1").messages) > 0
