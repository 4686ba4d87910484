"""The same fact is known again in whatever form it is written, and another one is not taken for it."""

from __future__ import annotations

import time
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib.replay.stated_facts import find_script, keys_of, list_facts

TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
).split()


def keys(text: str) -> set[str]:
    return keys_of(list_facts(text))


def grouped(number: Decimal, mark: str, point: str) -> str:
    return f"{number:,}".replace(",", "\0").replace(".", point).replace("\0", mark)


def spelled(number: int) -> str:
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f"-{ONES[number % 10]}" if number % 10 else "")
    for size, name in ((1_000_000, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            return f"{spelled(number // size)} {name}" + (f" and {spelled(rest)}" if rest else "")
    raise AssertionError(number)


AMOUNTS = st.decimals(min_value=0, max_value=10**10, places=2)
AROUND = st.sampled_from(
    ["{}", "${}", "€ {}", "{}€", "{} EUR", "USD {}", "{}km", "{} °C", "{}C", "({})", "约{}度", "-{}"]
)
MARKS = st.sampled_from(
    [("", "."), ("", ","), (",", "."), (".", ","), (" ", "."), ("\u00a0", ","), ("\u202f", ","), ("'", ".")]
)


@given(AMOUNTS, MARKS, AROUND, MARKS, AROUND)
@example(Decimal("1250000.00"), (" ", "."), "{}", (".", ","), "USD {}")
def test_an_amount_is_known_again_however_it_is_written(amount, marks, around, other_marks, other_around):
    one = around.format(grouped(amount, *marks))
    other = other_around.format(grouped(amount, *other_marks))
    assert keys(one) & keys(other)
    assert keys(one) & keys(f"{amount.normalize():f}"), "without the zeros at its end"


@given(AMOUNTS, AMOUNTS, MARKS, MARKS)
def test_another_amount_is_not_taken_for_it(amount, other, marks, other_marks):
    if amount != other and " " not in (marks[0], other_marks[0]):  # a space may part two numbers
        assert not keys(grouped(amount, *marks)) & keys(grouped(other, *other_marks))


@given(st.integers(0, 999_999_999), MARKS)
def test_whole_numbers_are_known_again_with_thousands_set_apart_and_as_words(number, marks):
    assert f"n:{number}" in keys(grouped(Decimal(number), *marks))
    assert f"n:{number}" in keys(f"It was {spelled(number)} in all.")


@given(st.decimals(min_value=0, max_value=1000, places=1))
def test_a_percentage_is_a_share(percentage):
    for sign in ("%", " %", " percent", " per cent"):
        assert keys(f"{percentage}{sign}") & keys(f"{(percentage / 100).normalize():f}")


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.times())
def test_a_date_and_a_time_are_known_again(day, clock):
    at = datetime.combine(day, clock)
    dates = [f"{at:%Y-%m-%d}", f"{at:%d.%m.%Y}", f"{at:%m/%d/%Y}", f"{at:%B} {at.day}", f"the {at.day}th of {at:%b}"]
    times = [f"{at:%H:%M}", f"{at:%H:%M:%S}", f"{at:%I:%M %p}", f"{at:%H}h{at:%M}", f"{at:%H.%M} Uhr", f"{at:%I.%M} pm"]
    for forms in (dates, times):
        assert set.intersection(*(keys(form) for form in forms))
    assert set.intersection(keys(at.isoformat()), keys(dates[0]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.25 million", "1,250,000"),
        ("40k", "40 000"),
        ("3rd", "third"),
        ("flight LH-123", "your flight LH123"),
        ("3 pm", "15:00"),
        ("version 3.1.10", "v3.1.10 is out"),
        ("١٨ درجة", "18 degrees"),
        ("12,34,567", "1234567"),
        ("a trip to Lisbon", "we like Lisbon"),
    ],
)
def test_other_forms_are_known_again(one, other):
    assert keys(one) & keys(other)


@pytest.mark.parametrize(
    ("text", "telling"),
    [
        ("There are 3 rooms and 2 beds", []),
        ("all 100 %, half: 50%, 37%", ["37%"]),
        ("Growth 0.5", []),
        ("At first Paris: 14 degrees, wind 30 km/h", ["Paris", "14", "30"]),
        ("In May or on Monday at noon", []),
        ("It costs EUR 99", ["99"]),
    ],
)
def test_small_and_round_numbers_and_words_that_are_no_names_tell_too_little(text, telling):
    assert [fact.text for fact in list_facts(text) if fact.telling] == telling


@given(st.text())
@example("1" * 70)
@example("99/99/99 25:99 ² ½ ௧")
def test_any_text_can_be_read_and_facts_lie_in_it_one_after_the_other(text):
    facts = list_facts(text)
    assert all(0 <= fact.start < fact.end <= len(text) and fact.keys for fact in facts)
    assert all(one.end <= other.start for one, other in pairwise(facts))
    find_script(text)


def test_a_long_text_is_read_in_a_moment():
    began = time.perf_counter()
    for text in ("1,234 " * 8000, "A" * 50_000, "Aa " * 16_000, "1" * 50_000, "one hundred " * 4000, "1.1." * 12_000):
        list_facts(text)
    assert time.perf_counter() - began < 5
