"""What plain Agno's failed and stopped runs said last is shown, though no message holds it (agno-facts 5.4)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agno.exceptions import ModelProviderError
from agno.models.response import ModelResponse
from agno.team import Team
from sqlalchemy import text

from lib.records import RunRecord, RunStatus, TextSegment
from tests.replay.recorded_teams import SESSION, RecordedTeam
from tests.replay.test_contexts_are_true import open_replay


@pytest.fixture
def team() -> Iterator[RecordedTeam]:
    with tempfile.TemporaryDirectory() as folder:
        opened = RecordedTeam(Path(folder), store_history_messages=True)
        yield opened
        opened.close()


def break_off(*args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
    for word in ("half ", "an ", "answer"):
        yield ModelResponse(role="assistant", content=word)
    raise ModelProviderError("cut off")


def texts(run: RunRecord) -> list[str]:
    return [segment.text.strip() for segment in run.segments if isinstance(segment, TextSegment)]


def only_run(team: RecordedTeam) -> RunRecord:
    (run,) = open_replay(team).runs
    return run


def test_words_before_a_failure_are_shown_and_said_to_be_cut_off(team):
    team.models["desk"].invoke_stream = break_off
    team.ask("say something")
    run = only_run(team)
    assert (run.status, run.error, texts(run)) == (RunStatus.FAILED, "cut off", ["half an answer"])
    assert any("cut off" in note for note in run.notes)


def test_words_after_a_delegation_are_told_from_those_before_it(team):
    first = team.models["desk"].invoke_stream
    streams = iter([first, break_off])

    def stream(*args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        yield from next(streams)(*args, **kwargs)

    team.models["desk"].invoke_stream = stream
    team.ask("ask weather aloud")
    run = only_run(team)
    assert texts(run) == ["Let me see.", "half an answer"]
    assert run.answer == "half an answer"
    assert any("cut off" in note for note in run.notes)


def test_what_a_member_said_when_the_run_was_stopped_is_not_the_leaders(team):
    for event in team.team.run(
        "ask weather aloud", stream=True, stream_events=True, session_id=SESSION, user_id="ann", run_id="r1"
    ):
        if event.event == "RunContent" and "answer" in str(event.content):
            Team.cancel_run("r1")
    (row,) = (row for row in team.rows() if row["run_id"] == "r1")
    assert row["run_data"]["content"], "Agno keeps what the member said as the leader's content"
    run = only_run(team)
    assert run.status is RunStatus.STOPPED
    assert texts(run) == ["Let me see."]


def test_a_stopped_run_says_its_words_once(team):
    team.ask("hello there", stop=True)
    run = only_run(team)
    assert texts(run) == ["answer to"]
    assert run.notes == ()


def test_a_failure_of_which_no_event_was_stored_says_what_is_not_known(team):
    team.ask("please fail", stream=False)
    assert only_run(team).notes == ()
    with team.db.db_engine.begin() as connection:
        connection.execute(text("UPDATE agno_runs SET run_data = json_remove(run_data, '$.events')"))
    run = only_run(team)
    assert (run.error, texts(run)) == ("this model was told to fail", [])
    assert any("nothing tells it from words" in note for note in run.notes)
