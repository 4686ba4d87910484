"""Values out of stored JSON, whatever shape they have: nothing here raises on bad input.

A stored row may come from another program, another version of Agno, or be cut in half. Every function takes anything and
gives the type that was asked for, or says that there is none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lib.storage.json_text import from_json, load_json, mend_characters

_MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138; a larger stamp is in milliseconds
_LATEST = 253402300799.0  # 9999-12-31, the last second a datetime can hold


def parse_json(value: Any) -> tuple[Any, str | None]:
    """Return the value that stored JSON holds and, where it was damaged, a note that says so.

    Columns arrive parsed or as text, depending on the driver. Of half a JSON the readable part is returned.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value).decode("utf-8", errors="replace")
    if not isinstance(value, str):
        return value, None
    try:
        return from_json(value), None
    except RecursionError:
        return None, "The stored JSON is nested too deeply to be read; see the raw row."
    except ValueError:
        return _salvage(value)


def _salvage(text: str) -> tuple[Any, str]:
    """Return the longest readable beginning of a JSON text that was cut off or damaged."""
    cuts: list[tuple[int, str]] = []  # after a complete value: where it ends, and what closes all that is open there
    closers: list[str] = []
    in_string = False
    escaped = False
    for position, character in enumerate(text):
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
            continue
        if character == '"':
            in_string = True
        elif character in "{[":
            closers.append("}" if character == "{" else "]")
            cuts.append((position + 1, "".join(reversed(closers))))
        elif character in "}]":
            if not closers or closers.pop() != character:
                break
            cuts.append((position + 1, "".join(reversed(closers))))
        elif character == ",":
            cuts.append((position, "".join(reversed(closers))))
        if len(closers) > 500:
            break  # deeper than the parser goes
        if len(cuts) > 64:
            del cuts[:32]
    for end, closing in reversed(cuts):
        try:
            return load_json(
                text[:end] + closing
            ), f"The stored JSON is damaged after {end} characters; the rest is missing here."
        except (ValueError, RecursionError):
            continue
    return None, "The stored JSON is damaged and could not be read; see the raw row."


def to_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping; text is parsed as JSON, anything else becomes an empty one."""
    if isinstance(value, str | bytes):
        value, _ = parse_json(value)
    return value if isinstance(value, Mapping) else {}


def to_list(value: Any) -> list[Any]:
    """Return a list; text is parsed as JSON, anything else becomes an empty one."""
    if isinstance(value, str | bytes):
        value, _ = parse_json(value)
    return list(value) if isinstance(value, list | tuple) else []


def to_text(value: Any) -> str:
    """Return text as it was stored; other values as JSON, and None as no text."""
    match value:
        case None:
            return ""
        case str():
            return str(mend_characters(value))
        case list():
            return "\n".join(_part_text(part) for part in value)
        case _:
            return dump_json(value)


def _part_text(part: Any) -> str:
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        part = part["text"]
    return str(mend_characters(part)) if isinstance(part, str) else dump_json(part)


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON text; what JSON has no word for is written as text."""
    try:
        return str(mend_characters(json.dumps(value, ensure_ascii=False, default=str, indent=indent)))
    except (ValueError, TypeError, RecursionError):
        return "(a value that cannot be written as JSON)"


def to_optional_text(value: Any) -> str | None:
    """Return text, or None where there is none."""
    return to_text(value) or None


def to_int(value: Any) -> int | None:
    """Return a whole number; a list of numbers (older Agno metrics) is summed."""
    if isinstance(value, list):
        numbers = [number for number in map(to_int, value) if number is not None]
        return sum(numbers) if numbers else None
    number = to_number(value)
    return None if number is None else int(number)


def to_number(value: Any) -> float | None:
    """Return a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def to_time(value: Any) -> datetime | None:
    """Return an aware UTC time from Unix seconds (or milliseconds) or ISO text, or None."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    number = to_number(value)
    if number is None:
        return _iso_time(value) if isinstance(value, str) else None
    if abs(number) >= _MILLISECONDS_FROM:
        number /= 1000
    return datetime.fromtimestamp(number, UTC) if 0 < number <= _LATEST else None


def _iso_time(text: str) -> datetime | None:
    try:
        return to_time(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def is_exact(value: Any) -> bool:
    """Whether a stored time is finer than a whole second."""
    return isinstance(value, float) and not value.is_integer()


def squashed(text: str) -> str:
    """Return text without blanks: words that are joined lose or gain some."""
    return "".join(text.split())
