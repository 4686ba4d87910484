"""The guided demonstration, the rescues, injected history and the price of all events, on real runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lib.recall.experiment import SAMPLE_FACTS
from lib.recall.lab.demonstration import Demonstration, count_delegations
from lib.recall.lab.rescues import PLAIN, RESCUES, Variant, compare_event_cost, show_injection, show_rescue
from lib.recall.reasons import Reason
from lib.records import RunStatus
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings

USER = "ann"
BIRD = SAMPLE_FACTS[0]


@pytest.fixture
def here(settings: Settings) -> Iterator[Roundtable]:
    """Everything put together on SQLite."""
    opened = open_roundtable(settings)
    yield opened
    opened.close()


@pytest.fixture
def show(here: Roundtable) -> Demonstration:
    return Demonstration(here, user_id=USER, window=2)


def test_a_planted_fact_is_answered_inside_the_window_and_forgotten_outside(show: Demonstration) -> None:
    planted = show.plant()
    assert show.questions_left(planted.run_id) == 2
    show.pass_fillers(1)
    inside = show.ask_in_fork()
    assert (inside.in_context, inside.answered, inside.as_predicted) == (True, True, True)
    assert inside.sentence.startswith("Remembered")

    show.pass_fillers(1)

    assert show.questions_left(planted.run_id) == 0
    outside = show.ask_in_fork()
    assert (outside.in_context, outside.answered, outside.as_predicted) == (False, False, True)
    assert outside.sentence.startswith("Forgotten")


def test_the_film_strip_shows_the_window_over_the_runs_and_the_fact_in_its_frame(show: Demonstration) -> None:
    show.plant()
    show.pass_fillers(2)
    frames = show.frames()
    assert [frame.in_window for frame in frames] == [False, True, True]
    assert [frame.holds_fact for frame in frames] == [True, False, False]
    assert frames[0].explanation == "Older than the history window."


def test_asking_in_a_fork_with_a_wider_window_leaves_the_session_as_it_was(show: Demonstration) -> None:
    show.plant()
    show.pass_fillers(3)
    before = [frame.run for frame in show.frames()]
    assert not show.ask_in_fork().answered
    assert show.ask_in_fork(window=9).answered
    assert [frame.run for frame in show.frames()] == before


def test_of_an_updated_fact_the_newest_value_in_the_window_is_answered(show: Demonstration) -> None:
    show.plant()
    show.update("owl")
    asked = show.ask()
    assert (asked.in_context, asked.values) == (True, ("owl",))


def test_what_was_never_said_is_not_known(show: Demonstration) -> None:
    show.plant()
    asked = show.ask_never_said()
    assert not asked.in_context and not asked.answered
    assert "don't know" in asked.run.answer


def test_a_fact_in_a_stopped_run_is_not_remembered(here: Roundtable) -> None:
    show = Demonstration(here, user_id=USER, window=2)
    stopped = show.plant_and_stop()
    assert stopped.status is RunStatus.STOPPED
    asked = show.ask()
    assert not asked.in_context and not asked.answered
    frame = show.frames()[0]
    assert (frame.in_window, frame.reason, frame.holds_fact) == (False, Reason.RUN_CANCELLED, True)


def test_repeat_that_gives_the_answer_again_without_asking_any_member(show: Demonstration) -> None:
    first = show.say("What is the weather in Paris?")
    again = show.repeat_that()
    assert count_delegations(first) == 1
    assert (again.delegations, again.run.answer) == (0, first.answer)


@pytest.mark.parametrize("variant", RESCUES, ids=lambda variant: variant.name)
def test_each_rescue_brings_back_a_fact_that_fell_out_of_the_window(here: Roundtable, variant: Variant) -> None:
    shown = show_rescue(here, variant, BIRD, user_id=USER)
    assert (shown.in_history, shown.brought_back, shown.answered) == (False, True, True)


def test_without_a_rescue_the_fact_stays_forgotten(here: Roundtable) -> None:
    shown = show_rescue(here, PLAIN, BIRD, user_id=USER)
    assert (shown.in_history, shown.brought_back, shown.answered) == (False, False, False)


def test_injected_and_kept_history_are_given_alike_and_told_apart(here: Roundtable) -> None:
    injected, kept = show_injection(here, BIRD, user_id=USER)
    assert (injected.in_history, injected.brought_back, injected.answered) == (False, True, True)
    assert (kept.in_history, kept.brought_back, kept.answered) == (True, False, True)
    words = [[message.content for message in shown.given if message.role != "system"] for shown in (injected, kept)]
    assert words[0] == words[1]


def test_storing_every_event_has_a_price_in_bytes(here: Roundtable) -> None:
    default, everything = compare_event_cost(here, "What is the weather in Paris?", user_id=USER)
    assert default.events["TeamRunContent"] == 0 < everything.events["TeamRunContent"]
    assert default.events_bytes < everything.events_bytes
    assert default.run_bytes < everything.run_bytes
    assert default.count < everything.count
