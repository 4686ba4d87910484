"""Weather desk: the smallest team, a leader with one member. Copy this folder to begin a team of your own."""

from lib.teams.weather_desk.team import QUESTIONS, build_team

__all__ = ["QUESTIONS", "build_team"]
