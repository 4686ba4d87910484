"""The tables: Agno's as we read and write them, our own with the prefix roundtable_, and how all are made once, safely."""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agno.db.base import BaseDb
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    column,
    func,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from lib.errors import DatabaseBusy, DatabaseUnavailable
from lib.records import MAX_ID_LENGTH
from lib.storage.connector import Connector
from lib.storage.identity import CHARSET_ATTRIBUTE
from lib.storage.json_text import from_json, to_json

SETUP_PATIENCE_S = 60
_NUMBERS = (int, float)  # made once: lists of heads ask for it thousands of times


class StoredJson(TypeDecorator[Any]):
    """A JSON column as Python values; text that is no JSON comes back as the text, for the reader to tell of."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the JSON text to store."""
        return None if value is None else to_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return what is stored as a Python value."""
        if not isinstance(value, str | bytes):
            return value
        try:
            return from_json(value)
        except (ValueError, RecursionError):  # damaged, or nested deeper than Python reads
            return value


class StoredNumber(TypeDecorator[int]):
    """A column of whole numbers; None where SQLite keeps something else in it, as it does for whoever writes it."""

    impl = BigInteger
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the number that is stored, if it is one."""
        return value if isinstance(value, _NUMBERS) else None


sessions = table(
    "agno_sessions",
    *(
        column(name, String())
        for name in ("session_id", "session_type", "agent_id", "team_id", "workflow_id", "user_id")
    ),
    *(
        column(name, StoredJson())
        for name in ("session_data", "agent_data", "team_data", "workflow_data", "metadata", "summary")
    ),
    column("created_at", StoredNumber()),
    column("updated_at", StoredNumber()),
)
runs = table(
    "agno_runs",
    *(
        column(name, String())
        for name in (
            *("run_id", "session_id", "run_type", "agent_id", "team_id", "workflow_id"),
            *("user_id", "parent_run_id", "status"),
        )
    ),
    column("run_index", StoredNumber()),
    column("run_data", StoredJson()),
    column("created_at", StoredNumber()),
    column("updated_at", StoredNumber()),
)

_OURS = MetaData()
ON_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin", "mysql_engine": "InnoDB"}
ON_MYSQL |= {f"mariadb_{name.removeprefix('mysql_')}": value for name, value in ON_MYSQL.items()}
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")
_SECONDS: Double[float] = Double().with_variant(mysql.DOUBLE(), "mysql", "mariadb")

run_queue = Table(
    "roundtable_run_queue",
    _OURS,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("run_id", String(MAX_ID_LENGTH), nullable=False, unique=True),
    Column("session_id", String(MAX_ID_LENGTH), nullable=False),
    Column("user_id", String(MAX_ID_LENGTH), nullable=False),
    Column("host", String(200), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_token", String(64), nullable=False),
    Column("heartbeat_at", _SECONDS, nullable=False),
    Column("stop_requested_at", _SECONDS),
    Index("roundtable_run_queue_session", "session_id", "sequence"),
    sqlite_autoincrement=True,
    **ON_MYSQL,
)

deleted = Table(
    "roundtable_deleted",
    _OURS,
    # A hash, so that ids which only differ in what a collation ignores stay two.
    Column("deleted_key", String(64), primary_key=True),
    Column("deleted_at", BigInteger, nullable=False),
    **ON_MYSQL,
)

read_marks = Table(
    "roundtable_read_marks",
    _OURS,
    Column("user_key", String(64), primary_key=True),
    Column("session_key", String(64), primary_key=True),
    Column("run_key", String(64), nullable=False),
    # The marked run's created_at and run_index: its place among the session's runs.
    Column("began_at", BigInteger, nullable=False),
    Column("run_index", BigInteger, nullable=False),
    Index("roundtable_read_marks_session", "session_key"),
    **ON_MYSQL,
)

_INDEXES = {
    # A user's sessions, newest first.
    "roundtable_sessions_recent": ("agno_sessions", ("user_id", "updated_at", "session_id")),
    # Everybody's sessions, newest first, and the sessions that changed lately.
    "roundtable_sessions_newest": ("agno_sessions", ("updated_at", "session_id")),
    # The runs that changed lately.
    "roundtable_runs_changed": ("agno_runs", ("updated_at", "run_id", "parent_run_id")),
    # A session's top-level runs, or the member runs of one run, newest first, in exactly Agno's order.
    "roundtable_runs_ordered": (
        "agno_runs",
        ("session_id", "parent_run_id", "run_index", "created_at", "run_id", "status"),
    ),
}
_AGNO_TABLES = ("sessions", "runs")


def to_deleted_key(kind: str, value: str) -> str:
    """Return the key under which the deletion of a session or run is remembered."""
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()


class database_now(FunctionElement[float]):  # noqa: N801 - reads as an SQL function
    """The database's own clock, in seconds: the one clock that all processes share."""

    name = "database_now"
    type = Double()
    inherit_cache = True


@compiles(database_now)
def _now_on_sqlite(element: database_now, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "mysql", "mariadb")
def _now_on_mysql(element: database_now, compiler: Any, **kw: Any) -> str:
    return "(UNIX_TIMESTAMP(NOW(6)) + 0.0)"


def create_tables(connector: Connector, adapter: BaseDb, *further: Callable[[Connection], None]) -> None:
    """Make what is missing of Agno's tables, our tables and our indexes; safe when several processes start at once.

    `further` make the tables of parts that build on these.
    """
    with _setup_lock(connector):
        for table_type in _AGNO_TABLES:
            adapter._get_table(table_type, create_table_if_not_found=True)  # type: ignore[attr-defined]  # Agno has no public way
        connector.write(lambda connection: _OURS.create_all(connection, checkfirst=True))
        for create in further:
            connector.write(create)
        if connector.dialect == "mysql":
            charset = connector.read(_charset_of_agno)
            for engine in (connector.engine, connector.reader):
                setattr(engine.dialect, CHARSET_ATTRIBUTE, charset)
        found = inspect(connector.engine)
        _check_agno_indexes(connector, adapter, found)
        for name, (table_name, columns) in _INDEXES.items():
            if name not in {index["name"] for index in found.get_indexes(table_name)}:
                statement = text(f"CREATE INDEX {name} ON {table_name} ({', '.join(columns)})")
                connector.write(lambda connection, statement=statement: connection.execute(statement))  # type: ignore[misc]


def _charset_of_agno(connection: Connection) -> str:
    """Return the character set in which Agno's ids and users are stored: that of the database when it was made."""
    name = connection.execute(
        text(
            "SELECT character_set_name FROM information_schema.columns WHERE table_schema = DATABASE() "
            "AND table_name = 'agno_sessions' AND column_name = 'user_id'"
        )
    ).scalar()
    return name if isinstance(name, str) and name.isalnum() else "utf8mb4"


def _check_agno_indexes(connector: Connector, adapter: BaseDb, found: Any) -> None:
    """Make the one Agno index that its reads rest on, where a process died between table and index."""
    leading = [tuple(index["column_names"][:2]) for index in found.get_indexes("agno_runs")]
    if ("session_id", "run_index") not in leading:
        statement = text("CREATE INDEX agno_runs_runs_session_id_run_index ON agno_runs (session_id, run_index)")
        connector.write(lambda connection: connection.execute(statement))


@contextmanager
def _setup_lock(connector: Connector) -> Iterator[None]:
    """Let one process at a time make tables."""
    lock = _lock_on_mysql if connector.dialect == "mysql" else _lock_beside_the_file
    with lock(connector):
        yield


@contextmanager
def _lock_on_mysql(connector: Connector) -> Iterator[None]:
    name = "roundtable_" + hashlib.sha256(connector.database.encode()).hexdigest()[:40]
    # GET_LOCK belongs to a connection: taken and released on the same one, which is held meanwhile.
    with connector.engine.connect() as connection:
        if not connection.execute(select(func.get_lock(name, SETUP_PATIENCE_S))).scalar():
            raise DatabaseBusy(f"Another process has been setting up {connector.address} for {SETUP_PATIENCE_S} s.")
        try:
            yield
        finally:
            connection.execute(select(func.release_lock(name)))


@contextmanager
def _lock_beside_the_file(connector: Connector) -> Iterator[None]:
    lock_file = Path(f"{connector.database}.setup-lock")
    try:
        handle = lock_file.open("w")
    except OSError as error:
        raise DatabaseUnavailable(
            f"Cannot use the database {connector.database}: its folder cannot be written ({error.strerror})."
        ) from None
    with handle:
        deadline = time.monotonic() + SETUP_PATIENCE_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DatabaseBusy(
                        f"Another process has been setting up {connector.address} for {SETUP_PATIENCE_S} s."
                    ) from None
                time.sleep(0.02)
        yield
