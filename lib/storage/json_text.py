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
        stored = json.dumps(value, cls=CustomJSONEncoder, allow_nan=False)
        if "\\ud" in stored:  # an emoji, or half of one, which MariaDB refuses
            json.dumps(value, cls=CustomJSONEncoder, ensure_ascii=False).encode("utf-8")
        return stored
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_plain(value, depth=0), allow_nan=False)


def _plain(value: Any, *, depth: int) -> Any:
    if depth > 100:
        return "(nested too deeply to be stored)"
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
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
