"""What Agno reports beside words and calls (hooks, tasks, compression, workflows in workflows) stands where it happened."""

from __future__ import annotations

from typing import Any

from agno.compression.manager import CompressionManager
from agno.team.mode import TeamMode
from agno.workflow import Step, Workflow

from tests.replay.plain_agno import ListedModel, ask, in_words


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


def test_hooks_stand_before_the_first_request_and_behind_the_answer(agno):
    def check(run_input: Any) -> None:
        """Look at the question."""

    def check_answer(run_output: Any) -> None:
        """Look at the answer."""

    member = agno.build_member("It is 11.")
    answers = ("Let me ask.", [ask("m", "speak")]), "11, then."
    agno.run(agno.build_team(*answers, members=[member], pre_hooks=[check], post_hooks=[check_answer]))
    replay = agno.replay()
    assert in_words(replay.steps(replay.runs[0])) == [
        "question The question?",
        "TeamPreHookStarted",
        "TeamPreHookCompleted",
        "request 1",
        "text Let me ask.",
        "asks m: speak -> It is 11.",
        "  question speak",
        "  request 1",
        "  text It is 11.",
        "request 2",
        "text 11, then.",
        "TeamPostHookStarted",
        "TeamPostHookCompleted",
    ]


def test_compression_stands_before_the_request_it_was_made_for(agno):
    manager = CompressionManager(
        model=ListedModel(answers=["SHORT", "SHORT"]), compress_tool_results=True, compress_tool_results_limit=1
    )
    answers = ("", [("note", {"text": "one" * 50})]), "Fine."
    asked = agno.build_agent(*answers, tools=[note], compress_tool_results=True, compression_manager=manager)
    agno.run(asked)
    replay = agno.replay()
    lines = [line.split("(")[0] for line in in_words(replay.steps(replay.runs[0]))]
    assert lines == [
        "question The question?",
        "request 1",
        "note",
        "CompressionStarted",
        "CompressionCompleted",
        "request 2",
        "text Fine.",
    ]


def test_tasks_stand_among_the_requests_that_made_them(agno):
    answers = (
        ("", [("create_task", {"title": "T1", "description": "do it", "assignee": "m"})]),
        ("", [("mark_all_complete", {"summary": "done"})]),
        "All done.",
    )
    agno.run(agno.build_team(*answers, mode=TeamMode.tasks, max_iterations=3))
    replay = agno.replay()
    lines = [line.split("(")[0] for line in in_words(replay.steps(replay.runs[0]))]
    assert lines[:3] == ["question The question?", "TeamTaskIterationStarted", "request 1"]
    assert lines.index("create_task") < lines.index("TeamTaskCreated") < lines.index("request 2")
    assert lines.index("text All done.") < lines.index("TeamTaskIterationCompleted")


def test_a_workflow_in_a_workflow_stands_where_it_ran(agno):
    def step(name: str) -> Step:
        return Step(name=name, agent=agno.build_member(f"{name} is done.", member_id=name))

    inner = Workflow(id="inner", name="Inner", steps=[step("inside")])
    outer = Workflow(
        id="outer",
        name="Outer",
        db=agno.db,
        steps=[step("before"), Step(name="inner", workflow=inner)],
        store_events=True,
    )
    agno.run(outer)
    replay = agno.replay()
    lines = [line.strip() for line in in_words(replay.steps(replay.runs[0]))]
    assert [line for line in lines if line.startswith(("run of", "WorkflowCompleted"))] == [
        "run of before",
        "run of inner",
        "run of inside",
        "WorkflowCompleted",
        "WorkflowCompleted",
    ]
    assert lines.index("run of inner") < lines.index("WorkflowCompleted")
