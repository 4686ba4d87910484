"""Whether a stored session can be gone on with in this app, and if not, why."""

from __future__ import annotations

from lib.errors import TeamUnavailable
from lib.records import SessionKind, SessionSummary
from lib.teams.catalogue import TeamCatalogue


def find_obstacle(session: SessionSummary, catalogue: TeamCatalogue, *, user_id: str) -> str | None:
    """Return in a sentence why the user cannot ask anything in this session; None where they can."""
    if session.user_id is None:
        return "This session belongs to nobody: the app that wrote it named no user. It can be read, not continued."
    if session.user_id != user_id:
        return f"This is {session.user_id}'s session. It can be read, not continued."
    match session.kind:
        case SessionKind.WORKFLOW:
            return "This session is with a workflow. Workflows are run by the app they belong to; it can be read here."
        case SessionKind.AGENT:
            name = session.component_name or session.component_id
            return f"This session is with the agent {name!r} alone. It can be read here, and continued in its own app."
        case SessionKind.TEAM:
            try:
                catalogue.get(session.component_id)
            except TeamUnavailable:
                return (
                    f"This session is with the team {session.component_id!r}, which is not among this app's teams. "
                    "Name it in CHAT_TEAMS to continue."
                )
            return None


def can_continue(session: SessionSummary, catalogue: TeamCatalogue, *, user_id: str) -> bool:
    """Whether the user can ask something in this session."""
    return find_obstacle(session, catalogue, user_id=user_id) is None
