"""The Weather desk, unconfigured: database, model and history window are put on a copy of it."""

from __future__ import annotations

from agno.agent import Agent
from agno.team import Team

from lib.teams.weather_desk import instructions
from lib.teams.weather_desk.tools import get_forecast, get_weather

QUESTIONS = (
    "What is the weather in Tokyo?",
    "Give me a three-day forecast for Rome.",
    "Remember: I fly on Friday.",
)


def build_team() -> Team:
    """Build the Weather desk: a leader with one member."""
    weather = Agent(
        id="weather",
        name="Weather",
        role="Weather today and in the next days, by city",
        tools=[get_weather, get_forecast],
        instructions=instructions.WEATHER,
    )
    return Team(
        id="weather-desk",
        name="Weather desk",
        members=[weather],
        description="Weather by city, from one member.",
        instructions=instructions.LEADER,
    )
