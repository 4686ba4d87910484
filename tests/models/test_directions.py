"""Stage directions: trouble on demand, from the newest question only."""

from __future__ import annotations

import asyncio
import time

import pytest
from agno.exceptions import ModelProviderError

from lib.models import OfflineModel
from lib.models.offline.directions import LONGEST_S, MOST_WORDS, Directions, read_directions, without_directions
from tests.models.messages import DELEGATE, ROSTER, assistant, calls_of, function, streamed, system, user, words_of

WEATHER = function("get_weather", "Get today's weather in a city.", city="string")


def test_directions_are_read_alone_and_combined() -> None:
    assert read_directions("hi") == Directions()
    assert read_directions("[slow 30s] [think 0.5s] [long 200] hi [FAIL MIDWAY]") == Directions(
        slow_s=30, think_s=0.5, words=200, fail_midway=True
    )
    assert read_directions("[fail member]").for_members == ("[fail model]",)
    assert read_directions("[member slow 5s] [fail tool]").for_members == ("[slow 5s]", "[fail tool]")
    assert without_directions("Weather [slow 30s] in Paris [fail tool]") == "Weather in Paris"


def test_directions_that_would_never_end_are_capped() -> None:
    directions = read_directions("[think 999999s] [slow 99999s] [long 999999999]")
    assert (directions.think_s, directions.slow_s, directions.words) == (LONGEST_S, LONGEST_S, MOST_WORDS)


@pytest.mark.parametrize(
    "text", ["[fail]", "[slow]", "[think abc]", "fail model", "[slow -3s]", "[long 1e9]", "[nothing]"]
)
def test_other_words_in_brackets_are_no_directions(text: str) -> None:
    assert read_directions(text) == Directions()


@pytest.mark.parametrize("earlier", ["user", "assistant", "system", "tool"])
def test_directions_of_earlier_messages_are_not_obeyed(earlier: str) -> None:
    old = user("[fail model] [long 500] [think 60s]")
    old.role = earlier
    assert len(words_of(old, assistant("ok"), "hello").split()) < 100


def test_directions_in_history_that_agno_adds_to_a_task_are_not_obeyed() -> None:
    task = "<team_history_context>\nUser: [fail model]\n</team_history_context>\n\nhello"
    assert words_of(task)


def test_fail_model_fails_before_the_first_word() -> None:
    with pytest.raises(ModelProviderError, match=r"\[fail model\]"):
        words_of("hello [fail model]")


def test_fail_midway_fails_after_half_of_the_words() -> None:
    whole = words_of("hello")
    said: list[str] = []
    stream = OfflineModel(token_delay_s=0).invoke_stream([user("hello [fail midway]")])
    with pytest.raises(ModelProviderError, match=r"\[fail midway\]"):
        said.extend(str(delta.content) for delta in stream)
    assert 0 < len("".join(said).split()) == len(whole.split()) // 2
    assert whole.startswith("".join(said))


def test_long_gives_so_many_words() -> None:
    assert len(words_of("hello [long 2000]").split()) == 2000


def test_think_is_silent_first() -> None:
    started = time.monotonic()
    deltas = streamed(OfflineModel(token_delay_s=0), [user("hello [think 0.3s]")])
    assert time.monotonic() - started >= 0.3
    assert deltas[0].content is None


def test_slow_takes_so_long_and_leaves_no_long_gaps() -> None:
    async def gaps() -> tuple[float, float]:
        started = last = time.monotonic()
        widest = 0.0
        async for _ in OfflineModel(token_delay_s=0).ainvoke_stream([user("the word is x [slow 1s]")]):
            widest, last = max(widest, time.monotonic() - last), time.monotonic()
        return last - started, widest

    took, widest = asyncio.run(gaps())
    assert 0.9 <= took < 3
    assert widest < 0.7


def test_the_token_delay_is_kept_between_words() -> None:
    started = time.monotonic()
    deltas = streamed(OfflineModel(token_delay_s=0.01), [user("hello")])
    assert time.monotonic() - started >= 0.01 * (len(deltas) - 1) * 0.9


def test_a_leader_hands_on_what_is_for_its_members_only() -> None:
    def tasks(text: str) -> list[str]:
        return [call["task"] for _, call in calls_of(system(ROSTER), text, tools=[DELEGATE])]

    assert tasks("weather in Paris [fail member]") == ["weather in Paris [fail model]"]
    assert tasks("weather in Paris [fail tool]") == ["weather in Paris [fail tool]"]
    assert tasks("weather in Paris [member slow 2s] [slow 9s] [long 50]") == ["weather in Paris [slow 2s]"]
    assert tasks("[fail member]") == ["[fail model]"]


def test_fail_tool_is_put_into_a_text_argument() -> None:
    assert calls_of("weather in Paris [fail tool]", tools=[WEATHER]) == [("get_weather", {"city": "Paris [fail tool]"})]
    ((name, arguments),) = calls_of("[fail tool]", tools=[WEATHER])
    assert name == "get_weather"
    assert "[fail tool]" in arguments["city"]
