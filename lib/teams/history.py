"""How far back into its session a team or agent reads, so that a run loads no more than that.

The history window is one reader of the session. Others, found in Agno's source, read all of it: a member's own history,
summaries, the tools that read the chat history or other sessions, compaction, and any function that is handed the session
or the team itself and may do as it likes.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from agno.team import Team

from lib.teams.recording import Member, walk

READS_WHOLE_SESSION = (
    "read_chat_history",
    "read_tool_call_history",
    "search_past_sessions",
    "search_session_history",
    "enable_session_summaries",
    "session_summary_manager",
    "compaction",
)
HANDED_THE_SESSION = ("session", "team", "agent")
"""Parameters through which Agno hands a function the session or something that can load it."""


def history_reach(component: Member, window: int) -> int | None:
    """Return how many of the newest runs the component reads, or None when it may read the whole session."""
    reach = window
    for part in walk(component):
        if any(getattr(part, flag, None) for flag in READS_WHOLE_SESSION):
            return None
        if part is not component and part.add_history_to_context:
            return None  # a member's own earlier runs may lie anywhere
        if any(_is_handed_the_session(function) for function in _functions(part)):
            return None
        if isinstance(part, Team):
            if callable(part.members):
                return None  # its members are not known before the run
            if part.add_team_history_to_members:
                reach = max(reach, part.num_team_history_runs)
    return reach


def _functions(part: Member) -> Iterable[Any]:
    for slot in ("pre_hooks", "post_hooks", "tool_hooks", "tools"):
        functions = getattr(part, slot, None)
        yield from functions if isinstance(functions, list) else [functions]
    for slot in ("instructions", "system_message", "knowledge_retriever", "knowledge"):
        yield getattr(part, slot, None)


def _is_handed_the_session(function: Any) -> bool:
    entrypoint = getattr(function, "entrypoint", None) or function
    toolkit = getattr(function, "functions", None)
    if isinstance(toolkit, dict):
        return any(_is_handed_the_session(each) for each in toolkit.values())
    if not callable(entrypoint):
        return False
    try:
        parameters = inspect.signature(entrypoint).parameters.values()
        return any(each.name in HANDED_THE_SESSION or each.kind is each.VAR_KEYWORD for each in parameters)
    except (TypeError, ValueError):
        return True  # what it takes cannot be known
