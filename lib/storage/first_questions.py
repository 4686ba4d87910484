"""The first question of sessions whose row does not hold it: other programs' sessions, and those that lost a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from lib.storage.identity import exactly
from lib.storage.json_parts import json_part, parse_part
from lib.storage.reading import to_question
from lib.storage.schema import runs

FIRST_QUESTION_LENGTH = 500
_LOOKED_AT = 2
"""A team's introduction comes before the first question, and asks nothing."""


def read_first_question(
    connection: Connection, session_id: str, *, older: Iterable[Mapping[str, Any]] = (), without: Collection[str] = ()
) -> str | None:
    """Return what the first run of a session was asked, as `list_runs` tells it, but no longer than lists need.

    `older` are the runs in the session's own row (`read_legacy_rows`), which come first; runs `without` do not count.
    """
    tops = (row for row in older if row["parent_run_id"] is None and row["run_id"] not in without)
    if first := next(filter(None, (_cut(to_question(row["run_data"])) for row in tops)), None):
        return first
    statement = (
        select(runs.c.run_id, json_part(runs.c.run_data, "$.input.input_content").label("asked"))
        .where(exactly(runs.c.session_id, session_id), runs.c.parent_run_id.is_(None), runs.c.run_id.not_in(without))
        .order_by(runs.c.run_index, runs.c.created_at, runs.c.run_id)
        .limit(_LOOKED_AT)
    )
    for found in connection.execute(statement).all():
        # The input alone tells almost always; a body may be large.
        if asked := _cut(to_question({"input": {"input_content": parse_part(found.asked)}})):
            return asked
        body = connection.execute(select(runs.c.run_data).where(exactly(runs.c.run_id, found.run_id))).scalar()
        if asked := _cut(to_question(body)):
            return asked
    return None


def _cut(question: str) -> str:
    return question.strip()[:FIRST_QUESTION_LENGTH]
