"""What went wrong is headed by what is so: refused is not unreachable."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from lib.errors import DatabaseRefused, DatabaseUnavailable
from lib.storage import Database, open_database
from lib.storage.connector import build_connector
from lib.ui.notices import to_notice
from tests.conftest import build_settings


def test_what_the_database_refuses_is_headed_as_refused(database: Database) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        database.connector.write(lambda connection: connection.execute(text("INSERT INTO no_such_table VALUES (1)")))
    notice = to_notice(caught.value)
    assert notice.title == "The database refused this"
    assert "refused this" in notice.text and "no_such_table" not in notice.text


def test_a_write_into_a_full_database_is_headed_as_refused(tmp_path: Path) -> None:
    database = open_database(build_settings(tmp_path))

    def fill(connection: Connection) -> None:
        connection.execute(text("PRAGMA max_page_count = 1"))  # as full as it is now
        connection.execute(text("CREATE TABLE large AS SELECT zeroblob(1000000) AS piece"))

    try:
        with pytest.raises(DatabaseRefused, match="the disk is full") as caught:
            database.connector.write(fill)
        assert to_notice(caught.value).title == "The database refused this"
    finally:
        database.close()


def test_a_database_that_is_not_there_is_headed_as_not_reached() -> None:
    connector = build_connector("mysql+mysqlconnector://nobody:secret@127.0.0.1:1/none")
    with pytest.raises(DatabaseUnavailable) as caught:
        connector.check()
    notice = to_notice(caught.value)
    assert notice.title == "The database cannot be reached"
    assert "secret" not in notice.text
