"""Numbers, times and ends in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib.records import ErrorKind, RunRecord, RunStatus, SessionKind, TextSegment, ToolCallRecord, ToolSegment
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.words import (
    activity_in_words,
    count_in_words,
    end_in_words,
    place_in_words,
    run_time_in_words,
    seconds_in_words,
    signature_in_words,
)

RUN = RunRecord(
    run_id="r",
    session_id="s",
    user_id="ann",
    kind=SessionKind.TEAM,
    component_id="market-desk",
    component_name="Market desk",
    status=RunStatus.COMPLETED,
    question="?",
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.004, "4 ms"),
        (0.1, "0.1 s"),
        (1.34, "1.3 s"),
        (9.96, "10 s"),
        (42.2, "42 s"),
        (59.8, "1 min 00 s"),
        (125, "2 min 05 s"),
    ],
)
def test_seconds_are_short_and_readable(seconds, words):
    assert seconds_in_words(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 runs"), (1, "1 run"), (17, "17 runs"), (1000, "1k runs"), (8123, "8.1k runs")]
)
def test_counts_are_short_and_readable(count, words):
    assert count_in_words(count, "run") == words


def test_a_whole_second_time_is_not_shown_as_an_exact_one():
    assert run_time_in_words(replace(RUN, duration_s=2.0)) == "about 2 s"
    assert run_time_in_words(replace(RUN, duration_s=2.04, exact_times=True)) == "2.0 s"


def test_every_status_has_its_words_and_only_an_answer_has_none():
    said = (TextSegment(text="Yes."),)
    without = {status for status in RunStatus if not end_in_words(replace(RUN, status=status, segments=said))}
    assert without == {RunStatus.COMPLETED, RunStatus.RUNNING}
    assert end_in_words(RUN) == "The model gave no answer."


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ("connection reset", None, "The model failed: connection reset."),
        ("The socket is closed", None, "The model failed: The socket is closed."),  # a provider's words, like ours
        ("The model failed: connection reset.", ErrorKind.MODEL, "The model failed: connection reset."),
        ("No team 'desk'; see CHAT_TEAMS.", ErrorKind.REFUSED, "No team 'desk'; see CHAT_TEAMS."),
        (None, None, "The model failed: no reason was recorded."),
    ],
)
def test_a_failed_run_says_the_plain_reason_once(error, kind, words):
    assert end_in_words(replace(RUN, status=RunStatus.FAILED, error=error, error_kind=kind)) == words


def test_a_call_that_was_answered_without_being_made_is_not_what_a_run_is_doing():
    call = ToolCallRecord(tool_call_id="t", tool_name="no_such_tool", arguments={}, result="There is no such tool.")
    running = replace(RUN, status=RunStatus.RUNNING, segments=(ToolSegment(call=call),))
    assert activity_in_words(running) == "thinking"


def test_a_tool_call_reads_as_it_would_be_written():
    call = ToolCallRecord(tool_call_id="t", tool_name="get_weather", arguments={"city": "Paris", "days": 2})
    assert signature_in_words(call) == 'get_weather(city="Paris", days=2)'


def test_the_first_drawn_thing_gets_the_promised_key_and_no_key_is_drawn_twice():
    keys = DrawnKeys()
    assert keys.tool_call("call_0") == "tool_call_call_0"
    assert keys.tool_call("call_0") == "tool_call_call_0__2"
    assert keys.message(None, run_id="r", position="question") == "message_r_question"


def test_where_the_database_is_is_said_without_the_account():
    assert place_in_words("sqlite:///data/roundtable.db") == "SQLite data/roundtable.db"
    assert place_in_words("sqlite:////var/roundtable.db") == "SQLite /var/roundtable.db"
    assert place_in_words("mysql://ann@db.example.org:3306/chat") == "db.example.org:3306/chat"
