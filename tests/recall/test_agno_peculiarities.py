"""What Agno does that one would not guess, each predicted and shown on real Teams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from agno.db.sqlite import SqliteDb

from lib.recall.members import next_member_context
from lib.recall.window import HistoryRules, next_context
from tests.recall.real_teams import (
    USER,
    RecordingModel,
    build_real_member,
    build_real_team,
    open_adapter,
    read_runs,
    shape_given,
    shape_predicted,
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[SqliteDb]:
    adapter = open_adapter(tmp_path)
    yield adapter
    adapter.db_engine.dispose()


def test_injected_messages_are_stored_with_every_run_and_come_back_as_history(db: SqliteDb) -> None:
    model = RecordingModel()
    injected = [{"role": "user", "content": "the secret word is bird"}]
    team = build_real_team(db, model, additional_input=injected, num_history_runs=3)
    for number in range(2):
        team.run(f"question {number}", session_id="s", user_id=USER)
    predicted = next_context(read_runs(db, "s"), HistoryRules(num_history_runs=3))
    team.run("now", session_id="s", user_id=USER)
    assert shape_predicted(predicted.messages) == shape_given(model.last_history)
    said = [message.content for message in model.last_prompt if message.content == "the secret word is bird"]
    assert len(said) == 3, "once injected, twice remembered"


def test_a_fact_in_a_stopped_or_failed_run_is_forgotten_by_the_leader_and_known_to_the_member(db: SqliteDb) -> None:
    leader_model, member_model = RecordingModel(), RecordingModel()
    member = build_real_member("weather", member_model, add_history_to_context=True)
    team = build_real_team(db, leader_model, [member])
    asked = team.run("ask weather bird", session_id="s", user_id=USER)
    stored = db.get_run(asked.run_id or "")
    assert stored is not None and not isinstance(stored, dict)
    stored.status = "CANCELLED"  # type: ignore[assignment]  # as a stop after the delegation leaves it
    db.upsert_run(stored, session_id="s", user_id=USER)
    runs = read_runs(db, "s")
    leader = next_context(runs, HistoryRules())
    member_given = next_member_context(runs, HistoryRules(), member_id="weather")

    team.run("ask weather again", session_id="s", user_id=USER)

    assert leader.messages == () and leader_model.last_history == []
    assert shape_predicted(member_given.messages) == shape_given(member_model.last_history)
    assert any("bird" in message.content for message in member_given.messages)


def test_a_deleted_run_leaves_its_place_in_the_window_to_an_older_one(db: SqliteDb) -> None:
    model = RecordingModel()
    team = build_real_team(db, model, num_history_runs=2)
    run_ids = [team.run(f"question {n}", session_id="s", user_id=USER).run_id for n in range(3)]
    db.delete_run(run_ids[2] or "")
    predicted = next_context(read_runs(db, "s"), HistoryRules(num_history_runs=2))
    team.run("now", session_id="s", user_id=USER)
    assert predicted.window_run_ids == tuple(run_ids[:2])
    assert shape_predicted(predicted.messages) == shape_given(model.last_history)
