"""A session's first question as its row holds it, and the title made of it: both go with the run that was asked it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from lib.storage.first_questions import read_first_question
from lib.storage.identity import exactly
from lib.storage.legacy_runs import read_legacy_rows
from lib.storage.schema import sessions
from lib.storage.staging import to_title
from lib.storage.writing import OUR_KEY

FORK_MARK = " (fork)"
"""What is added to a session's name in its fork's title."""


def drop_words_of_the_deleted(connection: Connection, session_id: str) -> None:
    """Have a session, whose row is locked, say no more of a first question whose run is gone: the next one takes its place.

    So does the title, where it was made from that question and not given by hand.
    """
    data, ours = _read_data(connection, session_id)
    told = ours.get("first_question")
    if not isinstance(told, str):
        return
    first = _read_first_question(connection, session_id)
    if first == told:
        return
    if made_title(data, ours) is not None:
        data.pop("session_name")
        for name in ("title_by", "made_title"):
            ours.pop(name, None)
        if first is not None:
            data["session_name"], ours["title_by"] = to_title(first), "question"
    ours.pop("first_question")
    if first is not None:
        ours["first_question"] = first
    # The time stays: whoever deleted says whether the session was used by it.
    statement = update(sessions).where(exactly(sessions.c.session_id, session_id))
    connection.execute(statement.values(session_data={**data, OUR_KEY: ours}))


def is_named_after(connection: Connection, session_id: str, run_ids: Collection[str]) -> bool:
    """Whether a session's title was made from a question that goes with these runs."""
    data, ours = _read_data(connection, session_id)
    told = ours.get("first_question")
    if made_title(data, ours) is None:
        return False
    return _read_first_question(connection, session_id, without=run_ids) != told


def _read_data(connection: Connection, session_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    statement = select(sessions.c.session_data).where(exactly(sessions.c.session_id, session_id))
    stored = connection.execute(statement).scalar()
    data = dict(stored) if isinstance(stored, Mapping) else {}
    return data, dict(data[OUR_KEY]) if isinstance(data.get(OUR_KEY), Mapping) else {}


def made_title(data: Mapping[str, Any], ours: Mapping[str, Any]) -> str | None:
    """Return the title of a session where it was made from its first question, and is not a person's own words."""
    title, told = data.get("session_name"), ours.get("first_question")
    if not isinstance(title, str) or not isinstance(told, str):
        return None
    title = title.removesuffix(FORK_MARK)  # a fork is called as its source was
    noted = ours.get("made_title")
    if noted is None and ours.get("title_by") == "question":
        noted = to_title(told)
    # Where it is another title than was noted, another program gave it.
    is_made = title == noted or (noted is None and ours.get("title_by") == "model")
    return title if is_made else None


def _read_first_question(connection: Connection, session_id: str, *, without: Collection[str] = ()) -> str | None:
    """Return the question of a session's first run, as a question is kept in its row."""
    older = read_legacy_rows(connection, [session_id]).get(session_id, ())
    return read_first_question(connection, session_id, older=older, without=without)
