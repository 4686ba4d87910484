"""What holds for any list of messages: it answers, always the same, and streams what it says."""

from __future__ import annotations

import copy
from typing import Any

from agno.models.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.models import OfflineModel
from lib.models.offline.words import count_words_and_marks
from tests.models.messages import DELEGATE, ROSTER, ask, function, streamed, user

PHRASES = st.sampled_from(
    [
        "What is the secret word?",
        "the secret word is bird",
        "Remember: ",
        "weather in Paris",
        "and the price of ACME",
        "repeat that",
        "there",
        "[fail tool]",
        "[fail member]",
        "[long 30]",
        ROSTER,
        "<conversation>User: x</conversation> Summary",
        "a title of at most six words",
        '[{"role": "user", "content": "my dog is Rex"}]',
    ]
)
TEXTS = st.lists(st.one_of(PHRASES, st.text(max_size=30)), max_size=4).map(" ".join)
ROLES = st.sampled_from(["system", "user", "assistant", "tool", "developer", "model"])
TOOLS = [
    DELEGATE,
    function("get_weather", "Weather in a city.", city="string", days="integer?"),
    function("get_price", "Price of a share.", ticker="string"),
    function("add_memory", "Add.", memory="string"),
    function("get_chat_history", "History."),
    function("odd", "", flag="boolean", many="array", thing="object", count="number"),
    {"type": "web_search"},
]


@st.composite
def requests(draw: st.DrawFn) -> tuple[list[Message], list[dict[str, Any]]]:
    content = st.one_of(
        st.none(), TEXTS, st.lists(st.one_of(TEXTS, st.fixed_dictionaries({"text": TEXTS})), max_size=2)
    )
    messages = draw(
        st.lists(st.builds(lambda role, text: Message(role=role, content=text), ROLES, content), max_size=6)
    )
    return messages, draw(st.lists(st.sampled_from(TOOLS), max_size=4))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_any_request_gets_the_same_reply_streamed_or_not_again_and_again(
    request: tuple[list[Message], list[dict[str, Any]]],
) -> None:
    messages, tools = request
    first = ask(*messages, tools=tools)
    again = ask(*messages, tools=tools)
    deltas = streamed(OfflineModel(token_delay_s=0), messages, tools=tools)
    said = "".join(str(delta.content) for delta in deltas if delta.content is not None)
    assert first.content or first.tool_calls
    assert (first.content, first.tool_calls) == (again.content, again.tool_calls)
    assert (first.content or "") == said
    assert first.tool_calls == [call for delta in deltas for call in delta.tool_calls]
    assert first.response_usage == deltas[-1].response_usage


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_the_token_counts_are_the_words_and_marks_given_and_said(text: str) -> None:
    reply = ask(user(text))
    usage = reply.response_usage
    assert usage is not None
    assert usage.input_tokens == count_words_and_marks(text)
    assert usage.output_tokens == count_words_and_marks(str(reply.content))
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_words_and_marks_are_counted_plainly() -> None:
    assert count_words_and_marks("Hello, world! 40k €") == 6


def test_copies_share_the_recorder_and_answer_alike() -> None:
    heard: list[tuple[Message, ...]] = []
    model = OfflineModel(token_delay_s=0, on_request=lambda messages: heard.append(tuple(messages)))
    copied = copy.deepcopy(model)
    given_messages = [user("hello")]
    assert copied.invoke(given_messages).content == model.invoke(given_messages).content
    assert heard == [tuple(given_messages), tuple(given_messages)]
    assert copied is not model
