"""Any value a run can hold -> JSON text that every database takes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from agno.db.utils import CustomJSONEncoder


def to_json(value: Any) -> str:
    """Return a value as strict JSON text. What JSON cannot say becomes text: tools return NaN, sets and objects."""
    try:
        return json.dumps(value, cls=CustomJSONEncoder, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, depth=0), allow_nan=False)


def _plain(value: Any, *, depth: int) -> Any:
    if depth > 100:
        return "(nested too deeply to be stored)"
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item, depth=depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth=depth + 1) for item in value]
    try:
        return json.loads(json.dumps(value, cls=CustomJSONEncoder, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return str(value)
