"""How the database is read: in few round trips, never writing, and on through restarts and broken connections."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import mysql.connector
import pytest
from sqlalchemy import delete, text

from lib.errors import DatabaseUnavailable, StorageError
from lib.storage import open_database
from lib.storage.faults import FaultKind, to_fault
from lib.storage.schema import runs
from tests.conftest import build_settings
from tests.services.ports import wait_until
from tests.storage.workers import new_id, stage, store_runs

READERS = 8


@pytest.fixture
def on_mariadb(mariadb, tmp_path):
    """An open database on MariaDB, and its name."""
    mariadb.start()
    name = mariadb.create_database()
    database = open_database(build_settings(tmp_path, database_url=mariadb.url(name)))
    yield database, name
    database.close()
    mariadb.start()
    mariadb.drop_database(name)


def read_at_once(database, session_id):
    """Read in several threads at the same time; what each found."""
    barrier = threading.Barrier(READERS)

    def read(_connection):
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(2)  # so that each has a connection of its own

    def look(_number):
        database.connector.read(read)
        return [one.session_id for one in database.sessions.list_sessions(user_id="ann").items] == [session_id]

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(look, range(READERS)))


def kill_connections(mariadb, name, what="CONNECTION"):
    for connection_id, database in mariadb.execute("SELECT id, db FROM information_schema.processlist"):
        if database == name:
            mariadb.execute(f"KILL {what} {connection_id}")


@pytest.mark.parametrize("way", ["restarted", "killed"])
def test_reads_go_on_when_every_connection_is_dead(on_mariadb, mariadb, way):
    database, name = on_mariadb
    session_id = new_id()
    (run_id,) = store_runs(database, session_id, 1)
    assert all(read_at_once(database, session_id))
    for _ in range(2):
        if way == "restarted":
            mariadb.stop()
            mariadb.start()
        else:
            kill_connections(mariadb, name)
        assert all(read_at_once(database, session_id))
        assert database.sessions.get_run(run_id, user_id="ann").run_id == run_id
        stage(database, session_id)
    assert database.sessions.get_session(session_id, user_id="ann").runs == 3


def test_a_connection_that_broke_while_the_driver_put_the_values_in_is_known_as_broken(on_mariadb, mariadb):
    database, name = on_mariadb
    connection = database.connector.reader.raw_connection()
    cursor = connection.cursor()
    kill_connections(mariadb, name)
    with pytest.raises(mysql.connector.Error) as told:
        cursor.execute("SELECT %(word)s", {"word": "hello"})  # the driver asks for the sql_mode first
    assert to_fault(told.value).kind is FaultKind.UNREACHABLE
    connection.invalidate()


@pytest.mark.parametrize("what", ["CONNECTION", "QUERY"])
def test_a_read_that_is_killed_while_it_waits_for_the_answer_is_done_again(on_mariadb, mariadb, what):
    database, name = on_mariadb
    asked: list[int] = []

    def read(connection):
        asked.append(len(asked))
        return connection.execute(text("SELECT SLEEP(:seconds)"), {"seconds": 0 if asked[1:] else 5}).scalar()

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(database.connector.read, read)
        wait_until(lambda: sleeps(mariadb, name), timeout_s=10, what="the query to run")
        kill_connections(mariadb, name, what)
        assert found.result(10) == 0
    assert asked == [0, 1]


def sleeps(mariadb, name):
    """Whether a query of the database sleeps now."""
    return any(
        database == name and "SLEEP" in str(query)
        for database, query in mariadb.execute("SELECT db, info FROM information_schema.processlist")
    )


def test_a_read_says_that_the_database_is_away_and_works_when_it_is_back(on_mariadb, mariadb):
    database, _ = on_mariadb
    store_runs(database, "one", 1)
    database.sessions.list_sessions(user_id="ann")
    mariadb.stop()
    with pytest.raises(DatabaseUnavailable, match="Check that it is running"):
        database.sessions.list_sessions(user_id="ann")
    mariadb.start()
    assert len(database.sessions.list_sessions(user_id="ann").items) == 1


def test_a_page_of_sessions_costs_one_round_trip_and_another_while_something_is_live(on_mariadb, mariadb):
    database, _ = on_mariadb
    for number in range(5):
        store_runs(database, f"s{number}", 1)

    def trips():
        told = dict(mariadb.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Com_admin_commands')"))
        return sum(int(number) for number in told.values())  # statements, and pings

    def cost_of(look):
        """The fewest of three: the server counts what it does for others, too, such as a connection that ends."""
        costs = []
        for _ in range(3):
            before = trips()
            look()
            costs.append(trips() - before)
        return min(costs)

    database.sessions.list_sessions(user_id="ann")
    idle = cost_of(lambda: None)
    for look in (database.sessions.list_sessions, database.sessions.get_change_token):
        assert cost_of(lambda look=look: look(user_id="ann")) - idle == 1
    stage(database, "s1")
    assert [one.live for one in database.sessions.list_sessions(user_id="ann").items].count(True) == 1
    assert cost_of(lambda: database.sessions.list_sessions(user_id="ann")) - idle == 2


def test_reading_cannot_write(database):
    store_runs(database, "one", 1)
    with contextlib.suppress(StorageError):  # on MariaDB it is refused, on SQLite taken back
        database.connector.read(lambda connection: connection.execute(delete(runs)))
    assert database.sessions.get_session("one", user_id="ann").runs == 1
    assert len(database.sessions.list_runs("one", user_id="ann").items) == 1
