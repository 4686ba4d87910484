"""An engine over a desk that follows a script, on each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lib.runs import RunEngine
from lib.settings import Settings
from lib.storage import Database, open_database
from tests.runs.scripted import Script, build_desk, build_engine


@pytest.fixture
def open_engine(database: Database, database_settings: Settings) -> Iterator[Callable[..., RunEngine]]:
    """A function that opens an engine for a desk: `open_engine(leader_script, member=script)`."""
    engines: list[RunEngine] = []

    def open_(leader: Script, *, delay_s: float = 0.0, **members: Any) -> RunEngine:
        engine = build_engine(database, database_settings, build_desk(leader, delay_s=delay_s, **members))
        engines.append(engine)
        return engine

    yield open_
    for engine in engines:
        engine.close()


@pytest.fixture
def open_sqlite_engine(settings: Settings) -> Iterator[Callable[..., RunEngine]]:
    """The same on SQLite alone, for what has nothing to do with the database."""
    database = open_database(settings)
    engines: list[RunEngine] = []

    def open_(leader: Script, *, delay_s: float = 0.0, **members: Any) -> RunEngine:
        engine = build_engine(database, settings, build_desk(leader, delay_s=delay_s, **members))
        engines.append(engine)
        return engine

    yield open_
    for engine in engines:
        engine.close()
    database.close()
