"""A session that cannot be continued says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lib.records import SessionKind, SessionSummary
from lib.teams.catalogue import load_catalogue
from lib.teams.continuing import can_continue, find_obstacle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINE = SessionSummary(
    session_id="s", user_id="ann", kind=SessionKind.TEAM, component_id="market-desk", title=None, first_question=None,
    runs=0, created_at=NOW, updated_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"user_id": None}, "belongs to nobody"),
        ({"user_id": "Ann"}, "Ann's session"),
        ({"kind": SessionKind.WORKFLOW}, "workflow"),
        ({"kind": SessionKind.AGENT, "component_id": "solo"}, "agent 'solo' alone"),
        ({"component_id": "gone-desk"}, "CHAT_TEAMS"),
        ({"component_id": ""}, "CHAT_TEAMS"),
    ],
)
def test_the_obstacle_is_said_in_a_sentence(settings, changes, reason):
    session, catalogue = replace(MINE, **changes), load_catalogue(settings)
    told = find_obstacle(session, catalogue, user_id="ann")
    assert (told is None) if reason is None else (told is not None and reason in told)
    assert can_continue(session, catalogue, user_id="ann") is (reason is None)
