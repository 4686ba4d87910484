"""Events and messages are held against each other only where both must tell the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lib.replay.findings import FindingKind
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import StoredSession
from tests.replay.plain_agno import ListedModel, PlainAgno


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


def fail(text: str) -> str:
    """Fail."""
    raise ValueError(f"no {text}")


class WritingModel(ListedModel):
    """Writes arguments as it is told to, JSON or not."""

    def _next(self) -> tuple[str, list[dict[str, Any]]]:
        words, calls = super()._next()
        for call in calls:
            if call["function"]["name"] == "note":
                call["function"]["arguments"] = "{not json"
        return words, calls


Call = tuple[str, dict[str, Any]]
WRITE: Call = ("note", {"text": "one"})
FAIL: Call = ("fail", {"text": "two"})
MISSING: Call = ("no_such_tool", {})


def kinds(replay: Replay) -> list[str]:
    return [f"{found.kind}: {found.evidence}" for found in replay.findings()]


def changed(agno: PlainAgno, change: Callable[[dict[str, Any]], None]) -> Replay:
    """Return the session with its one run changed."""
    rows = agno.rows()
    change(rows[0]["run_data"])
    return Replay(StoredSession(row={"session_id": "s1", "user_id": "ann", "session_type": "agent"}, run_rows=rows))


@pytest.mark.parametrize("kind", ["agent", "team"])
def test_calls_that_agno_refuses_have_no_events_and_nothing_is_amiss(agno, kind):
    build = agno.build_agent if kind == "agent" else agno.build_team
    model = WritingModel(answers=[("Let me see.", [FAIL, WRITE, MISSING]), "Done."])
    agno.run(build(model=model, tools=[note, fail]))
    replay = agno.replay()
    calls = {str(step.tool_name): step.failed for step in replay.steps(replay.runs[0]) if step.tool_name}
    assert calls == {"fail": True, "note": True, "no_such_tool": True}
    assert kinds(replay) == []


def test_one_call_too_many_is_nothing_amiss(agno):
    agno.run(agno.build_agent(("", [WRITE, WRITE]), "Done.", tools=[note], tool_call_limit=1))
    assert kinds(agno.replay()) == []


def test_a_call_whose_events_are_gone_is_found(agno):
    agno.run(agno.build_agent(("", [WRITE, FAIL]), "Done.", tools=[note, fail]))
    assert kinds(agno.replay()) == []

    def lose_events(data: dict[str, Any]) -> None:
        data["events"] = [event for event in data["events"] if (event.get("tool") or {}).get("tool_name") != "note"]

    (found,) = changed(agno, lose_events).findings()
    assert found.kind is FindingKind.EVENTS_DISAGREE
    assert "the events lack" in found.evidence


def test_another_result_in_the_messages_is_found_for_the_second_call_of_an_id_too(agno):
    answers = ("", [WRITE]), ("", [("note", {"text": "two"})]), "Done."
    agno.run(agno.build_agent(*answers, tools=[note], call_id="call_0"))
    assert kinds(agno.replay()) == []

    def change_second_result(data: dict[str, Any]) -> None:
        [message for message in data["messages"] if message["role"] == "tool"][1]["content"] = "noted something else"

    (found,) = changed(agno, change_second_result).findings()
    assert "'noted two' by the events and 'noted something else' by the messages" in found.evidence
