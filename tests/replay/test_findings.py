"""Every kind of finding is given where the evidence carries it, and not where something speaks against it.

What is found by the columns and events of plain Agno's sessions stands in `test_stored_views`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from agno.agent import Agent
from agno.exceptions import ModelProviderError
from hypothesis import HealthCheck, given
from hypothesis import settings as thoroughly
from hypothesis import strategies as st
from sqlalchemy import text

from lib.records import RunStatus
from lib.replay.findings import COLUMN_KINDS, FindingKind, list_column_findings
from lib.roundtable import open_roundtable
from lib.runs import RunEngine
from lib.settings import Settings, load_settings
from lib.storage import Database, open_database
from lib.storage.replaying import Replay
from lib.storage.session_columns import read_column_runs
from lib.storage.stored_sessions import open_stored_sessions
from tests.conftest import build_settings
from tests.replay.recorded_teams import SESSION, RecordedTeam, RecordingModel
from tests.replay.test_contexts_are_true import open_replay
from tests.runs.scripted import Script, ask, build_desk, build_engine, say

FORECAST = "Paris: 14 degrees, light rain, wind 30 km/h"


@pytest.fixture
def team() -> Iterator[RecordedTeam]:
    with tempfile.TemporaryDirectory() as folder:
        opened = RecordedTeam(Path(folder), store_history_messages=True)
        yield opened
        opened.close()


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    opened = open_database(settings)
    yield opened
    opened.close()


@pytest.fixture
def open_desk(database: Database, settings: Settings) -> Iterator[Callable[..., RunEngine]]:
    engines: list[RunEngine] = []

    def open_(leader: Script, **members: Any) -> RunEngine:
        engines.append(build_engine(database, settings, build_desk(leader, **members)))
        return engines[-1]

    yield open_
    for engine in engines:
        engine.close()


def talk(engine: RunEngine, *questions: str, **options: Any) -> list[str]:
    """Ask one question after the other in session s1; return the ids of the runs."""
    handles = []
    for question in questions:
        handles.append(engine.start(question, user_id="ann", team="desk", session_id=SESSION, **options))
        handles[-1].wait(20)
    return [handle.run_id for handle in handles]


def replay_of(settings: Settings, session_id: str = SESSION) -> Replay:
    sessions = open_stored_sessions(settings)
    try:
        return Replay(sessions.get_session(session_id))
    finally:
        sessions.close()


def found(settings: Settings) -> list[tuple[FindingKind, str | None]]:
    return [(item.kind, item.run_id) for item in replay_of(settings).findings()]


# -- another agent in the session --------------------------------------------------------------------------------------


def test_a_top_level_run_of_another_agent_is_found(team):
    team.ask("ask weather")
    solo = Agent(id="solo", name="Solo", model=RecordingModel(), db=team.db, telemetry=False)
    run_id = solo.run("hello from outside", session_id=SESSION, user_id="ann").run_id
    (item,) = open_replay(team).findings()
    assert (item.kind, item.run_id) == (FindingKind.FOREIGN_AGENT, run_id)
    assert "'solo'" in item.evidence
    assert "'desk'" in item.evidence


# -- the same task twice in one run ------------------------------------------------------------------------------------


def test_the_same_task_given_twice_in_a_run_is_found(open_desk, settings):
    engine = open_desk(ask(("a", "rain in  Paris?"), ("a", "rain in Paris?"), then=FORECAST), a=say(FORECAST))
    (run_id,) = talk(engine, "Rain?")
    assert found(settings) == [(FindingKind.REPEATED_DELEGATION, run_id)]


def test_two_tasks_for_one_member_are_no_repetition(open_desk, settings):
    engine = open_desk(ask(("a", "rain in Paris?"), ("a", "rain in Rome?"), then=FORECAST), a=say(FORECAST))
    talk(engine, "Rain?")
    assert found(settings) == []


def test_a_task_given_again_because_it_failed_is_no_repetition(open_desk, settings):
    asked: list[int] = []

    def member(messages: Sequence[Any]) -> Sequence[Any]:
        asked.append(1)
        return ["half an", ModelProviderError("down")] if len(asked) == 1 else [FORECAST]

    def leader(messages: Sequence[Any]) -> Sequence[Any]:
        results = sum(message.role == "tool" for message in messages)
        return [FORECAST] if results == 2 else [[("delegate_task_to_member", {"member_id": "a", "task": "rain?"})]]

    (run_id,) = talk(open_desk(leader, a=member), "Rain?")
    assert found(settings) == [(FindingKind.HIDDEN_MEMBER_FAILURE, run_id)]


# -- delegated though the answer was there -----------------------------------------------------------------------------


def test_a_task_whose_answer_stood_in_the_context_is_found(open_desk, settings):
    engine = open_desk(_asks_each_time("rain in Paris?"), a=say(FORECAST))
    first, second = talk(engine, "Rain?", "Rain again?", window=3)
    (item,) = replay_of(settings).findings()
    assert (item.kind, item.run_id) == (FindingKind.NEEDLESS_DELEGATION, second)
    assert item.evidence.startswith("The same task's answer stood in the context")
    assert first in item.evidence


def test_a_task_whose_answer_had_fallen_out_of_the_window_is_not_needless(open_desk, settings):
    talk(open_desk(_asks_each_time("rain in Paris?"), a=say(FORECAST)), "Rain?", "Rain again?", window=0)
    assert found(settings) == []


def test_a_task_that_brought_news_was_not_needless(open_desk, settings):
    degrees = iter(range(14, 20))
    engine = open_desk(_asks_each_time("rain in Paris?"), a=lambda messages: [f"Paris: {next(degrees)} degrees, rain"])
    talk(engine, "Rain?", "And now?", window=3)
    assert found(settings) == []


def test_a_task_whose_first_answer_failed_is_not_needless(open_desk, settings):
    answers = iter([["half an", ModelProviderError("down")], [FORECAST]])
    engine = open_desk(_asks_each_time("rain in Paris?"), a=lambda messages: next(answers))
    first, _ = talk(engine, "Rain?", "Rain again?", window=3)
    assert found(settings) == [(FindingKind.HIDDEN_MEMBER_FAILURE, first)]


def test_an_answer_that_is_only_repeated_is_no_delegation_at_all(settings):
    roundtable = open_roundtable(settings)
    try:
        for question in ("What is the weather in Paris?", "repeat that"):
            options: dict[str, Any] = {
                "user_id": "ann",
                "team": roundtable.catalogue.entries[0].name,
                "session_id": SESSION,
            }
            run = roundtable.engine.start(question, **options).wait(30)
        assert run.segments
        assert not run.member_runs
    finally:
        roundtable.close()
    assert found(settings) == []


def _asks_each_time(task: str) -> Script:
    def leader(messages: Sequence[Any]) -> Sequence[Any]:
        if messages[-1].role == "tool":
            return [str(messages[-1].content)]
        return [[("delegate_task_to_member", {"member_id": "a", "task": task})]]

    return leader


# -- a result that nothing came of -------------------------------------------------------------------------------------


def test_an_answer_that_ignores_a_members_result_is_found(open_desk, settings):
    engine = open_desk(
        ask(("a", "how is it?"), then="Bring sunglasses and enjoy your holiday in Nice."), a=say(FORECAST)
    )
    (run_id,) = talk(engine, "How is it?")
    (item,) = replay_of(settings).findings()
    assert (item.kind, item.run_id) == (FindingKind.IGNORED_MEMBER_RESULT, run_id)
    assert FORECAST in item.evidence


@pytest.mark.parametrize(
    "answer", ["Expect 14 degrees.", "Some light drizzle, so take an umbrella with you.", "Yes, take one.", ""]
)
def test_an_answer_that_uses_a_result_or_says_too_little_ignores_nothing(open_desk, settings, answer):
    talk(open_desk(ask(("a", "how is it?"), then=answer), a=say(FORECAST)), "How is it?")
    assert found(settings) == []


def test_a_result_that_says_nothing_of_its_own_cannot_be_ignored(open_desk, settings):
    talk(open_desk(ask(("a", "how is it?"), then="All is fine, enjoy your holiday."), a=say("Done.")), "How is it?")
    assert found(settings) == []


USED = {
    "a unit set apart": ("Berlin tomorrow: 18C.", "The temperature will be 18 °C in the afternoon."),
    "a distance": ("Distance: 540km", "It is 540 km away."),
    "thousands": ("ACME revenue: 1,250,000 USD", "ACME earned 1250000 dollars."),
    "millions": (
        "Revenue: 1,250,000 USD, costs 980,000 USD",
        "They took in 1.25 million and paid 0.98 million in Rome.",
    ),
    "a share": ("Growth 0.5", "It grew by 50%."),
    "a number in words": ("There are 3 rooms", "You can choose between three different rooms here today."),
    "a date": ("Arrival: 2026-11-21", "You get there on the twenty-first of November."),
    "a time": ("Train leaves 15:30", "Your train departs at 3:30 in the afternoon, platform open."),
    "money": ("Price: $214.30", "It costs 214.3 dollars."),
    "cents of nothing": ("ACME 42.00", "The share stands at 42 dollars"),
    "digits among signs": ("东京今天晴朗，最高18度，风力3级。", "东京今天天气很好，最高气温18度。"),
    "signs without digits": (
        "东京今天晴朗。最高气温十八度。东南风三级。空气质量良好。",
        "今天东京是晴天，最高十八度，有一点东南风，空气很好，适合出门。",
    ),
    "no spaces": ("วันนี้อากาศดี แดดออก ไม่มีฝน ลมเบา", "อากาศวันนี้ดีมาก มีแดด และไม่มีฝนตก ลมพัดเบา"),
    "another language": (
        "The weather tomorrow will be sunny with gentle wind",
        "Morgen scheint durchgehend die Sonne, leichter Ostwind",
    ),
    "numbers in another language": (
        "Zimmer: 21. Betten: 36.",
        "Es sind einundzwanzig Suiten mit sechsunddreißig Liegen für die Familie.",
    ),
    "other forms of its words": (
        "Trains are delayed because workers strike everywhere",
        "A strikes-related delay affects every train today.",
    ),
    "one word of it": ("Windy: 45 knots, 37 ships lost", "The wind will spoil your day in Nice."),
    "other words": (
        "Unfortunately there were zero available flights",
        "I could not find any plane connections for those dates.",
    ),
    "another unit": ("Paris: 14 C, wind 30 km/h", "It will be about 57 Fahrenheit, with a breeze of 19 mph, in Paris."),
    "a sum": ("Hotel: 214.30. Train: 99.20.", "Your trip to Rome costs 313.50."),
    "rounded in words": ("Hotel: 198.70. Train: 102.20.", "Your trip to Rome costs some three hundred."),
    "a code made a name": ("LH123 at 15:30", "You fly with Lufthansa, as you like to."),
    "only what was asked": ("It costs 214.30, with 99.20 for shipping", "Yes, that will do; just book it."),
    "a list": ("14 degrees, 30 km/h", "1. Bring a coat.\n2. Bring a hat."),
}


@pytest.mark.parametrize("name", USED)
def test_a_result_that_was_used_in_another_form_is_not_said_to_be_ignored(open_desk, settings, name):
    result, answer = USED[name]
    talk(open_desk(ask(("a", "look it up"), then=answer), a=say(result)), "please")
    assert found(settings) == []
    replay = replay_of(settings)
    (delegation,) = replay.delegations(replay.runs[0])
    assert delegation.result_used is not False


def test_of_two_members_the_one_whose_result_is_left_out_is_found(open_desk, settings):
    engine = open_desk(
        ask(("a", "the weather?"), ("b", "the price?"), then="The share stands at 214.3 dollars, and 1250 are traded."),
        a=say("14 degrees, wind 30 km/h"),
        b=say("ACME: $214.30, volume 1,250"),
    )
    talk(engine, "How is it?")
    (item,) = replay_of(settings).findings()
    assert item.kind is FindingKind.IGNORED_MEMBER_RESULT
    assert item.evidence.startswith("Nothing that 'a' answered")
    assert "neither 14, 30 nor any other" in item.evidence


# -- what was lost -----------------------------------------------------------------------------------------------------


def test_a_stopped_question_that_is_asked_again_with_other_spaces_is_not_forgotten(team):
    team.ask("remember the blue door", stop=True)
    team.ask(" remember the  blue door \n")
    assert open_replay(team).findings() == ()


def test_a_row_that_lost_its_title_with_all_that_was_noted_in_it_is_found(open_desk, database, settings):
    (run_id,) = talk(open_desk(ask(("a", "rain?"), then=FORECAST), a=say(FORECAST)), "Rain?")
    assert found(settings) == []
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE agno_sessions SET session_data = '{}'"))
    (item,) = replay_of(settings).findings()
    assert (item.kind, item.run_id) == (FindingKind.OVERWRITTEN_TITLE, None)
    assert run_id in item.evidence


def test_of_another_apps_session_no_title_is_missed(team):
    team.ask("hello")
    with team.db.db_engine.begin() as connection:
        connection.execute(text("UPDATE agno_sessions SET session_data = '{}'"))
    assert open_replay(team).findings() == ()


# -- places and leaders ------------------------------------------------------------------------------------------------


def test_runs_that_share_a_place_are_one_finding(team):
    runs = [team.ask(f"hello {number}") for number in range(6)]
    with team.db.db_engine.begin() as connection:
        connection.execute(text("UPDATE agno_runs SET run_index = 3"))
    (item,) = [item for item in open_replay(team).findings() if item.kind is FindingKind.DUPLICATE_ORDER]
    assert item.run_id in runs
    assert item.evidence.startswith("run_index 3 is also that of ")
    assert item.evidence.endswith(" and 2 more.")


def test_a_gap_in_the_places_of_runs_is_what_a_deletion_leaves(team):
    runs = [team.ask(f"hello {number}") for number in range(3)]
    with team.db.db_engine.begin() as connection:
        connection.execute(text("DELETE FROM agno_runs WHERE run_id = :run_id"), {"run_id": runs[1]})
    assert open_replay(team).findings() == ()


def test_runs_nested_too_deep_to_be_shown_have_their_leader(team):
    team.ask("hello")
    with team.db.db_engine.begin() as connection:
        for depth in range(1, 60):
            connection.execute(
                text(
                    "INSERT INTO agno_runs (run_id, session_id, run_type, agent_id, user_id, parent_run_id, status,"
                    " run_index, created_at, updated_at, run_data) SELECT :run_id, session_id, 'agent', 'deep', user_id,"
                    " coalesce(:leader, run_id), status, :depth, created_at, updated_at, '{}' FROM agno_runs"
                    " WHERE run_type = 'team'"
                ),
                {"run_id": f"deep-{depth}", "leader": f"deep-{depth - 1}" if depth > 1 else None, "depth": depth},
            )
    replay = open_replay(team)
    assert len(replay.runs) > 1, "one is too deep"
    assert replay.findings() == ()


# -- a healthy session has none ----------------------------------------------------------------------------------------

QUESTIONS = [
    "What is the weather in Paris?",
    "What is the forecast for Rome?",
    "What is the Apple share price?",
    "Weather in Berlin and the Tesla stock price, please.",
    "Remember: my budget is 40k",
    "What is my budget?",
    "What can you do?",
    "repeat that",
    "Temperature in Madrid?",
]


@thoroughly(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    questions=st.lists(st.sampled_from(QUESTIONS), min_size=1, max_size=7, unique=True),
    window=st.integers(0, 5),
    trip=st.booleans(),
)
def test_a_healthy_session_of_the_engine_has_no_findings(questions, window, trip):
    with tempfile.TemporaryDirectory() as folder:
        own = build_settings(Path(folder))
        roundtable = open_roundtable(own)
        try:
            name = roundtable.catalogue.entries[1 if trip else 0].name
            for question in questions:
                options: dict[str, Any] = {"user_id": "ann", "team": name, "session_id": SESSION, "window": window}
                run = roundtable.engine.start(question, **options).wait(30)
                assert run.status is RunStatus.COMPLETED
        finally:
            roundtable.close()
        assert replay_of(own).findings() == ()


# -- what columns alone tell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE agno_runs SET user_id = 'eve' WHERE run_type = 'agent'",
        "UPDATE agno_runs SET team_id = 'other' WHERE run_type = 'team'",
        "UPDATE agno_runs SET run_index = 3",
        "UPDATE agno_runs SET run_index = NULL WHERE run_type = 'agent'",
        "DELETE FROM agno_runs WHERE run_type = 'team'",
        "UPDATE agno_runs SET parent_run_id = run_id WHERE run_type = 'team'",
        "UPDATE agno_runs SET created_at = created_at - 50, run_data = '{}' WHERE run_index > 2",
        "UPDATE agno_runs SET run_data = 'half a {'",
    ],
)
def test_columns_alone_tell_what_whole_runs_tell_of_owner_place_and_order(team, change):
    for question in ("ask weather", "hello", "ask finance"):
        team.ask(question)
    with team.db.db_engine.begin() as connection:
        connection.execute(text(change))
    replay = open_replay(team)
    connector = open_stored_sessions(load_settings(database_url=f"sqlite:///{team.file}"))._connector
    by_columns = list_column_findings(read_column_runs(connector, SESSION), session=replay.session.summary)
    connector.engine.dispose()
    by_bodies = [item for item in replay.findings() if item.kind in COLUMN_KINDS]
    assert [(item.kind, item.run_id) for item in by_columns] == [(item.kind, item.run_id) for item in by_bodies]
    assert by_columns or "half" in change
