"""The tools of the Weather desk: those of the Market desk's Weather member."""

from lib.teams.market_desk.tools import get_forecast, get_weather

__all__ = ["get_forecast", "get_weather"]
