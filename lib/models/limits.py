"""How much a model takes in with one request, where that is known."""

from __future__ import annotations

from typing import Final

_LIMITS: Final = (
    # The longest name that fits counts. As the providers published them for these models; a newer or unknown model is
    # not guessed: the page then gives no share.
    ("gpt-4.1", 1_047_576),
    ("gpt-4o", 128_000),
    ("gpt-4-turbo", 128_000),
    ("gpt-3.5-turbo", 16_385),
    ("o1", 200_000),
    ("o3", 200_000),
    ("o4-mini", 200_000),
    ("claude-3", 200_000),
    ("gemini-1.5-flash", 1_048_576),
)


def find_input_limit(spec: str) -> int | None:
    """Return the tokens that the model `provider:id` takes in, or None where that is not known."""
    name = spec.rpartition(":")[2].rpartition("/")[2].lower()
    fitting = [
        (len(known), limit) for known, limit in _LIMITS if name == known or name.startswith((f"{known}-", f"{known}."))
    ]
    return max(fitting)[1] if fitting else None
