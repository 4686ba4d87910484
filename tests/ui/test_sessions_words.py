"""Sessions in words: what a deletion takes away."""

from __future__ import annotations

import pytest

from lib.records import Loss
from lib.ui.sessions_words import loss_in_words


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
