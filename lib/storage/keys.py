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


def key_of(column: ColumnElement[Any]) -> ColumnElement[str]:
    """Return the key of a column's id, for joining our tables to Agno's."""
    return _Key(column)
