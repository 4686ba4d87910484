"""What members were given, say and do, taken down where it arises.

Agno keeps it to itself in three cases: a member that fails while streaming leaves no row (agno-facts 5.7), a member
that is cut off neither, and a member of a member never does. And what a member says goes up to the leader through a
queue, which a stop leaves behind with all that is in it. So every run of the engine's own copy of a team is started
through a thin cover that notes its input, holds on to its list of messages and hands on its events at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Any

from agno.agent import Agent
from agno.models.message import Message
from agno.run.agent import RunOutput
from agno.run.base import RunContext
from agno.run.team import TeamRunOutput
from agno.team import Team

from lib.teams.recording import wrap_factory

_working: ContextVar[str | None] = ContextVar("run_that_works", default=None)
"""The run in whose code we are. Agno starts a member's run without saying whose member it is."""


class MemberNotes:
    """The inputs, messages and results of the member runs of one run, by run id."""

    def __init__(self, take: Callable[[Any], None]) -> None:
        """Notes hand each event of a member's run to `take` as soon as it arises, with its leader's run in it."""
        self._take = take
        self.inputs: dict[str, str] = {}
        self.contexts: dict[str, RunContext] = {}
        self.results: dict[str, RunOutput | TeamRunOutput] = {}

    def lead(self, run_id: str) -> None:
        """Say that the members which the current task starts from now on work for this run."""
        _working.set(run_id)

    def cover(self, team: Team) -> None:
        """Take notes of every member below `team`, which must be a copy of our own."""
        if callable(team.members):
            team.members = wrap_factory(team.members, self._cover_member)
        for member in team.members if isinstance(team.members, list) else ():
            self._cover_member(member)

    def _cover_member(self, member: Any) -> Any:
        if isinstance(member, (Agent, Team)):
            member.arun = self._covered(member.arun)  # type: ignore[method-assign]  # on this copy only
        if isinstance(member, Team):
            self.cover(member)
        return member

    def messages(self, run_id: str) -> list[Message]:
        """Return the messages of a member's run as far as it came, those it was given first."""
        context = self.contexts.get(run_id)
        return list(context.messages or ()) if context else []

    def _covered(self, arun: Callable[..., Any]) -> Callable[..., Any]:
        def covered(input: Any = None, **options: Any) -> Any:  # Agno's own name
            run_id = options.get("run_id")
            if not (run_id and options.get("stream")):
                return arun(input, **options)
            if options.get("run_context") is None:
                options["run_context"] = RunContext(
                    run_id=run_id,
                    session_id=options.get("session_id") or "",
                    user_id=options.get("user_id"),
                    session_state=options.get("session_state"),
                )
            self.contexts[run_id] = options["run_context"]
            self.inputs[run_id] = to_task(input)
            return self._watched(run_id, _working.get(), arun(input, **options))

        return covered

    async def _watched(self, run_id: str, leader_id: str | None, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        while True:
            before = _working.set(run_id)
            try:
                item = await anext(stream)
            except StopAsyncIteration:
                return
            finally:
                _working.reset(before)
            if isinstance(item, (RunOutput, TeamRunOutput)):
                self.results[run_id] = item
            elif leader_id is not None:
                item.parent_run_id = item.parent_run_id or leader_id
                self._take(item)
            yield item


def to_task(given: Any) -> str:
    """Return the task in a member's input: text, or the last of its messages."""
    if isinstance(given, list):
        given = given[-1] if given else ""
    if isinstance(given, Message):
        given = given.content
    return given if isinstance(given, str) else str(given or "")
