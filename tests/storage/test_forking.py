"""A fork's links point at the fork."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lib.storage.forking import Renaming, build_renaming, select_runs, to_forked_row
from lib.storage.legacy_runs import to_legacy_rows


def leader_row() -> dict[str, Any]:
    tool = {"tool_call_id": "call-1", "child_run_id": "member-run", "tool_args": {"run_id": "leader-run"}}
    events = [
        {"event": "TeamRunStarted", "run_id": "leader-run", "session_id": "old"},
        {"event": "RunStarted", "run_id": "member-run", "parent_run_id": "leader-run", "session_id": "old"},
    ]
    messages = [
        {"id": "m1", "role": "user", "content": "leader-run"},
        {"id": "m2", "role": "assistant", "content": "done", "tool_calls": [{"id": "call-1", "type": "function"}]},
    ]
    data = {"run_id": "leader-run", "session_id": "old", "tools": [tool], "events": events, "messages": messages}
    data["member_responses"] = [{"run_id": "inner-run", "parent_run_id": "member-run", "session_id": "old"}]
    return {"run_id": "leader-run", "session_id": "old", "parent_run_id": None, "run_index": 0, "run_data": data}


def member_row(run_id: str = "member-run", parent_run_id: str = "leader-run") -> dict[str, Any]:
    data = {"run_id": run_id, "parent_run_id": parent_run_id, "session_id": "old", "messages": []}
    return {"run_id": run_id, "session_id": "old", "parent_run_id": parent_run_id, "run_index": 1, "run_data": data}


def fork(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Renaming]:
    renaming = build_renaming(rows, session_id="old", new_session_id="new")
    return [to_forked_row(row, renaming) for row in rows], renaming


def test_every_link_of_a_fork_points_at_the_fork() -> None:
    (leader, member), renaming = fork([leader_row(), member_row()])
    data = leader["run_data"]
    assert leader["run_id"] == data["run_id"] == renaming.runs["leader-run"]
    assert member["parent_run_id"] == member["run_data"]["parent_run_id"] == leader["run_id"]
    assert data["tools"][0]["child_run_id"] == member["run_id"]
    assert [event["run_id"] for event in data["events"]] == [leader["run_id"], member["run_id"]]
    assert data["member_responses"][0]["parent_run_id"] == member["run_id"]
    assert {leader["session_id"], data["session_id"], data["events"][0]["session_id"]} == {"new"}


def test_no_old_id_is_left_but_in_what_people_and_tools_wrote() -> None:
    (leader, member), _ = fork([leader_row(), member_row()])
    leader["run_data"]["messages"][0].pop("content")
    leader["run_data"]["tools"][0].pop("tool_args")
    for old in ("leader-run", "member-run", "inner-run", '"old"', '"m1"', '"m2"'):
        assert old not in json.dumps([leader, member])


def test_what_agno_notes_in_the_state_leads_to_the_fork_and_the_rest_of_it_stays() -> None:
    row = leader_row()
    theirs = {"note": "leader-run", "nested": {"current_run_id": "leader-run"}}
    row["run_data"]["session_state"] = {"current_session_id": "old", "current_run_id": "leader-run", **theirs}
    (leader,), renaming = fork([row])
    told = {"current_session_id": "new", "current_run_id": renaming.runs["leader-run"]}
    assert leader["run_data"]["session_state"] == {**told, **theirs}


def test_a_stored_image_gets_an_id_of_its_own_wherever_it_is_named() -> None:
    row = leader_row()
    image = {"id": "i1", "media_reference": {"media_id": "i1", "storage_key": "images/i1.png"}}
    row["run_data"]["input"] = {"images": [image]}
    row["run_data"]["messages"][0]["images"] = [image]
    (leader,), renaming = fork([row])
    new = renaming.media_ids["i1"]
    for one in (leader["run_data"]["input"]["images"][0], leader["run_data"]["messages"][0]["images"][0]):
        assert one["id"] == one["media_reference"]["media_id"] == new != "i1"


def test_words_are_not_touched_even_when_they_look_like_an_id() -> None:
    (leader, _), _ = fork([leader_row(), member_row()])
    assert leader["run_data"]["messages"][0]["content"] == "leader-run"
    assert leader["run_data"]["tools"][0]["tool_args"] == {"run_id": "leader-run"}


def test_a_tool_call_keeps_the_id_the_model_gave_it() -> None:
    (leader, _), _ = fork([leader_row(), member_row()])
    assert leader["run_data"]["messages"][1]["tool_calls"][0]["id"] == "call-1"


def test_the_source_is_not_changed() -> None:
    rows = [leader_row(), member_row()]
    before = json.dumps(rows)
    fork(rows)
    assert json.dumps(rows) == before


def test_a_stored_image_gets_a_key_of_its_own_in_the_same_folder() -> None:
    row = leader_row()
    row["run_data"]["input"] = {"images": [{"media_reference": {"storage_key": "old/pictures/a.png"}}]}
    _, renaming = fork([row])
    new_key = renaming.media["old/pictures/a.png"]
    assert new_key != "old/pictures/a.png"
    assert new_key.startswith("old/pictures/") and new_key.endswith(".png")


def test_a_fork_up_to_a_run_takes_its_members_wherever_their_rows_stand() -> None:
    first, second = leader_row(), leader_row() | {"run_id": "second"}
    rows = [member_row(), member_row("grandchild", "member-run"), first, second, member_row("late", "second")]
    assert [row["run_id"] for row in select_runs(rows, upto_run_id="leader-run")] == [
        "member-run",
        "grandchild",
        "leader-run",
    ]
    assert len(select_runs(rows, upto_run_id=None)) == 5


def test_a_fork_up_to_a_run_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        select_runs([leader_row()], upto_run_id="member-run")


def test_a_paused_run_waits_for_the_member_s_run_of_the_fork() -> None:
    paused = leader_row()
    requirement = {"id": "need-1", "member_run_id": "member-run", "tool_execution": {"tool_call_id": "call-1"}}
    paused["run_data"]["requirements"] = [requirement]
    (leader, member), _ = fork([paused, member_row()])
    (copied,) = leader["run_data"]["requirements"]
    assert copied == requirement | {"member_run_id": member["run_id"]}


FOLDER = Path(__file__).parents[1] / "data" / "stored_sessions"


def list_links(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every id in Agno's own part of a run with the key that holds it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("content", "tool_args", "arguments", "result", "session_state"):
                yield from list_links(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from list_links(inner, key)
    elif isinstance(value, str):
        yield key, value


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_no_link_of_a_real_session_s_fork_points_at_its_source(file: Path) -> None:
    tables = json.loads(file.read_text())
    rows = [row | {"run_data": json.loads(row["run_data"])} for row in tables.get("agno_runs", ())]
    rows = rows or to_legacy_rows(tables["agno_sessions"][0], ())
    renaming = build_renaming(rows, session_id="s1", new_session_id="new")
    forked = [to_forked_row(row, renaming) for row in rows]
    old = {*renaming.runs, *renaming.messages, "s1"}
    assert [link for link in list_links(forked) if link[1] in old] == []
    assert {link for link in list_links(rows) if link[1] in old}
