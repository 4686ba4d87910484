"""One run at a time in a session, in the order of asking, across processes."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time

from lib.events import RunQueued, RunStarted
from lib.records import RunStatus, TextSegment
from tests.runs.scripted import say
from tests.services.app_server import ROOT, to_environment


def test_a_second_question_waits_its_turn_visibly_and_in_order(open_engine, database):
    engine = open_engine(say("One moment.", 0.4, "Done."))
    handles = [engine.start(f"Question {number}", user_id="ada", team="desk", session_id="s1") for number in range(4)]
    assert [handle.snapshot().status for handle in handles[2:]] == [RunStatus.WAITING] * 2
    runs = [handle.wait(30) for handle in handles]
    for earlier, later in itertools.pairwise(runs):
        assert earlier.ended_at and later.member_runs == ()
        started = next(event for event in handles[runs.index(later)].events() if isinstance(event, RunStarted))
        assert started.at >= earlier.ended_at
    ahead = [event.ahead for event in handles[3].events() if isinstance(event, RunQueued)]
    assert ahead == [3, 2, 1]
    stored = database.sessions.list_runs("s1", user_id="ada").items
    assert [run.question for run in stored] == [f"Question {number}" for number in range(4)]
    assert [run.run_index for run in stored] == [0, 1, 2, 3]


def test_a_later_question_is_asked_with_the_earlier_answer_in_its_history(open_engine):
    def count(messages):
        return [f"I was given {sum(message.role == 'user' for message in messages)} questions."]

    engine = open_engine(count)
    handles = [engine.start(f"Question {number}", user_id="ada", team="desk", session_id="s1") for number in range(6)]
    answers = [handle.wait(30).answer.split()[3] for handle in handles]
    assert answers == ["1", "2", "3", "4", "4", "4"], "a window of three runs and the question itself"


def test_a_waiting_run_can_be_stopped_and_the_next_one_does_not_wait_for_it(open_engine, database):
    engine = open_engine(say("One moment.", 1.0, "Done."))
    first, second, third = (
        engine.start(f"Question {number}", user_id="ada", team="desk", session_id="s1") for number in range(3)
    )
    assert engine.stop(second.run_id, user_id="ada")
    stopped = second.wait(10)
    assert first.live
    assert stopped.status is RunStatus.STOPPED
    assert stopped.segments == ()
    assert database.sessions.get_run(second.run_id, user_id="ada").status is RunStatus.STOPPED
    assert third.wait(20).status is RunStatus.COMPLETED
    assert not engine.stop(second.run_id, user_id="ada"), "it is over"


def start_elsewhere(settings, **what):
    """Start a question in a process of its own and return the process once it has begun to answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.runs.other_process", json.dumps(what)],
        cwd=ROOT,
        env={**to_environment(settings), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "answering"
    return process


def test_a_question_waits_for_the_same_session_in_another_process(open_engine, database, database_settings):
    other = start_elsewhere(database_settings, session_id="s1", run_id="other", seconds=2.0)
    try:
        engine = open_engine(say("Here."))
        handle = engine.start("And here?", user_id="ada", team="desk", session_id="s1")
        elsewhere = engine.start("Another session?", user_id="ada", team="desk").wait(20)
        assert elsewhere.status is RunStatus.COMPLETED
        assert other.poll() is None
        assert handle.snapshot().status is RunStatus.WAITING
        here = handle.wait(30)
        there = database.sessions.get_run("other", user_id="ada")
        assert there.status is RunStatus.COMPLETED
        assert there.ended_at <= next(event.at for event in handle.events() if isinstance(event, RunStarted))
        assert here.status is RunStatus.COMPLETED
    finally:
        other.wait(20)
        other.stdout.close()


def test_a_run_is_stopped_from_another_process(open_engine, database, database_settings):
    other = start_elsewhere(database_settings, session_id="s1", run_id="other", seconds=30.0)
    try:
        engine = open_engine(say("Here."))
        assert engine.find("other", user_id="ada") is None
        assert not engine.stop("other", user_id="eve")
        assert engine.stop("other", user_id="ada")
        asked_at = time.monotonic()
        other.wait(20)
        assert time.monotonic() - asked_at < 6
        stopped = database.sessions.get_run("other", user_id="ada")
        assert stopped.status is RunStatus.STOPPED
        assert [segment.text for segment in stopped.segments if isinstance(segment, TextSegment)] == ["First words. "]
    finally:
        other.kill()
        other.wait(20)
        other.stdout.close()


def test_a_killed_process_leaves_its_question_as_interrupted_and_blocks_nobody(
    open_engine, database, database_settings
):
    other = start_elsewhere(database_settings, session_id="s1", run_id="other", seconds=30.0)
    other.kill()  # SIGKILL
    other.wait(20)
    other.stdout.close()
    left = database.sessions.get_run("other", user_id="ada")
    assert left.status is RunStatus.INTERRUPTED
    assert left.question == "Asked elsewhere?"
    assert left.settings["window"] == 3
    engine = open_engine(say("Here."))
    after = engine.start("And now?", user_id="ada", team="desk", session_id="s1").wait(20)
    assert after.status is RunStatus.COMPLETED
    runs = database.sessions.list_runs("s1", user_id="ada").items
    assert [(run.question, run.status) for run in runs] == [
        ("Asked elsewhere?", RunStatus.INTERRUPTED),
        ("And now?", RunStatus.COMPLETED),
    ]
