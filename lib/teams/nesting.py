"""A team within a team gives its leader its own answer, not every word that was said below it.

Agno makes the result of a delegation from all content events that pass, those of the member's own members too: two that
speak at once come out word by word in turns, and each is heard again when the team within reports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from agno.run import agent as agent_run
from agno.run import team as team_run
from agno.team import Team

NOT_COLLECTED: dict[type, type] = {
    agent_run.RunContentEvent: agent_run.IntermediateRunContentEvent,
    team_run.RunContentEvent: team_run.IntermediateRunContentEvent,
}


def keep_words_apart(team: Team) -> None:
    """Let the words of a copied team's members pass as events without becoming part of the team's own answer."""
    arun: Callable[..., Any] = team.arun

    def arun_apart(*arguments: Any, **options: Any) -> Any:
        started = arun(*arguments, **options)
        return _apart(started, options.get("run_id")) if options.get("stream") else started

    team.arun = arun_apart  # type: ignore[method-assign]  # on this copy only


async def _apart(events: AsyncIterator[Any], run_id: str | None) -> AsyncIterator[Any]:
    async for event in events:
        if getattr(event, "run_id", None) != run_id:
            # Agno collects by class; everybody else reads the event's name, which stays.
            event.__class__ = NOT_COLLECTED.get(type(event), type(event))
        yield event
