"""The teams one can talk to: a catalogue by name, and one folder a sample team.

`catalogue` loads them, `recording` puts this app's database and recording flags on a copy, `history` says how much of a
session a team reads, `sample_data` is what the sample teams' tools share.
"""
