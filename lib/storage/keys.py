"""Keys of our own tables: a hash of an id, so that ids which only differ in what a collation ignores stay two."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

KEY_ON_SQLITE = "roundtable_key"
"""What our connections to SQLite, which has no such hash, call `to_key`."""


def to_key(value: str) -> str:
    """Return the key of a session, run or file."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


class _Key(FunctionElement[str]):
    """The key of an id, made by the database."""

    name = "key_of"
    type = String()
    inherit_cache = True


@compiles(_Key)
def _key_on_sqlite(element: _Key, compiler: Any, **kw: Any) -> str:
    return f"{KEY_ON_SQLITE}({compiler.process(next(iter(element.clauses)), **kw)})"


@compiles(_Key, "mysql", "mariadb")
def _key_on_mysql(element: _Key, compiler: Any, **kw: Any) -> str:
    return f"SHA2(CONVERT({compiler.process(next(iter(element.clauses)), **kw)} USING utf8mb4), 256)"


class _Content(FunctionElement[Any]):
    """What tells whether any of some columns holds something else than before."""

    name = "content_of"
    inherit_cache = True


@compiles(_Content)
def _content_on_sqlite(element: _Content, compiler: Any, **kw: Any) -> str:
    # As bytes: text need not be valid to be compared.
    quoted = (f"quote({compiler.process(column, **kw)})" for column in element.clauses)
    return f"CAST({' || '.join(quoted)} AS BLOB)"


@compiles(_Content, "mysql", "mariadb")
def _content_on_mysql(element: _Content, compiler: Any, **kw: Any) -> str:
    # As bytes: columns of different character sets do not go together.
    quoted = (f"QUOTE(CAST({compiler.process(column, **kw)} AS BINARY))" for column in element.clauses)
    return f"MD5(CONCAT({', '.join(quoted)}))"


def content_of(*columns: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return what is another value when the content of any of the columns is: all of it, or a hash where it travels."""
    return _Content(*columns)


def key_of(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the key of a column's id, for joining our tables to Agno's."""
    return _Key(column)
