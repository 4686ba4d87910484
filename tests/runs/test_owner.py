"""Nobody starts, finds, watches or stops in another user's session, and what cannot be asked is refused untouched."""

from __future__ import annotations

import pytest

from lib.errors import (
    InvalidInput,
    ModelUnavailable,
    NotAllowed,
    RunNotFound,
    RunRefused,
    SessionNotFound,
    TeamUnavailable,
)
from lib.records import Reader, RunStatus
from tests.runs.scripted import say

OTHERS = ["eve", "Ada", "ada ", "adä"]


@pytest.mark.parametrize("other", OTHERS)
def test_another_users_session_is_not_found_before_the_model_is_called(open_engine, database, other):
    asked = []

    def script(messages):
        asked.append(messages[-1].content)
        return ["First.", 0.5, "Last."]

    engine = open_engine(script)
    handle = engine.start("Mine?", user_id="ada", team="desk", session_id="s1")
    with pytest.raises(SessionNotFound):
        engine.start("Theirs?", user_id=other, team="desk", session_id="s1")
    assert engine.find(handle.run_id, user_id=other) is None
    assert engine.live(user_id=other) == ()
    assert engine.live_in_session("s1", user_id=other) == ()
    assert engine.stop(handle.run_id, user_id=other) is False
    assert handle.wait(20).status is RunStatus.COMPLETED
    assert asked == ["Mine?"]
    assert [run.question for run in database.sessions.list_runs("s1", user_id="ada").items] == ["Mine?"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"question": "  \n"}, InvalidInput),
        ({"question": "x" * 100_001}, InvalidInput),
        ({"user_id": ""}, NotAllowed),
        ({"user_id": Reader(user_id="ada", admin=True)}, NotAllowed),
        ({"user_id": 5}, NotAllowed),
        ({"user_id": Reader(user_id="ada"), "run_id": "r"}, NotAllowed),
        ({"user_id": "x" * 129}, InvalidInput),
        ({"session_id": 5}, InvalidInput),
        ({"session_id": "half \ud800"}, InvalidInput),
        ({"run_id": 5}, InvalidInput),
        ({"run_id": "half \ud800"}, InvalidInput),
        ({"session_id": "x" * 129}, InvalidInput),
        ({"run_id": "x" * 129}, InvalidInput),
        ({"window": -1}, InvalidInput),
        ({"team": "nobody"}, TeamUnavailable),
        ({"model": "nonsense:model"}, ModelUnavailable),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(open_engine, database, change, error):
    engine = open_engine(say("An answer."))
    asked = {"question": "The question?", "user_id": "ada", "team": "desk", "session_id": "s1"} | change
    with pytest.raises(error):
        engine.start(asked.pop("question"), **asked)
    assert engine.live(user_id="ada") == ()
    assert database.sessions.list_sessions(user_id="ada").items == ()


def test_a_run_id_that_is_taken_is_refused_and_the_run_stays_as_it_is(open_engine, database):
    engine = open_engine(say("An answer."))
    first = engine.start("The question?", user_id="ada", team="desk", run_id="r1").wait(20)
    with pytest.raises(RunRefused):
        engine.start("Another?", user_id="ada", team="desk", run_id="r1")
    with pytest.raises(RunNotFound):
        engine.start("Another?", user_id="eve", team="desk", run_id="r1", session_id="eves")
    assert database.sessions.get_run("r1", user_id="ada").question == first.question
    assert database.sessions.list_sessions(user_id="eve").items == ()


def test_a_closed_engine_takes_no_question(open_engine, database):
    engine = open_engine(say("An answer."))
    engine.close()
    with pytest.raises(RunRefused):
        engine.start("The question?", user_id="ada", team="desk")
    assert database.sessions.list_sessions(user_id="ada").items == ()
