"""What the replay page makes of stored values before any of it is drawn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lib.records import DelegationSegment, RunRecord, TextSegment, ToolSegment
from lib.replay.comparison import Change, Difference
from lib.ui.replay.bounded import bounded, count_parts, is_cut
from lib.ui.replay.comparison import _kinds_in_words, _row
from lib.ui.replay.place import Place
from lib.ui.replay.raw import to_json_text, to_parsed
from lib.ui.replay.texts import MOST, _as_table, line
from lib.ui.replay.timeline import _bar_in_words
from tests.ui.records import run, tool_call


def drawn(run: RunRecord) -> int:
    """Return how many segments are drawn of a run and of the members in it."""
    inner = (part.run for part in run.segments if isinstance(part, DelegationSegment) and part.run)
    return len(run.segments) + sum(map(drawn, inner))


def nested(parts: int) -> DelegationSegment:
    member = run("member", *(ToolSegment(call=tool_call(f"c{number}")) for number in range(parts)))
    return DelegationSegment(call=tool_call("d1", "delegate"), member_id="weather", task="rain?", run=member)


def test_a_run_that_a_browser_bears_is_drawn_whole():
    whole = run("r1", TextSegment(text="hello"), nested(3))
    assert not is_cut(whole)
    assert bounded(whole) == whole


@pytest.mark.parametrize("most", [1, 5, 90])
def test_of_a_run_that_is_too_much_its_first_parts_are_drawn_members_counted_in(most):
    delegation = nested(100)
    much = run("r1", TextSegment(text="first"), delegation, TextSegment(text="last"), member_runs=(delegation.run,))
    assert is_cut(much, most)
    cut = bounded(much, most)
    assert drawn(cut) == most
    assert cut.segments[0] == much.segments[0]
    assert count_parts(much) == 103, "the run itself is as it was"


def test_a_text_of_megabytes_is_cut_wherever_it_stands():
    long = "x" * (2 * MOST)
    much = run("r1", TextSegment(text=long), ToolSegment(call=tool_call("c1", result=long)), question=long)
    cut = bounded(much)
    said, called = cut.segments
    assert is_cut(much)
    assert isinstance(said, TextSegment)
    assert isinstance(called, ToolSegment)
    assert {len(cut.question), len(said.text), len(called.call.result or "")} == {MOST}


def test_a_line_is_literal_short_and_on_one_line():
    assert line("two\nlines :red[x] `y`") == "two lines \\:red\\[x\\] \\`y\\`"
    assert len(line("y" * 1000, 20)) == 20
    assert "\x1b" not in line("\x1b[31mred")


def test_alike_flat_objects_are_a_table_and_nothing_else_is():
    rows = [{"city": "Paris", "degrees": 14}, {"city": "Rome", "degrees": 20}]
    assert _as_table(rows) == [{"city": "Paris", "degrees": "14"}, {"city": "Rome", "degrees": "20"}]
    others: list[Any] = [[], [1], {}, None, [{}], [{"a": 1}, {"b": 1}], [{"a": {"b": 1}}]]
    assert not any(map(_as_table, [*others, [{str(number): number for number in range(13)}]]))


def test_a_raw_row_shows_its_json_parsed_and_what_is_damaged_as_the_text_it_is():
    row = {"run_id": "r1", "run_data": '{"messages": [1]}', "damaged": '{"half', "bytes": b"\xff{", "none": None}
    parsed = to_parsed(row)
    assert parsed == {
        "run_id": "r1",
        "run_data": {"messages": [1]},
        "damaged": '{"half',
        "bytes": "\ufffd{",
        "none": None,
    }
    assert json.loads(to_json_text(row)) == parsed


def test_a_download_holds_half_an_emoji_as_it_is_stored():
    text = to_json_text({"run_data": '{"content": "half \\ud83d, whole \\ud83d\\ude00, Grüße"}'})
    assert text.encode()
    assert json.loads(text)["run_data"]["content"] == "half \ud83d, whole 😀, Grüße"


def test_a_difference_is_told_with_whose_it_is_of_what_and_both_sides():
    changes = [
        Change(kind=kind, agent_id="weather", agent_name="Weather", about="get_weather", left=None, right="14 °C")
        for kind in (Difference.TOKENS, Difference.RESULT)
    ]
    assert _kinds_in_words(changes) == "result, tokens", "in the order in which a reader asks"
    row = _row(changes[1], "Run 1", "Run 2")
    assert row == {
        "What": "**result** :gray[Weather · get\\_weather]",
        "Run 1": ":gray[not there]",
        "Run 2": "14 °C",
    }


def test_long_texts_are_shown_from_where_they_begin_to_differ():
    change = Change(
        kind=Difference.ANSWER, agent_id="a", agent_name="A", left="same " * 200 + "left", right="same " * 200 + "right"
    )
    row = _row(change, "Run 1", "Run 2")
    assert row["Run 1"].endswith("left")
    assert row["Run 2"].endswith("right")


def test_a_bar_is_told_in_one_line():
    bar = {
        "from": "0.007 s",
        "lane": "Weather",
        "kind": "tool",
        "what": "get_weather",
        "took": "1 ms",
        "failed": "failed",
    }
    assert _bar_in_words(bar) == "0.007 s · **Weather** · tool: get\\_weather · 1 ms · :red[failed]"
    request = {**bar, "kind": "model request", "what": "model request 1", "failed": "no"}
    assert _bar_in_words(request) == "0.007 s · **Weather** · model request · 1 ms"


@pytest.mark.parametrize(
    ("written", "number"), [("6", 6), (None, None), ("", None), ("-1", None), ("1.5", None), ("9" * 30, None)]
)
def test_a_step_of_the_address_is_a_number_or_none(written, number):
    assert Place(step=written).step_number == number
