"""How long a word takes from the model to who is watching: plain Agno's own stream, and the engine's events."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from agno.agent import Agent
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.team import Team

from benchmarks.databases import Server
from benchmarks.turns import USER, settings_of
from lib.events import TextAdded
from lib.roundtable import open_roundtable

WORDS = 200
PAUSE_S = 0.005


@dataclass
class ClockModel(Model):
    """Says the time, again and again: each word is the moment at which it was said."""

    id: str = "clock"
    name: str = "Clock"
    provider: str = "benchmarks"

    def invoke(self, *_: Any, **__: Any) -> ModelResponse:
        """Say the time once."""
        return ModelResponse(role="assistant", content=_now())

    async def ainvoke(self, *_: Any, **__: Any) -> ModelResponse:
        """Say the time once."""
        return self.invoke()

    def invoke_stream(self, *_: Any, **__: Any) -> Iterator[ModelResponse]:
        """Say the time word by word."""
        for _word in range(WORDS):
            time.sleep(PAUSE_S)
            yield self.invoke()

    async def ainvoke_stream(self, *_: Any, **__: Any) -> AsyncIterator[ModelResponse]:
        """Say the time word by word."""
        for _word in range(WORDS):
            await asyncio.sleep(PAUSE_S)
            yield self.invoke()

    def _parse_provider_response(self, response: ModelResponse, **_: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: ModelResponse) -> ModelResponse:
        return response


def build_clock_team() -> Team:
    """Build a team whose leader says the time. The catalogue takes it as anybody's own team, by its import path."""
    return Team(id="clock-desk", name="Clock desk", model=ClockModel(), members=[Agent(id="idle", name="Idle")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from the moment a word is said to the moment it is seen."""

    server: str
    plain_p50_ms: float
    plain_p95_ms: float
    ours_p50_ms: float
    ours_p95_ms: float


def measure_latency(server: Server) -> Latency:
    """Measure every word of one answer: in Agno's own async stream, and by a watcher in another thread than the run."""
    plain = asyncio.run(_watch_plain())
    roundtable = open_roundtable(settings_of(server, chat_teams=("benchmarks.latency:build_clock_team",)))
    try:
        handle = roundtable.engine.start("What time is it?", user_id=USER, team="clock-desk", session_id="clock")
        ours: list[float] = []
        for event in handle.events(timeout=60):
            if isinstance(event, TextAdded):
                ours += _ages_ms(event.text)
    finally:
        roundtable.close()
    if len(ours) != WORDS:
        raise RuntimeError(f"{len(ours)} words were seen, not {WORDS}")
    return Latency(
        server=server.name,
        plain_p50_ms=statistics.median(plain),
        plain_p95_ms=_p95(plain),
        ours_p50_ms=statistics.median(ours),
        ours_p95_ms=_p95(ours),
    )


async def _watch_plain() -> list[float]:
    ages: list[float] = []
    async for event in build_clock_team().arun("What time is it?", stream=True, stream_events=True):
        if event.event == "TeamRunContent" and event.content:
            ages += _ages_ms(str(event.content))
    return ages


def _now() -> str:
    return f"{time.perf_counter_ns()} "


def _ages_ms(words: str) -> list[float]:
    seen = time.perf_counter_ns()
    return [(seen - int(word)) / 1e6 for word in words.split()]


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
