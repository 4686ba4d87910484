"""Words that a run's own model was not asked for: of an output model, a parser model, a fallback, an introduction."""

from __future__ import annotations

import pytest
from agno.exceptions import ModelProviderError
from pydantic import BaseModel

from lib.records import RunStatus, TextSegment
from lib.replay.export import export_steps
from tests.replay.plain_agno import ListedModel, PlainAgno, ask, in_words, seen_in, watch

DRAFT = "It is 14 degrees."
FINAL = "Fourteen degrees, dear reader."


class Told(BaseModel):
    words: str


def asking_team(agno: PlainAgno, **options):
    member = agno.build_member(DRAFT)
    return agno.build_team(("Let me ask.", [ask("m", "the weather")]), DRAFT, members=[member], **options)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "final", [FINAL, f"Dear reader! {DRAFT} That is all."], ids=["other words", "the draft within"]
)
def test_what_an_output_model_wrote_is_the_answer_and_the_draft_is_a_step_before_it(agno, final, stream):
    agno.run(asking_team(agno, output_model=ListedModel(answers=[final])), stream=stream)
    replay = agno.replay()
    (run,) = replay.runs
    assert run.answer.strip() == final
    drafts = [part.text.strip() for part in run.segments if isinstance(part, TextSegment) and part.draft]
    assert drafts == (["Let me ask.", DRAFT] if stream else [DRAFT])
    steps = in_words(replay.steps(run))
    assert steps.index(f"text {DRAFT}", steps.index("request 2")) < steps.index(f"text {final}")
    drafted = [step.text.strip() for step in replay.steps(run) if step.draft and step.text]
    assert drafted == drafts
    assert sum(exported.get("draft", False) for exported in export_steps(replay.steps(run))) == len(drafts)
    assert not set(run.texts) & {part.text for part in run.segments if isinstance(part, TextSegment) and part.draft}
    if stream:
        assert steps.index("TeamOutputModelResponseStarted") < steps.index(f"text {final}")
        seen = [part for part in watch(agno.events, run).segments if isinstance(part, TextSegment)]
        assert [part.text.strip() for part in seen] == [final]
    assert any("second model" in note for note in run.notes)
    assert replay.findings() == ()
    own = [request for request in replay.requests(run) if request.run.run_id == run.run_id]
    assert [request.number for request in own] == [1, 2], "what the output model was given is not stored"


@pytest.mark.parametrize("stream", [True, False])
def test_what_a_parser_model_restated_stands_for_itself_and_is_no_request_of_the_runs_own_model(agno, stream):
    parser = ListedModel(answers=['{"words": "fourteen"}'])
    agno.run(asking_team(agno, output_schema=Told, parser_model=parser), stream=stream)
    replay = agno.replay()
    (run,) = replay.runs
    said = [part.text.strip() for part in run.segments if isinstance(part, TextSegment)]
    assert said == ["Let me ask.", DRAFT, '{"words": "fourteen"}']
    assert any("parser_model" in note for note in run.notes)
    own = [request for request in replay.requests(run) if request.run.run_id == run.run_id]
    assert [(request.number, request.answer.content.strip()) for request in own if request.answer] == [
        (1, "Let me ask."),
        (2, DRAFT),
    ]
    assert sum(line.startswith("request") for line in in_words(replay.steps(run))) == 2


def test_an_introduction_is_no_model_request(agno):
    agno.run(agno.build_team("Hello.", introduction="Welcome to the desk."))
    introduction, asked = agno.replay().runs
    replay = agno.replay()
    assert in_words(replay.steps(introduction)) == ["text Welcome to the desk."]
    assert replay.requests(introduction) == ()
    assert (introduction.status, introduction.notes) == (RunStatus.COMPLETED, ()), "Agno stores it as running"
    assert [request.number for request in replay.requests(asked)] == [1]


def test_an_answer_that_the_program_changed_is_told(agno):
    def redact(run_output) -> None:
        run_output.content = "(not for you)"

    agno.run(agno.build_agent(DRAFT, post_hooks=[redact]))
    (run,) = agno.replay().runs
    assert seen_in(run) == [DRAFT] == seen_in(watch(agno.events, run))
    assert any("changed it afterwards" in note for note in run.notes)


def test_a_request_that_a_fallback_stood_in_for_stands_before_it_as_failed(agno):
    fallback = ListedModel(answers=[("", [ask("m", "the weather")]), FINAL])
    down = [ModelProviderError("down")] * 2
    team = agno.build_team(*down, members=[agno.build_member(DRAFT)], fallback_models=[fallback])
    agno.run(team)
    replay = agno.replay()
    (run,) = replay.runs
    steps = [step for step in replay.steps(run) if step.depth == 0]
    lines = in_words(steps)
    assert lines[1:4] == ["request of a failed attempt", "request 1", f"asks m: the weather -> {DRAFT}"]
    assert lines[-2:] == ["request 2", f"text {FINAL}"]
    assert steps[1].failed
    assert [request.number for request in replay.requests(run) if request.run.run_id == run.run_id] == [1, 2]


def test_where_tool_messages_are_not_stored_the_events_order_the_steps_and_the_context_says_what_it_lacks(agno):
    agno.run(asking_team(agno, store_tool_messages=False))
    replay = agno.replay()
    (run,) = replay.runs
    steps = [step for step in replay.steps(run) if step.depth == 0]
    assert [step.kind for step in steps] == ["question", "model_request", "delegation", "model_request", "text"]
    assert [step.request for step in steps if step.kind == "model_request"] == [None, 1]
    assert not any(step.failed for step in steps)
    assert run.notes == ("Its tool messages were not stored: what was said with the calls is not known.",)
    (request,) = (request for request in replay.requests(run) if request.run.run_id == run.run_id)
    assert request.source == "reconstructed"
    assert "were not stored among its messages" in request.doubt
