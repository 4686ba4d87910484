"""Trip desk: a leader, a Weather member, a Guide and a team within the team that books trains and hotels."""
