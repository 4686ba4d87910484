"""Whom the offline model asks as a leader, and which tools it calls as a member."""

from __future__ import annotations

import pytest

from tests.models.messages import (
    DELEGATE,
    ROSTER,
    assistant,
    called,
    calls_of,
    function,
    system,
    tasks_of,
    user,
    words_of,
)

WEATHER = function("get_weather", "Get today's weather in a city.", city="string", unit="string?")
FORECAST = function("get_forecast", "Get the weather forecast for a city.", city="string", days="integer?")
PRICE = function("get_price", "Get the latest price of a share.", ticker="string")
COMPARE = function("compare_prices", "Compare two shares.", first_ticker="string", second_ticker="string")
TRAINS = function("find_trains", "Find trains between two cities.", origin="string", destination="string")
HOTELS = function("find_hotels", "Find hotels in a city.", city="string", max_price_eur="integer?")
MONEY = function("convert", "Convert an amount to another currency.", amount="number", base="string", quote="string")
SEARCH = function("search_web", "Search the web.", query="string")
TOOLS = [COMPARE, FORECAST, HOTELS, PRICE, TRAINS, WEATHER]


@pytest.mark.parametrize(
    ("question", "members"),
    [
        ("What is the weather in Paris?", ["wx"]),
        ("weather in paris", ["wx"]),
        ("Will it be sunny in New York tomorrow?", ["wx"]),
        ("How warm? I need the temperature for São Paulo", ["wx"]),
        ("What is the price of AAPL?", ["money-1"]),
        ("How is Apple's stock?", ["money-1"]),
        ("share price of acme", ["money-1"]),
        ("What is the weather in Paris and the price of ACME?", ["wx", "money-1"]),
        ("Weather for Paris, price for ACME", ["wx", "money-1"]),
        ("What is the weather in Paris, France?", ["wx"]),
        ("price of $acme", ["money-1"]),
        ("Price of ACME; and then the forecast for Rome", ["money-1", "wx"]),
        ("Find a train from Paris to London and a hotel there.", ["trips"]),
        ("Which hotels in Rome cost less than 100 EUR?", ["trips"]),
        ("Ask Ledger what it thinks", ["money-1"]),
        ("What does Journeys say?", ["trips"]),
        ("hello", []),
        ("What is the weather?", []),
        ("What is the price?", []),
        ("Remember: the secret word is bird", []),
        ("What is the secret word?", []),
    ],
)
def test_a_question_goes_to_the_members_it_is_for_in_one_message(question: str, members: list[str]) -> None:
    assert list(tasks_of(question)) == members


@pytest.mark.parametrize(
    ("question", "tasks"),
    [
        ("Ask Sky: what is the secret word?", {"wx": "what is the secret word?"}),
        ("ask the wx: Remember: my dogs are Rex and Ada.", {"wx": "Remember: my dogs are Rex and Ada."}),
        (
            "Tell Ledger: hello. Remember: the secret word is owl.",
            {"money-1": "hello. Remember: the secret word is owl."},
        ),
        ("Ask Sky: good morning [member slow 2s]", {"wx": "good morning [slow 2s]"}),
    ],
)
def test_words_for_a_member_are_passed_on_as_they_are_whatever_the_leader_knows(
    question: str, tasks: dict[str, str]
) -> None:
    assert tasks_of(question, user("Remember: the secret word is bird."), assistant("Noted.")) == tasks


def test_what_a_member_was_told_is_the_members_to_report() -> None:
    question = user("Ask Sky: remember: the secret word is bird.")
    result = called("delegate_task_to_member", {"member_id": "wx", "task": "t"}, "Noted: the secret word is bird.")
    answer = words_of(system(ROSTER), question, *result, tools=[DELEGATE])
    assert answer == "Sky reports: Noted: the secret word is bird."
    later = words_of(system(ROSTER), question, *result, assistant(answer), "What is the secret word?", tools=[DELEGATE])
    assert later == "The secret word is bird."


def test_each_member_is_given_its_own_part_of_the_question() -> None:
    tasks = tasks_of("What is the weather in Paris and the price of ACME?")
    assert tasks == {"wx": "What is the weather in Paris", "money-1": "the price of ACME?"}


def test_a_place_named_before_is_put_into_the_task_for_there() -> None:
    tasks = tasks_of("What is the price of ACME in Lisbon, and what is the weather there?")
    assert tasks["wx"] == "what is the weather in Lisbon?"


def test_a_broadcast_leader_asks_all_members_once() -> None:
    broadcast = function("delegate_task_to_members", "Ask all.", task="string")
    assert calls_of(system(ROSTER), "What is best?", tools=[broadcast]) == [
        ("delegate_task_to_members", {"task": "What is best?"})
    ]


def test_a_leader_makes_one_answer_from_all_results() -> None:
    question = user("What is the weather in Paris and the price of ACME?")
    results = [
        *called("delegate_task_to_member", {"member_id": "wx", "task": "w"}, "Paris is sunny."),
        *called("delegate_task_to_member", {"member_id": "money-1", "task": "p"}, "ACME is 42 USD"),
    ]
    answer = words_of(system(ROSTER), question, *results, tools=[DELEGATE])
    assert answer == "Sky reports: Paris is sunny.\n\nLedger reports: ACME is 42 USD."


def test_a_member_that_returned_nothing_is_named() -> None:
    result = called("delegate_task_to_member", {"member_id": "wx", "task": "w"}, "")
    answer = words_of(system(ROSTER), "What is the weather in Paris?", *result, tools=[DELEGATE])
    assert answer == "Sky returned nothing, so that part of the answer is missing."


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("What is the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        ("Weather in Paris and London", [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "London"})]),
        ("Give me a five-day forecast for Lisbon.", [("get_forecast", {"city": "Lisbon", "days": 5})]),
        ("forecast for rio de janeiro", [("get_forecast", {"city": "rio de janeiro"})]),
        ("price of ACME", [("get_price", {"ticker": "ACME"})]),
        ("price of ACME and of Microsoft", [("get_price", {"ticker": "ACME"}), ("get_price", {"ticker": "Microsoft"})]),
        (
            "How did Apple's stock do against Microsoft's?",
            [("compare_prices", {"first_ticker": "Apple", "second_ticker": "Microsoft"})],
        ),
        (
            "Compare Apple and Microsoft shares",
            [("compare_prices", {"first_ticker": "Apple", "second_ticker": "Microsoft"})],
        ),
        ("Find a train to London from Paris", [("find_trains", {"origin": "Paris", "destination": "London"})]),
        (
            "Find a train from Paris to London and a hotel there.",
            [("find_trains", {"origin": "Paris", "destination": "London"}), ("find_hotels", {"city": "London"})],
        ),
        ("Which hotels in Rome cost less than 100 EUR?", [("find_hotels", {"city": "Rome", "max_price_eur": 100})]),
        ("hello", []),
    ],
)
def test_a_member_fills_the_arguments_of_its_tools_by_their_names(task: str, expected: list[object]) -> None:
    assert calls_of(task, tools=TOOLS) == expected


def test_numbers_currencies_and_free_text_find_their_parameters() -> None:
    assert calls_of("Convert 250 EUR to USD", tools=[MONEY]) == [
        ("convert", {"amount": 250.0, "base": "EUR", "quote": "USD"})
    ]
    assert calls_of("search the web for penguins", tools=[SEARCH]) == [
        ("search_web", {"query": "search the web for penguins"})
    ]


def test_a_single_agent_reports_what_its_tool_returned() -> None:
    asked = user("What is the weather in Paris?")
    assert words_of(asked, *called("get_weather", {"city": "Paris"}, "Paris today: sunny")) == "Paris today: sunny."
    as_object = called("get_weather", {"city": "Paris"}, '{"city": "Paris", "high_c": 12, "note": "sample data"}')
    assert words_of(asked, *as_object) == "city Paris, high c 12, note sample data."


def test_a_tool_that_failed_is_named_with_its_reason() -> None:
    failed = called("get_weather", {"city": "Paris"}, "no data", failed=True)
    assert words_of("What is the weather in Paris?", *failed) == "The tool get_weather failed: no data."


def test_results_of_earlier_questions_are_not_reported_again() -> None:
    earlier = [user("weather in Paris"), *called("get_weather", {"city": "Paris"}, "sunny"), assistant("sunny.")]
    assert calls_of(*earlier, "weather in Rome", tools=[WEATHER]) == [("get_weather", {"city": "Rome"})]


def test_tool_call_ids_differ_between_two_runs_with_the_same_question() -> None:
    from tests.models.messages import ask

    ids = {ask(user("weather in Paris"), tools=[WEATHER]).tool_calls[0]["id"] for _ in range(3)}
    assert len(ids) == 3
