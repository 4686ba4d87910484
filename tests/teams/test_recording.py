"""The app's database, window and flags go on a copy; the owner's object stays as it was."""

from __future__ import annotations

import asyncio
import json

import pytest
from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.memory import MemoryManager
from agno.team import Team
from agno.tools import Toolkit

from lib.teams.market_desk.tools import get_price, get_weather
from lib.teams.recording import TEAM_EVENTS_SKIPPED, copy_component, listed_members, record_team, walk


class Counter(Toolkit):
    """A toolkit with state of its own."""

    def __init__(self):
        self.counted: list[str] = []
        super().__init__(name="counter", tools=[self.count])

    def count(self, word: str) -> str:
        self.counted.append(word)
        return f"counted {len(self.counted)}"


@pytest.fixture
def own_team(tmp_path, scripted_model):
    """A team as somebody else's app has it: own model, own database, state, toolkit, hooks, a team within it."""
    own_db = SqliteDb(db_file=str(tmp_path / "their.db"))
    inner = Team(
        id="inner", name="Inner", role="Prices", members=[Agent(id="prices", name="Prices", tools=[get_price])]
    )
    yield Team(
        id="theirs",
        name="Theirs",
        model=type(scripted_model)(id="their-model"),
        members=[Agent(id="weather", name="Weather", db=own_db, tools=[get_weather, Counter()]), inner],
        db=own_db,
        session_state={"basket": ["apple"]},
        dependencies={"limits": {"spend": 3}},
        memory_manager=MemoryManager(),
        num_history_messages=7,
        store_member_responses=True,
    )
    own_db.db_engine.dispose()


def snapshot(component):
    """Everything an Agno component holds, members and shared parts included, as text."""
    seen: set[int] = set()

    def look(value, depth=0):
        if id(value) in seen or depth > 6:
            return "…"
        if isinstance(value, list | tuple):
            return [look(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {str(key): look(item, depth + 1) for key, item in value.items()}
        if hasattr(value, "__dict__") and type(value).__module__.split(".")[0] in (
            "agno",
            "conftest",
            __name__,
            "tests",
        ):
            seen.add(id(value))
            kept = {
                name: item for name, item in vars(value).items() if name != "prompts"
            }  # the scripted model's own log
            shown = {name: look(item, depth + 1) for name, item in sorted(kept.items())}
            return {"": f"{type(value).__name__} at {id(value)}", **shown}
        return repr(value)

    return look(component)


@pytest.fixture
def run_question(parts):
    """Run one question on a recorded copy, as the engine does: async, streamed."""

    def run(original, question, *, session_id, run_id, user_id="ann"):
        async def go():
            team = copy_component(original)
            record_team(team, **parts)
            stream = team.arun(
                json.dumps(question),
                stream=True,
                stream_events=True,
                session_id=session_id,
                run_id=run_id,
                user_id=user_id,
            )
            return [event async for event in stream]

        return go()

    return run


@pytest.fixture
def both(delegate):
    """Ask the weather member and the team within the team, in one go."""
    prices = delegate("prices", ("get_price", {"ticker": "ACME"}))
    return [
        delegate("weather", ("get_weather", {"city": "Paris"}), ("count", {"word": "rain"})),
        delegate("inner", prices),
    ]


def test_the_owners_team_is_untouched_by_two_runs_at_once(own_team, run_question, both):
    before = snapshot(own_team)

    async def two_at_once():
        await asyncio.gather(
            run_question(own_team, both, session_id="s1", run_id="r1"),
            run_question(own_team, both, session_id="s2", run_id="r2", user_id="bob"),
        )

    asyncio.run(two_at_once())
    assert snapshot(own_team) == before
    assert own_team.members[0].team_id is None
    assert own_team.members[0].tools[1].counted == []


def test_the_owners_database_gets_no_rows_and_ours_gets_every_run(own_team, run_question, both, db):
    asyncio.run(run_question(own_team, both, session_id="s1", run_id="r1"))
    assert own_team.db.get_run("r1") is None
    stored = db.get_session("s1", "team", user_id="ann", deserialize=False)
    assert len(stored["runs"]) == 3
    assert {run.get("agent_id") or run.get("team_id") for run in stored["runs"]} == {"theirs", "weather", "inner"}


def test_what_ran_below_a_team_within_the_team_is_stored_with_what_it_was_shown(own_team, run_question, both, db):
    asyncio.run(run_question(own_team, both, session_id="s1", run_id="r1"))
    runs = db.get_session("s1", "team", user_id="ann", deserialize=False)["runs"]
    (inner,) = [run for run in runs if run.get("team_id") == "inner"]
    (prices,) = inner["member_responses"]
    assert prices["agent_id"] == "prices"
    assert [message["role"] for message in prices["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert "ACME" in prices["messages"][2]["content"]


def test_two_copies_share_no_state_that_a_run_may_change(own_team):
    one, other = copy_component(own_team), copy_component(own_team)
    for mine, theirs in zip(walk(one), walk(other), strict=True):
        assert mine is not theirs
        assert mine.model is None or mine.model is not theirs.model
    assert one.members[0].tools[1] is not other.members[0].tools[1]
    one.session_state["basket"].append("pear")
    one.dependencies["limits"]["spend"] = 9
    assert other.session_state == {"basket": ["apple"]}
    assert other.dependencies == {"limits": {"spend": 3}}
    assert one.memory_manager is not own_team.memory_manager


def test_a_team_keeps_its_own_model_and_one_without_gets_the_apps(load, own_team, parts, scripted_model):
    team = copy_component(own_team)
    record_team(team, **parts)
    assert team.model.id == "their-model"
    assert {part.model and part.model.id for part in walk(team)} == {"their-model"}
    sample = load().build_team("trip-desk", **parts)
    assert all(part.model is scripted_model for part in walk(sample))


def test_a_recorded_team_has_the_flags_that_make_its_runs_readable(own_team, parts, db):
    team = copy_component(own_team)
    record_team(team, **parts)
    assert team.db is db
    assert (team.num_history_runs, team.num_history_messages, team.add_history_to_context) == (3, None, True)
    assert all((team.store_events, team.store_history_messages, team.stream_member_events))
    assert team.events_to_skip == list(TEAM_EVENTS_SKIPPED)
    assert vars(team.media_storage)["base_path"] == parts["media_dir"].resolve()
    assert all(not part.telemetry and part.store_history_messages and not part.cache_session for part in walk(team))


def test_a_flat_team_stores_its_members_runs_once(load, parts):
    flat = load().build_team("market-desk", **parts)
    assert flat.store_member_responses is False


def test_a_session_that_stuck_to_the_owners_object_does_not_come_along(own_team, parts):
    own_team.run("hello")  # Agno keeps the session id it made up on the object
    assert own_team.session_id
    copied = copy_component(own_team)
    assert (copied.session_id, copied.user_id) == (None, None)
    assert all(member.team_id is None for member in listed_members(copied) if isinstance(member, Agent))


def test_members_that_a_function_makes_are_copied_and_recorded_for_each_run(scripted_model, run_question, delegate, db):
    shared = Agent(id="weather", name="Weather", tools=[get_weather])
    team = Team(id="made", name="Made", model=scripted_model, members=lambda run_context: [shared])
    before = snapshot(shared)
    question = [delegate("weather", ("get_weather", {"city": "Rome"}))]
    asyncio.run(run_question(team, question, session_id="s1", run_id="r1"))
    assert snapshot(shared) == before
    runs = db.get_session("s1", "team", user_id="ann", deserialize=False)["runs"]
    assert {run.get("agent_id") for run in runs} == {"weather", None}


def test_a_window_of_two_shows_the_leader_the_two_runs_before(run_question, parts):
    parts["window"] = 2
    team = Team(id="desk", name="Desk", members=[Agent(id="one", name="One")])
    for number in range(4):
        asyncio.run(run_question(team, f"question {number}", session_id="s1", run_id=f"r{number}"))
    asked = [message.content for message in parts["model"].prompts[-1] if message.role == "user"]
    assert [text.strip('"') for text in asked] == ["question 1", "question 2", "question 3"]


def test_a_team_within_the_team_answers_with_its_own_words_and_its_members_are_still_heard(
    run_question, delegate, parts
):
    inner = Team(
        id="inner",
        name="Inner",
        members=[
            Agent(id="prices", name="Prices", tools=[get_price]),
            Agent(id="sky", name="Sky", tools=[get_weather]),
        ],
    )
    team = Team(id="outer", name="Outer", members=[inner])
    below = [delegate("prices", ("get_price", {"ticker": "ACME"})), delegate("sky", ("get_weather", {"city": "Rome"}))]
    events = asyncio.run(run_question(team, [delegate("inner", *below)], session_id="s1", run_id="r1"))
    said = {
        name: "".join(str(each.content) for each in events if _speaker(each) == name)
        for name in ("prices", "sky", "inner")
    }
    assert said["inner"] == f"{said['prices']} / {said['sky']}"
    (told,) = [message.content for message in parts["model"].prompts[-1] if message.role == "tool"]
    assert told == said["inner"]


def _speaker(event):
    if event.event not in ("RunContent", "TeamRunContent"):
        return None
    return getattr(event, "agent_id", "") or getattr(event, "team_id", "")
