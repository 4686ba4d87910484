"""Steps, timeline, delegations, findings and their text of sessions that plain Agno stored."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lib.records import DelegationSegment, RunStatus
from lib.replay.comparison import Difference, compare_runs, compare_sessions
from lib.replay.findings import FindingKind
from lib.replay.playback import build_playback
from lib.replay.sequence import escape_mermaid, write_sequence_diagram
from lib.replay.steps import StepKind, find_steps
from lib.storage.replaying import Replay
from lib.terminal import escape_controls
from tests.replay.recorded_teams import SESSION, RecordedTeam
from tests.replay.test_contexts_are_true import open_replay


@pytest.fixture
def team() -> Iterator[RecordedTeam]:
    with tempfile.TemporaryDirectory() as folder:
        opened = RecordedTeam(Path(folder), store_history_messages=True)
        yield opened
        opened.close()


def kinds(replay: Replay) -> list[FindingKind]:
    return [found.kind for found in replay.findings()]


def change(team: RecordedTeam, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(team.file)) as connection, connection:
        connection.execute(statement, values)


def test_steps_stand_in_the_order_in_which_a_watcher_saw_them(team):
    seen: list[tuple[str, str]] = []
    for event in team.team.run(
        "ask weather finance aloud", stream=True, stream_events=True, session_id=SESSION, user_id="ann", run_id="r1"
    ):
        name = event.event.removeprefix("Team")
        if name == "ModelRequestStarted":
            seen.append(("model_request", event.run_id))
        elif name == "ToolCallStarted":
            seen.append(("call", event.tool.tool_call_id))
    replay = open_replay(team)
    steps = replay.steps(replay.get_run("r1"))
    told = [
        ("model_request", step.run_id) if step.kind is StepKind.MODEL_REQUEST else ("call", step.tool_call_id)
        for step in steps
        if step.kind in (StepKind.MODEL_REQUEST, StepKind.TOOL_CALL, StepKind.DELEGATION)
    ]
    assert told == seen
    assert len({step.step_id for step in steps}) == len(steps)
    assert [step.tool_name for step in find_steps(steps, text="NOTED", kinds=[StepKind.TOOL_CALL])] == ["note"] * 2


def test_nested_teams_are_read_to_their_last_member(team):
    team.ask("ask desk2")
    replay = open_replay(team)
    (run,) = replay.runs
    assert [part.component_id for part in run.walk()] == ["desk", "desk2", "deep"]
    assert all(
        isinstance(segment.run, type(run))
        for part in run.walk()
        for segment in part.segments
        if isinstance(segment, DelegationSegment)
    )
    assert max(step.depth for step in replay.steps(run)) == 2


def test_a_healthy_session_has_no_findings(team):
    for question in ("hello", "ask weather", "tool 2 aloud", "ask weather finance", "ask desk2"):
        team.ask(question)
    team.ask("ask weather", concurrent=True)
    assert open_replay(team).findings() == ()


def test_a_run_of_another_user_is_found(team):
    team.ask("hello")
    run_id = team.ask("hello again")
    change(team, "UPDATE agno_runs SET user_id = 'eve' WHERE run_id = ?", run_id)
    (found,) = open_replay(team).findings()
    assert (found.kind, found.run_id) == (FindingKind.FOREIGN_USER, run_id)
    assert "'eve'" in found.evidence


def test_double_places_and_places_against_time_are_found(team):
    first, second = team.ask("one"), team.ask("two")
    change(team, "UPDATE agno_runs SET run_index = 0 WHERE run_id = ?", second)
    assert kinds(open_replay(team)) == [FindingKind.DUPLICATE_ORDER]
    change(team, "UPDATE agno_runs SET run_index = 5, created_at = created_at - 99 WHERE run_id = ?", second)
    change(
        team,
        "UPDATE agno_runs SET run_data = json_remove(run_data, '$.events', '$.created_at') WHERE run_id = ?",
        second,
    )
    found = open_replay(team).findings()
    assert [(item.kind, item.run_id) for item in found] == [(FindingKind.ORDER_DISAGREES, second)]
    assert first in found[0].evidence


def test_a_members_run_without_its_leaders_is_found_and_still_shown(team):
    run_id = team.ask("ask weather")
    change(team, "DELETE FROM agno_runs WHERE run_id = ?", run_id)
    replay = open_replay(team)
    assert kinds(replay) == [FindingKind.ORPHAN_MEMBER_RUN]
    assert [run.component_id for run in replay.runs] == ["weather"]


def test_a_failure_of_a_member_that_nothing_else_tells_is_found_and_the_member_shown(team):
    team.models["weather"]._answer = lambda messages, tools: (_ for _ in ()).throw(
        __import__("agno.exceptions", fromlist=["x"]).ModelProviderError("weather is down")
    )
    run_id = team.ask("ask weather")
    replay = open_replay(team)
    assert [row["run_id"] for row in team.rows()] == [run_id], "Agno leaves no row of the member (F12)"
    (member,) = replay.get_run(run_id).member_runs
    assert (member.status, member.error) == (RunStatus.FAILED, "weather is down")
    assert FindingKind.HIDDEN_MEMBER_FAILURE in kinds(replay)


def test_a_stopped_question_that_later_runs_cannot_know_is_found(team):
    run_id = team.ask("remember the blue door", stop=True)
    assert kinds(open_replay(team)) == []
    team.ask("hello")
    (found,) = open_replay(team).findings()
    assert (found.kind, found.run_id) == (FindingKind.FORGOTTEN_QUESTION, run_id)


def test_events_that_tell_another_story_than_the_messages_are_found(team):
    run_id = team.ask("tool 1")
    (row,) = team.rows()
    changed = (
        row["run_data"]["messages"][2]["tool_calls"][0]["id"]
        if row["run_data"]["messages"][2].get("tool_calls")
        else None
    )
    text_now = __import__("json").dumps(row["run_data"]).replace("noted 0 of tool 1", "something else", 1)
    change(team, "UPDATE agno_runs SET run_data = ? WHERE run_id = ?", text_now, run_id)
    assert FindingKind.EVENTS_DISAGREE in kinds(open_replay(team)), changed


def test_lost_state_is_found(team):
    run_id = team.ask("hello")
    change(team, "UPDATE agno_runs SET run_data = json_set(run_data, '$.session_state', json('{\"budget\": 40}'))")
    (found,) = open_replay(team).findings()
    assert (found.kind, found.run_id) == (FindingKind.OVERWRITTEN_TITLE, run_id)
    assert "budget" in found.evidence


def test_whole_seconds_draw_no_false_precision(team):
    team.ask("ask weather finance")
    replay = open_replay(team)
    timeline = replay.timeline(replay.runs[0])
    assert timeline.precision == "whole seconds"
    assert [lane.agent_id for lane in timeline.lanes] == ["desk", "weather", "finance"]
    for lane in timeline.lanes:
        assert all(bar.start_s.is_integer() and bar.end_s.is_integer() for bar in lane.bars)
        assert lane.total_s == pytest.approx(lane.busy_s + lane.waiting_s + lane.idle_s)


def test_a_diagram_holds_nothing_that_mermaid_or_a_browser_would_run(team):
    team.ask('ask weather <script>alert(1)</script> end; %%{init: {"theme": 1}}%%')
    replay = open_replay(team)
    diagram = write_sequence_diagram(replay.runs[0])
    assert "<" not in diagram.replace("<br", "")
    assert "%%" not in diagram
    assert diagram.startswith("sequenceDiagram\n")
    assert escape_mermaid("a\nend; #b:") == "a #101;nd#59; #35;b#58;"


def test_terminal_codes_are_spelled_out():
    harmless = escape_controls("\x1b]0;owned\x07 \x9b31m \u202etxt.exe a\tb\nc é")
    assert harmless == "\\x1b]0;owned\\x07 \\x9b31m \\u202etxt.exe a\tb\nc é"


def test_two_runs_are_compared_act_by_act(team):
    left, right = team.ask("ask weather"), team.ask("ask weather finance")
    replay = open_replay(team)
    changes = compare_runs(replay.get_run(left), replay.get_run(right))
    assert Difference.DELEGATION in [item.kind for item in changes]
    assert compare_runs(replay.get_run(left), replay.get_run(left)) == ()
    pairs = compare_sessions(replay.runs, replay.runs[1:])
    assert [(a.left is None, a.right is None) for a in pairs] == [(False, True), (False, False)]


def test_play_back_ends_with_the_run_itself_and_begins_without_its_answer(team):
    run_id = team.ask("ask weather aloud")
    for minutes, run in enumerate((run_id,)):
        change(
            team,
            "UPDATE agno_runs SET run_data = json_set(run_data, '$.metadata', json(?)) WHERE run_id = ?",
            f'{{"roundtable": {{"started_at": {1795244388.5 + minutes}, "ended_at": 1995244388.5}}}}',
            run,
        )
    replay = open_replay(team)
    run = replay.get_run(run_id)
    playback = build_playback(run, replay.steps(run))
    assert playback.at(playback.total_s) == run
    assert playback.at(0.0).status is RunStatus.RUNNING
    assert list(playback.frames) == sorted(playback.frames, key=lambda frame: frame.at_s)
