"""Market desk: a leader, a Weather member and a Finance member."""
