"""The offline model: the rules as a model that Agno can run, with streaming, stage directions and token counts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from agno.exceptions import ModelProviderError
from agno.metrics import MessageMetrics
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse

from lib.models.offline.context import Context, text_of
from lib.models.offline.directions import Directions, padded
from lib.models.offline.reply import Reply
from lib.models.offline.rules import decide
from lib.models.offline.words import count_words_and_marks

LONGEST_PAUSE_S = 0.25
"""A slow answer is cut finer than words, so that a stop is noticed within this time."""

RequestRecorder = Callable[[Sequence[Message]], None]


class Step(NamedTuple):
    """A delta and when it is due, in seconds after the request began."""

    due_s: float
    delta: ModelResponse


@dataclass
class OfflineModel(Model):
    """A deterministic model without a provider: it decides from the messages and tools it is given and nothing else.

    `token_delay_s` is the time between two words of a streamed answer. `on_request`, if given, is called with exactly
    the messages of every request before anything else happens, in the order they were given; copies of the model, which
    Agno makes for each run, call the same recorder.
    """

    id: str = "offline"
    name: str | None = "OfflineModel"
    provider: str | None = "offline"
    token_delay_s: float = 0.02
    on_request: RequestRecorder | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> OfflineModel:
        """Return a copy that shares the recorder: it must hear of every copy's requests."""
        if self.on_request is not None:
            memo[id(self.on_request)] = self.on_request
        copied = super().__deepcopy__(memo)  # type: ignore[no-untyped-call]  # Agno leaves it untyped
        copied.on_request = self.on_request
        assert isinstance(copied, OfflineModel)
        return copied

    def invoke(
        self,
        messages: list[Message],
        assistant_message: Message | None = None,
        response_format: Any = None,
        tools: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> ModelResponse:
        """Return the whole reply at once."""
        started = time.monotonic()
        deltas = []
        with _timed(assistant_message):
            for step in self._steps(messages, tools, response_format, streamed=False):
                time.sleep(max(0.0, started + step.due_s - time.monotonic()))
                deltas.append(step.delta)
        return _joined(deltas)

    async def ainvoke(
        self,
        messages: list[Message],
        assistant_message: Message | None = None,
        response_format: Any = None,
        tools: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> ModelResponse:
        """Return the whole reply at once."""
        started = time.monotonic()
        deltas = []
        with _timed(assistant_message):
            for step in self._steps(messages, tools, response_format, streamed=False):
                await asyncio.sleep(max(0.0, started + step.due_s - time.monotonic()))
                deltas.append(step.delta)
        return _joined(deltas)

    def invoke_stream(
        self,
        messages: list[Message],
        assistant_message: Message | None = None,
        response_format: Any = None,
        tools: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> Iterator[ModelResponse]:
        """Yield the reply word by word."""
        started = time.monotonic()
        with _timed(assistant_message):
            for step in self._steps(messages, tools, response_format, streamed=True):
                time.sleep(max(0.0, started + step.due_s - time.monotonic()))
                yield step.delta

    async def ainvoke_stream(
        self,
        messages: list[Message],
        assistant_message: Message | None = None,
        response_format: Any = None,
        tools: list[dict[str, Any]] | None = None,
        **_: Any,
    ) -> AsyncIterator[ModelResponse]:
        """Yield the reply word by word."""
        started = time.monotonic()
        with _timed(assistant_message):
            for step in self._steps(messages, tools, response_format, streamed=True):
                await asyncio.sleep(max(0.0, started + step.due_s - time.monotonic()))
                yield step.delta

    def _parse_provider_response(self, response: Any, **_: Any) -> ModelResponse:
        return response if isinstance(response, ModelResponse) else ModelResponse(content=str(response))

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return self._parse_provider_response(response)

    def _steps(
        self, messages: Sequence[Message], tools: Sequence[Any] | None, response_format: Any, *, streamed: bool
    ) -> Iterator[Step]:
        """Yield the reply as deltas with their times; raise where a stage direction says so."""
        if self.on_request is not None:
            self.on_request(tuple(messages))
        context = Context.read(messages, tools)
        directions = context.directions if not context.results else _after_results(context.directions)
        due_s = directions.think_s
        if due_s:
            yield Step(due_s, ModelResponse())
        if directions.fail_model:
            raise self._failure("[fail model]")
        reply = decide(context, response_format)
        if reply.calls:
            yield Step(due_s, ModelResponse(role="assistant", tool_calls=_to_tool_calls(reply, context)))
            said = "".join(call.tool_name + json.dumps(dict(call.arguments)) for call in reply.calls)
        else:
            said = reply.text if directions.words is None else padded(reply.text, directions.words)
            pieces, pause_s = self._paced(said, directions, streamed=streamed)
            for number, piece in enumerate(pieces, start=1):
                if directions.fail_midway and number > max(1, len(pieces) // 2):
                    break
                due_s += pause_s
                yield Step(due_s, ModelResponse(role="assistant", content=piece))
            if directions.fail_midway:
                raise self._failure("[fail midway]")
        yield Step(due_s, ModelResponse(response_usage=_usage(messages, said)))

    def _paced(self, text: str, directions: Directions, *, streamed: bool) -> tuple[list[str], float]:
        """Return the pieces that make up `text`, and the pause before each."""
        pieces = re.findall(r"\s*\S+\s*", text) or [text]
        if directions.slow_s is None:
            return pieces, self.token_delay_s if streamed else 0.0
        if directions.slow_s / len(pieces) > LONGEST_PAUSE_S:
            pieces = list(text) or [text]
        return pieces, directions.slow_s / len(pieces)

    def _failure(self, direction: str) -> ModelProviderError:
        return ModelProviderError(
            f"The offline model failed because the question says {direction}.", model_name=self.name, model_id=self.id
        )


def _after_results(directions: Directions) -> Directions:
    """Return the directions that still hold once tools have answered: thinking and failing first are over."""
    return Directions(slow_s=directions.slow_s, words=directions.words, fail_midway=directions.fail_midway)


def _to_tool_calls(reply: Reply, context: Context) -> list[dict[str, Any]]:
    """Return the calls as a provider gives them. Ids follow from the question's message id and place in the context."""
    asked = context.messages[context.position].id if context.position >= 0 else ""
    calls = []
    for number, call in enumerate(reply.calls):
        arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
        seed = f"{asked}\n{len(context.messages)}\n{number}\n{call.tool_name}\n{arguments}"
        call_id = f"call_{hashlib.sha256(seed.encode('utf-8', 'replace')).hexdigest()[:24]}"
        calls.append({"id": call_id, "type": "function", "function": {"name": call.tool_name, "arguments": arguments}})
    return calls


def _usage(messages: Sequence[Message], said: str) -> MessageMetrics:
    """Return the counts of words and marks in everything given and in what was said; they stand for tokens."""
    given = sum(count_words_and_marks(text_of(message)) for message in messages)
    for message in messages:
        for call in message.tool_calls or ():
            function = call.get("function") or {}
            given += count_words_and_marks(f"{function.get('name', '')}{function.get('arguments', '')}")
    spoken = count_words_and_marks(said)
    return MessageMetrics(input_tokens=given, output_tokens=spoken, total_tokens=given + spoken)


def _joined(deltas: Sequence[ModelResponse]) -> ModelResponse:
    whole = ModelResponse(role="assistant")
    texts = [str(delta.content) for delta in deltas if delta.content is not None]
    whole.content = "".join(texts) if texts else None
    for delta in deltas:
        whole.tool_calls.extend(delta.tool_calls)
        whole.response_usage = delta.response_usage or whole.response_usage
    return whole


@contextmanager
def _timed(assistant_message: Message | None) -> Iterator[None]:
    """Run the message's clock, as Agno's own models do; Agno reads durations from it."""
    metrics = MessageMetrics() if assistant_message is None else assistant_message.metrics
    metrics.start_timer()  # type: ignore[no-untyped-call]  # Agno leaves it untyped
    try:
        yield
    finally:
        metrics.stop_timer()
