"""Any value a run can hold -> JSON text that every database takes; and stored JSON text -> the value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from agno.db.utils import CustomJSONEncoder

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_HALF_ESCAPED = re.compile(f"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}")
"""Half of a character that JSON writes as a pair of escapes."""


def to_json(value: Any) -> str:
    """Return a value as strict JSON text. What JSON cannot say becomes text: tools return NaN, sets and objects."""
    try:
        stored = json.dumps(value, cls=CustomJSONEncoder, allow_nan=False)
        if "\\ud" in stored:  # an emoji, or half of one, which MariaDB refuses
            json.dumps(value, cls=CustomJSONEncoder, ensure_ascii=False).encode("utf-8")
        return stored
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, depth=0), allow_nan=False)


def from_json(stored: str | bytes) -> Any:
    """Return the value of a JSON column's text. Agno 2 on SQLite stored the text of the text: it is decoded twice.

    Raises:
        ValueError, RecursionError: it is damaged, or nested deeper than Python reads.
    """
    value = load_json(stored)
    return load_json(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def load_json(text: str | bytes) -> Any:
    """Return the value of a JSON text, without halves of characters.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested deeper than Python reads.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    value = json.loads(text)
    escaped = "\\ud" in text or "\\uD" in text  # an emoji, whole or half: the next look is slower
    halved = (escaped and _HALF_ESCAPED.search(text)) or not _is_writable(text)
    return mend_characters(value) if halved else value


def mend_characters(value: Any) -> Any:
    """Return a value without halves of characters, which no screen takes.

    Other apps store them where a stream cut an emoji in two; each becomes the sign for what cannot be read.
    """
    match value:
        case str() if not _is_writable(value):
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {mend_characters(name): mend_characters(part) for name, part in value.items()}
        case list():
            return [mend_characters(part) for part in value]
        case _:
            return value


def _is_writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any, *, depth: int) -> Any:
    if depth > 100:
        return "(nested too deeply to be stored)"
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return mend_characters(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {_plain(str(name), depth=0): _plain(item, depth=depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth=depth + 1) for item in value]
    try:
        return json.loads(json.dumps(value, cls=CustomJSONEncoder, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return str(value)
