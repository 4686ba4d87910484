"""The catalogue: the sample teams, the teams of CHAT_TEAMS, and what is wrong with those that cannot be loaded."""

from __future__ import annotations

import pytest
from agno.agent import Agent
from agno.team import Team

from lib.errors import TeamUnavailable
from lib.records import SessionKind
from lib.teams.catalogue import SAMPLE_TEAMS

OWN_TEAM = """
from agno.agent import Agent
from agno.team import Team

team = Team(id="my-desk", name="My desk", description="Mine.", members=[Agent(id="clerk", name="Clerk", role="Files")])

def build():
    return Team(id="made-desk", name="Made desk", members=[Agent(name="Night clerk")])
"""


@pytest.fixture
def the_problem(load):
    """Load one team that cannot be used, and return what is said about it."""

    def say(path):
        catalogue = load(path)
        assert len(catalogue.entries) == len(SAMPLE_TEAMS), "the rest must work"
        (problem,) = catalogue.problems
        assert problem.source == path
        assert path in problem.message, "a problem names the team"
        return problem.message

    return say


def test_the_sample_teams_are_there_with_their_members_and_questions(load):
    catalogue = load()
    assert [entry.name for entry in catalogue.entries] == ["market-desk", "trip-desk", "weather-desk"]
    market = catalogue.get("market-desk")
    assert market.title == "Market desk"
    assert [(member.member_id, member.name) for member in market.members] == [
        ("weather", "Weather"),
        ("finance", "Finance"),
    ]
    assert all(member.role for member in market.members)
    assert len(market.questions) == 3
    assert catalogue.problems == ()


def test_a_team_within_a_team_is_a_member_with_members(load):
    booking = load().get("trip-desk").members[2]
    assert booking.kind is SessionKind.TEAM
    assert [member.member_id for member in booking.members] == ["trains", "hotels"]
    assert [member.member_id for member in load().get("trip-desk").all_members()][-2:] == ["trains", "hotels"]


def test_an_unknown_team_is_refused_with_the_names_of_those_there_are(load):
    with pytest.raises(TeamUnavailable, match=r"no team 'nobody'.*market-desk"):
        load().get("nobody")


def test_chat_teams_brings_a_team_and_a_factory_from_the_working_directory(load, own_module, parts):
    module = own_module(OWN_TEAM)
    catalogue = load(f"{module}:team", f"{module}:build")
    assert catalogue.problems == ()
    mine, made = catalogue.entries[-2:]
    assert (mine.name, mine.title, mine.description, mine.source) == ("my-desk", "My desk", "Mine.", f"{module}:team")
    assert [member.role for member in mine.members] == ["Files"]
    assert made.members[0].member_id == "night-clerk"
    for name in ("my-desk", "made-desk"):
        assert catalogue.build_team(name, **parts).name == catalogue.get(name).title


def test_a_package_in_the_working_directory_works_too(load, own_module):
    own_module("", name="shop_floor.__init__")
    own_module(OWN_TEAM, name="shop_floor.desks")
    assert load("shop_floor.desks:team").get("my-desk").title == "My desk"


def test_a_team_that_has_its_own_model_says_which(load, own_module):
    module = own_module(
        "from agno.models.openai import OpenAIChat\n" + OWN_TEAM + "\nteam.model = OpenAIChat(id='gpt-x')\n"
    )
    assert load(f"{module}:team").get("my-desk").model == "OpenAI:gpt-x"
    assert load().get("market-desk").model is None


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("no_such_module_anywhere:team", "ModuleNotFoundError"),
        ("just_a_name", "package.module:attribute"),
        (":team", "package.module:attribute"),
        ("os:no_such_attribute", "has no 'no_such_attribute'"),
        ("os:sep", "an object of type 'str'"),
        ("math:tau", "not an Agno Team"),
    ],
)
def test_a_path_that_leads_nowhere_is_named_and_the_rest_works(the_problem, path, says):
    assert says in the_problem(path)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise ValueError('the desk is closed')", "ValueError: the desk is closed"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def team(:", "SyntaxError"),
        ("from agno.agent import Agent\nteam = Agent(name='Alone')", "an Agent"),
        ("team = None", "None"),
        ("def team(): raise KeyError('coffee')", "KeyError: 'coffee'"),
        ("def team(): return 7", "returned an object of type 'int'"),
        ("def team(size): ...", "missing 1 required positional argument: 'size'"),
        ("async def team(): ...", "async function"),
        (OWN_TEAM + "\nteam.id = 'x' * 129", "129 characters"),
        (
            "from agno.team import Team\nclass Odd(Team):\n    def __init__(self, tone): super().__init__(members=[])\n"
            "team = Odd('dry')",
            "cannot be copied",
        ),
    ],
)
def test_a_team_that_cannot_be_used_is_named_with_the_reason_and_the_rest_works(the_problem, own_module, source, says):
    assert says in the_problem(f"{own_module(source)}:team")


def test_a_password_in_the_reason_of_a_failed_import_is_not_repeated(the_problem, own_module):
    module = own_module(
        "raise OSError('cannot reach mysql://desk:hunter2@host/db with api_key=sk-abcdefghijklmnop1234')"
    )
    message = the_problem(f"{module}:team")
    assert "hunter2" not in message
    assert "sk-abcdefghijklmnop1234" not in message


def test_a_second_team_with_the_same_id_is_a_problem_that_names_both(load, the_problem, own_module):
    module = own_module(OWN_TEAM)
    catalogue = load(f"{module}:team", f"{module}:team")
    assert len(catalogue.entries) == len(SAMPLE_TEAMS) + 1
    assert "my-desk" in catalogue.problems[0].message
    market = own_module(OWN_TEAM.replace("my-desk", "market-desk"))
    assert "lib.teams.market_desk" in the_problem(f"{market}:team")


def test_a_team_without_id_or_name_is_called_the_same_after_every_start(load, own_module, parts):
    nameless = own_module(
        "from agno.agent import Agent\nfrom agno.team import Team\nnight_desk = Team(members=[Agent(), Agent()])"
    )
    first, second = load(f"{nameless}:night_desk"), load(f"{nameless}:night_desk")
    assert first.entries[-1] == second.entries[-1]
    entry = first.get("night-desk")
    assert entry.title == "Night desk"
    assert [member.member_id for member in entry.members] == ["member-1", "member-2"]
    assert first.build_team("night-desk", **parts).id == "night-desk"


def test_a_factory_that_fails_later_is_said_when_the_team_is_built(load, own_module, parts):
    module = own_module(
        "from agno.team import Team\ncalls = []\ndef build():\n    calls.append(1)\n"
        "    assert len(calls) < 2, 'out of chairs'\n    return Team(name='Rare desk', members=[])"
    )
    with pytest.raises(TeamUnavailable, match="out of chairs"):
        load(f"{module}:build").build_team("rare-desk", **parts)


def test_a_member_is_built_to_be_talked_to_directly_and_its_runs_are_stored(load, parts, db):
    weather = load().build_member("market-desk", "weather", **parts)
    assert isinstance(weather, Agent)
    assert weather.team_id is None
    weather.run("hello", session_id="s1", user_id="ann", run_id="r1")
    again = load().build_member("market-desk", "weather", **parts)
    again.run("and again", session_id="s1", user_id="ann", run_id="r2")
    assert [message.content for message in parts["model"].prompts[-1] if message.role == "user"] == [
        "hello",
        "and again",
    ]
    assert db.get_run("r2") is not None


def test_a_team_within_a_team_and_its_members_can_be_talked_to_directly(load, parts, db):
    booking = load().build_member("trip-desk", "booking", **parts)
    assert isinstance(booking, Team)
    booking.run("hello", session_id="s2", user_id="ann", run_id="r3")
    assert db.get_run("r3") is not None
    assert load().build_member("trip-desk", "hotels", **parts).name == "Hotels"


def test_an_unknown_member_is_refused_with_the_members_there_are(load, parts):
    with pytest.raises(TeamUnavailable, match=r"no member 'cook'.*weather, finance"):
        load().build_member("market-desk", "cook", **parts)
