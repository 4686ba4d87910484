"""A session's title: from the question at once, from the model after the first answer, by hand for good."""

from __future__ import annotations

import threading
import time

import pytest
from agno.models.response import ModelResponse

from lib.errors import SessionNotFound
from lib.models import OfflineModel
from lib.records import Tokens
from lib.runs import titles
from lib.runs.titles import clean_title

QUESTION = "What is the weather in Paris and in Rome on the first day of the long weekend, please?"


class TitleModel(OfflineModel):
    """Keeps what it is sent, and answers what the test says, when the test says."""

    def __post_init__(self):
        super().__post_init__()
        self.sent, self.go, self.says = [], threading.Event(), None
        self.go.set()

    def response(self, messages, **options):  # type: ignore[override]  # only what the app passes
        self.sent.append(list(messages))
        self.go.wait(10)
        if isinstance(self.says, Exception):
            raise self.says
        return super().response(messages, **options) if self.says is None else ModelResponse(content=self.says)


@pytest.fixture
def model(monkeypatch):
    model = TitleModel(token_delay_s=0.0)
    monkeypatch.setattr(titles, "build_model", lambda spec, *, settings: model)
    return model


def ask(roundtable, question=QUESTION, session_id=None):
    handle = roundtable.engine.start(question, user_id="ann", team="market-desk", session_id=session_id)
    handle.wait(30)
    return handle.session_id


def title_of(roundtable, session_id, *, by, timeout=10.0):
    deadline = time.monotonic() + timeout
    while True:
        session = roundtable.store.get_session(session_id, user_id="ann")
        if session.title_by == by or time.monotonic() > deadline:
            return session
        time.sleep(0.02)


def settle(model, number):
    """Wait until the model was asked so often and its answer was used."""
    deadline = time.monotonic() + 10
    while len(model.sent) < number and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(model.sent) == number
    time.sleep(0.3)


def test_the_question_names_a_session_at_once_and_the_model_after_the_first_answer(roundtable, model):
    model.go.clear()
    session_id = ask(roundtable)
    first = roundtable.store.get_session(session_id, user_id="ann")
    assert (first.title_by, first.title) == ("question", "What is the weather in Paris and in Rome on the first day…")
    before = first.tokens or 0
    model.go.set()
    session = title_of(roundtable, session_id, by="model")
    assert session.title_by == "model" and len((session.title or "").split()) <= 6
    assert "\n" not in (session.title or "")
    ours = roundtable.store.get_session_row(session_id, user_id="ann")["session_data"]["roundtable"]
    assert ours["title_tokens"]["total"] > 0
    assert session.tokens == before + ours["title_tokens"]["total"]
    ask(roundtable, "And in Rome?", session_id)
    settle(model, 1)


def test_only_the_conversations_own_words_are_sent(roundtable, model):
    session_id = ask(roundtable)
    title_of(roundtable, session_id, by="model")
    (run,) = roundtable.store.list_runs(session_id, user_id="ann").items
    (sent,) = model.sent
    assert [message.role for message in sent[:2]] == ["system", "user"]
    assert sent[1].content == f"User: {QUESTION}\nAssistant: {run.answer}"
    instructions = [message.content for message in run.messages if message.role == "system"]
    assert instructions and not any(text in str(sent[0].content) for text in instructions)


def test_a_title_given_by_hand_while_the_model_thinks_stays(roundtable, model):
    model.go.clear()
    session_id = ask(roundtable)
    settle(model, 1)
    roundtable.store.rename_session(session_id, "Mine", user_id="ann")
    model.go.set()
    time.sleep(0.5)
    session = roundtable.store.get_session(session_id, user_id="ann")
    assert (session.title, session.title_by) == ("Mine", "hand")
    ask(roundtable, "And in Rome?", session_id)
    settle(model, 1)  # not asked again
    assert roundtable.store.get_session(session_id, user_id="ann").title == "Mine"


@pytest.mark.parametrize("says", [RuntimeError("no such model"), "", "\n \n", '""'])
def test_a_failure_keeps_the_first_title(roundtable, model, says):
    model.says = says
    session_id = ask(roundtable)
    settle(model, 1)
    session = roundtable.store.get_session(session_id, user_id="ann")
    assert (session.title_by, session.title) == (
        "question",
        "What is the weather in Paris and in Rome on the first day…",
    )


def test_a_title_that_another_app_gave_stays(database):
    store = database.sessions
    store.create_session(session_id="s", user_id="ann", component_id="market-desk")
    from tests.storage.workers import stage

    stage(database, "s", question="What is the weather?")
    store.rename_session("s", "From elsewhere", user_id="ann", by="question")  # as Agno's own rename leaves it
    assert store.set_model_title("s", "Better", user_id="ann", tokens=Tokens(total=3)) is False
    assert store.get_session("s", user_id="ann").title == "From elsewhere"
    with pytest.raises(SessionNotFound):
        store.set_model_title("s", "Better", user_id="bob", tokens=Tokens())


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Weather in Paris", "Weather in Paris"),
        ('"Weather in Paris."', "Weather in Paris"),
        ("Title: **Weather**\nand more", "Weather"),
        ("\n\none two three four five six seven eight", "one two three four five six"),
        ("天气" * 60, ("天气" * 60)[:80]),
        ("a\x1b[31mb", "a [31mb"),
        ("", None),
        (None, None),
    ],
)
def test_what_a_model_says_becomes_one_line_of_at_most_six_words(said, title):
    assert clean_title(said) == title
