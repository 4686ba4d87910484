"""Somebody's own team by its import path, `package.module:attribute`: an Agno Team, or a function that returns one."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from agno.agent import Agent
from agno.exceptions import redact_secrets
from agno.team import Team
from agno.utils.string import generate_id_from_name

from lib.errors import TeamUnavailable
from lib.records import MAX_ID_LENGTH
from lib.teams.recording import copy_component, listed_members

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
MAX_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class TeamSource:
    """Where a team comes from: `make` returns a copy that nobody else has, with an id and a name, every time."""

    source: str
    make: Callable[[], Team]


def import_team(path: str) -> TeamSource:
    """Return the source of the team at `path`, imported with the working directory as one place to look.

    Raises TeamUnavailable, naming the path and the reason. The function of a factory is called for every copy.
    """
    if not IMPORT_PATH.fullmatch(path):
        raise TeamUnavailable(f"{path!r} is not an import path. It takes package.module:attribute.")
    found = _import(path)

    def make() -> Team:
        original = found if isinstance(found, Team) else _call(found, path)
        return name_parts(_copy(original, path), fallback=path.rpartition(":")[2])

    return TeamSource(source=path, make=make)


def name_parts(team: Team, *, fallback: str) -> Team:
    """Give a copied team and its members the ids and names they lack, the same in every process; return the team.

    Agno makes up a random id for what has no name, and a session would lose its team at the next start.
    """
    team.name = team.name or team.id or fallback.replace("_", " ").strip().capitalize()
    team.id = team.id or generate_id_from_name(team.name)
    _name_members(team)
    return team


def _name_members(team: Team) -> None:
    for number, member in enumerate(listed_members(team), start=1):
        member.name = member.name or member.id or f"Member {number}"
        member.id = member.id or generate_id_from_name(member.name)
        if isinstance(member, Team):
            _name_members(member)


def _import(path: str) -> Any:
    module_name, _, attribute = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # somebody else's module may raise anything; the rest of the app must work
        raise TeamUnavailable(f"Importing {module_name!r} for {path!r} failed: {_reason(error)}") from error
    try:
        found = reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        raise TeamUnavailable(f"Module {module_name!r} has no {attribute!r}, which {path!r} names.") from error
    if not isinstance(found, Team) and not callable(found):
        raise TeamUnavailable(f"{path!r} is {_kind(found)}, not an Agno Team or a function that returns one.")
    return found


def _call(factory: Callable[[], Any], path: str) -> Team:
    if inspect.iscoroutinefunction(factory):
        raise TeamUnavailable(f"{path!r} is an async function. Give a plain function that returns the Team.")
    try:
        made = factory()
    except (Exception, SystemExit) as error:  # as above
        raise TeamUnavailable(f"Calling {path!r} failed: {_reason(error)}") from error
    if not isinstance(made, Team):
        raise TeamUnavailable(f"{path!r} returned {_kind(made)}, not an Agno Team.")
    return made


def _copy(team: Team, path: str) -> Team:
    try:
        duplicate = copy_component(team)
    except Exception as error:  # Agno builds the copy with the class's own constructor, which may raise anything
        raise TeamUnavailable(
            f"{path!r} cannot be copied: {_reason(error)} "
            "A subclass of Team must take Team's own parameters in its constructor."
        ) from error
    for part_id in (duplicate.id, *(member.id for member in listed_members(duplicate))):
        if part_id is not None and len(part_id) > MAX_ID_LENGTH:
            raise TeamUnavailable(
                f"{path!r} has an id of {len(part_id)} characters; at most {MAX_ID_LENGTH} can be stored."
            )
    return duplicate


def _kind(thing: Any) -> str:
    match thing:
        case Agent():
            return "an Agent"
        case None:
            return "None"
        case _:
            return f"an object of type {type(thing).__name__!r}"


def _reason(error: BaseException) -> str:
    text = " ".join(redact_secrets(str(error)).split())
    if len(text) > MAX_REASON_LENGTH:
        text = text[:MAX_REASON_LENGTH] + "…"
    return f"{type(error).__name__}: {text}." if text else f"{type(error).__name__}."
