"""The settings that explain a history: the true ones are always among them, and each of them gives just that history."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.recall.window import HistoryRules, next_context
from lib.recall.window.evidence import LimitRange, Unit, agree, find_limits, shape_of
from lib.records import MessageRecord, RunRecord, RunStatus, SessionKind, ToolRequest

statuses = st.sampled_from([RunStatus.COMPLETED] * 4 + [RunStatus.STOPPED, RunStatus.FAILED])


@st.composite
def sessions(draw: st.DrawFn) -> tuple[RunRecord, ...]:
    return tuple(
        build_run(number, calls=draw(st.integers(0, 3)), aloud=draw(st.booleans()), status=draw(statuses))
        for number in range(draw(st.integers(0, 7)))
    )


def build_run(number: int, *, calls: int = 0, aloud: bool = True, status: RunStatus = RunStatus.COMPLETED) -> RunRecord:
    said = [MessageRecord(message_id=f"{number} question", role="user", content="hello")]
    if calls:
        requests = tuple(
            ToolRequest(tool_call_id=f"{number}.{i}", tool_name="note", arguments="{}") for i in range(calls)
        )
        said.append(
            MessageRecord(
                message_id=f"{number} calls", role="assistant", content="well" if aloud else "", tool_requests=requests
            )
        )
        said += [
            MessageRecord(message_id=f"{number} result {i}", role="tool", content="noted", tool_call_id=f"{number}.{i}")
            for i in range(calls)
        ]
    said.append(MessageRecord(message_id=f"{number} answer", role="assistant", content="done"))
    return RunRecord(
        run_id=f"run {number}",
        session_id="s1",
        user_id="ann",
        kind=SessionKind.TEAM,
        component_id="desk",
        component_name="Desk",
        status=status,
        question="hello",
        messages=tuple(said),
    )


limits = st.one_of(
    st.builds(HistoryRules, num_history_runs=st.integers(0, 8), max_tool_calls=st.none() | st.integers(0, 4)),
    st.builds(
        HistoryRules,
        num_history_runs=st.none(),
        num_history_messages=st.integers(0, 30),
        max_tool_calls=st.none() | st.integers(0, 4),
    ),
)


def as_range(rules: HistoryRules) -> LimitRange:
    """The settings alone: no filter is a filter of more calls than there are."""
    number = rules.num_history_runs if rules.num_history_runs is not None else rules.num_history_messages
    calls = 1000 if rules.max_tool_calls is None else rules.max_tool_calls
    unit = Unit.MESSAGES if rules.num_history_runs is None else Unit.RUNS
    return LimitRange(unit=unit, least=number or 0, most=number, least_calls=calls, most_calls=calls)


@settings(max_examples=400, deadline=None)
@given(earlier=sessions(), rules=limits)
def test_the_true_settings_are_among_those_that_explain_what_was_given(earlier, rules):
    found = find_limits(earlier, shape_of(next_context(earlier, rules).messages))
    assert agree(found, [as_range(rules)])


@settings(max_examples=400, deadline=None)
@given(earlier=sessions(), rules=limits)
def test_whatever_settings_explain_a_history_give_exactly_that(earlier, rules):
    given_then = shape_of(next_context(earlier, rules).messages)
    for limits_found in find_limits(earlier, given_then):
        assert shape_of(next_context(earlier, limits_found.to_rules()).messages) == given_then


def test_a_window_and_a_message_limit_that_give_the_same_are_both_named():
    earlier = [build_run(number) for number in range(3)]
    given_then = shape_of(next_context(earlier, HistoryRules(num_history_runs=1)).messages)
    assert find_limits(earlier, given_then) == [
        LimitRange(unit=Unit.RUNS, least=1, most=1),
        LimitRange(unit=Unit.MESSAGES, least=2, most=2),
    ]


def test_a_history_that_no_settings_give_has_none():
    earlier = [build_run(number) for number in range(3)]
    assert find_limits(earlier, (("0 question", 0), ("2 answer", 0))) == []
