"""Background steps: their user's only, one of a name at a time, ended whatever happens."""

from __future__ import annotations

import threading

import pytest

from lib.errors import InvalidInput
from lib.ui.recall.background import KEPT, Background


def test_a_step_goes_on_by_itself_and_keeps_what_came_of_it():
    background, gate = Background(), threading.Event()
    step = background.start("a", lambda: gate.wait(10) and "done", user_id="ann")
    assert step.live
    assert background.find("a", user_id="bob") is None
    with pytest.raises(InvalidInput):
        background.start("a", str, user_id="ann")
    assert background.start("a", lambda: 1, user_id="bob") is not step
    gate.set()
    background.wait(10)
    assert background.find("a", user_id="ann") is step
    assert (step.live, step.result, step.error) == (False, "done", None)


def test_a_step_that_fails_ends_with_its_error():
    background = Background()
    step = background.start("a", lambda: 1 / 0, user_id="ann")
    background.wait(10)
    assert isinstance(step.error, ZeroDivisionError)
    assert background.start("a", lambda: 2, user_id="ann") is not step


def test_old_steps_are_forgotten():
    background = Background()
    for number in range(KEPT + 20):
        background.start(str(number), int, user_id="ann")
        background.wait(10)
    assert background.find("0", user_id="ann") is None
    assert background.find(str(KEPT + 19), user_id="ann") is not None
