"""Members that respond directly, and leaders that say nothing: the replay shows what was seen live, and no words of Agno's."""

from __future__ import annotations

import pytest

from tests.replay.plain_agno import PlainAgno, ask, seen_in, watch

WARM, PRICE = "It is 14 degrees.", "ACME is 3."


def note(text: str) -> str:
    """Keep a note."""
    return f"noted {text}"


@pytest.mark.parametrize("store_events", [True, False])
@pytest.mark.parametrize("lead", ["I ask both.", ""])
def test_an_answer_that_a_member_gave_directly_stands_behind_its_delegation_as_it_was_seen(agno, lead, store_events):
    calls = [ask("m", "the weather"), ask("k", "the price")]
    members = [agno.build_member(WARM), agno.build_member(PRICE, member_id="k")]
    agno.run(agno.build_team((lead, calls), members=members, respond_directly=True, store_events=store_events))
    (run,) = agno.replay().runs
    assert seen_in(run) == seen_in(watch(agno.events, run))
    assert seen_in(run)[-2:] == [("k", "the price", [PRICE]), PRICE]
    assert run.answer.strip() == PRICE
    assert run.notes == ()


def test_without_a_stream_the_direct_answer_is_the_answer_too(agno):
    team = agno.build_team(("I ask.", [ask("m", "w")]), members=[agno.build_member(WARM)], respond_directly=True)
    agno.run(team, stream=False)
    (run,) = agno.replay().runs
    assert run.answer == WARM


@pytest.mark.parametrize("store_events", [True, False])
def test_what_agno_reports_of_tools_is_no_answer_of_a_leader_that_says_nothing(agno: PlainAgno, store_events):
    member = agno.build_member(("Let me look.", [("note", {"text": "x"})]), WARM, tools=[note])
    agno.run(agno.build_team(("", [ask("m", "the weather")]), "", members=[member], store_events=store_events))
    (run,) = agno.replay().runs
    assert "completed in" in run.raw["run_data"]["content"], "Agno fills it"
    assert run.answer == ""
    assert seen_in(run) == seen_in(watch(agno.events, run))


@pytest.mark.parametrize("stream", [True, False])
def test_a_member_may_say_what_reads_like_a_report(agno, stream):
    said = "run_tests() completed in 3.2s."
    team = agno.build_team(("I ask.", [ask("m", "w")]), members=[agno.build_member(said)], respond_directly=True)
    agno.run(team, stream=stream)
    (run,) = agno.replay().runs
    assert run.answer.strip() == said
