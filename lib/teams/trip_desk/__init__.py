"""Trip desk: a leader, a Weather member, a Guide and a team within the team that books trains and hotels."""

from lib.teams.trip_desk.team import QUESTIONS, build_team

__all__ = ["QUESTIONS", "build_team"]
