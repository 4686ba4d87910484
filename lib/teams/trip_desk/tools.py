"""The tools of the Trip desk: trains, hotels and sights from small bundled tables; weather from the Market desk."""

from __future__ import annotations

from pathlib import Path

from lib.teams.market_desk.tools import get_forecast, get_weather
from lib.teams.sample_data import fold, listed, load_rows, sample_tool

__all__ = ["find_hotels", "find_sights", "find_trains", "get_forecast", "get_weather"]

DATA = Path(__file__).parent / "data"
TRAINS = load_rows(DATA / "trains.csv")
HOTELS = load_rows(DATA / "hotels.csv")
SIGHTS = load_rows(DATA / "sights.csv")


@sample_tool
def find_trains(origin: str, destination: str) -> str:
    """Find direct trains between two cities.

    Args:
        origin: City to leave from.
        destination: City to arrive in.
    """
    trains = [
        row for row in TRAINS if (fold(row["origin"]), fold(row["destination"])) == (fold(origin), fold(destination))
    ]
    if not trains:
        return f"There is no direct train from {origin!r} to {destination!r}. Cities: {listed(TRAINS, 'origin')}."
    found = ", ".join(f"{row['departs']} to {row['arrives']} for {row['price_eur']} EUR" for row in trains)
    return f"{trains[0]['origin']} to {trains[0]['destination']}: {found}."


@sample_tool
def find_hotels(city: str, max_price_eur: int = 500) -> str:
    """Find hotels in a city.

    Args:
        city: Name of the city, for example Paris.
        max_price_eur: The most a night may cost, in euros.
    """
    hotels = [row for row in HOTELS if fold(row["city"]) == fold(city)]
    if not hotels:
        return f"There is no hotel for {city!r}. Cities with hotels: {listed(HOTELS, 'city')}."
    affordable = [row for row in hotels if int(row["price_eur"]) <= float(max_price_eur)]
    if not affordable:
        return f"No hotel in {hotels[0]['city']} costs {max_price_eur} EUR or less."
    found = ", ".join(f"{row['hotel']} ({row['stars']} stars, {row['price_eur']} EUR)" for row in affordable)
    return f"Hotels in {hotels[0]['city']}: {found}."


@sample_tool
def find_sights(city: str) -> str:
    """Find what is worth seeing in a city.

    Args:
        city: Name of the city, for example Paris.
    """
    sights = [row for row in SIGHTS if fold(row["city"]) == fold(city)]
    if not sights:
        return f"There are no sights for {city!r}. Cities with sights: {listed(SIGHTS, 'city')}."
    return f"{sights[0]['city']}: " + ", ".join(f"{row['sight']} ({row['kind']})" for row in sights) + "."
