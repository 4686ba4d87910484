"""Calls that Agno answered by itself, in place of the tool, are read back as failed with what the model was told.

Plain Agno stores them, with and without events. What a tool says itself is never taken for a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.message import Message
from agno.models.response import ModelResponse
from agno.team import Team
from agno.tools import tool
from sqlalchemy import text

from lib.records import RunRecord, TextSegment, ToolCallRecord
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import StoredSession
from tests.replay.recorded_teams import RecordingModel

Call = tuple[str, str]
NO_TOOL = "Error: The requested tool does not exist or is not available."


class CallingModel(RecordingModel):
    """Makes the calls it was given, then answers."""

    calls: tuple[Call, ...] = ()

    def _answer(self, messages: list[Message], tools: list[dict[str, Any]] | None) -> tuple[str, list[dict[str, Any]]]:
        if messages[-1].role == "tool":
            return "Done.", []
        calls = [
            {"id": f"call-{place}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for place, (name, arguments) in enumerate(self.calls)
        ]
        return "I look.", calls

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        yield self.invoke(*args, **kwargs)


def look_up(city: str) -> str:
    """Return a fact about a city."""
    return f"{city} is sunny"


def quote(sentence: str) -> str:
    """Return a sentence."""
    return sentence


@tool(requires_confirmation=True)
def send(city: str) -> str:
    """Send what somebody has to agree to first."""
    return f"sent to {city}"


@tool(external_execution=True)
def print_out(city: str) -> str:
    """Print on another machine."""
    return ""


@tool(requires_user_input=True, user_input_fields=["city"])
def book(city: str) -> str:
    """Book what somebody has to name."""
    return f"booked {city}"


LOOK_UP = ("look_up", '{"city": "Paris"}')
TOOLS: list[Any] = [look_up, quote, send, print_out, book]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Callable[..., RunRecord]]:
    """A function that runs plain Agno once and returns the run read back: `stored([call, ...], settle=...)`."""
    db = SqliteDb(db_file=str(tmp_path / "agno.db"))

    def run(
        *calls: Call,
        kind: type[Agent] | type[Team] = Agent,
        settle: Callable[[Any], None] | None = None,
        stream: bool = True,
        events: bool = True,
        **options: Any,
    ) -> RunRecord:
        model = CallingModel()
        model.calls = calls
        if kind is Team:
            options["members"] = [Agent(id="weather", name="Weather", model=RecordingModel(), telemetry=False)]
        asked: Any = kind(
            id="desk", name="Desk", model=model, tools=TOOLS, db=db, telemetry=False, store_events=events, **options
        )
        ids = {"session_id": "s1", "user_id": "ann", "run_id": "r1"}
        if stream:
            list(asked.run("The question?", stream=True, stream_events=True, **ids))
        else:
            asked.run("The question?", **ids)
        if settle:
            paused: Any = asked.get_run_output(run_id="r1", session_id="s1")
            for requirement in paused.requirements:
                settle(requirement)
            asked.continue_run(run_id="r1", session_id="s1", user_id="ann", requirements=paused.requirements)
        with db.db_engine.connect() as connection:
            rows = [
                {**row, "run_data": json.loads(row["run_data"])}
                for row in connection.execute(text("SELECT * FROM agno_runs ORDER BY run_index")).mappings()
            ]
        (read,) = Replay(StoredSession(row={"session_id": "s1", "session_type": "agent"}, run_rows=rows)).runs
        return read

    yield run
    db.close()


def calls_of(run: RunRecord) -> list[ToolCallRecord]:
    return [part.call for part in run.segments if not isinstance(part, TextSegment)]


def outcomes(run: RunRecord) -> list[tuple[str, bool, str | None]]:
    return [(call.tool_name, call.failed, call.result) for call in calls_of(run)]


@pytest.mark.parametrize("kind", [Agent, Team])
@pytest.mark.parametrize("way", [{}, {"stream": False}, {"events": False}])
class TestRefused:
    def test_a_tool_that_does_not_exist(self, stored, kind, way):
        run = stored(("no_such_tool", "{}"), LOOK_UP, kind=kind, **way)
        assert outcomes(run) == [("no_such_tool", True, NO_TOOL), ("look_up", False, "Paris is sunny")]

    @pytest.mark.parametrize("arguments", ["{'city", "[1]", '"Paris"'])
    def test_arguments_that_are_no_json_object(self, stored, kind, way, arguments):
        run = stored(("look_up", arguments), LOOK_UP, kind=kind, **way)
        assert [(name, failed) for name, failed, _ in outcomes(run)] == [("look_up", True), ("look_up", False)]
        assert "JSON" in str(calls_of(run)[0].result) or "json" in str(calls_of(run)[0].result)

    def test_arguments_that_the_tool_does_not_take(self, stored, kind, way):
        run = stored(("look_up", '{"town": "Paris"}'), kind=kind, **way)
        assert [(name, failed) for name, failed, _ in outcomes(run)] == [("look_up", True)]
        assert "city" in str(calls_of(run)[0].result)

    def test_one_call_too_many(self, stored, kind, way):
        run = stored(LOOK_UP, LOOK_UP, kind=kind, tool_call_limit=1, **way)
        assert [failed for _, failed, _ in outcomes(run)] == [False, True]
        assert "limit reached" in str(calls_of(run)[1].result)

    def test_a_call_that_a_person_rejected(self, stored, kind, way):
        run = stored(
            ("send", '{"city": "Paris"}'), kind=kind, settle=lambda asked: asked.reject(note="Not to Paris."), **way
        )
        assert outcomes(run) == [("send", True, "Not to Paris.")]


@pytest.mark.parametrize("way", [{}, {"stream": False}, {"events": False}])
def test_the_reason_of_a_rejection_stands_where_no_message_was_stored(stored, way):
    run = stored(
        ("send", '{"city": "Paris"}'),
        settle=lambda asked: asked.reject(note="Not to Paris."),
        store_tool_messages=False,
        **way,
    )
    assert outcomes(run) == [("send", True, "Not to Paris.")]


@pytest.mark.parametrize("way", [{}, {"stream": False}, {"events": False}])
def test_a_task_for_nobody(stored, way):
    asked = ("delegate_task_to_member", '{"member_id": "ghost", "task": "haunt"}')
    known = ("delegate_task_to_member", '{"member_id": "weather", "task": "look"}')
    run = stored(asked, known, kind=Team, **way)
    assert [call.failed for call in calls_of(run)] == [True, False]
    assert str(calls_of(run)[0].result).startswith("Member with ID ghost not found")


@pytest.mark.parametrize("way", [{}, {"stream": False}, {"events": False}])
class TestNotRefused:
    @pytest.mark.parametrize("sentence", [NO_TOOL, "Member with ID ghost not found in the team or any subteams."])
    def test_a_tool_that_says_what_agno_says(self, stored, way, sentence):
        run = stored(("quote", json.dumps({"sentence": sentence})), **way)
        assert outcomes(run) == [("quote", False, sentence)]

    def test_a_call_that_a_person_agreed_to(self, stored, way):
        run = stored(("send", '{"city": "Paris"}'), settle=lambda asked: asked.confirm(), **way)
        assert outcomes(run) == [("send", False, "sent to Paris")]

    def test_a_call_that_waits_for_a_person(self, stored, way):
        run = stored(("send", '{"city": "Paris"}'), **way)
        assert outcomes(run) == [("send", False, None)]

    def test_a_call_that_another_program_made(self, stored, way):
        run = stored(
            ("print_out", '{"city": "Paris"}'),
            settle=lambda asked: asked.set_external_execution_result("printed"),
            **way,
        )
        assert outcomes(run) == [("print_out", False, "printed")]

    def test_a_call_that_a_person_filled_in(self, stored, way):
        run = stored(("book", "{}"), settle=lambda asked: asked.provide_user_input({"city": "Rome"}), **way)
        assert outcomes(run) == [("book", False, "booked Rome")]
