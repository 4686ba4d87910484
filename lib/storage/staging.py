"""A question stored before it is asked: the session's row, a marker in the run's place, and the run's queue entry."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agno.run.agent import RunInput, RunOutput
from agno.run.base import RunStatus
from agno.run.team import TeamRunInput, TeamRunOutput
from sqlalchemy import Connection, insert, select, update

from lib.errors import InvalidInput, RunNotFound, RunRefused, SessionNotFound
from lib.records import ImageRecord, SessionKind
from lib.storage.first_questions import FIRST_QUESTION_LENGTH
from lib.storage.identity import exactly
from lib.storage.legacy_runs import read_legacy_rows
from lib.storage.run_queue import enter
from lib.storage.schema import runs, sessions
from lib.storage.writing import (
    OUR_KEY,
    UNUSED,
    insert_session_if_missing,
    is_deleted,
    lock_session,
    next_run_index,
    to_session_data,
)

TITLE_OF_A_QUESTION = 60
_INTERRUPTED = "Interrupted before the answer was saved."


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedQuestion:
    """A question, whose it is, and what it is asked with."""

    session_id: str
    user_id: str
    run_id: str
    component_id: str
    component_name: str
    kind: SessionKind
    question: str
    settings: Mapping[str, Any]
    images: tuple[Any, ...] = ()


def ensure_session(
    connection: Connection,
    *,
    session_id: str,
    user_id: str,
    component_id: str,
    component_name: str | None,
    kind: SessionKind,
    ours: Mapping[str, Any],
    title: str | None = None,
) -> dict[str, Any]:
    """Return the user's session row, made if missing, and locked.

    Raises:
        SessionNotFound: the id is somebody else's, nobody's, or of a session that was deleted.
    """
    if is_deleted(connection, "session", session_id):
        raise SessionNotFound(session_id)
    stored = lock_session(connection, session_id)
    if stored is None:
        _insert_session(connection, session_id, user_id, component_id, component_name, kind, ours, title)
        stored = lock_session(connection, session_id)
    if stored is None or stored["user_id"] != user_id:
        # None: on MySQL an id that differs only in what the collation ignores is taken.
        raise SessionNotFound(session_id)
    return dict(stored)


def _insert_session(
    connection: Connection,
    session_id: str,
    user_id: str,
    component_id: str,
    component_name: str | None,
    kind: SessionKind,
    ours: Mapping[str, Any],
    title: str | None,
) -> None:
    now = int(time.time())
    data: dict[str, Any] = {OUR_KEY: {**ours, UNUSED: True}}
    if title:
        data["session_name"] = title
    insert_session_if_missing(
        connection,
        {
            "session_id": session_id,
            "session_type": kind.value,
            "user_id": user_id,
            "session_data": data,
            "created_at": now,
            "updated_at": now,
            f"{kind.value}_id": component_id,
            f"{kind.value}_data": {f"{kind.value}_id": component_id, "name": component_name or component_id},
        },
    )


def stage(connection: Connection, staged: StagedQuestion) -> None:
    """Store the question, or find it stored already.

    Raises:
        SessionNotFound, RunNotFound: an id is taken or was deleted.
        RunRefused: the session is held with another team or agent.
    """
    title = to_title(staged.question)
    asked = {"first_question": staged.question.strip()[:FIRST_QUESTION_LENGTH], "title_by": "question"}
    session = ensure_session(
        connection,
        session_id=staged.session_id,
        user_id=staged.user_id,
        component_id=staged.component_id,
        component_name=staged.component_name,
        kind=staged.kind,
        ours=asked,
        title=title,
    )
    _check_component(session, staged)
    if is_deleted(connection, "run", staged.run_id):
        raise RunNotFound(staged.run_id)
    older = read_legacy_rows(connection, [staged.session_id]).get(staged.session_id, ())
    if staged.run_id in {row["run_id"] for row in older}:
        raise RunNotFound(staged.run_id)
    found = connection.execute(select(runs.c.session_id).where(exactly(runs.c.run_id, staged.run_id))).first()
    if found is not None:
        if found.session_id != staged.session_id:
            raise RunNotFound(staged.run_id)
        return  # staged before: the answer to the first attempt was lost on its way
    place = next_run_index(connection, staged.session_id)
    _note_question(connection, session, asked=asked, title=title)
    connection.execute(insert(runs).values(**_marker_row(staged, place)))
    enter(connection, session_id=staged.session_id, run_id=staged.run_id, user_id=staged.user_id)


def _check_component(session: Mapping[str, Any], staged: StagedQuestion) -> None:
    """Refuse a question to one team in a session of another, whose history it would answer from."""
    kind = session["session_type"]
    held_with = session.get(f"{kind}_id")
    if kind != staged.kind.value or held_with not in (None, "", staged.component_id):
        raise RunRefused(
            f"This session is held with the {kind} {held_with or '?'!r}; {staged.component_id!r} cannot be asked in it. "
            "Begin a new session."
        )


def _note_question(connection: Connection, session: Mapping[str, Any], *, asked: Mapping[str, Any], title: str) -> None:
    """Keep the first question in the session's row, so that lists need no run, and move the session to the top."""
    data = to_session_data(session)
    ours = dict(data[OUR_KEY]) if isinstance(data.get(OUR_KEY), Mapping) else {}
    if "first_question" not in ours and _holds_no_run(connection, session["session_id"]):
        ours["first_question"] = asked["first_question"]
    if not data.get("session_name") and ours.get("first_question") == asked["first_question"]:
        data["session_name"], ours["title_by"] = title, "question"
    data[OUR_KEY] = ours
    connection.execute(
        update(sessions)
        .where(exactly(sessions.c.session_id, session["session_id"]))
        .values(session_data=data, updated_at=int(time.time()))
    )


def _holds_no_run(connection: Connection, session_id: str) -> bool:
    """Whether a session holds no run yet."""
    stored = connection.execute(select(runs.c.run_id).where(runs.c.session_id == session_id).limit(1)).first()
    return stored is None and not read_legacy_rows(connection, [session_id])


def to_title(question: str) -> str:
    """Return the first words of a question, as a title of one line."""
    words = " ".join("".join(char if char.isprintable() else " " for char in question).split())
    if len(words) <= TITLE_OF_A_QUESTION:
        return words
    cut = words[:TITLE_OF_A_QUESTION]
    return f"{cut.rsplit(' ', 1)[0] if ' ' in cut else cut}…"


def _marker_row(staged: StagedQuestion, place: int) -> dict[str, Any]:
    now = int(time.time())
    metadata = {OUR_KEY: {"marker": True, "staged_at": time.time(), "settings": dict(staged.settings)}}
    common: dict[str, Any] = {
        "run_id": staged.run_id,
        "session_id": staged.session_id,
        "user_id": staged.user_id,
        "content": _INTERRUPTED,
        "status": RunStatus.error,
        "metadata": metadata,
    }
    run: TeamRunOutput | RunOutput
    match staged.kind:
        case SessionKind.TEAM:
            run = TeamRunOutput(
                team_id=staged.component_id,
                team_name=staged.component_name,
                input=TeamRunInput(input_content=staged.question),
                **common,
            )
        case SessionKind.AGENT:
            run = RunOutput(
                agent_id=staged.component_id,
                agent_name=staged.component_name,
                input=RunInput(input_content=staged.question),
                **common,
            )
        case _:
            raise InvalidInput("A question can be asked of a team or of a member, not of a workflow.")
    run_data = run.to_dict()
    if staged.images:
        run_data["input"]["images"] = [_to_image(image) for image in staged.images]
    return {
        "run_id": staged.run_id,
        "session_id": staged.session_id,
        "run_type": staged.kind.value,
        f"{staged.kind.value}_id": staged.component_id,
        "user_id": staged.user_id,
        "status": RunStatus.error.value,
        "run_index": place,
        "run_data": run_data,
        "created_at": now,
        "updated_at": now,
    }


def _to_image(image: Any) -> dict[str, Any]:
    """Return an image as Agno stores it, its bytes left out: they are in the media folder."""
    if isinstance(image, Mapping):
        return dict(image)
    if isinstance(image, ImageRecord):
        reference = {"storage_key": image.storage_key, "filename": image.name, "size": image.size_bytes}
        stored = {
            "id": image.image_id,
            "mime_type": image.mime_type,
            "url": image.url,
            "media_reference": {name: value for name, value in reference.items() if value is not None} or None,
        }
        return {name: value for name, value in stored.items() if value is not None}
    return dict(image.to_dict(include_base64_content=False))
