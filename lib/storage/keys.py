"""Keys of our own tables: a hash of an id, so that ids which only differ in what a collation ignores stay two."""

from __future__ import annotations

import hashlib


def to_key(value: str) -> str:
    """Return the key of a session, run or file."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
