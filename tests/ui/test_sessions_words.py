"""Sessions in words: what a deletion takes away, and the day under which they stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lib.records import Loss, SessionKind, SessionSummary
from lib.ui.sessions_words import by_day, loss_in_words


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Loss(sessions=2, runs=17, member_runs=4, images=1), "2 sessions with 17 runs, 4 member runs and 1 image"),
        (Loss(runs=1), "1 run"),
        (Loss(runs=1, member_runs=2, title=True), "1 run, 2 member runs and the title made from its question"),
    ],
)
def test_what_is_lost_is_named(loss, words):
    assert loss_in_words(loss) == words


def test_sessions_stand_under_the_day_on_which_they_were_last_used():
    now = datetime(2026, 11, 29, 0, 30, tzinfo=UTC)
    ages = {"just now": 0.1, "last evening": 1, "six days": 24 * 6, "a week": 24 * 7, "a year": 24 * 365}
    listed = [
        SessionSummary(
            session_id=name,
            user_id="ann",
            kind=SessionKind.TEAM,
            component_id="desk",
            title=None,
            first_question=None,
            runs=1,
            created_at=now - timedelta(hours=hours),
            updated_at=now - timedelta(hours=hours),
        )
        for name, hours in ages.items()
    ]
    assert [(heading, [one.session_id for one in group]) for heading, group in by_day(listed, now=now)] == [
        ("Today", ["just now"]),
        ("Yesterday", ["last evening"]),
        ("Last week", ["six days"]),
        ("Earlier", ["a week", "a year"]),
    ]
