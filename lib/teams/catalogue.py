"""The catalogue: the sample teams and those CHAT_TEAMS brings, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from agno.agent import Agent
from agno.db.base import BaseDb
from agno.models.base import Model
from agno.team import Team
from agno.utils.team import get_member_id

from lib.errors import TeamUnavailable
from lib.recall.members import TeamHistoryRules
from lib.recall.window import HistoryRules
from lib.records import SessionKind
from lib.settings import Settings
from lib.teams.importing import TeamSource, import_team, name_parts
from lib.teams.recording import Member, copy_component, listed_members, record_agent, record_team, walk

SAMPLE_TEAMS = ("market_desk", "trip_desk", "weather_desk")
"""The folders of this package that hold a team. To add one: copy a folder and name it here."""

QUESTIONS = ("What can each of your members do?", "Remember: my budget is 40k", "Repeat that.")
"""Questions to begin with for a team that brings none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberEntry:
    """A member of a team: an agent, or a team with members of its own."""

    member_id: str
    name: str
    role: str = ""
    kind: SessionKind = SessionKind.AGENT
    members: tuple[MemberEntry, ...] = ()
    history: HistoryRules = HistoryRules(add_history=False)  # what its own settings say


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamEntry:
    """A team one can talk to. `name` is Agno's team id, which sessions are stored under; `title` is what people read."""

    name: str
    title: str
    description: str
    questions: tuple[str, ...]
    members: tuple[MemberEntry, ...]  # empty when the team makes them for each run
    source: str
    model: str | None = None  # provider:id, where the team brings its own
    history: HistoryRules = HistoryRules()  # what its own settings say; the window is chosen for every question
    team_history: TeamHistoryRules | None = None  # what it tells its members of its runs; None: nothing

    def history_rules(self, window: int) -> HistoryRules:
        """Return what decides, under this window, which history its leader's next prompt holds (see `recording`)."""
        return replace(self.history, num_history_runs=window)

    def all_members(self) -> tuple[MemberEntry, ...]:
        """Return every member, those of teams within the team too."""
        return tuple(_flatten(self.members))


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamProblem:
    """A team that could not be loaded, and why."""

    source: str
    message: str


class TeamCatalogue:
    """The teams that could be loaded, and the problems with those that could not."""

    def __init__(self, loaded: Iterable[tuple[TeamEntry, TeamSource]], problems: Iterable[TeamProblem] = ()) -> None:
        self._loaded = {entry.name: (entry, source) for entry, source in loaded}
        self.entries: tuple[TeamEntry, ...] = tuple(entry for entry, _ in self._loaded.values())
        self.problems: tuple[TeamProblem, ...] = tuple(problems)

    def get(self, name: str) -> TeamEntry:
        """Return the team called `name`. Raises TeamUnavailable."""
        return self._get(name)[0]

    def build_team(self, name: str, *, db: BaseDb, model: Model, window: int, media_dir: Path) -> Team:
        """Build a copy of the team that keeps its history in `db` and reads the newest `window` runs of its session.

        `model` is for a leader that has none of its own. Raises TeamUnavailable.
        """
        team = self._get(name)[1].make()
        record_team(team, db=db, model=model, window=window, media_dir=media_dir)
        return team

    def build_member(
        self, name: str, member_id: str, *, db: BaseDb, model: Model, window: int, media_dir: Path
    ) -> Member:
        """Build one member of the team to talk to directly: an Agent, or a Team where the member is one.

        Agno stores no direct runs of an agent that ever ran in a team (agno-facts 8.2), so this is an object of its own.
        Raises TeamUnavailable.
        """
        team = self._get(name)[1].make()
        for leader in walk(team):
            for member in listed_members(leader):
                if get_member_id(member) == member_id:
                    return _alone(member, db=db, model=leader.model or model, window=window, media_dir=media_dir)
        raise TeamUnavailable(f"Team {name!r} has no member {member_id!r}. {_choice(self.get(name).all_members())}")

    def _get(self, name: str) -> tuple[TeamEntry, TeamSource]:
        if name not in self._loaded:
            known = ", ".join(self._loaded) or "none"
            raise TeamUnavailable(f"There is no team {name!r}. Teams: {known}. CHAT_TEAMS brings further ones.")
        return self._loaded[name]


def load_catalogue(settings: Settings) -> TeamCatalogue:
    """Load the sample teams and the teams of CHAT_TEAMS. What cannot be loaded is a problem of the catalogue."""
    loaded: list[tuple[TeamEntry, TeamSource]] = []
    problems: list[TeamProblem] = []
    for path in (*SAMPLE_TEAMS, *settings.chat_teams):
        try:
            entry, source = _load_sample(path) if path in SAMPLE_TEAMS else _load_own(path)
            taken = next((other.source for other, _ in loaded if other.name == entry.name), None)
            if taken is not None:
                raise TeamUnavailable(
                    f"{path!r} has the id {entry.name!r}, which {taken!r} has already. Give it another."
                )
        except TeamUnavailable as error:
            problems.append(TeamProblem(source=path, message=str(error)))
        else:
            loaded.append((entry, source))
    return TeamCatalogue(loaded, problems)


def to_entry(team: Team, *, source: str, questions: Sequence[str] = QUESTIONS) -> TeamEntry:
    """Turn an Agno team, with its ids and names given, into the catalogue's entry."""
    return TeamEntry(
        name=team.id or "",
        title=team.name or "",
        description=team.description or team.role or "",
        questions=tuple(questions),
        members=tuple(_to_member_entry(member) for member in listed_members(team)),
        source=source,
        model=f"{team.model.provider}:{team.model.id}" if team.model is not None else None,
        history=HistoryRules(max_tool_calls=team.max_tool_calls_from_history, system_role=team.system_message_role),
        team_history=TeamHistoryRules(num_team_history_runs=team.num_team_history_runs)
        if team.add_team_history_to_members
        else None,
    )


def _load_sample(folder: str) -> tuple[TeamEntry, TeamSource]:
    module = import_module(f"{__package__}.{folder}.team")

    def make() -> Team:
        team: Team = module.build_team()
        return name_parts(team, fallback=folder)

    source = TeamSource(f"{__package__}.{folder}", make)
    return to_entry(make(), source=source.source, questions=module.QUESTIONS), source


def _load_own(path: str) -> tuple[TeamEntry, TeamSource]:
    source = import_team(path)
    return to_entry(source.make(), source=path), source


def _to_member_entry(member: Member) -> MemberEntry:
    return MemberEntry(
        member_id=get_member_id(member) or "",
        name=member.name or "",
        role=member.role or "",
        kind=SessionKind.TEAM if isinstance(member, Team) else SessionKind.AGENT,
        members=tuple(_to_member_entry(below) for below in listed_members(member)),
        history=HistoryRules(
            add_history=bool(member.add_history_to_context),
            num_history_runs=member.num_history_runs,
            num_history_messages=member.num_history_messages,
        ),
    )


def _alone(member: Member, *, db: BaseDb, model: Model, window: int, media_dir: Path) -> Member:
    if isinstance(member, Agent):
        agent = copy_component(member)
        record_agent(agent, db=db, model=model, window=window, media_dir=media_dir)
        return agent
    team = copy_component(member)
    record_team(team, db=db, model=model, window=window, media_dir=media_dir)
    return team


def _flatten(members: Iterable[MemberEntry]) -> Iterable[MemberEntry]:
    for member in members:
        yield member
        yield from _flatten(member.members)


def _choice(members: Sequence[MemberEntry]) -> str:
    return f"Members: {', '.join(member.member_id for member in members) or 'made for each run'}."
