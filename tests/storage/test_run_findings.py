"""Findings of a session that is read a few runs at a time are those of the whole session, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from lib.replay.findings import FindingKind
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings
from lib.storage import run_findings
from lib.storage.replaying import Replay
from lib.storage.run_findings import find_for_session
from lib.storage.session_overview import SessionOverviews

BOTH = "What is the weather in Paris and the price of ACME?"
SESSION = "s1"


@pytest.fixture
def roundtable(database_settings: Settings) -> Iterator[Roundtable]:
    opened = open_roundtable(database_settings)
    yield opened
    opened.close()


def ask(roundtable: Roundtable, question: str, *, stop: bool = False, **options: Any) -> str:
    handle = roundtable.engine.start(
        question, user_id="ann", team="market-desk", session_id=SESSION, window=3, **options
    )
    if stop:
        roundtable.engine.stop(handle.run_id, user_id="ann")
    handle.wait(30)
    return handle.run_id


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_a_session_read_piece_by_piece_has_the_findings_of_the_whole(roundtable, at_once, monkeypatch):
    first = ask(roundtable, BOTH)
    stopped = ask(roundtable, "[slow 20s] hello", stop=True)
    again = ask(roundtable, BOTH)
    ask(roundtable, "[slow 20s] asked again", stop=True)
    ask(roundtable, "[slow 20s] asked again", stop=True)
    failed = ask(roundtable, "[fail member] What is the weather in London?")
    with roundtable.database.engine.execution_options(roundtable_writes=True).begin() as connection:
        statement = text("UPDATE agno_runs SET user_id = 'eve' WHERE run_id = :run_id")
        connection.execute(statement, {"run_id": first})
    overviews = SessionOverviews(roundtable.database.connector, queue=roundtable.database.queue)
    overview = overviews.get_overview(SESSION, user_id="ann")
    monkeypatch.setattr(run_findings, "AT_ONCE", at_once)
    looked: list[int] = []
    found = find_for_session(roundtable.database.connector, overviews, overview, looked=looked.append)
    assert found == Replay(overviews.get_runs(overview)).findings()
    assert looked[-1] == 6
    assert len(looked) == -(-6 // at_once)
    told = {(item.kind, item.run_id) for item in found}
    assert {
        (FindingKind.FOREIGN_USER, first),
        (FindingKind.FORGOTTEN_QUESTION, stopped),
        (FindingKind.NEEDLESS_DELEGATION, again),
    } <= told
    assert len([item for item in found if item.kind is FindingKind.FORGOTTEN_QUESTION]) == 2, "hello, and the last"
    assert failed in overview.tops


def test_a_search_can_be_given_up_between_two_readings(roundtable, monkeypatch):
    for _ in range(3):
        ask(roundtable, "hello")
    overviews = SessionOverviews(roundtable.database.connector, queue=roundtable.database.queue)
    monkeypatch.setattr(run_findings, "AT_ONCE", 1)

    def enough(looked: int) -> None:
        if looked == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        find_for_session(
            roundtable.database.connector,
            overviews,
            overviews.get_overview(SESSION, user_id="ann"),
            looked=enough,
        )
