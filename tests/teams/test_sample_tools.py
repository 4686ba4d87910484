"""The sample teams' tools: real functions over small bundled tables."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from agno.agent import Agent
from agno.tools.function import Function

import lib.teams.market_desk.team as market_desk
import lib.teams.trip_desk.team as trip_desk
import lib.teams.weather_desk.team as weather_desk
from lib.teams.market_desk.tools import compare_prices, get_forecast, get_price, get_price_history, get_weather
from lib.teams.recording import walk
from lib.teams.sample_data import RehearsedToolError
from lib.teams.trip_desk.tools import find_hotels, find_sights, find_trains

DESKS = [market_desk, trip_desk, weather_desk]
EVERY_TOOL = [
    (get_weather, ("Paris",)),
    (get_forecast, ("Paris", 2)),
    (get_price, ("ACME",)),
    (get_price_history, ("ACME", 3)),
    (compare_prices, ("Apple", "Microsoft")),
    (find_trains, ("Paris", "London")),
    (find_hotels, ("Rome", 90)),
    (find_sights, ("Vienna",)),
]


@pytest.mark.parametrize(("tool", "arguments"), EVERY_TOOL)
def test_every_result_says_that_it_is_sample_data(tool, arguments):
    assert tool(*arguments).endswith("(sample data).")


@pytest.mark.parametrize(("tool", "arguments"), EVERY_TOOL)
def test_a_name_nobody_knows_gives_a_sentence_that_names_it_and_what_is_known(tool, arguments):
    unknown = tuple("Atlantis" if isinstance(value, str) else value for value in arguments)
    answer = tool(*unknown)
    assert "'Atlantis'" in answer
    assert answer.endswith("(sample data).")
    assert ": " in answer, "it should list what is known"


@pytest.mark.parametrize(("tool", "arguments"), EVERY_TOOL)
@pytest.mark.parametrize("words", ["[fail tool]", "please [Fail Tool] now"])
def test_the_stage_direction_makes_any_tool_fail(tool, arguments, words):
    with pytest.raises(RehearsedToolError, match=tool.__name__):
        tool(words, *arguments[1:])


@pytest.mark.parametrize("name", ["ACME", "acme", " Acme corp ", "$ACME"])
def test_a_share_is_found_by_ticker_and_by_company_name_in_any_case(name):
    assert get_price(name) == get_price("ACME")


def test_a_city_is_found_without_its_accents_and_by_its_short_name():
    assert get_weather("sao paulo") == get_weather("São Paulo")
    assert get_weather("nyc").startswith("New York today")


def test_a_forecast_has_as_many_days_as_were_asked_for_and_at_most_a_week():
    assert get_forecast("Paris", 2).count("rain") == 2
    assert get_forecast("Paris", 90).count("day ") == get_forecast("Paris", 7).count("day ")
    assert "day 0" in get_forecast("Paris", 0)


def test_a_change_is_computed_from_the_prices_shown():
    assert "+1.5 % on the day" in get_price("ACME")


@pytest.mark.parametrize("desk", DESKS)
def test_every_tool_of_a_sample_team_tells_the_model_what_it_and_its_arguments_are(desk):
    agents: list[Any] = [part for part in walk(desk.build_team()) if isinstance(part, Agent)]
    tools = [tool for agent in agents for tool in agent.tools]
    assert tools
    for tool in tools:
        function = Function.from_callable(tool)
        function.process_entrypoint()
        assert function.description
        described = function.parameters["properties"]
        assert set(described) == set(inspect.signature(tool).parameters)
        assert all(argument.get("description") for argument in described.values())


@pytest.mark.parametrize("desk", DESKS)
def test_a_sample_team_is_built_unconfigured_and_brings_three_questions(desk):
    team = desk.build_team()
    assert team.db is None
    assert all(part.model is None for part in walk(team))
    assert len(desk.QUESTIONS) == 3
