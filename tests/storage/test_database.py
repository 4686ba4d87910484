"""Opening the database: by several processes, with few rights, and where it cannot be opened."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from lib.errors import DatabaseBusy, DatabaseUnavailable, SettingsError
from lib.storage import open_database
from tests.conftest import build_settings
from tests.storage.workers import ask, in_processes, new_id, open_and_count, stage


def test_a_second_process_reads_and_writes_what_the_first_created(database_settings):
    session_id = new_id()
    in_processes(ask, [(database_settings, session_id, "ann", "Remember: the secret word is bird")])
    (answer,) = in_processes(ask, [(database_settings, session_id, "ann", "What is the secret word?")])
    assert "bird" in answer
    database = open_database(database_settings)
    runs = database.sessions.list_runs(session_id, user_id="ann").items
    assert [run.question for run in runs] == ["Remember: the secret word is bird", "What is the secret word?"]
    assert [run.run_index for run in runs] == [0, 1]
    database.close()


def test_tables_and_indexes_are_made_once_by_processes_that_start_at_the_same_instant(database_settings):
    results = in_processes(open_and_count, [(database_settings,)] * 5)
    assert results == [(1, [])] * 5
    database = open_database(database_settings)
    found = inspect(database.engine)
    assert {"agno_sessions", "agno_runs", "roundtable_run_queue", "roundtable_deleted"} <= set(found.get_table_names())
    names = [index["name"] for index in found.get_indexes("agno_runs")]
    assert len(names) == len(set(names))
    assert "roundtable_runs_ordered" in names
    columns = [tuple(index["column_names"]) for index in found.get_indexes("agno_runs")]
    assert ("session_id", "run_index") in columns
    recent = {index["name"]: index["column_names"] for index in found.get_indexes("agno_sessions")}
    assert recent["roundtable_sessions_recent"] == ["user_id", "updated_at", "session_id"]
    database.close()


def test_a_missing_index_is_made_when_the_database_is_opened_again(database_settings):
    database = open_database(database_settings)
    where = " ON agno_runs" if database.dialect == "mysql" else ""
    database.connector.write(lambda connection: connection.execute(text(f"DROP INDEX roundtable_runs_ordered{where}")))
    database.close()
    database = open_database(database_settings)
    assert "roundtable_runs_ordered" in {index["name"] for index in inspect(database.engine).get_indexes("agno_runs")}
    database.close()


def rights_of_the_readme() -> str:
    """Return the rights that README.md grants the app's account."""
    readme = Path(__file__).parents[2] / "README.md"
    found = re.search(r"^GRANT ([A-Z, ]+) ON roundtable\.\* TO", readme.read_text(encoding="utf-8"), re.M)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("driver", ["mysql+mysqlconnector", "mariadb+mysqlconnector"])
@pytest.mark.parametrize("collation", ["utf8mb4_nopad_bin", "utf8mb4_general_ci", "latin1_swedish_ci"])
def test_an_account_with_rights_on_its_database_only_is_enough_and_no_other_database_appears(
    mariadb, tmp_path, driver, collation
):
    name = mariadb.create_database(collation=collation)
    before = {row[0] for row in mariadb.execute("SHOW DATABASES")}
    url = mariadb.create_account(name, rights=rights_of_the_readme()).replace("mysql+mysqlconnector", driver)
    settings = build_settings(tmp_path, database_url=url)
    session_id = new_id()
    assert "bird" in ask(settings, session_id, "Änne", "Remember: the secret word is bird 🐦")
    assert "bird" in ask(settings, session_id, "Änne", "What is the secret word?")
    database = open_database(settings)
    while database.follow():
        pass
    store = database.sessions
    assert {hit.session_id for hit in database.search.search("bird", user_id="Änne").items} == {session_id}
    store.rename_session(session_id, "Birds", user_id="Änne")
    store.delete_session(session_id, user_id="Änne")
    assert store.list_sessions(user_id="Änne").items == ()
    database.close()
    assert {row[0] for row in mariadb.execute("SHOW DATABASES")} == before
    mariadb.drop_database(name)


def test_the_address_and_every_error_are_without_the_password(mariadb, tmp_path):
    name = mariadb.create_database()
    settings = build_settings(tmp_path, database_url=mariadb.url(name))
    database = open_database(settings)
    assert database.address == f"mysql://roundtable_admin@127.0.0.1:{mariadb.port}/{name}"
    database.close()
    wrong = build_settings(tmp_path, database_url=mariadb.url(name, quoted_password="se%40cret-word"))
    nobody = build_settings(tmp_path, database_url="mysql+mysqlconnector://u:se%40cret-word@127.0.0.1:1/chat")
    for broken, told in ((wrong, "password is refused"), (nobody, "nothing answers there")):
        with pytest.raises(DatabaseUnavailable, match=told) as caught:
            open_database(broken)
        assert "cret-word" not in str(caught.value)
        assert "SELECT" not in str(caught.value)
    mariadb.drop_database(name)


@pytest.mark.parametrize(
    "name", ["with space/a b.db", "per%20cent/100%.db", "üñï/データ🐦.db", "deep/er/than/this/x.db"]
)
def test_an_sqlite_file_may_have_any_path_and_its_folder_is_made(tmp_path, name):
    url = f"sqlite:///{tmp_path / name}".replace("%", "%25")  # a percent sign is quoted, as SQLAlchemy has it
    database = open_database(build_settings(tmp_path, database_url=url))
    stage(database, new_id())
    assert (tmp_path / name).exists()
    assert str(tmp_path / name) in database.address
    database.close()


def test_a_file_that_is_no_database_is_named(tmp_path):
    file = tmp_path / "notes.db"
    file.write_text("This is a text file, and nothing may happen to it. " * 30)
    before = file.read_bytes()
    with pytest.raises(DatabaseUnavailable, match="not an SQLite database") as caught:
        open_database(build_settings(tmp_path, database_url=f"sqlite:///{file}"))
    assert str(file) in str(caught.value)
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match="folder") as caught:
        open_database(build_settings(tmp_path, database_url=f"sqlite:///{tmp_path / 'file' / 'sub' / 'x.db'}"))
    assert str(tmp_path / "file") in str(caught.value)
    with pytest.raises(DatabaseUnavailable, match="it is a folder"):
        open_database(build_settings(tmp_path, database_url=f"sqlite:///{tmp_path}"))


def test_an_outbox_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="OUTBOX_DIR"):
        open_database(build_settings(tmp_path, outbox_dir=tmp_path / "file" / "outbox"))


def test_sqlite_writes_ahead_and_keeps_foreign_keys(settings):
    database = open_database(settings)
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()


def test_a_locked_sqlite_file_is_waited_for_and_then_reported(settings, tmp_path):
    database = open_database(settings, busy_timeout_s=1.5)
    other = sqlite3.connect(tmp_path / "roundtable.db", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, other.execute, ["COMMIT"]).start()
    session_id = new_id()
    stage(database, session_id)  # waits
    assert database.sessions.get_session(session_id, user_id="ann").runs == 1

    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(DatabaseBusy, match="holds its lock"):
        stage(database, session_id)
    assert 1.4 < time.monotonic() - began < 4
    other.execute("ROLLBACK")
    other.close()
    database.close()


def test_check_says_whether_the_database_answers(database, database_url, request):
    database.check()
    if "mysql" in database_url:
        server = request.getfixturevalue("mariadb")
        server.stop()
        with pytest.raises(DatabaseUnavailable, match="Check that it is running"):
            database.check()
        server.start()
        database.check()
