"""The engine over HTTP: a provider's model answers, fails and is hung up on; nothing is left open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lib.records import RunRecord, RunStatus
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings
from tests.conftest import build_settings
from tests.services.llmock import MockProvider
from tests.services.ports import wait_until

SPEC = "openai-chat:gpt-4o-mini"
KEY = "sk-never-shown-0042"
WITHIN_S = 60.0

DELEGATION = [
    {
        "match": {"toolName": "get_weather", "hasToolResult": False},
        "response": {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]},
    },
    {"match": {"toolName": "get_weather", "hasToolResult": True}, "response": {"content": "It is cloudy in Paris."}},
    {
        "match": {"toolName": "delegate_task_to_member", "hasToolResult": False},
        "response": {
            "toolCalls": [{"name": "delegate_task_to_member", "arguments": {"member_id": "weather", "task": "Paris?"}}]
        },
    },
    {"match": {"hasToolResult": True}, "response": {"content": "Cloudy, says Weather."}},
]


@pytest.fixture
def ask_over(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunRecord]]:
    """A function that asks the Market desk with a provider's model, and returns the run as it was stored."""
    opened: list[Roundtable] = []

    def ask(base_url: str, question: str = "What is the weather in Paris?", *, times: int = 1) -> RunRecord:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", base_url)
        roundtable = open_roundtable(build_settings(settings.media_dir.parent, chat_model=SPEC))
        opened.append(roundtable)
        for _ in range(times):
            run = roundtable.engine.start(question, user_id="ann", team="market-desk").wait(WITHIN_S)
        return roundtable.store.get_run(run.run_id, user_id="ann")

    yield ask
    for roundtable in opened:
        roundtable.close()


def open_sockets() -> int:
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(1 for link in links if os.path.lexists(link) and "socket:" in _target(link))


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def test_a_providers_team_delegates_and_the_run_is_stored(
    start_llmock: Callable[..., MockProvider], ask_over: Callable[..., RunRecord]
) -> None:
    run = ask_over(start_llmock(DELEGATION, "--chunk-size", "6").base_url)
    assert (run.status, run.answer) == (RunStatus.COMPLETED, "Cloudy, says Weather.")
    (member,) = run.member_runs
    assert (member.component_id, member.answer) == ("weather", "It is cloudy in Paris.")
    assert run.settings["model"] == SPEC


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ({"error": {"message": "Incorrect API key", "type": "invalid_request_error"}, "status": 401}, "key"),
        ({"error": {"message": "Slow down", "type": "rate_limit_error"}, "status": 429}, "Slow down"),
        ({"error": {"message": "It broke", "type": "server_error"}, "status": 500}, "It broke"),
    ],
)
def test_a_provider_that_refuses_ends_the_run_with_its_reason(
    failure: dict[str, Any],
    reason: str,
    start_llmock: Callable[..., MockProvider],
    ask_over: Callable[..., RunRecord],
) -> None:
    run = ask_over(start_llmock([{"match": {}, "response": failure}]).base_url)
    assert run.status is RunStatus.FAILED
    assert reason in (run.error or "")
    assert KEY not in repr(run)


def test_a_provider_that_hangs_up_in_mid_answer_leaves_what_it_said(
    start_llmock: Callable[..., MockProvider], ask_over: Callable[..., RunRecord]
) -> None:
    answer = "one two three four five six seven eight"
    response = {"match": {}, "response": {"content": answer}, "truncateAfterChunks": 5, "chunkSize": 5, "latency": 30}
    run = ask_over(start_llmock([response]).base_url)
    assert run.status is RunStatus.FAILED
    assert run.answer and answer.startswith(run.answer)


def test_a_run_leaves_no_connection_open(
    start_llmock: Callable[..., MockProvider], ask_over: Callable[..., RunRecord]
) -> None:
    """Agno gives each model a client and closes none."""
    provider = start_llmock(DELEGATION)
    before = open_sockets()
    ask_over(provider.base_url, times=4)
    wait_until(lambda: open_sockets() <= before, timeout_s=20, what="the end of all connections")
