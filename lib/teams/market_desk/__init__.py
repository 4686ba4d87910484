"""Market desk: a leader, a Weather member and a Finance member."""

from lib.teams.market_desk.team import QUESTIONS, build_team

__all__ = ["QUESTIONS", "build_team"]
