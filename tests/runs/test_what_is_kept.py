"""Each run stores what was in force, true times, right links, and exactly what each model was given."""

from __future__ import annotations

import io

import pytest
from agno.exceptions import ModelAuthenticationError, ModelProviderError, ModelRateLimitError
from PIL import Image

import lib
from lib.records import DelegationSegment, RunStatus
from lib.runs.reasons import to_reason
from lib.teams.recording import walk
from tests.runs.scripted import ScriptedModel, ask, build_desk, build_engine, say, use


def test_the_settings_in_force_are_stored_with_the_run(open_engine, database):
    engine = open_engine(say("An answer."))
    run = engine.start("The question?", user_id="ada", team="desk", window=2).wait(20)
    stored = database.sessions.get_run(run.run_id, user_id="ada")
    assert (
        stored.settings
        == run.settings
        == {"model": "tests:scripted", "window": 2, "team": "desk", "app_version": lib.__version__}
    )
    assert stored.model == "tests:scripted"


def test_stored_times_are_exact_and_in_order(open_engine, database):
    engine = open_engine(ask(("a", "task a"), ("b", "task b")), delay_s=0.01, a=use("look_up"), b=use("look_up"))
    run = engine.start("The question?", user_id="ada", team="desk").wait(20)
    row = database.sessions.get_run_row(run.run_id, user_id="ada")
    times = [event["created_at"] for event in row["run_data"]["events"]]
    assert len(times) > 10
    assert times == sorted(times)
    assert all(isinstance(at, float) and at != int(at) for at in times)
    ours = row["run_data"]["metadata"]["roundtable"]
    assert ours["started_at"] == pytest.approx(times[0])
    assert ours["ended_at"] == pytest.approx(times[-1])
    for member in database.sessions.get_run(run.run_id, user_id="ada").member_runs:
        assert member.exact_times
        assert run.started_at < member.started_at < member.ended_at < run.ended_at


def test_each_delegation_names_the_member_run_that_worked_on_it(open_engine, database):
    # The second call is answered first, and one member works twice at the same time (agno-facts 1.8).
    engine = open_engine(
        ask(("a", "task 1"), ("b", "task 2"), ("a", "task 3")), a=use("look_up_slowly"), b=use("look_up")
    )
    run = engine.start("The question?", user_id="ada", team="desk").wait(20)
    data = database.sessions.get_run_row(run.run_id, user_id="ada")["run_data"]
    questions = {member.run_id: member.question for member in run.member_runs}
    assert [questions[tool["child_run_id"]] for tool in data["tools"]] == ["task 1", "task 2", "task 3"]
    ends = [event["tool"] for event in data["events"] if event["event"] == "TeamToolCallCompleted"]
    assert [questions[tool["child_run_id"]] for tool in ends] == [tool["tool_args"]["task"] for tool in ends]
    stored = database.sessions.get_run(run.run_id, user_id="ada")
    for segment in stored.segments:
        if isinstance(segment, DelegationSegment):
            assert segment.run is not None
            assert segment.run.question == segment.task


def test_what_each_model_was_given_is_stored_exactly(database, database_settings):
    desk = build_desk(ask(("a", "task a")), a=use("look_up"))
    models: dict[str, ScriptedModel] = {}

    def make():
        team = desk()
        for who, part in zip(("leader", "a"), walk(team), strict=True):
            assert isinstance(part.model, ScriptedModel)
            models[who] = part.model
        return team

    engine = build_engine(database, database_settings, make)
    for question in ("One?", "Two?"):
        run = engine.start(question, user_id="ada", team="desk", session_id="s1").wait(20)
    engine.close()
    stored = database.sessions.get_run(run.run_id, user_id="ada")
    for who, record in (("leader", stored), ("a", stored.member_runs[0])):
        given = [
            [message.content for message in record.messages[:place]]
            for place, message in enumerate(record.messages)
            if message.role == "assistant" and not message.from_history
        ]
        # What a model was given at its last request is all that came before its last answer; None is no words.
        assert given == [[text.replace("None", "") for text in prompt] for prompt in models[who].prompts]


def test_a_member_that_failed_is_stored_with_what_it_was_given_and_said(open_engine, database):
    engine = open_engine(
        ask(("a", "task a")), a=say("Half an", ModelProviderError("broke with key sk-abcdefgh12345678"))
    )
    run = engine.start("The question?", user_id="ada", team="desk").wait(20)
    assert run.status is RunStatus.COMPLETED
    (member,) = database.sessions.get_run(run.run_id, user_id="ada").member_runs
    assert member.status is RunStatus.FAILED
    assert member.error == "The model failed: broke with key [redacted]"
    assert member.answer == "Half an "
    assert member.notes == (), "it has a row of its own"
    assert [message.role for message in member.messages][-2:] == ["user", "assistant"]
    assert database.sessions.get_run_row(member.run_id, user_id="ada")["status"] == "ERROR"


def test_a_failed_run_is_stored_without_keys_member_words_or_tool_noise(open_engine, database):
    secret = "sk-abcdefghijklmnop"

    def leader(messages):
        if messages[-1].role == "tool":
            return ["So, ", ModelProviderError(f"refused: {secret}")]
        return ask(("a", "task a"), first="I ask.")(messages)

    engine = open_engine(leader, a=use("look_up"))
    run = engine.start("The question?", user_id="ada", team="desk").wait(20)
    row = database.sessions.get_run_row(run.run_id, user_id="ada")
    assert row["status"] == "ERROR"
    assert row["run_data"]["content"] == "I ask. So,  "
    assert secret not in str(row)
    assert run.error == "The model failed: refused: [redacted]"


def test_a_run_reads_no_more_of_its_session_than_its_window(open_engine, database, monkeypatch):
    engine = open_engine(say("An answer."))
    for number in range(6):
        engine.start(f"Question {number}", user_id="ada", team="desk", session_id="s1").wait(20)
    read = []
    get_session = type(database.adapter).get_session

    def counting(self, *args, **options):
        session = get_session(self, *args, **options)
        read.append(len(session.runs or []))
        return session

    monkeypatch.setattr(type(database.adapter), "get_session", counting)
    engine.start("The question?", user_id="ada", team="desk", session_id="s1", window=2).wait(20)
    assert read
    assert max(read) == 2


def test_an_attached_image_is_shown_to_the_model_and_kept_in_the_media_folder(database, database_settings):
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    given: list[bytes | None] = []

    def leader(messages):
        given.extend(image.content for image in messages[-1].images or ())
        return ["A red square."]

    engine = build_engine(database, database_settings, build_desk(leader))
    run = engine.start("What is this?", user_id="ada", team="desk", images=[(picture.getvalue(), "image/png")]).wait(20)
    engine.close()
    assert given == [picture.getvalue()]
    (image,) = database.sessions.get_run(run.run_id, user_id="ada").images
    assert image.storage_key
    assert (database_settings.media_dir / image.storage_key).read_bytes() == picture.getvalue()
    assert len(str(database.sessions.get_run_row(run.run_id, user_id="ada"))) < 20_000


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ModelAuthenticationError("OPENAI_API_KEY not set."),
            "The model's provider did not accept the key, or none is set: OPENAI_API_KEY not set.",
        ),
        (
            ModelProviderError('{"error": {"message": "no such model"}}', status_code=404),
            "The model failed: no such model",
        ),
        (ModelProviderError("Connection error."), "The model failed: Connection error."),
        (ValueError("x" * 1000), f"The run failed: {'x' * 299}…"),
        (RuntimeError(""), "The run failed."),
    ],
)
def test_a_failure_is_told_in_one_sentence(open_sqlite_engine, error, reason):
    engine = open_sqlite_engine(say(error))
    assert engine.start("The question?", user_id="ada", team="desk").wait(20).error == reason


def test_a_rate_limit_is_told_from_other_failures():
    error = ModelRateLimitError("slow down")
    assert to_reason(error.type, str(error), error_id=error.error_id).sentence.startswith(
        "The model's provider takes no more"
    )
