"""The Context view equals what the models were in fact given, message for message, and the ledger's reasons are right.

Generated sessions run through real Agno teams. `HYPOTHESIS_PROFILE=truth` runs thousands of them, for half an hour.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from lib.records import MessageRecord
from lib.replay.contexts import ModelRequest
from lib.settings import load_settings
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import open_stored_sessions
from tests.replay.recorded_teams import SESSION, RecordedTeam, Shape

TRUTH = os.environ.get("HYPOTHESIS_PROFILE") == "truth"
EXAMPLES = 1000 if TRUTH else 20
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]  # no shrinking: every example runs real teams

thoroughly = settings(
    max_examples=EXAMPLES,
    phases=PHASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

pytestmark = [pytest.mark.timeout(0)] if TRUTH else []

SKIPPED = {
    "CANCELLED": "run_cancelled",
    "ERROR": "run_error",
    "PAUSED": "run_paused",
    "REGENERATED": "run_regenerated",
}

questions = st.sampled_from(
    [
        "hello",
        "say aloud",
        "tool 1",
        "tool 2 aloud",
        "tool 3",
        "ask weather",
        "ask weather finance aloud",
        "ask desk2",
        "ask weather weather",
    ]
)
turns = st.one_of(
    st.tuples(st.just("ask"), questions, st.sampled_from(["stream", "whole", "concurrent"])),
    st.tuples(
        st.just("stop"),
        st.sampled_from(["a long question", "say tool 1 aloud"]),
        st.sampled_from(["stream", "concurrent"]),
    ),
    st.tuples(st.just("fail"), st.just("please fail"), st.sampled_from(["stream", "whole"])),
    st.tuples(st.just("regenerate"), st.integers(0, 9), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
)
limits: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.fixed_dictionaries({"num_history_runs": st.integers(0, 6)}),
    st.fixed_dictionaries({"num_history_messages": st.integers(1, 9)}),
    st.just({}),
)
filters: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"max_tool_calls_from_history": st.integers(0, 3)})
)


@contextmanager
def recorded(**team_settings: Any) -> Iterator[RecordedTeam]:
    with tempfile.TemporaryDirectory() as folder:
        team = RecordedTeam(Path(folder), **team_settings)
        try:
            yield team
        finally:
            team.close()


def open_replay(team: RecordedTeam, *, assumed_window: int = 3) -> Replay:
    sessions = open_stored_sessions(load_settings(database_url=f"sqlite:///{team.file}"))
    try:
        return Replay(sessions.get_session(SESSION), assumed_window=assumed_window)
    finally:
        sessions.close()


@dataclass
class Played:
    """What a script did: per run what was absent when it was asked, and all that its models were given."""

    absent: dict[str, dict[str, str]] = field(default_factory=dict)
    given: dict[str, Counter[tuple[str, Shape]]] = field(default_factory=dict)
    set_aside: dict[str, set[str]] = field(default_factory=dict)  # messages of answers that had been regenerated then


def play(team: RecordedTeam, script: list[tuple[str, Any, Any]], limit: dict[str, int]) -> Played:
    """Play a script; what was absent is told by an account of our own."""
    played = Played()
    for action, what, how in script:
        before = team.rows()
        match action:
            case "regenerate" | "delete":
                candidates = [row for row in before if row["parent_run_id"] is None and row["status"] == "COMPLETED"]
                if not candidates:
                    continue
                chosen = candidates[what % len(candidates)]["run_id"]
                if action == "delete":
                    team.delete(chosen)
                    continue
                with recording(team) as given:
                    team.regenerate(chosen)
                known = {row["run_id"] for row in before}
                (run_id,) = (
                    row["run_id"] for row in team.rows() if row["run_id"] not in known and not row["parent_run_id"]
                )
                # What is absent for it is its original's context; see the test of its own.
            case _:
                with recording(team) as given:
                    run_id = team.ask(
                        what, stream=how != "whole", stop=action == "stop", concurrent=how == "concurrent"
                    )
                played.absent[run_id] = absences(before, limit)
                played.set_aside[run_id] = own_messages(row for row in before if row["status"] == "REGENERATED")
        played.given[run_id] = given
    return played


def own_messages(rows: Iterable[dict[str, Any]]) -> set[str]:
    return {m["id"] for row in rows for m in row["run_data"].get("messages") or [] if not m.get("from_history")}


@contextmanager
def recording(team: RecordedTeam) -> Iterator[Counter[tuple[str, Shape]]]:
    """Give what the models of a team are given meanwhile, by component."""
    counted = {name: len(model.requests) for name, model in team.models.items()}
    given: Counter[tuple[str, Shape]] = Counter()
    yield given
    given.update((name, one) for name, model in team.models.items() for one in model.requests[counted[name] :])


def absences(rows: list[dict[str, Any]], limit: dict[str, int]) -> dict[str, str]:
    """Return why each stored message would not be given to the next run: Agno's rules, told a second time."""
    reasons: dict[str, str] = {}
    counted: list[tuple[str, list[dict[str, Any]]]] = []
    for row in rows:
        reasons |= {message["id"]: "member_message" for message in embedded_messages(row["run_data"])}
        own = [m for m in row["run_data"].get("messages") or [] if not m.get("from_history") and m["role"] != "system"]
        if row["parent_run_id"] is not None:
            reasons |= {message["id"]: "member_message" for message in own}
        elif row["status"] in SKIPPED:
            reasons |= {message["id"]: SKIPPED[row["status"]] for message in own}
        else:
            counted.append((row["run_id"], own))
    runs = limit.get("num_history_runs", None if "num_history_messages" in limit else 3)
    if runs is not None:
        outside = counted[: max(len(counted) - runs, 0)]
        counted = counted[-runs:] if runs else []
        reasons |= {message["id"]: "outside_window" for _, own in outside for message in own}
    messages = [message for _, own in counted for message in own]
    if runs is None:
        newest = messages[-limit["num_history_messages"] :]
        while newest and newest[0]["role"] == "tool":
            newest = newest[1:]
        reasons |= {message["id"]: "message_limit" for message in messages[: len(messages) - len(newest)]}
        messages = newest
    gone = filtered(messages, limit["max_tool_calls_from_history"]) if "max_tool_calls_from_history" in limit else {}
    # A regenerated run and its new answer share the question's message: it is given with the new one.
    given_ids = {message["id"] for message in messages} - set(gone)
    return {message_id: reason for message_id, reason in (reasons | gone).items() if message_id not in given_ids}


def embedded_messages(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what members of members said: they have no rows of their own."""
    for response in run.get("member_responses") or []:
        yield from (m for m in response.get("messages") or [] if m["role"] != "system" and not m.get("from_history"))
        yield from embedded_messages(response)


def filtered(messages: list[dict[str, Any]], kept_calls: int) -> dict[str, str]:
    results = [message for message in messages if message["role"] == "tool"]
    if len(results) <= kept_calls:
        return {}
    kept = {message["tool_call_id"] for message in results[len(results) - kept_calls :]}
    gone = [message for message in results if message["tool_call_id"] not in kept]
    gone += [
        message
        for message in messages
        if message.get("tool_calls")
        and not message.get("content")
        and not kept & {c["id"] for c in message["tool_calls"]}
    ]
    return {message["id"]: "tool_call_filtered" for message in gone}


def shape(request: ModelRequest) -> Shape:
    return tuple(_shape(item.message) for item in request.messages)


def _shape(message: MessageRecord) -> tuple[Any, ...]:
    calls = tuple(asked.tool_call_id for asked in message.tool_requests)
    return (message.message_id, message.role, message.content, calls)


def assumed_window(limit: dict[str, int]) -> int:
    """A session without history may have been given none: no stored row tells, the reader does."""
    return limit.get("num_history_runs", 3)


@thoroughly
@given(script=st.lists(turns, min_size=1, max_size=7), limit=limits, tool_filter=filters)
def test_every_request_is_shown_as_the_model_was_given_it(script, limit, tool_filter):
    with recorded(store_history_messages=True, **limit, **tool_filter) as team:
        played = play(team, script, limit | tool_filter)
        if not team.rows():
            return
        replay = open_replay(team, assumed_window=assumed_window(limit))
        assert {run.run_id for run in replay.runs} <= set(played.given)
        for run in replay.runs:
            shown = Counter((request.run.component_id, shape(request)) for request in replay.requests(run))
            assert shown == played.given[run.run_id]


@thoroughly
@example(  # the answer that replaced another was deleted
    script=[
        *[("ask", "ask desk2", "concurrent")] * 3,
        ("delete", 1, None),
        ("regenerate", 2, None),
        ("delete", 4, None),
    ],
    limit={"num_history_messages": 1},
    tool_filter={},
)
@given(script=st.lists(turns, min_size=2, max_size=7), limit=limits, tool_filter=filters)
def test_every_absent_message_has_the_right_reason(script, limit, tool_filter):
    with recorded(store_history_messages=True, **limit, **tool_filter) as team:
        played = play(team, script, limit | tool_filter)
        expected = played.absent
        stored = {row["run_id"]: row for row in team.rows()}
        if not stored:
            return
        # Where a new answer was deleted, what it shared with the old one is told of the old one.
        held = own_messages(row for row in stored.values() if row["status"] != "REGENERATED")
        # When it was set aside is known from the new answer alone: without that, it counts as set aside all along.
        replaced = {row["run_data"].get("regenerated_from") for row in stored.values()}
        undated = own_messages(
            row for row in stored.values() if row["status"] == "REGENERATED" and row["run_id"] not in replaced
        )
        data = [row["run_data"] for row in stored.values()]
        still_there = {m["id"] for run in data for m in (run.get("messages") or []) if not m.get("from_history")}
        still_there |= {m["id"] for run in data for m in embedded_messages(run)}
        replay = open_replay(team, assumed_window=assumed_window(limit))
        for run in replay.runs:
            if run.run_id not in expected:
                continue
            for request in (item for item in replay.requests(run) if item.run.run_id == run.run_id):
                told = {
                    item.message.message_id: str(item.reason) for item in request.absent if str(item.reason) != "later"
                }
                own_members = {m.message_id for part in list(run.walk())[1:] for m in part.messages}
                told = {message_id: reason for message_id, reason in told.items() if message_id not in own_members}
                only_old = played.set_aside[run.run_id] - held
                right = {
                    message_id: "run_regenerated"
                    if message_id in only_old or (message_id in undated - held and message_id in told)
                    else reason
                    for message_id, reason in expected[run.run_id].items()
                    if message_id in still_there
                }
                assert told == right


@pytest.mark.parametrize("window", [0, 1, 2, 5])
def test_a_context_that_was_not_stored_is_put_together_again_and_says_so(window):
    with recorded(store_history_messages=False, num_history_runs=window) as team:
        for question in ("hello", "tool 2", "ask weather", "say more"):
            team.ask(question)
        replay = open_replay(team, assumed_window=window)
        requests = [
            request for run in replay.runs for request in replay.requests(run) if request.run.component_id == "desk"
        ]
        assert [shape(request) for request in requests] == team.models["desk"].requests
        assert {request.source for request in requests[2:]} == {"reconstructed"}
        assert requests[0].source == "stored"  # nothing came before it


@pytest.mark.parametrize("window", [0, 1, 3])
def test_the_tokens_that_were_charged_tell_how_much_history_was_given(window):
    with recorded(store_history_messages=False, num_history_runs=window, reports_tokens=True) as team:
        for question in ("hello", "tool 2", "ask weather aloud", "say more", "say less"):
            team.ask(question)
        replay = open_replay(team)
        requests = [
            request for run in replay.runs for request in replay.requests(run) if request.run.component_id == "desk"
        ]
        assert [shape(request) for request in requests] == team.models["desk"].requests


def test_history_is_traced_to_the_run_that_said_it():
    with recorded(store_history_messages=True, num_history_runs=2) as team:
        runs = [team.ask(question) for question in ("one", "two", "three")]
        replay = open_replay(team)
        last = replay.requests(replay.get_run(runs[2]))[0]
        assert [item.origin_run_id for item in last.messages if item.message.from_history] == [runs[0]] * 2 + [
            runs[1]
        ] * 2
        assert sum(item.share for item in last.messages) == pytest.approx(1)


def test_a_failed_request_is_a_request_too():
    with recorded(store_history_messages=True) as team:
        run_id = team.ask("please fail")
        replay = open_replay(team)
        (request,) = replay.requests(replay.get_run(run_id))
        assert request.answer is None
        assert shape(request) == team.models["desk"].requests[0]
