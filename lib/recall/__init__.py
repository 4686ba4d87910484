"""What a team remembers and what it forgets: Agno's history rules as pure functions, and experiments on them.

    window         which runs and messages enter the next prompt, and why the others do not
    reasons.py     the reasons, and how to say them
    members.py     the same for a member inside a team
    horizon.py     how far back a planted fact is still given: the predicted recall horizon
    judging.py     when an answer counts as right
    statistics.py  intervals from repeats
    experiment     facts x subjects x distances x windows x repeats as values
    lab            runs experiments through the run engine (not pure, imported by name only)

The pure modules know nothing of Agno or of a database. Their rules are those of Agno 3.1.10 (agno-facts 2.8, 2.9, 4.4,
5.x, 8.4), and tests run real Teams to show that they are equal.
"""
