"""The Market desk, unconfigured: database, model and history window are put on a copy of it."""

from __future__ import annotations

from agno.agent import Agent
from agno.team import Team

from lib.teams.market_desk import instructions
from lib.teams.market_desk.tools import compare_prices, get_forecast, get_price, get_price_history, get_weather

QUESTIONS = (
    "What is the weather in Paris and the price of ACME?",
    "Give me a five-day forecast for Lisbon.",
    "How did Apple's stock do against Microsoft's?",
)


def build_team() -> Team:
    """Build the Market desk: a leader, a Weather member and a Finance member."""
    weather = Agent(
        id="weather",
        name="Weather",
        role="Weather today and in the next days, by city",
        tools=[get_weather, get_forecast],
        instructions=instructions.WEATHER,
    )
    finance = Agent(
        id="finance",
        name="Finance",
        role="Prices of shares, by ticker or company name",
        tools=[get_price, get_price_history, compare_prices],
        instructions=instructions.FINANCE,
    )
    return Team(
        id="market-desk",
        name="Market desk",
        members=[weather, finance],
        description="Weather and share prices, each from the member who knows.",
        instructions=instructions.LEADER,
    )
