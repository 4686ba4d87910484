"""Stage directions: words in square brackets that rehearse trouble, read from the newest question or task only.

    [think 5s]      silent for so long, before the first word
    [slow 30s]      the answer's words are spread over so long
    [long 2000]     the answer is filled up to so many words
    [fail model]    the model provider fails before the first word
    [fail midway]   it fails after half of the answer's words
    [fail tool]     the tools that are called raise
    [fail member]   the members' model fails: short for [member fail model]
    [member ...]    any direction, passed on with every task that is delegated: [member slow 5s]

They can be combined. Times are capped at an hour and lengths at 50,000 words, so that a slip of the finger ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST_S = 3600.0
MOST_WORDS = 50_000

_DIRECTION = re.compile(
    r"\[\s*(?P<member>member\s+)?"
    r"(?:(?P<pace>slow|think)\s+(?P<seconds>\d{1,9}(?:\.\d{1,3})?)\s*s?"
    r"|(?P<long>long)\s+(?P<words>\d{1,9})"
    r"|(?P<fail>fail)\s+(?P<what>model|tool|member|midway))\s*\]",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directions:
    """What the newest question or task asks to be rehearsed."""

    think_s: float = 0.0
    slow_s: float | None = None
    words: int | None = None
    fail_model: bool = False
    fail_midway: bool = False
    fail_tool: bool = False
    for_members: tuple[str, ...] = ()  # directions to hand on, in brackets

    @property
    def force_a_call(self) -> bool:
        """Whether they make sense only if a tool or a member is called."""
        return self.fail_tool or bool(self.for_members)


def read_directions(text: str) -> Directions:
    """Return the directions in `text`; the last one of a kind counts."""
    found: dict[str, float | int | bool] = {}
    for_members: list[str] = []
    for match in _DIRECTION.finditer(text):
        if match["member"] or (match["what"] or "").lower() == "member":
            for_members.append(_for_member(match))
        elif match["pace"]:
            found["think_s" if match["pace"].lower() == "think" else "slow_s"] = min(float(match["seconds"]), LONGEST_S)
        elif match["long"]:
            found["words"] = min(int(match["words"]), MOST_WORDS)
        else:
            found[f"fail_{match['what'].lower()}"] = True
    if found.get("fail_tool"):
        for_members.append("[fail tool]")
    return Directions(for_members=tuple(dict.fromkeys(for_members)), **found)  # type: ignore[arg-type]  # by name


def without_directions(text: str) -> str:
    """Return `text` as it reads without its stage directions."""
    return re.sub(r"[ \t]{2,}", " ", _DIRECTION.sub(" ", text)).strip()


def _for_member(match: re.Match[str]) -> str:
    inner = re.sub(r"^\[\s*member\s+", "[", match[0], flags=re.IGNORECASE)
    return "[fail model]" if re.search(r"fail\s+member", inner, re.IGNORECASE) else inner


def padded(text: str, words: int) -> str:
    """Return `text` filled up with numbered sentences to at least `words` words."""
    have = len(text.split())
    filler: list[str] = []
    sentence = 0
    while have + len(filler) < words:
        sentence += 1
        filler += f"This is sentence {sentence} of a long rehearsal answer.".split()
    filler = filler[: max(0, words - have)]
    return " ".join([text, *filler]).strip() if filler else text
