"""A result that the leader's answer contradicts was not used; one that it rounds, converts or adds up is not contradicted."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.replay.compared_texts import ComparedText
from lib.replay.contradictions import find_contradictions
from lib.replay.findings import FindingKind
from tests.replay.plain_agno import PlainAgno, ask

CONTRADICTED = {
    "a price": ("The price of ACME?", "ACME stands at 40.20 USD.", "ACME stands at 99.99 USD.", "99.99"),
    "another sign": ("The price of ACME?", "ACME stands at 40.20 USD.", "ACME stands at $99.99.", "99.99"),
    "a time and a gate": (
        "When does LH454 leave?",
        "LH454 leaves at 14:35 from gate B12.",
        "LH454 leaves at 9:05 from gate C3.",
        "9:05",
    ),
    "a time": ("When does the train leave?", "The train leaves at 14:35.", "The train leaves at 9:05.", "9:05"),
    "a time, not the code": (
        "When does my flight leave?",
        "LH454 leaves at 14:35 from gate B12.",
        "LH454 leaves at 9:05 from gate B12.",
        "9:05",
    ),
    "a gate of one number": ("Which gate?", "LH454 leaves from gate B12.", "LH454 leaves from gate C12.", "C12"),
    "degrees": ("Paris?", "It is 14 degrees in Paris with light rain.", "It is 30 degrees in Paris and sunny.", "30"),
    "what is counted": ("How many users?", "There are 120 users.", "There are 55 users.", "55"),
    "a date": ("When is it?", "The meeting is on 2026-03-04.", "The meeting is on the 9th of March.", "9"),
    "other signs": ("多少钱?", "价格是 120 元", "价格是 150 元", "150"),
    "among other words": (
        "ACME?",
        "ACME stands at 40.20 USD.",
        "Here you go! ACME stands at 99.99 USD. Shall I look up another one?",
        "99.99",
    ),
}

NOT_CONTRADICTED = {
    "rounded": ("Paris?", "It is 19.4 degrees in Paris.", "It is about 19 degrees in Paris.", True),
    "cents left out": ("ACME?", "ACME stands at 40.20 USD.", "ACME stands at 40 dollars.", True),
    "millions": ("Sign-ups?", "There were 1,204,332 sign-ups.", "There were 1.2 million sign-ups.", True),
    "another form": ("When?", "The train leaves at 14:35.", "The train leaves at 2:35 pm.", True),
    "another scale": ("Paris?", "It is 14 degrees in Paris.", "It is 57 degrees in Paris.", None),
    "another currency": ("ACME?", "ACME stands at 100 USD.", "ACME stands at 92 EUR.", None),
    "a difference": ("Compare.", "ACME stands at 40.20 USD, GLOBEX at 38.10 USD.", "ACME is at 2.10 USD more.", None),
    "a sum": ("And?", "The hotel is 214.30 USD, the train 99.20 USD.", "The hotel and the train: 313.50 USD.", None),
    "a product": ("For 3 nights?", "The hotel is 80 USD.", "The hotel is 240 USD.", None),
    "a year of months": ("A year?", "ACME costs 40 USD a month.", "ACME costs 480 USD a year.", None),
    "tax": ("ACME?", "ACME stands at 40.20 USD.", "ACME stands at 47.84 USD. This includes tax.", None),
    "a delay": ("When?", "The train leaves at 14:35, 30 minutes late.", "The train leaves at 15:05.", None),
    "a time zone": ("When, in UTC?", "The train leaves at 14:35.", "The train leaves at 12:35.", None),
    "a zone of the result": ("When is it in Tokyo?", "The call is at 14:00 UTC.", "The call is at 23:00.", None),
    "a place of the result": ("When is it here?", "The call is at 18:00 in Berlin.", "The call is at 12:00.", None),
    "before a fall": ("Before?", "ACME stands at 40.20 USD, down 5%.", "ACME stands at 42.32 USD.", None),
    "another flight": ("LH454 and LH900?", "LH454 leaves at 14:35.", "LH900 leaves at 9:05.", None),
    "another subject": ("The gates?", "The north gate opens at 9:00.", "The south gate opens at 10:00.", None),
    "another plan": (
        "The plans?",
        "The standard plan costs 40 USD. The premium plan is on request.",
        "The premium plan costs 99 USD.",
        None,
    ),
    "kept in part": (
        "ACME?",
        "ACME stands at 40.20 USD at 14:35.",
        "ACME stands at 40.20 USD at 15:10.",
        None,
    ),
    "denied": ("Is it 9:05?", "The train leaves at 14:35.", "The train leaves not at 9:05.", None),
    "yesterday": ("ACME?", "ACME stands at 40.20 USD.", "ACME stood at 99.99 USD yesterday.", None),
    "a part of the code": ("Which gate?", "LH454 leaves from gate B12a.", "LH454 leaves from gate B12.", None),
    "a name alone": ("Who leads?", "Jane Roe leads ACME for 12 years.", "Jane Roe leads ACME, aged 57 years.", None),
}


@pytest.fixture
def agno(tmp_path) -> PlainAgno:
    return PlainAgno(tmp_path / "agno.db")


def answer_to(agno: PlainAgno, question: str, result: str, answer: str) -> None:
    member = agno.build_member(result)
    agno.run(agno.build_team(("", [ask("m", f"find: {question}")]), answer, members=[member]), question)


@pytest.mark.parametrize("name", CONTRADICTED)
def test_an_answer_that_states_another_amount_than_the_result_is_found(agno, name):
    question, result, answer, stated = CONTRADICTED[name]
    answer_to(agno, question, result, answer)
    replay = agno.replay()
    (delegation,) = replay.delegations(replay.runs[0])
    assert delegation.result_used is False
    (found,) = replay.findings()
    assert found.kind is FindingKind.IGNORED_MEMBER_RESULT
    assert found.evidence.startswith(f"The leader states {stated}")
    assert result in found.evidence


@pytest.mark.parametrize("name", NOT_CONTRADICTED)
def test_an_amount_that_may_come_from_the_result_or_be_of_something_else_contradicts_nothing(agno, name):
    question, result, answer, used = NOT_CONTRADICTED[name]
    answer_to(agno, question, result, answer)
    replay = agno.replay()
    (delegation,) = replay.delegations(replay.runs[0])
    assert delegation.result_used is used
    assert replay.findings() == ()


def test_what_another_member_answered_contradicts_nothing(agno):
    members = [
        agno.build_member("ACME costs 40.20 USD.", member_id="a"),
        agno.build_member("ACME costs 38.10 USD.", member_id="b"),
    ]
    tasks = [ask("a", "ask the first shop"), ask("b", "ask the second shop")]
    agno.run(agno.build_team(("", tasks), "ACME costs 38.10 USD.", members=members), "The price of ACME?")
    replay = agno.replay()
    assert [delegation.result_used for delegation in replay.delegations(replay.runs[0])] == [None, True]
    assert replay.findings() == ()


def test_what_was_said_before_the_task_contradicts_nothing(agno):
    member = agno.build_member("ACME stands at 40.20 USD.")
    first = ("ACME stands at 99.99 USD.", [ask("m", "look again")])
    agno.run(agno.build_team(first, "It is as you see.", members=[member]), "The price?")
    assert agno.replay().findings() == ()


def test_a_run_with_hundreds_of_delegations_is_judged_in_a_moment(agno):
    calls = [ask("m", f"share {number}") for number in range(150)]
    answers = [f"Share S{number} stands at {number}.37 USD at 14:{number % 60:02d}." for number in range(150)]
    said = " ".join(f"S{number} is at {number}.51 USD." for number in range(150))
    agno.run(agno.build_team(("", calls), said, members=[agno.build_member(*answers)]))
    replay = agno.replay()
    began = time.perf_counter()
    replay.findings()
    assert time.perf_counter() - began < 5


AMOUNTS = st.from_regex(
    r"([0-9]{1,30}[.,:]?[0-9]{0,3} (USD|degrees|users|%|pm)[ .;]|[A-Z]?[0-9]{1,4} )*", fullmatch=True
)


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.text())
def test_any_texts_can_be_compared(one, other, question, anything):
    for result in (one, anything):
        asked, answer = ComparedText(question), ComparedText(other)
        for found in find_contradictions(ComparedText(result), asked, answer, elsewhere=set, alone=True):
            assert found.stated in answer.facts
