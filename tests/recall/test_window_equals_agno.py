"""Prediction is Agno's rule: real Teams and Agents are run on random stored sessions and given what was predicted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.message import Message
from agno.run.agent import RunOutput
from agno.run.base import RunStatus as AgnoStatus
from agno.run.team import TeamRunOutput
from agno.session import AgentSession, TeamSession
from agno.utils.message import copy_history_message, filter_tool_calls
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.recall.members import (
    TeamHistoryRules,
    list_team_history,
    next_member_context,
    rules_for_member,
    to_team_history_text,
)
from lib.recall.reasons import Reason
from lib.recall.window import BareRun, HistoryRules, next_context, place_runs
from tests.recall.real_teams import (
    USER,
    RecordingModel,
    build_real_member,
    build_real_team,
    open_adapter,
    read_runs,
    shape_given,
    shape_predicted,
)

EXAMPLES = int(os.environ.get("RECALL_EXAMPLES", "120"))
"""Examples of each property; `RECALL_EXAMPLES=5000` is the thorough profile."""

fast = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteDb]:
    adapter = open_adapter(tmp_path_factory.mktemp("window"))
    yield adapter
    adapter.db_engine.dispose()


CALL_IDS = ("c1", "c2", "c3", "c4", "c5")
call_ids = st.sampled_from(CALL_IDS)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    role = draw(st.sampled_from(["system", "user", "assistant", "assistant", "tool", "developer"]))
    extra: dict[str, Any] = {}
    if role == "tool":
        extra["tool_call_id"] = draw(st.sampled_from([None, *CALL_IDS]))
    if role == "assistant":
        asked = draw(st.lists(call_ids, max_size=3))
        extra["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": "note", "arguments": "{}"}} for call_id in asked
        ] or None
    return Message(
        id=str(uuid4()),
        role=role,
        content=draw(st.sampled_from([None, "", "bird", "hello"])) if role != "user" else "hello",
        from_history=draw(st.sampled_from([False] * 7 + [True])),
        **extra,
    )


@st.composite
def stored_runs(draw: st.DrawFn) -> list[TeamRunOutput | RunOutput]:
    """Rows as Agno, our markers, other apps and accidents write them."""
    runs: list[TeamRunOutput | RunOutput] = []
    for _ in range(draw(st.integers(2, 9))):
        common: dict[str, Any] = {
            "run_id": str(uuid4()),
            "status": draw(st.sampled_from([AgnoStatus.completed] * 14 + list(AgnoStatus))),
            "messages": (
                draw(st.sampled_from([True] * 9 + [False])) and draw(st.lists(messages(), min_size=1, max_size=5))
            )
            or None,
            "parent_run_id": draw(st.sampled_from([None] * 9 + ["gone", runs[-1].run_id if runs else None])),
        }
        if draw(st.booleans()):
            runs.append(TeamRunOutput(team_id=draw(st.sampled_from(["desk", "other"])), **common))
        else:
            runs.append(RunOutput(agent_id=draw(st.sampled_from(["weather", "finance"])), **common))
    return runs


numbers = st.sampled_from([None, None, -1, 0, 1, 1, 2, 2, 3, 4, 5, 6, 9])


def write_session(db: SqliteDb, runs: list[TeamRunOutput | RunOutput], kind: str = "team") -> str:
    session_id = str(uuid4())
    if kind == "team":
        db.upsert_session(TeamSession(session_id=session_id, team_id="desk", user_id=USER, created_at=1))
    else:
        db.upsert_session(AgentSession(session_id=session_id, agent_id="weather", user_id=USER, created_at=1))
    for index, run in enumerate(runs):
        run.session_id = session_id
        db.upsert_run(run, session_id=session_id, user_id=USER, run_index=index)
    return session_id


@fast
@given(
    runs=stored_runs(),
    num_runs=numbers,
    num_messages=numbers,
    max_calls=numbers,
    add_history=st.sampled_from([True, True, True, False]),
    role=st.sampled_from(["system", "system", "developer", "user"]),
)
def test_a_team_is_given_exactly_the_predicted_messages(
    db: SqliteDb,
    runs: list[TeamRunOutput | RunOutput],
    num_runs: int | None,
    num_messages: int | None,
    max_calls: int | None,
    add_history: bool,
    role: str,
) -> None:
    session_id = write_session(db, runs)
    model = RecordingModel()
    team = build_real_team(
        db,
        model,
        num_history_runs=num_runs,
        num_history_messages=num_messages,
        max_tool_calls_from_history=max_calls,
        add_history_to_context=add_history,
        system_message_role=role,
    )
    rules = HistoryRules.configured(
        num_history_runs=num_runs,
        num_history_messages=num_messages,
        max_tool_calls_from_history=max_calls,
        add_history_to_context=add_history,
        system_role=role,
    )
    stored = read_runs(db, session_id)
    predicted = next_context(stored, rules)

    team.run("now", session_id=session_id, user_id=USER)

    assert shape_predicted(predicted.messages) == shape_given(model.last_history)
    every = sum(len(run.messages) for top in stored for run in top.walk())
    assert len(predicted.messages) + len(predicted.absent) == every, "each message is either given or has a reason"


@fast
@given(
    runs=stored_runs(),
    num_runs=numbers,
    num_messages=numbers,
    max_calls=numbers,
    was_member=st.booleans(),
)
def test_an_agent_is_given_exactly_the_predicted_messages(
    db: SqliteDb,
    runs: list[TeamRunOutput | RunOutput],
    num_runs: int | None,
    num_messages: int | None,
    max_calls: int | None,
    was_member: bool,
) -> None:
    session_id = write_session(db, runs, kind="agent")
    model = RecordingModel()
    agent = Agent(
        id="weather",
        model=model,
        db=db,
        telemetry=False,
        add_history_to_context=True,
        num_history_runs=num_runs,
        num_history_messages=num_messages,
        max_tool_calls_from_history=max_calls,
    )
    rules = HistoryRules.configured(
        num_history_runs=num_runs,
        num_history_messages=num_messages,
        max_tool_calls_from_history=max_calls,
        component_id="weather" if was_member else None,
    )
    predicted = next_context(read_runs(db, session_id), rules)
    if was_member:
        # Such an agent no longer reads sessions by itself (agno-facts 8.2); ask the session as it would.
        session = db.get_session(session_id, user_id=USER)
        assert isinstance(session, AgentSession)
        given_messages = session.get_messages(
            last_n_runs=agent.num_history_runs,
            limit=agent.num_history_messages,
            skip_roles=["system"],
            agent_id="weather",
        )
        copies = [copy_history_message(message) for message in given_messages]
        if max_calls is not None:
            filter_tool_calls(copies, max_calls)
    else:
        agent.run("now", session_id=session_id, user_id=USER)
        copies = model.last_history
    assert shape_predicted(predicted.messages) == shape_given(copies)


@fast
@given(
    runs=stored_runs(),
    leader_runs=numbers,
    member_runs=numbers,
    member_messages=numbers,
    add_history=st.sampled_from([True, True, False]),
)
def test_a_member_is_given_exactly_the_predicted_messages(
    db: SqliteDb,
    runs: list[TeamRunOutput | RunOutput],
    leader_runs: int | None,
    member_runs: int | None,
    member_messages: int | None,
    add_history: bool,
) -> None:
    session_id = write_session(db, runs)
    leader_model, model = RecordingModel(), RecordingModel()
    member = build_real_member(
        "weather",
        model,
        num_history_runs=member_runs,
        num_history_messages=member_messages,
        add_history_to_context=add_history,
        max_tool_calls_from_history=0,
    )
    team = build_real_team(db, leader_model, [member], num_history_runs=leader_runs)
    rules = rules_for_member(
        HistoryRules.configured(
            num_history_runs=member_runs, num_history_messages=member_messages, add_history_to_context=add_history
        ),
        HistoryRules.configured(num_history_runs=leader_runs),
    )
    predicted = next_member_context(read_runs(db, session_id), rules, member_id="weather")

    team.run("ask weather", session_id=session_id, user_id=USER)

    assert shape_predicted(predicted.messages) == shape_given(model.last_history)


@fast
@given(runs=stored_runs(), num_runs=st.one_of(st.none(), st.integers(-1, 5)))
def test_the_team_history_told_to_members_is_that_of_the_predicted_runs(
    db: SqliteDb, runs: list[TeamRunOutput | RunOutput], num_runs: int | None
) -> None:
    for run in runs:
        run.content = f"said in {run.run_id}"
    session_id = write_session(db, runs)
    session = db.get_session(session_id, user_id=USER)
    assert isinstance(session, TeamSession)
    told = list_team_history(read_runs(db, session_id), TeamHistoryRules(num_team_history_runs=num_runs))
    assert [f"said in {run.run_id}" for run in told] == [
        answer for _, answer in session.get_team_history(num_runs=num_runs)
    ]
    assert to_team_history_text(told) == (session.get_team_history_context(num_runs=num_runs) or "").strip()


@fast
@given(runs=stored_runs(), num_runs=numbers)
def test_the_cheap_placing_by_heads_is_the_window_of_the_full_rule(
    db: SqliteDb, runs: list[TeamRunOutput | RunOutput], num_runs: int | None
) -> None:
    session_id = write_session(db, runs)
    stored = read_runs(db, session_id)
    rules = HistoryRules.configured(num_history_runs=num_runs)
    heads = [
        BareRun(
            run_id=run.run_id,
            status=run.status,
            component_id=run.component_id,
            parent_run_id=run.parent_run_id,
            stored_status=run.raw["status"],
        )
        for run in stored
    ]
    assert place_runs(heads, rules) == next_context(stored, rules).runs


@settings(
    max_examples=max(EXAMPLES // 6, 10), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    questions=st.lists(
        st.sampled_from(
            ["hello", "tool 1", "tool 2", "tool 3 aloud", "fail", "stop", "ask weather", "ask weather finance", "again"]
        ),
        min_size=2,
        max_size=7,
    ),
    num_runs=st.one_of(st.none(), st.integers(0, 5)),
    num_messages=st.one_of(st.none(), st.none(), st.integers(0, 9)),
    max_calls=st.one_of(st.none(), st.integers(0, 3)),
    store_tools=st.booleans(),
    store_history=st.booleans(),
)
def test_a_living_session_is_predicted_question_by_question(
    db: SqliteDb,
    questions: list[str],
    num_runs: int | None,
    num_messages: int | None,
    max_calls: int | None,
    store_tools: bool,
    store_history: bool,
) -> None:
    model, member_model = RecordingModel(), RecordingModel()
    members = [build_real_member(who, member_model, add_history_to_context=True) for who in ("weather", "finance")]
    limits: dict[str, Any] = {"num_history_runs": num_runs, "num_history_messages": num_messages}
    team = build_real_team(
        db,
        model,
        list(members),
        max_tool_calls_from_history=max_calls,
        store_tool_messages=store_tools,
        store_history_messages=store_history,
        **limits,
    )
    rules = HistoryRules.configured(max_tool_calls_from_history=max_calls, **limits)
    session_id = str(uuid4())
    for question in questions:
        stored = read_runs(db, session_id)
        if question == "again":
            done = [run for run in stored if run.status.value == "completed"]
            if done:
                team.continue_run(run_id=done[-1].run_id, session_id=session_id, user_id=USER, regenerate=True)  # type: ignore[call-overload]  # Agno takes it, its overloads do not say so
            continue
        predicted = next_context(stored, rules)
        run_id = str(uuid4())
        if question == "stop":
            # Before the run begins: Agno keeps the intent and cancels it at once (agno-facts 5.1).
            team.cancel_run(run_id)
        before = len(model.prompts)
        team.run(question, session_id=session_id, user_id=USER, run_id=run_id)
        if len(model.prompts) > before:
            assert shape_predicted(predicted.messages) == shape_given(model.last_history)
        row = db.get_run(run_id)
        if store_history and isinstance(row, TeamRunOutput) and len(model.prompts) > before:
            copies = [message for message in row.messages or [] if message.from_history]
            if store_tools:
                assert shape_given(copies) == shape_predicted(predicted.messages)
            past = next_context(read_runs(db, session_id), rules, before_run_id=run_id)
            assert past.messages == predicted.messages
            assert {item.reason for item in past.absent if item.run_id == run_id} <= {Reason.LATER}
