"""One SQLAlchemy engine for a database address, and how work is done on it: read, write, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mysql.mysqlconnector import MySQLDialect_mysqlconnector
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError

from lib.errors import DatabaseUnavailable, SettingsError
from lib.storage.faults import (
    DATABASE_ERRORS,
    FaultKind,
    retried,
    to_fault,
    to_storage_error,
    told_as_storage_errors,
)
from lib.storage.json_text import to_json
from lib.storage.keys import KEY_ON_SQLITE, to_key

Result = TypeVar("Result")
Dialect = Literal["sqlite", "mysql"]

BUSY_TIMEOUT_S = 5.0
"""How long a locked database is waited for before it is reported as busy."""

_TAKES = "sqlite:///path/to/file.db or mysql+mysqlconnector://user:password@host:port/database"


@dataclass(frozen=True, slots=True)
class Connector:
    """A database that can be worked on. Errors come out as DatabaseBusy or DatabaseUnavailable."""

    engine: Engine
    reader: Engine  # what `read` works on; on SQLite the same
    dialect: Dialect
    address: str  # for people: no password, no options
    database: str  # SQLite: the file; MySQL: the name of the database

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` reads; a failure is an error, never an empty answer (F3).

        On MySQL each query is one round trip and sees what was committed until then; nothing can be written.
        """

        def once() -> Result:
            with self.reader.connect() as connection:
                return work(connection)

        with told_as_storage_errors(self.address):
            return retried(once, attempts=3, patience_s=2.0)

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in one transaction, again where another writer or a broken connection was in the way."""
        with told_as_storage_errors(self.address):
            return self.write_raw(work)

    def write_raw(self, work: Callable[[Connection], Result], *, patience_s: float = 6.0) -> Result:
        """Do the same, with the driver's own errors."""

        def once() -> Result:
            # On SQLite a writer takes the lock at the start: a reader that turns writer later can only fail.
            with self.engine.execution_options(roundtable_writes=True).begin() as connection:
                return work(connection)

        return retried(once, attempts=10, patience_s=patience_s)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self.reader.dispose()

    def check(self) -> None:
        """Raise DatabaseUnavailable or DatabaseBusy where the database does not answer now."""
        try:
            with self.engine.connect() as connection:
                # On SQLite a SELECT 1 is answered without looking into the file.
                probe = "SELECT 1" if self.dialect == "mysql" else "SELECT count(*) FROM sqlite_master"
                connection.execute(text(probe))
        except DATABASE_ERRORS as error:
            raise to_storage_error(error, self.address) from None


def build_connector(database_url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Connector:
    """Return the connector for DATABASE_URL; nothing is connected yet.

    Raises:
        SettingsError: the address is none that this app can use.
        DatabaseUnavailable: the folder of an SQLite file cannot be made or written.
    """
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise SettingsError("DATABASE_URL", got="something that is no address", takes=_TAKES) from None
    match url.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _build_sqlite(url, busy_timeout_s)
        case "mysql+mysqlconnector" | "mariadb+mysqlconnector":
            return _build_mysql(url, busy_timeout_s)
        case other:
            raise SettingsError("DATABASE_URL", got=f"an address beginning with {other}:", takes=_TAKES)


def _build_sqlite(url: URL, busy_timeout_s: float) -> Connector:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise SettingsError("DATABASE_URL", got="SQLite without a file", takes=_TAKES)
    file = Path(url.database).expanduser().absolute()
    _make_folder(file)
    engine = create_engine(
        url.set(drivername="sqlite", database=str(file)),
        json_serializer=to_json,
        hide_parameters=True,
        pool_size=10,
        max_overflow=20,
        connect_args={"timeout": busy_timeout_s, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.text_factory = to_stored_text
        connection.isolation_level = None  # transactions begin where the listener below says so
        connection.create_function("lower", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
        connection.create_function(KEY_ON_SQLITE, 1, to_key, deterministic=True)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("roundtable_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Connector(engine=engine, reader=engine, dialect="sqlite", address=f"sqlite:///{file}", database=str(file))


to_stored_text = partial(str, encoding="utf-8", errors="replace")
"""SQLite's text as Python's. Bytes that are no text, as damage leaves them, hide no other row of the answer."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _make_folder(file: Path) -> None:
    """Make the folder of a database file, or say which folder cannot be used."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"Cannot make the folder {file.parent} for the database: {error.strerror}. Check DATABASE_URL."
        ) from None
    if file.is_dir():
        raise DatabaseUnavailable(f"Cannot use the database {file}: it is a folder. Check DATABASE_URL.")
    for path in (file.parent, file):
        if path.exists() and not os.access(path, os.W_OK):
            raise DatabaseUnavailable(
                f"Cannot use the database {file}: {path} is read-only for this user. Check its rights or DATABASE_URL."
            )


class _ReaderDialect(MySQLDialect_mysqlconnector):
    """The driver's dialect for connections that only read, each statement for itself: no transaction to roll back."""

    supports_statement_cache = True

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Do nothing: SQLAlchemy ends every use of a connection so, and it would cost a round trip."""


def _assumed() -> bool:
    return True


registry.register("mysql.roundtable_reader", __name__, _ReaderDialect.__name__)


def _build_mysql(url: URL, busy_timeout_s: float) -> Connector:
    if not url.database:
        raise SettingsError("DATABASE_URL", got="an address without a database name", takes=_TAKES)
    options: dict[str, Any] = {
        "json_serializer": to_json,
        "hide_parameters": True,
        "pool_recycle": 1800,
        "pool_timeout": 15,
        "connect_args": {"connection_timeout": 5} if "connection_timeout" not in url.query else {},
    }
    engine = create_engine(
        url,
        **options,
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        isolation_level="READ COMMITTED",  # the default deadlocks on simultaneous first messages (F7)
    )
    # Without pings: a read that meets a dead connection is done again on a new one (`Connector.read`).
    reader = create_engine(
        url.set(drivername="mysql+roundtable_reader"),
        **options,
        pool_size=5,
        max_overflow=25,
        pool_reset_on_return=None,
        isolation_level="AUTOCOMMIT",
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {max(1, round(busy_timeout_s))}")
        # Without it a value too long for its column is cut and stored.
        cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')")
        cursor.close()

    @event.listens_for(reader, "connect")
    def _forbid_writing(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SET SESSION TRANSACTION READ ONLY")
        cursor.close()
        # The driver asks it before every statement, with a ping; the statement itself tells it as well.
        connection.is_connected = _assumed

    @event.listens_for(reader, "handle_error")
    def _tell_disconnects(context: ExceptionContext) -> None:
        # More than SQLAlchemy knows of: what is tried again must not meet the same connection.
        if to_fault(context.original_exception).kind is FaultKind.UNREACHABLE:
            context.is_disconnect = True

    user = f"{url.username}@" if url.username else ""
    port = f":{url.port}" if url.port else ""
    address = f"mysql://{user}{url.host or 'localhost'}{port}/{url.database}"
    return Connector(engine=engine, reader=reader, dialect="mysql", address=address, database=url.database)
