"""What people put on a session: title, tags, collection. Checked here, and written into Agno's own session row."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, update

from lib.errors import InvalidInput, SessionNotFound
from lib.storage import heads
from lib.storage.identity import check_text, exactly, is_possible_id
from lib.storage.schema import sessions
from lib.storage.writing import OUR_KEY, lock_session, to_session_data

MAX_TITLE_LENGTH = 200
MAX_TAG_LENGTH = 60
MAX_TAGS = 50

Change = Callable[[dict[str, Any], dict[str, Any]], bool]
"""Changes a session's data and our part of it; False leaves both as they were."""


def change_session(connection: Connection, session_id: str, user_id: str, change: Change) -> bool:
    """Change a session's data under its lock; False: `change` left it. What changes nothing is not written.

    Raises:
        SessionNotFound: there is none, or it is another user's.
        SessionDamaged: what is stored of it cannot be read.
        SessionDamaged: what is stored of it cannot be read.
    """
    stored = lock_session(connection, session_id) if is_possible_id(session_id) else None
    if stored is None or stored["user_id"] != user_id:
        raise SessionNotFound(session_id)
    before = to_session_data(stored)
    data = dict(before)
    ours = dict(data[OUR_KEY]) if isinstance(data.get(OUR_KEY), Mapping) else {}
    if not change(data, ours):
        return False
    data[OUR_KEY] = ours
    if data != before:
        connection.execute(
            update(sessions)
            .where(exactly(sessions.c.session_id, session_id))
            .values(session_data=data, updated_at=int(time.time()))
        )
        heads.refresh_heads(connection, [session_id])
    return True


def setting(**ours: Any) -> Change:
    """Return a change that sets some of our own values."""

    def change(_data: dict[str, Any], kept: dict[str, Any]) -> bool:
        kept.update(ours)
        return True

    return change


def check_title(title: str) -> str:
    """Return a title as it is stored, or raise InvalidInput."""
    return check_text(title, "title", max_length=MAX_TITLE_LENGTH, one_line=True).strip()


def check_collection(collection: str | None) -> str | None:
    """Return a collection's name as it is stored, or raise InvalidInput."""
    if collection is None:
        return None
    return check_text(collection, "collection", max_length=MAX_TITLE_LENGTH, one_line=True).strip()


def check_tags(tags: Iterable[str]) -> set[str]:
    """Return tags as they are stored, without doubles, or raise InvalidInput."""
    return {check_text(tag, "tag", max_length=MAX_TAG_LENGTH, one_line=True).strip() for tag in tags}


def list_tags(tags: Collection[str]) -> list[str]:
    """Return a session's tags in the order in which they are stored, or raise InvalidInput where they are too many."""
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"A session takes at most {MAX_TAGS} tags, not {len(tags)}. Nothing was written.")
    return sorted(tags)
