"""Places in an order, as opaque text: base64 of the last row's place."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

from lib.errors import InvalidInput

MAX_PAGE = 500
_LARGEST = 2**63 - 1
"""The largest number that both databases take."""


def check_limit(limit: int) -> int:
    """Return the size of a page, or raise InvalidInput."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput(f"A page holds 1 to {MAX_PAGE} rows, not {limit}.")
    return limit


def write_cursor(*parts: Any, order: str | None = None) -> str:
    """Return a place in an order as opaque text; an order other than the list's first one is named in it."""
    told = parts if order is None else (order, *parts)
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


def read_cursor(cursor: str, *types: Any, order: str | None = None) -> list[Any]:
    """Return the place that a cursor names. Raises InvalidInput for none, and for a place in another order."""
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    wanted = types if order is None else (str, *types)
    if not isinstance(parts, list) or not parts:
        raise _no_cursor()
    if (_is_order(parts[0]) and parts[0] != order) or (order is not None and not _is_order(parts[0])):
        raise InvalidInput("This page belongs to a list in another order. Start at the first page of this one.")
    if len(parts) != len(wanted) or not all(
        isinstance(part, type_) and _is_storable(part) for part, type_ in zip(parts, wanted, strict=True)
    ):
        raise _no_cursor()
    return parts if order is None else parts[1:]


def _no_cursor() -> InvalidInput:
    return InvalidInput("This page of the list does not exist: its cursor cannot be read. Start at the first page.")


def _is_order(part: Any) -> bool:
    """Whether a cursor begins with the name of an order; a place in the first order begins with a number."""
    return isinstance(part, str)


def _is_storable(part: Any) -> bool:
    """Whether a database takes a value; cursors come from addresses and command lines too."""
    match part:
        case bool():
            return False
        case int():
            return abs(part) <= _LARGEST
        case float():
            return math.isfinite(part)
        case str():
            return not any("\ud800" <= sign <= "\udfff" for sign in part)
        case _:
            return part is None
