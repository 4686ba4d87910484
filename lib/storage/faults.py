"""What went wrong in a database, in words a person can act on, and whether trying again can help.

The words never hold a password, an SQL statement or a value: drivers put all three into their messages.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import mysql.connector
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from lib.errors import DatabaseBusy, DatabaseRefused, DatabaseUnavailable, StorageError

Result = TypeVar("Result")

DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, mysql.connector.Error)
"""What a database can raise; the drivers' own come where a connection is prepared."""


class FaultKind(StrEnum):
    """What can be done about a fault."""

    CONFLICT = "conflict"  # another writer was in the way: try again at once
    BUSY = "busy"  # locked for longer than we wait
    UNREACHABLE = "unreachable"  # no connection, or it broke
    REFUSED = "refused"  # the database is there and says no


@dataclass(frozen=True, slots=True)
class Fault:
    """A database error: what kind it is, its number where it has one, and what to tell."""

    kind: FaultKind
    code: int | None
    told: str


_MYSQL_CONFLICTS = {1213: "two writers met (deadlock)", 1020: "another writer changed the row"}
_MYSQL_BUSY = {1205: "a lock was held for too long", 1040: "the server has no free connection"}
_MYSQL_UNREACHABLE = {
    2002: "nothing answers there",
    2003: "nothing answers there",
    2005: "the host name is not known",
    2006: "the server went away",
    2013: "the connection broke",
    2014: "the connection is out of step",
    2045: "the connection cannot be made",
    2048: "the connection is not usable",
    2055: "the connection broke",
    1044: "the account has no rights on this database",
    1045: "the user or the password is refused",
    1049: "there is no such database on the server",
    1053: "the server is shutting down",
    1077: "the server is shutting down",
    1130: "the server does not accept this host",
    1152: "the connection broke",
    1158: "the connection broke",
    1159: "the connection broke",
    1160: "the connection broke",
    1161: "the connection broke",
    1317: "the query was interrupted",
    1698: "the user or the password is refused",
    1927: "the connection was ended by the server",
    4031: "the connection was ended by the server",
}
_MYSQL_REFUSED = {
    1142: "the account may not do this",
    1146: "a table is missing",
    1153: "it is larger than the server's max_allowed_packet",
    1290: "the server is read-only",
    1406: "a value is longer than its column",
    1366: "the database's character set cannot hold a character of it (it should be utf8mb4)",
    1114: "the table is full",
    1021: "the server's disk is full",
    1062: "the id is taken",
    1452: "the session it belongs to is not there",
}
_SQLITE_UNREACHABLE = {
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_PERM: "access is not permitted",
    sqlite3.SQLITE_AUTH: "access is not permitted",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_FULL: "the disk is full",
}
_THERE = {_SQLITE_UNREACHABLE[code] for code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)}
"""Such a database can be read: no write gets through until somebody mends it, and so it is told as refused."""


def to_fault(error: BaseException) -> Fault:
    """Return what a driver's or SQLAlchemy's error means."""
    if isinstance(error, PoolTimeout):
        return Fault(FaultKind.BUSY, None, "all connections are in use")
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        return _to_sqlite_fault(cause)
    code = getattr(cause, "errno", None)
    code = code if isinstance(code, int) and code > 0 else None
    for kind, table in (
        (FaultKind.CONFLICT, _MYSQL_CONFLICTS),
        (FaultKind.BUSY, _MYSQL_BUSY),
        (FaultKind.UNREACHABLE, _MYSQL_UNREACHABLE),
        (FaultKind.REFUSED, _MYSQL_REFUSED),
    ):
        if code in table:
            return Fault(kind, code, table[code])
    if code is None and isinstance(cause.__cause__, (mysql.connector.Error, OSError, ReferenceError)):
        # The driver wraps a connection that broke while it put the values into a statement in an error of its own.
        behind = to_fault(cause.__cause__)
        if behind.kind is not FaultKind.REFUSED:
            return behind
    if isinstance(cause, OSError | ReferenceError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Fault(FaultKind.UNREACHABLE, code, "the connection broke")
    if code is not None and 2000 <= code < 3000:  # the client's own errors: the server gave no answer
        return Fault(FaultKind.UNREACHABLE, code, "the connection failed")
    # Some lost connections carry no number at all ("MySQL Connection not available").
    if code is None and type(cause).__name__ in ("OperationalError", "InterfaceError"):
        return Fault(FaultKind.UNREACHABLE, code, "the connection failed")
    return Fault(FaultKind.REFUSED, code, f"it reports {type(cause).__name__}")


def _to_sqlite_fault(error: sqlite3.Error) -> Fault:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Fault(FaultKind.BUSY, code, "another program holds its lock")
    if primary in _SQLITE_UNREACHABLE:
        return Fault(FaultKind.UNREACHABLE, code, _SQLITE_UNREACHABLE[primary])
    return Fault(FaultKind.REFUSED, code, f"it reports {type(error).__name__}")


def to_storage_error(error: BaseException, address: str) -> StorageError:
    """Return the error to raise for a database error at `address`."""
    fault = to_fault(error)
    number = f" (error {fault.code})" if fault.code is not None else ""
    match fault.kind:
        case FaultKind.BUSY | FaultKind.CONFLICT:
            return DatabaseBusy(f"The database {address} is busy: {fault.told}{number}. Try again in a moment.")
        case FaultKind.UNREACHABLE if fault.told not in _THERE:
            return DatabaseUnavailable(
                f"Cannot use the database {address}: {fault.told}{number}. Check that it is running and DATABASE_URL."
            )
        case _:
            return DatabaseRefused(f"The database {address} refused this: {fault.told}{number}.")


@contextmanager
def told_as_storage_errors(address: str) -> Iterator[None]:
    """Turn database errors of the block into DatabaseBusy, DatabaseUnavailable or DatabaseRefused, without their statements."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise to_storage_error(error, address) from None  # the cause holds SQL, and sometimes values


def retried(work: Callable[[], Result], *, attempts: int, patience_s: float) -> Result:
    """Return what `work` returns, trying again where that can help, for at most about `patience_s` seconds.

    The work must be safe to repeat: a connection can break after the commit and before its answer.
    """
    deadline = time.monotonic() + patience_s
    pause_s = 0.02
    for attempt in range(1, attempts + 1):
        try:
            return work()
        except DATABASE_ERRORS as error:
            fault = to_fault(error)
            last = attempt == attempts or time.monotonic() + pause_s > deadline
            # SQLite has waited for the lock already; waiting again would only multiply the wait.
            waited = fault.kind is FaultKind.BUSY and isinstance(getattr(error, "orig", error), sqlite3.Error)
            if last or waited or fault.kind is FaultKind.REFUSED:
                raise
            time.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(pause_s * (2 if fault.kind is FaultKind.CONFLICT else 4), 1.0)
    raise AssertionError("unreachable: the last attempt returns or raises")
