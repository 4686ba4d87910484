"""Who is at the browser: the one place that answers it."""

from __future__ import annotations

from lib.settings import Settings


def current_user(settings: Settings) -> str:
    """Return the id of the user in whose name this page reads and writes."""
    return settings.local_user
