"""Stored runs copied under new ids, with every link inside them pointing at the copies.

Agno's own fork copies parent ids, embedded member runs, tool links and events as they are, so that a fork still points
at its source (agno-facts 3.6). Here one pass finds every id that the copied runs define, and a second replaces them
wherever Agno keeps an id: by the key that holds it, never by searching in text.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# What users, models and tools wrote: an id in it is their text, not a link.
_WRITTEN_BY_OTHERS = frozenset({"content", "tool_args", "arguments", "result", "session_state", "reasoning_content"})
_RUN_LINKS = frozenset(
    {
        *("run_id", "parent_run_id", "child_run_id", "forked_from_run_id", "regenerated_from"),
        # Of a paused run's requirements, and of a workflow's steps and events.
        *("member_run_id", "workflow_run_id", "step_run_id", "executor_run_id"),
    }
)
_SESSION_LINKS = frozenset({"session_id", "executor_session_id"})
_MEDIA_KEYS = frozenset({"storage_key"})
# What Agno itself notes in the state that users, models and tools write; the rest of it is theirs.
_LINKS_IN_STATE = frozenset({"current_run_id", "current_session_id"})

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Renaming:
    """The new id of everything that is copied; ids of what is not copied stay as they are."""

    session_id: str
    new_session_id: str
    runs: dict[str, str] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)  # storage keys
    media_ids: dict[str, str] = field(default_factory=dict)  # of stored media


def build_renaming(run_rows: Iterable[Row], *, session_id: str, new_session_id: str) -> Renaming:
    """Return new ids for the session, its runs (embedded ones too), their messages and stored images."""
    renaming = Renaming(session_id=session_id, new_session_id=new_session_id)
    for row in run_rows:
        renaming.runs.setdefault(str(row["run_id"]), str(uuid.uuid4()))
        for holder in _holders(row["run_data"]):
            if isinstance(run_id := holder.get("run_id"), str):
                renaming.runs.setdefault(run_id, str(uuid.uuid4()))
            if isinstance(message_id := holder.get("id"), str) and "role" in holder:
                renaming.messages.setdefault(message_id, str(uuid.uuid4()))
            if isinstance(key := holder.get("storage_key"), str):
                renaming.media.setdefault(key, _new_media_key(key))
            if isinstance(media_id := holder.get("id"), str) and _is_stored_media(holder):
                renaming.media_ids.setdefault(media_id, str(uuid.uuid4()))
    return renaming


def to_forked_row(row: Row, renaming: Renaming) -> dict[str, Any]:
    """Return a run row under its new ids, its run data included."""
    forked = dict(row)
    forked["session_id"] = renaming.new_session_id
    forked["run_id"] = renaming.runs[str(row["run_id"])]
    parent_run_id = row.get("parent_run_id")
    forked["parent_run_id"] = renaming.runs.get(parent_run_id, parent_run_id) if parent_run_id else parent_run_id
    forked["run_data"] = _renamed(row["run_data"], renaming)
    return forked


def select_runs(run_rows: Sequence[Row], *, upto_run_id: str | None) -> list[Row]:
    """Return the rows of the top-level runs up to and including `upto_run_id`, with every run under them.

    Rows come in stored order. A member's row may stand before or after its leader's (agno-facts 2.1), so members are
    found by their parents, not by their place. Raises KeyError if `upto_run_id` is no top-level run of the session.
    """
    if upto_run_id is None:
        return list(run_rows)
    chosen: set[str] = set()
    for row in run_rows:
        if row.get("parent_run_id") is None:
            chosen.add(str(row["run_id"]))
            if row["run_id"] == upto_run_id:
                break
    if upto_run_id not in chosen:
        raise KeyError(upto_run_id)
    grown = True
    while grown:
        children = {str(row["run_id"]) for row in run_rows if row.get("parent_run_id") in chosen} - chosen
        chosen |= children
        grown = bool(children)
    return [row for row in run_rows if row["run_id"] in chosen]


def to_forked_state(state: Any, renaming: Renaming) -> Any:
    """Return a session's state as a fork has it: what Agno notes of session and run in it leads to the fork."""
    if not isinstance(state, Mapping):
        return state
    ids = {**renaming.runs, renaming.session_id: renaming.new_session_id}
    return {
        key: ids.get(value, value) if key in _LINKS_IN_STATE and isinstance(value, str) else value
        for key, value in state.items()
    }


def list_media_keys(run_data: Any) -> tuple[str, ...]:
    """Return the storage keys of all media a run refers to, each once."""
    keys = (holder.get("storage_key") for holder in _holders(run_data))
    return tuple(dict.fromkeys(key for key in keys if isinstance(key, str) and key))


def _holders(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object in Agno's own part of the run data, outermost first."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            yield current
            waiting.extend(inner for key, inner in current.items() if key not in _WRITTEN_BY_OTHERS)
        elif isinstance(current, list):
            waiting.extend(current)


def _renamed(value: Any, renaming: Renaming) -> Any:
    if isinstance(value, Mapping):
        own_ids = renaming.messages if "role" in value else renaming.media_ids if _is_stored_media(value) else {}
        return {key: _renamed_field(key, inner, renaming, own_ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, renaming) for inner in value]
    return value


def _renamed_field(key: str, value: Any, renaming: Renaming, own_ids: Mapping[str, str]) -> Any:
    if key == "session_state":
        return to_forked_state(value, renaming)
    if key in _WRITTEN_BY_OTHERS:
        return value
    if isinstance(value, str):
        if key in _RUN_LINKS:
            return renaming.runs.get(value, value)
        if key in _SESSION_LINKS:
            return renaming.new_session_id if value == renaming.session_id else value
        if key == "id":
            return own_ids.get(value, value)
        if key == "media_id":
            return renaming.media_ids.get(value, value)
        if key in _MEDIA_KEYS:
            return renaming.media.get(value, value)
        return value
    return _renamed(value, renaming)


def _is_stored_media(holder: Row) -> bool:
    """Whether an object is an image or the like whose bytes are kept as a file."""
    return isinstance(holder.get("media_reference"), Mapping)


def _new_media_key(key: str) -> str:
    """Return a fresh storage key in the same folder with the same ending."""
    folder, slash, name = key.rpartition("/")
    ending = "." + name.rpartition(".")[2] if "." in name else ""
    return f"{folder}{slash}{uuid.uuid4().hex}{ending}"
