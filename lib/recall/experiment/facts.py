"""Facts to remember, and the small talk that passes between planting and asking."""

from __future__ import annotations

from dataclasses import dataclass

from lib.errors import InvalidInput
from lib.recall.judging import fold


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something to remember: `name` is what is asked for, `value` what must come back."""

    name: str  # "the secret word"
    value: str  # "bird"

    @property
    def text(self) -> str:
        """The fact as a statement; also what it is called in results."""
        return f"{self.name} is {self.value}"

    @property
    def planting(self) -> str:
        """The message that plants it."""
        return f"Remember: {self.text}."

    @property
    def question(self) -> str:
        """The question that asks for it."""
        return f"What is {self.name}?"


def read_fact(line: str) -> Fact:
    """Return the fact a line states: `the secret word is bird`, or with `=` in place of `is`. Raises InvalidInput."""
    for separator in (" = ", "=", " is "):
        name, found, value = line.strip().rstrip(".").partition(separator)
        if found and name.strip() and fold(value):
            return Fact(name=name.strip(), value=value.strip())
    raise InvalidInput(f"{line.strip()[:80]!r} states no fact. Write it as: the secret word is bird")


SAMPLE_FACTS = tuple(
    read_fact(line)
    for line in (
        "the secret word is bird",
        "my budget is 40k",
        "the project name is Lighthouse",
        "my favourite colour is turquoise",
        "the meeting room is B217",
        "my train number is ICE 578",
        "the launch date is 14 October",
        "my dog's name is Pickle",
        "the access code is 7291",
        "my hotel is Casa Verde",
    )
)
FILLERS = (
    "Hello, filler one: nothing to do.",
    "Filler two: thank you.",
    "Filler three: that is fine.",
    "Filler four: let us go on.",
    "Filler five: good.",
    "Filler six: all right.",
    "Filler seven: noted, thanks.",
    "Filler eight: one moment please.",
    "Filler nine: go on.",
    "Filler ten: still here.",
)
"""What passes between planting and asking: small talk without facts, questions or names to delegate on."""
