"""The Trip desk, unconfigured: three members, one of them a team of its own."""

from __future__ import annotations

from agno.agent import Agent
from agno.team import Team

from lib.teams.trip_desk import instructions
from lib.teams.trip_desk.tools import find_hotels, find_sights, find_trains, get_forecast, get_weather

QUESTIONS = (
    "What is the weather in Lisbon, and what is worth seeing there?",
    "Find a train from Paris to London and a hotel there.",
    "Which hotels in Rome cost less than 100 EUR?",
)


def build_booking_team() -> Team:
    """Build the team within the team: Trains and Hotels."""
    trains = Agent(
        id="trains",
        name="Trains",
        role="Trains between cities",
        tools=[find_trains],
        instructions=instructions.TRAINS,
    )
    hotels = Agent(
        id="hotels",
        name="Hotels",
        role="Hotels by city and price",
        tools=[find_hotels],
        instructions=instructions.HOTELS,
    )
    return Team(
        id="booking",
        name="Booking",
        role="Trains and hotels: what can be booked",
        members=[trains, hotels],
        instructions=instructions.BOOKING,
    )


def build_team() -> Team:
    """Build the Trip desk: Weather, Guide, and the Booking team."""
    weather = Agent(
        id="weather",
        name="Weather",
        role="Weather today and in the next days, by city",
        tools=[get_weather, get_forecast],
        instructions=instructions.WEATHER,
    )
    guide = Agent(
        id="guide",
        name="Guide",
        role="Sights: what is worth seeing in a city",
        tools=[find_sights],
        instructions=instructions.GUIDE,
    )
    return Team(
        id="trip-desk",
        name="Trip desk",
        members=[weather, guide, build_booking_team()],
        description="Plans a trip: weather, sights, trains and hotels.",
        instructions=instructions.LEADER,
    )
