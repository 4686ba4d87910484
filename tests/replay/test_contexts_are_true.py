"""The Context view equals what the models were in fact given, message for message, and the ledger's reasons are right.

Generated sessions run through real Agno teams; their models keep what they are given, and an account of our own tells
why the rest was not (`accounts.py`). `HYPOTHESIS_PROFILE=truth` runs thousands of them; `TRUTH_EXAMPLES` says how many.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st

from lib.records import MessageRecord, RunRecord
from lib.replay.absences import AbsentMessage
from lib.replay.contexts import ModelRequest
from lib.settings import load_settings
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import open_stored_sessions
from tests.replay.accounts import (
    LIMIT_REASONS,
    Account,
    Limits,
    Place,
    Row,
    account_for,
    account_for_member,
    every_limits,
    stored_places,
    with_kept,
)
from tests.replay.recorded_teams import SESSION, RecordedTeam, Shape

TRUTH = os.environ.get("HYPOTHESIS_PROFILE") == "truth"
EXAMPLES = int(os.environ.get("TRUTH_EXAMPLES", "1000")) if TRUTH else 250
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]  # no shrinking: every example runs real teams

thoroughly = settings(
    max_examples=EXAMPLES,
    phases=PHASES,
    derandomize=not TRUTH,  # everybody's run tries the same ones
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

pytestmark = [pytest.mark.timeout(0 if TRUTH else 600)]

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
        "ask finance broken",
    ]
)
turns = st.one_of(
    st.tuples(st.just("ask"), questions, st.sampled_from(["stream", "whole", "concurrent"])),
    st.tuples(st.just("together"), st.lists(questions, min_size=2, max_size=3), st.none()),
    st.tuples(
        st.just("stop"),
        st.sampled_from(["a long question", "say tool 1 aloud", "ask weather finance aloud"]),
        st.sampled_from(["stream", "concurrent"]),
    ),
    st.tuples(
        st.just("fail"),
        st.sampled_from(["please fail", "tool 2 failing", "ask weather failing"]),
        st.sampled_from(["stream", "whole", "concurrent"]),
    ),
    st.tuples(st.just("pause"), st.just("please approve"), st.sampled_from(["stream", "whole"])),
    st.tuples(st.just("resume"), st.integers(0, 9), st.none()),
    st.tuples(st.just("regenerate"), st.integers(0, 9), st.none()),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
)
limits: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.fixed_dictionaries({"num_history_runs": st.integers(0, 6)}),
    st.fixed_dictionaries({"num_history_messages": st.integers(0, 9)}),
    st.just({}),
)
filters: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just({}), st.fixed_dictionaries({"max_tool_calls_from_history": st.integers(0, 3)})
)
# A window of 0 counts as none set; a member without settings is given no history.
of_members: st.SearchStrategy[dict[str, int]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"num_history_runs": st.integers(0, 4)}),
    st.fixed_dictionaries({"num_history_messages": st.integers(1, 6)}),
)
scripts = st.fixed_dictionaries(
    {"turns": st.lists(turns, min_size=2, max_size=7), "slowly": st.booleans()}  # slowly: in seconds of their own
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
    """What a script did: what each run found, what it was to be given of that, and all that its models were given."""

    limits: Limits
    slowly: bool  # each action in a second of its own
    before: dict[str, list[Row]] = field(default_factory=dict)  # the rows as each run found them
    new_answers: dict[str, Row] = field(default_factory=dict)  # the run that a run answers anew, as it stood
    given: list[tuple[list[str], Counter[tuple[str, Shape]]]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    resumed: set[str] = field(default_factory=set)
    concurrent: set[str] = field(default_factory=set)  # runs whose members worked side by side

    def account_of(self, run_id: str, limits: Limits | None = None) -> Account:
        """Return the account of a run; with other limits, what it would have been.

        A run that answers another one anew takes over the history that is stored with that one: its context is then
        its original's. Else Agno asks the session anew, where the original is set aside.
        """
        limits = self.limits if limits is None else limits
        rows, source = self.before[run_id], self.new_answers.get(run_id)
        if source is None:
            return account_for(rows, limits)
        aside = [row | {"status": "REGENERATED"} if row["run_id"] == source["run_id"] else row for row in rows]
        if not has_history(source):
            return account_for(aside, limits)
        original = self.account_of(source["run_id"], limits)
        of_source = [row for row in aside if source["run_id"] in (row["run_id"], row["parent_run_id"])]
        return Account(given=original.given, absent=original.absent | account_for(of_source, limits).absent)


def has_history(row: Row) -> bool:
    """Whether history messages are stored with a run."""
    return any(message.get("from_history") for message in row["run_data"].get("messages") or [])


def play(team: RecordedTeam, script: Mapping[str, Any], limits: Limits) -> Played:
    """Play a script and keep account of it."""
    played = Played(limits, script["slowly"])
    for action, what, how in script["turns"]:
        before = team.rows()
        top = [row for row in before if row["parent_run_id"] is None]
        with recording(team) as given:
            match action:
                case "delete":
                    # When a deleted question was asked is told by the second that its new answer keeps of it.
                    there = [row for row in top if script["slowly"] or row["status"] != "REGENERATED"]
                    if there:
                        run_id = there[what % len(there)]["run_id"]
                        played.deleted.add(run_id)
                        team.delete(run_id)
                    continue
                case "regenerate":
                    completed = [row for row in top if row["status"] == "COMPLETED"]
                    if not completed:
                        continue
                    source = completed[what % len(completed)]
                    run_ids = [team.regenerate(source["run_id"])]
                    played.new_answers[run_ids[0]] = source
                case "resume":
                    # Without history in its row Agno asks the session anew, and stores that as if it had been first.
                    paused = [row for row in top if row["status"] == "PAUSED" and has_history(row)]
                    if not paused:
                        continue
                    run_ids = [paused[what % len(paused)]["run_id"]]
                    team.resume(run_ids[0])
                    played.resumed |= set(run_ids)
                case "together":
                    run_ids = team.ask_together(what)
                case _:
                    run_ids = [
                        team.ask(what, stream=how != "whole", stop=action == "stop", concurrent=how == "concurrent")
                    ]
        played.concurrent |= {run_id for run_id in run_ids if action == "together" or how == "concurrent"}
        for run_id in run_ids:
            played.before.setdefault(run_id, before)
        earlier = next((recorded for asked, recorded in played.given if asked == run_ids), None)
        if earlier is None:
            played.given.append((run_ids, given))
        else:
            earlier += given
        if script["slowly"]:
            team.pass_time()
    return played


@contextmanager
def recording(team: RecordedTeam) -> Iterator[Counter[tuple[str, Shape]]]:
    """Give what the models of a team are given meanwhile, by component."""
    counted = {name: len(model.requests) for name, model in team.models.items()}
    given: Counter[tuple[str, Shape]] = Counter()
    yield given
    given.update((name, one) for name, model in team.models.items() for one in model.requests[counted[name] :])


def shape(request: ModelRequest) -> Shape:
    return tuple(_shape(item.message) for item in request.messages)


def _shape(message: MessageRecord) -> tuple[Any, ...]:
    calls = tuple(asked.tool_call_id for asked in message.tool_requests)
    return (message.message_id, message.role, message.content, calls)


def assumed_window(limit: Limits) -> int:
    """A session without history may have been given none: no stored row tells, the reader does."""
    return 0 if limit.get("num_history_messages") == 0 else limit.get("num_history_runs", 3)


HELLOS = [("ask", "hello", "whole")] * 3
TOOLS = [("ask", "tool 2 aloud", "stream")] * 2
NESTED = [("ask", "ask desk2", "concurrent")] * 3
NEW = ("regenerate", 0, None)
FAILED = ("fail", "please fail", "whole")


@thoroughly
@example({"turns": [*TOOLS, NEW, FAILED, NEW, NEW], "slowly": False}, {"num_history_messages": 5}, {}, {})
@example(  # the answer that replaced another was deleted
    {"turns": [*NESTED, ("delete", 1, None), ("regenerate", 2, None), ("delete", 4, None)], "slowly": False},
    {"num_history_messages": 1},
    {},
    {},
)
@example(  # a new answer that read its history anew, its original deleted, was itself answered anew
    {
        "turns": [
            FAILED,
            ("together", ["hello", "ask desk2"], None),
            ("fail", "ask weather failing", "whole"),
            ("regenerate", 1, None),
            ("delete", 2, None),
            ("regenerate", 3, None),
        ],
        "slowly": True,
    },
    {},
    {"max_tool_calls_from_history": 0},
    {},
)
@example(  # paused when another was asked, resumed and answered anew since
    {
        "turns": [
            ("ask", "tool 1", "stream"),
            ("pause", "please approve", "stream"),
            ("stop", "a long question", "concurrent"),
            ("resume", 0, None),
            ("regenerate", 1, None),
        ],
        "slowly": True,
    },
    {},
    {},
    {},
)
@example(  # paused, two others beside it, resumed and answered anew, all within one second
    {
        "turns": [
            *HELLOS[:1],
            ("pause", "please approve", "whole"),
            ("together", ["hello", "tool 1"], None),
            ("resume", 0, None),
            ("regenerate", 1, None),
        ],
        "slowly": False,
    },
    {},
    {},
    {},
)
@example(  # two members each of two runs at once, beside one of which no row is left
    {"turns": [("together", ["ask weather finance aloud", "ask finance broken"] * 2, None)] * 2, "slowly": True},
    {"num_history_runs": 6},
    {},
    {"num_history_messages": 1},
)
@example(  # a member that four runs ask at once is given nothing the first time, and its history is stored the next
    {"turns": [("together", ["ask weather weather"] * 2, None)] * 2 + [("regenerate", 6, None)], "slowly": True},
    {},
    {"max_tool_calls_from_history": 0},
    {"num_history_messages": 6},
)
@example(  # a member is given what a new answer keeps of the member's run that its deleted original asked for
    {
        "turns": [
            *[("ask", "ask weather finance aloud", "whole")] * 2,
            NEW,
            ("delete", 0, None),
            *[("together", ["tool 3", "tool 2 aloud", "ask weather"], None)] * 2,
        ],
        "slowly": True,
    },
    {},
    {"max_tool_calls_from_history": 3},
    {"num_history_messages": 4},
)
@example({"turns": HELLOS, "slowly": False}, {"num_history_messages": 2}, {}, {})  # the same as a window of one run
@given(script=scripts, limit=limits, tool_filter=filters, of_member=of_members)
def test_every_request_is_shown_as_given_and_every_absent_message_has_the_right_reason(
    script, limit, tool_filter, of_member
):
    members = of_member and {"add_history_to_context": True, **of_member}
    with recorded(store_history_messages=True, members=members, **limit, **tool_filter) as team:
        played = play(team, script, limit | tool_filter)
        rows = team.rows()
        if not rows:
            return
        replay = open_replay(team, assumed_window=assumed_window(limit))
        check_contexts(replay, played, rows)
        for run in replay.runs:
            check_ledger(run.run_id, replay, played, rows)
            for part in list(run.walk())[1:]:
                if part.component_id in ("weather", "finance"):
                    check_ledger_of_member(part, replay, played, rows, of_member)


def check_contexts(replay: Replay, played: Played, rows: list[Row]) -> None:
    """Hold the requests that are shown against those that were recorded, message for message."""
    stored = {run.run_id: run for run in replay.runs}
    assert set(stored) <= set(played.before)
    for run_ids, given_to_models in played.given:
        if played.deleted.isdisjoint(run_ids):
            requests = [request for run_id in run_ids for request in replay.requests(stored[run_id])]
            shown = Counter((request.run.component_id, shape(request)) for request in requests)
            assert shown == without_lost_members(given_to_models, rows)


def without_lost_members(given: Counter[tuple[str, Shape]], rows: list[Row]) -> Counter[tuple[str, Shape]]:
    """Leave out what a member was given that failed while it streamed: Agno stores no row of it (F12)."""
    stored = {message_id for _, message_id in stored_places(rows)}
    return Counter(
        {
            (name, request): count
            for (name, request), count in given.items()
            if request[-1][0] in stored or not str(request[-1][2]).startswith("please fail for ")
        }
    )


def check_ledger(run_id: str, replay: Replay, played: Played, rows: list[Row]) -> None:
    """Hold the ledger of a run against its account."""
    account = played.account_of(run_id)
    run = replay.get_run(run_id)
    own = {message.message_id for part in run.walk() for message in part.messages}
    known = {run_id for run_id, _ in stored_places(rows)}  # not a member that failed while it streamed (F12)
    # What a run said after it was resumed is absent for the reason that it was paused.
    paused = {place[0] for place, reason in account.absent.items() if reason == "run_paused"} & played.resumed
    right = {
        place: account.absent.get(place, "run_paused" if place[0] in paused else "later")
        for place in stored_places(rows)
        if place[1] not in own and place[1] not in account.given_ids
    }
    for request in (item for item in replay.requests(run) if item.run.run_id == run_id):
        assert [
            (given.message.message_id, len(given.message.tool_requests))
            for given in request.messages
            if given.message.from_history
        ] == account.given
        told = {(item.run_id, item.message.message_id): item for item in request.absent}
        told = {place: item for place, item in told.items() if place[1] not in own and place[0] in known}
        open_places = {place: item for place, item in told.items() if item.or_else}
        for place, item in open_places.items():
            assert right[place] in {item.reason, *item.or_else}
        assert {
            place: right[place] if place in open_places else str(item.reason) for place, item in told.items()
        } == right
        check_doubts(open_places, run_id, played, rows)


def check_ledger_of_member(part: RunRecord, replay: Replay, played: Played, rows: list[Row], of_member: Limits) -> None:
    """Hold the ledger of a member's run, which holds its own earlier runs, against its account."""
    under = [row for row in rows if row["parent_run_id"] == part.parent_run_id and row["agent_id"] == part.component_id]
    place_of = {row["run_id"]: place for place, row in enumerate(under)}
    if part.run_id not in place_of or (part.parent_run_id in played.concurrent and len(under) > 1):
        return  # it failed while it streamed (F12); or it was asked twice at once: nothing tells what it found
    found = [row for row in with_kept(played.before[part.parent_run_id or ""]) if row["agent_id"] == part.component_id]
    account = account_for_member(found + under[: place_of[part.run_id]], of_member, played.limits)
    right = {
        place: reason
        for place, reason in account.absent.items()
        if place in stored_places(rows) and place[1] not in account.given_ids
    }
    for request in (item for item in replay.requests(part) if item.run.run_id == part.run_id):
        told = {(item.run_id, item.message.message_id): item for item in request.absent}
        told = {place: item for place, item in told.items() if place in stored_places(rows)}
        open_places = {place: item for place, item in told.items() if item.or_else}
        for place, item in open_places.items():
            # Of a member that never stored its history nothing tells that it was given none.
            of_limits = {str(reason) for reason in (item.reason, *item.or_else)} - {"not_stored"}
            assert right[place] in of_limits <= {"outside_window", "message_limit"}
            assert "not_stored" not in item.or_else or request.source == "reconstructed"
        assert {
            place: right[place] if place in open_places else str(item.reason) for place, item in told.items()
        } == right


def check_doubts(told: Mapping[Place, AbsentMessage], run_id: str, played: Played, rows: list[Row]) -> None:
    """Hold it against the account that a reason can not be told: other settings had given every run just the same.

    When a paused run was resumed is told in whole seconds. Two things are lost with a deleted run: what it was given, and when it set the answer aside that it replaced.
    """
    if not told:
        return
    event("a reason is left open")
    offered = {place: {str(item.reason), *map(str, item.or_else)} for place, item in told.items()}
    for place in [place for place in offered if place[0] in played.resumed]:  # within a second no row tells when it was
        assert offered.pop(place) <= LIMIT_REASONS | {"run_paused"}
    if played.resumed and not played.slowly:  # ...nor, then, whether what it said took a place in a window or a limit
        assert all(reasons <= LIMIT_REASONS for reasons in offered.values())
        return
    replaced = {row["run_data"].get("regenerated_from") for row in rows}
    undated = {row["run_id"] for row in rows if row["status"] == "REGENERATED" and row["run_id"] not in replaced}
    if played.deleted:
        for (place_run, _), reasons in offered.items():
            assert reasons <= LIMIT_REASONS | ({"run_regenerated"} if place_run in undated else set())
        return
    possible: dict[Place, set[str]] = {place: set() for place in offered}
    for limits in every_limits():
        if all(played.account_of(other, limits).given == played.account_of(other).given for other in played.before):
            absent = played.account_of(run_id, limits).absent
            for place, reasons in possible.items():
                reasons.add(absent[place])
    assert all(reasons <= possible[place] for place, reasons in offered.items()), (offered, possible)


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


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_paused_run_that_read_its_history_anew_is_shown_without_it_before_the_pause(earlier):
    with recorded(store_history_messages=True) as team:
        for _ in range(earlier):
            team.ask("please fail")
            team.pass_time()
        run_id = team.ask("please approve", stream=False)
        team.pass_time()
        team.ask("hello")
        team.pass_time()
        team.resume(run_id)
        replay = open_replay(team)
        first, second = replay.requests(replay.get_run(run_id))
        given = team.models["desk"].requests
    assert [shape(first), shape(second)] == [given[earlier], given[-1]]
    assert not any(item.message.from_history for item in first.messages)
    new = [(item.message.role, item.message.from_history) for item in second.messages if item.new]
    assert new == [("user", True), ("assistant", True), ("assistant", False), ("tool", False)]
    assert first.source == second.source == "stored"


@pytest.mark.parametrize("stream", [True, False])
def test_what_a_member_says_is_later_to_the_request_that_asks_it_and_its_own_to_the_next(stream):
    with recorded(store_history_messages=True) as team:
        team.ask("hello")
        run_id = team.ask("ask weather finance desk2", stream=stream)
        replay = open_replay(team)
        run = replay.get_run(run_id)
        of_members = {part.run_id for part in list(run.walk())[1:]}
        requests = [request for request in replay.requests(run) if request.run.run_id == run_id]
        told = [{str(item.reason) for item in one.absent if item.run_id in of_members} for one in requests]
    assert len(of_members) == 4
    assert told == [{"later"}, {"member_message"}]
