"""One renderer for live and stored runs: what stands on the screen for hand-made runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from lib.records import RunRecord, RunStatus, SavedState, TextSegment, ToolSegment
from tests.ui.records import delegation, run, tool_call, two_delegations


def draw(*runs: RunRecord, lazy: bool = False) -> AppTest:
    """Return the screen with these runs on it."""

    def page(runs, lazy):
        from lib.ui.delegations import Cards
        from lib.ui.runs import RunDrawing, draw_run

        drawing = RunDrawing(ask_again=lambda run_id: None, cards=Cards(lazy=lazy))
        for each in runs:
            draw_run(each, drawing)

    screen = AppTest.from_function(page, args=(runs, lazy), default_timeout=10).run()
    assert not screen.exception
    return screen


def written(screen: AppTest) -> str:
    """Return all Markdown on the screen, in order."""
    return "\n".join(element.value for element in screen.markdown)


def test_the_leaders_words_and_the_cards_stand_in_the_order_in_which_they_happened():
    screen = draw(run("r1", *two_delegations(), TextSegment(text="It is 14 °C.")))
    text = written(screen)
    assert text.index("I ask both.") < text.index("14 °C there.") < text.index("It is 14 °C.")
    assert [card.label.split("**")[1] for card in screen.expander] == ["Weather", "Finance"]


def test_a_card_is_open_while_its_member_works_and_closed_when_it_is_done():
    screen = draw(run("r1", *two_delegations(finance=RunStatus.RUNNING), status=RunStatus.RUNNING))
    assert [card.proto.expanded for card in screen.expander] == [False, True]
    assert [card.proto.icon for card in screen.expander] == [":material/check_circle:", "spinner"]


def test_a_card_says_who_works_on_what_and_for_how_long():
    labels = [card.label for card in draw(run("r1", *two_delegations())).expander]
    assert labels == ["**Weather** · Paris now? · :gray[2.4 s]", "**Finance** · ACME? · :gray[2.4 s]"]


def test_a_tool_call_shows_what_was_asked_and_what_came_back():
    codes = [element.value for element in draw(run("r1", *two_delegations())).code]
    assert codes == ['get_weather(city="Paris")\n→ 14 °C', 'get_price(city="Paris")\n→ 12 USD']


def test_calls_of_an_attempt_that_failed_say_so():
    made = tool_call("c1", given_up=True)
    asked = delegation("Finance", "ACME?")
    asked = replace(asked, call=replace(asked.call, given_up=True))
    screen = draw(run("r1", ToolSegment(call=made), asked, TextSegment(text="At the second attempt: 14 °C.")))
    assert "in an attempt that failed" in screen.caption[0].value
    assert "in an attempt that failed" in screen.expander[0].label


def test_a_member_that_failed_says_so_on_its_card():
    failed = delegation("Finance", "ACME?", status=RunStatus.FAILED, error="the price list is gone")
    screen = draw(run("r1", failed, TextSegment(text="I could not find out.")))
    assert screen.expander[0].proto.icon == ":material/error:"
    assert "the price list is gone" in written(screen)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (RunStatus.STOPPED, "Stopped by you. This question is not part of what the team remembers."),
        (RunStatus.FAILED, "The model failed: it is asleep."),
        (RunStatus.INTERRUPTED, "Interrupted: the app stopped while this was running."),
    ],
)
def test_a_run_that_did_not_end_well_says_how_and_can_be_asked_again(status, words):
    screen = draw(run("r1", status=status, error="it is asleep"))
    assert words in written(screen)
    assert screen.button(key="ask_again_r1").label == "Ask again"


def test_no_stored_text_turns_the_rest_of_its_line():
    made = tool_call("c1", "look\u202e", "found\u202e", arguments={"at": "this\u2067"})
    screen = draw(run("r1", ToolSegment(call=made), TextSegment(text="It is \u202eturned."), question="Is it\u202e?"))
    drawn = written(screen) + screen.code[0].value + screen.caption[0].value
    assert not {"\u202e", "\u2067"}.intersection(drawn)
    assert "It is \\u202eturned." in drawn


def test_a_run_that_another_program_stopped_says_why_in_its_words():
    screen = draw(run("r1", status=RunStatus.STOPPED, stop_reason="Run r1 was cancelled"))
    assert "Stopped: Run r1 was cancelled. This question is not part of what the team remembers." in written(screen)


def test_a_waiting_question_says_what_it_waits_for():
    assert "Waiting for the question before it." in written(draw(run("r1", status=RunStatus.WAITING)))


def test_an_answer_the_database_refused_is_never_shown_as_stored():
    screen = draw(run("r1", TextSegment(text="Yes."), saved=SavedState.KEPT_ON_DISK))
    assert "Answered, not stored yet: the database cannot be reached." in written(screen)


def test_an_answer_says_its_time_and_its_tokens():
    assert "2\\.4 s · 312 tokens" in [caption.value for caption in draw(run("r1", TextSegment(text="Yes."))).caption]


def test_runs_whose_tool_calls_share_an_id_are_all_drawn():
    first, second = (run(name, TextSegment(text="Yes."), *two_delegations()) for name in ("r1", "r2"))
    assert len(draw(first, second).expander) == 4


def test_a_closed_card_of_a_long_history_costs_nothing_until_it_is_opened():
    screen = draw(run("r1", *two_delegations(), TextSegment(text="It is 14 °C.")), lazy=True)
    assert len(screen.expander) == 2
    assert not screen.code


@pytest.mark.parametrize("where", ["question", "answer", "task", "result", "name"])
def test_what_others_wrote_is_drawn_as_text_wherever_it_stands(where):
    evil = "![x](http://evil.example/x.png) <img src=http://evil.example/y.png> $a$"
    ours = {name: evil if name == where else "fine" for name in ("question", "answer", "task", "result", "name")}
    card = delegation(ours["name"], ours["task"], TextSegment(text=ours["result"]))
    screen = draw(run("r1", card, TextSegment(text=ours["answer"]), question=ours["question"]))
    drawn = [element.value for element in [*screen.markdown, *screen.caption]] + [
        card.label for card in screen.expander
    ]
    assert not any("![" in text.replace("\\!\\[", "") or " $a" in text for text in drawn)


def test_a_live_run_and_the_same_run_read_back_look_the_same():
    segments = (*two_delegations(), TextSegment(text="It is 14 °C."))
    live = run("r1", *segments, status=RunStatus.RUNNING, saved=SavedState.LIVE)
    stored = run("r1", *segments, question_message_id="m1")
    assert written(draw(live)) == written(draw(stored))


def test_a_very_long_result_scrolls_inside_its_own_box():
    step = ToolSegment(call=tool_call("t", result="long " * 400))
    box = draw(run("r1", step, TextSegment(text="Yes."))).code[0]
    assert len(box.value) > 1000
