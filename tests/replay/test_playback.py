"""Play back shows nothing before it is known to have been there."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from agno.exceptions import ModelProviderError
from agno.models.message import Message

from lib.events import TextAdded
from lib.records import DelegationSegment, RunRecord, RunStatus, TextSegment
from lib.replay.playback import Playback, build_playback
from lib.replay.steps import list_steps
from lib.settings import Settings
from lib.storage import Database
from lib.storage.reading import to_run_events
from tests.runs.scripted import Script, Step, ask, build_desk, build_engine, say

MOMENT = 0.000_001


def play(run: RunRecord) -> Playback:
    return build_playback(run, list_steps(run, to_run_events(run)))


def words_at(playback: Playback, seconds: float) -> str:
    return "".join(part.text for part in playback.at(seconds).segments if isinstance(part, TextSegment))


def run_and_stop(database: Database, settings: Settings, leader: Script, *, stop_at: str = "") -> RunRecord:
    """Return a run as it is read back; it is stopped a moment after it said `stop_at`."""
    engine = build_engine(database, settings, build_desk(leader, a=say("Yes.")))
    try:
        handle = engine.start("The question?", user_id="ada", team="desk")
        for event in handle.events() if stop_at else ():
            if isinstance(event, TextAdded) and stop_at in event.text:
                time.sleep(0.2)
                engine.stop(handle.run_id, user_id="ada")
        run_id = handle.wait(30).run_id
        return database.sessions.get_run(run_id, user_id="ada")
    finally:
        engine.close()


@pytest.mark.parametrize("first", ["", "I ask."])
def test_words_of_a_request_that_was_stopped_appear_at_the_end_of_the_run(
    database: Database, database_settings: Settings, first: str
) -> None:
    def leader(messages: list[Message]) -> Sequence[Step]:
        return ["half an answer", 60.0] if messages[-1].role == "tool" else ask(("a", "task"), first=first)(messages)

    run = run_and_stop(database, database_settings, leader, stop_at="answer")
    assert run.status is RunStatus.STOPPED
    playback = play(run)
    assert playback.exact and playback.total_s > 0.2
    assert words_at(playback, playback.total_s - MOMENT).strip() == first
    assert words_at(playback, playback.total_s).split() == f"{first} half an answer".split()
    shown_at = next(frame.at_s for frame in reversed(playback.frames))
    assert shown_at == playback.total_s


def test_words_before_a_failure_appear_when_the_run_had_failed(database: Database, database_settings: Settings) -> None:
    leader = say("some words then", 0.3, ModelProviderError("the provider broke"))
    run = run_and_stop(database, database_settings, leader)
    assert run.status is RunStatus.FAILED
    playback = play(run)
    assert words_at(playback, playback.total_s - MOMENT) == ""
    assert words_at(playback, playback.total_s).split() == ["some", "words", "then"]


def test_words_of_an_answered_request_appear_with_its_answer(database: Database, database_settings: Settings) -> None:
    run = run_and_stop(database, database_settings, ask(("a", "task"), first="I ask."))
    playback = play(run)
    asked_at = next(part.call.started_at for part in run.segments if isinstance(part, DelegationSegment))
    assert asked_at and run.started_at
    assert words_at(playback, 0.0) == ""
    assert words_at(playback, (asked_at - run.started_at).total_seconds()).strip() == "I ask."


def test_without_events_words_appear_with_what_came_next(database: Database, database_settings: Settings) -> None:
    run = run_and_stop(database, database_settings, ask(("a", "task"), first="I ask.", then="Done."))
    playback = build_playback(run, list_steps(run))
    (asked_at,) = (part.call.started_at for part in run.segments if isinstance(part, DelegationSegment))
    assert asked_at and run.started_at and run.ended_at
    asked_s, end_s = ((at - run.started_at).total_seconds() for at in (asked_at, run.ended_at))
    assert words_at(playback, asked_s - MOMENT) == ""
    assert words_at(playback, asked_s).strip() == "I ask."
    assert words_at(playback, end_s - MOMENT).strip() == "I ask."
    assert words_at(playback, end_s).split() == ["I", "ask.", "Done."]
