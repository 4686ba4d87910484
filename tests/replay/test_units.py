"""It is told what an amount is of, so that only amounts of one thing are compared."""

from __future__ import annotations

import pytest

from lib.replay.stated_facts import list_facts


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("40.20 USD, USD 40, $1.25 million, 3 dollars", ["usd"] * 4),
        ("€45.00, 45 euros, 45€", ["eur"] * 3),
        ("14 degrees, 18 °C, 18C, 14 degrees C, 18°", ["degree"] * 5),
        ("64 °F, 57 degrees Fahrenheit, 64F", ["fahrenheit"] * 3),
        ("12%, 12 percent", ["%"] * 2),
        ("540km, 540 kilometres", ["km"] * 2),
        ("120 users, 1 user", ["of user"] * 2),
        ("价格是 120 元", ["cny"]),
        ("14:35, 3 pm", ["time"] * 2),
        ("2026-03-04, 3 May", ["date"] * 2),
        ("from gate B12", ["code after gate"]),
        ("Room 12 is free, in 2023.", [None, None]),
    ],
)
def test_what_an_amount_is_of_is_told_by_what_stands_beside_it(text, units):
    assert [fact.unit for fact in list_facts(text) if fact.kind != "name"] == units
