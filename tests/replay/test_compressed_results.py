"""A tool result that was compressed is shown as the model was sent it, from the request on before which that was done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agno.agent import Agent
from agno.compression.manager import CompressionManager
from agno.db.sqlite import SqliteDb

from lib.replay.contexts import ModelRequest
from lib.replay.export import export_requests
from lib.settings import load_settings
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import open_stored_sessions
from tests.replay.recorded_teams import RecordingModel, note

LONG = "word " * 40


class SendingModel(RecordingModel):
    """Asks for a long note twice, then answers; keeps the texts that a provider of Agno would send."""

    sent: list[list[str]]

    def _answer(self, messages: Any, tools: Any) -> Any:
        # What Agno's providers do (openai/chat.py): the compressed text, where there is one.
        self.sent.append([str(m.get_content(use_compressed_content=True) or "") for m in messages if m.role == "tool"])
        if sum(message.role == "tool" and not message.from_history for message in messages) < 2:
            call = {"name": "note", "arguments": f'{{"text": "{LONG}"}}'}
            return "", [{"id": f"call-{len(self.sent)}", "type": "function", "function": call}]
        return "done", []


def ask(file: Path, *, limit: int, store_events: bool = True, questions: int = 1) -> SendingModel:
    model = SendingModel()
    model.sent = []
    db = SqliteDb(db_file=str(file))
    agent = Agent(
        id="a",
        model=model,
        db=db,
        tools=[note],
        telemetry=False,
        store_events=store_events,
        add_history_to_context=questions > 1,
        store_history_messages=True,
        compression_manager=CompressionManager(model=ShortModel(), compress_tool_results_limit=limit),
    )
    for _ in range(questions):
        for _ in agent.run("note it", session_id="s", user_id="u", stream=True, stream_events=True):
            pass
    db.db_engine.dispose()
    return model


class ShortModel(RecordingModel):
    """Compresses everything to one word."""

    def _answer(self, messages: Any, tools: Any) -> Any:
        return "SHORT", []


def read_requests(file: Path) -> list[ModelRequest]:
    sessions = open_stored_sessions(load_settings(database_url=f"sqlite:///{file}"))
    try:
        replay = Replay(sessions.get_session("s"))
        return [request for run in replay.runs for request in replay.requests(run)]
    finally:
        sessions.close()


def texts_of(request: ModelRequest) -> list[str]:
    return [given.text for given in request.messages if given.message.role == "tool"]


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("questions", [1, 2])
def test_every_request_shows_tool_results_as_they_were_sent(tmp_path, limit, questions):
    model = ask(tmp_path / "a.db", limit=limit, questions=questions)
    assert [texts_of(request) for request in read_requests(tmp_path / "a.db")] == model.sent


def test_the_size_is_that_of_the_compressed_text_and_the_original_is_kept_with_a_note(tmp_path):
    ask(tmp_path / "a.db", limit=2)
    *_, before, last = read_requests(tmp_path / "a.db")
    result = next(given for given in last.messages if given.message.role == "tool")
    assert result.message.content == f"noted {LONG}"
    assert result.note == "compressed from 206 to 5 characters"
    assert result.share == pytest.approx(5 / sum(len(given.text) + asked_of(given) for given in last.messages))
    in_full = next(given for given in before.messages if given.message.role == "tool")
    assert in_full.note == "sent in full here, compressed from request 3 on"
    exported = next(item for item in next(export_requests([last]))["messages"] if item["role"] == "tool")
    assert (exported["content"], exported["original"]) == ("SHORT", f"noted {LONG}")


def asked_of(given: Any) -> int:
    return sum(len(request.tool_name) + len(request.arguments) for request in given.message.tool_requests)


def test_without_events_it_is_assumed_that_a_result_was_sent_compressed_and_said_so(tmp_path):
    ask(tmp_path / "a.db", limit=2, store_events=False)
    _, before, _ = read_requests(tmp_path / "a.db")
    result = next(given for given in before.messages if given.message.role == "tool")
    assert result.text == "SHORT"
    assert result.note == "compressed from 206 to 5 characters; that it was so already here is assumed"
