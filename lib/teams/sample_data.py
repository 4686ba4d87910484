"""What the sample teams' tools share: bundled tables, names without case or accents, and rehearsed failure."""

from __future__ import annotations

import csv
import functools
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ParamSpec

Row = Mapping[str, str]
Arguments = ParamSpec("Arguments")

FAIL_TOOL = "[fail tool]"
"""The stage direction of the offline model that makes any sample tool fail."""


class RehearsedToolError(RuntimeError):
    """The tool failed because it was asked to."""


def load_rows(path: Path) -> tuple[Row, ...]:
    """Return the rows of a bundled CSV file, each a mapping from column to text."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def fold(name: str) -> str:
    """Return `name` as it is compared: no accents, no case, single spaces."""
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).casefold().split())


def find_row(rows: Iterable[Row], name: str, *columns: str) -> Row | None:
    """Return the first row where one of `columns` is `name`, or None. A column may hold several names, `|` between."""
    wanted = fold(name)
    for row in rows:
        if any(wanted == fold(known) for column in columns for known in row[column].split("|")):
            return row
    return None


def listed(rows: Iterable[Row], column: str) -> str:
    """Return the distinct values of `column` in order, as a list in words."""
    return ", ".join(dict.fromkeys(row[column] for row in rows))


def sample_tool(tool: Callable[Arguments, str]) -> Callable[Arguments, str]:
    """Make a function a sample tool: every result says that it is sample data, and `[fail tool]` makes it fail."""

    @functools.wraps(tool)
    def with_sample_manners(*args: Arguments.args, **kwargs: Arguments.kwargs) -> str:
        for value in (*args, *kwargs.values()):
            if isinstance(value, str) and FAIL_TOOL in value.casefold():
                raise RehearsedToolError(f"{tool.__name__} failed, as {FAIL_TOOL} asked it to.")
        return f"{tool(*args, **kwargs).removesuffix('.')} (sample data)."

    return with_sample_manners
