"""A process works on so many runs at a time; the rest wait for room."""

from __future__ import annotations

import time

from lib.records import RunStatus
from lib.runs import engine as engine_module
from tests.runs.scripted import say


def test_runs_beyond_the_limit_wait_for_room_and_then_run(open_sqlite_engine, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_LIVE_RUNS", 2)
    engine = open_sqlite_engine(say("First.", 0.4, "Last."))
    handles = [engine.start(f"Question {number}", user_id="ada", team="desk") for number in range(6)]
    most = 0
    while any(handle.live for handle in handles):
        most = max(most, sum(handle.snapshot().status is RunStatus.RUNNING for handle in handles))
        time.sleep(0.02)
    assert most == 2
    assert all(handle.snapshot().status is RunStatus.COMPLETED for handle in handles)
