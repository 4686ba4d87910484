"""A copy of a team that records: this app's database, history window and recording flags, on nobody else's object.

Agno's `deep_copy` gives every copy its own members, tools and state and shares what holds connections. Agno itself
writes into some of what it shares (it gives a memory manager the team's model and database, a model its HTTP client), so
those are copied here too. Flags follow agno-facts 12.5.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from agno.agent import Agent
from agno.db.base import BaseDb
from agno.media.storage.local import LocalMediaStorage
from agno.models.base import Model
from agno.run.agent import RunEvent
from agno.run.team import TeamRunEvent
from agno.team import Team

from lib.teams.nesting import keep_words_apart

Member = Agent | Team
Component = TypeVar("Component", bound=Member)

AGENT_EVENTS_SKIPPED = (RunEvent.run_content, RunEvent.run_completed)
TEAM_EVENTS_SKIPPED = (
    RunEvent.run_content,
    TeamRunEvent.run_content,
    TeamRunEvent.run_intermediate_content,
    # The completed events repeat the whole run a second and third time (agno-facts 2.7).
    RunEvent.run_completed,
    TeamRunEvent.run_completed,
)

MODEL_SLOTS = ("model", "reasoning_model", "parser_model", "output_model", "followup_model")
MANAGER_SLOTS = ("memory_manager", "session_summary_manager", "compression_manager", "learning")


def copy_component(component: Component) -> Component:
    """Return a copy that shares no state with the original that a run may change, and belongs to no session."""
    duplicate: Any = component.deep_copy()
    for part in walk(duplicate):
        _separate(part)
    return cast("Component", duplicate)


def record_team(team: Team, *, db: BaseDb, model: Model, window: int, media_dir: Path) -> None:
    """Make a copied team keep everything in `db` and read `window` earlier runs. Its own model stays, if it has one."""
    _record(team, db=db, model=model, window=window, media_dir=media_dir)
    team.num_history_messages = None
    team.events_to_skip = list(TEAM_EVENTS_SKIPPED)
    # Agno writes a row for each direct member's run. What ran below a team within the team is stored only inside that
    # team's run, and only with this flag.
    team.store_member_responses = any(isinstance(member, Team) for member in listed_members(team))
    team.stream_member_events = True
    for member in listed_members(team):
        record_member(member, leader=team, db=db)
    if callable(team.members):
        team.members = wrap_factory(team.members, lambda made: _recorded(made, leader=team, db=db))


def record_agent(agent: Agent, *, db: BaseDb, model: Model, window: int, media_dir: Path) -> None:
    """Make a copied agent, talked to directly, keep everything in `db` and read `window` earlier runs."""
    _record(agent, db=db, model=model, window=window, media_dir=media_dir)
    agent.num_history_messages = None
    agent.events_to_skip = list(AGENT_EVENTS_SKIPPED)


def record_member(member: Member, *, leader: Team, db: BaseDb) -> None:
    """Make a copied member store what it was shown. Its rows are the leader's to write."""
    if member.db is not None:
        # In a team Agno uses a member's own database only beside its runs (memories, approvals): the app's, then.
        member.db = db
    member.telemetry = False
    member.store_history_messages = True
    # Agno would let an agent inherit the leader's model, but gives OpenAI's to a team without one.
    member.model = member.model or leader.model
    if isinstance(member, Team):
        member.stream_member_events = True
        member.store_member_responses = True
        keep_words_apart(member)
        for below in listed_members(member):
            record_member(below, leader=member, db=db)
        if callable(member.members):
            member.members = wrap_factory(member.members, lambda made: _recorded(made, leader=member, db=db))


def listed_members(component: Member) -> list[Member]:
    """Return the members of a team that lists them; none for an agent or a team whose members are made for each run."""
    members: Any = component.members if isinstance(component, Team) else None
    # A remote agent or team is neither: it keeps its own history, elsewhere.
    return [member for member in members if isinstance(member, Agent | Team)] if isinstance(members, list) else []


def walk(component: Member) -> Iterator[Member]:
    """Yield the component and every listed member below it, leaders first."""
    yield component
    for member in listed_members(component):
        yield from walk(member)


def _record(component: Member, *, db: BaseDb, model: Model, window: int, media_dir: Path) -> None:
    component.db = db
    component.model = component.model or model
    component.add_history_to_context = True
    component.num_history_runs = window
    component.store_events = True
    component.store_history_messages = True
    component.media_storage = LocalMediaStorage(str(media_dir))
    component.telemetry = False


def _separate(component: Member) -> None:
    for slot in (*MODEL_SLOTS, *MANAGER_SLOTS):
        shared = getattr(component, slot, None)
        if shared is not None and not isinstance(shared, bool):
            # Shallow: a client that the owner configured stays, one that Agno makes on demand goes to the copy.
            setattr(component, slot, copy.copy(shared))
    # A session id sticks to an object that once ran without one (agno-facts 4.3); every run here names its own.
    component.session_id = None
    component.user_id = None
    component.cache_session = False
    component.debug_mode = False  # Agno's debug lines hold chat text


def wrap_factory(factory: Callable[..., Any], prepare: Callable[[Any], Any]) -> Callable[..., Any]:
    """Wrap a function that makes the members for a run, so that each is prepared before it is used."""

    def prepared(members: Any) -> Any:
        return [prepare(member) for member in members] if isinstance(members, list | tuple) else members

    # Agno reads the signature to know what to pass; `wraps` keeps it.
    if inspect.iscoroutinefunction(factory):

        @functools.wraps(factory)
        async def make_later(*args: Any, **kwargs: Any) -> Any:
            return prepared(await factory(*args, **kwargs))

        return make_later

    @functools.wraps(factory)
    def make(*args: Any, **kwargs: Any) -> Any:
        return prepared(factory(*args, **kwargs))

    return make


def _recorded(member: Any, leader: Team, db: BaseDb) -> Any:
    if not isinstance(member, Agent | Team):
        return member  # a remote agent is shared, as Agno shares it
    duplicate = copy_component(member)
    record_member(duplicate, leader=leader, db=db)
    return duplicate
