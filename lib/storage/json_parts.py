"""Parts of a JSON column, read by the database: a row's title without its bulk."""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy import ColumnElement, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from lib.storage.json_text import load_json

_HAS_ARROW = sqlite3.sqlite_version_info >= (3, 38)


class _JsonPart(FunctionElement[str]):
    """A part of a JSON column, as JSON text; NULL where the column holds no JSON."""

    name = "json_part"
    type = Text()
    inherit_cache = True


@compiles(_JsonPart)
def _json_part_on_sqlite(element: _JsonPart, compiler: Any, **kw: Any) -> str:
    column, path = (compiler.process(clause, **kw) for clause in element.clauses)

    def part_of(stored: str) -> str:
        # The arrow gives the text as it is stored. json_extract decodes it, and half a character then breaks the read.
        part = f"{stored} -> {path}" if _HAS_ARROW else f"json_quote(json_extract({stored}, {path}))"
        return f"CASE WHEN json_valid({stored}) THEN {part} END"

    # What Agno 2 stored is the text of a JSON text (`from_json`).
    inner = f"CASE WHEN json_valid({column}) THEN json_extract({column}, '$') END"
    return f"CASE WHEN substr({column}, 1, 1) = '\"' THEN {part_of(f'({inner})')} ELSE {part_of(column)} END"


@compiles(_JsonPart, "mysql", "mariadb")
def _json_part_on_mysql(element: _JsonPart, compiler: Any, **kw: Any) -> str:
    column, path = (compiler.process(clause, **kw) for clause in element.clauses)

    def part_of(stored: str) -> str:
        return f"CASE WHEN JSON_VALID({stored}) THEN JSON_EXTRACT({stored}, {path}) END"

    inner = f"CASE WHEN JSON_VALID({column}) THEN JSON_UNQUOTE({column}) END"
    return f"CASE WHEN LEFT({column}, 1) = '\"' THEN {part_of(f'({inner})')} ELSE {part_of(column)} END"


def json_part(column: ColumnElement[Any], path: str) -> ColumnElement[str]:
    """Return the part of a JSON column at a path such as $.name, as JSON text."""
    return _JsonPart(column, literal(path))


def parse_part(value: Any) -> Any:
    """Return a JSON part as a Python value; None for none."""
    if not isinstance(value, str | bytes):
        return value
    try:
        return load_json(value)
    except (ValueError, RecursionError):
        return None
