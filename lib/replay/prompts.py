"""The system prompt of a model request, with what changed since another one."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import ndiff

from lib.replay.contexts import ModelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLine:
    """A line of a system prompt, and whether it is new, gone or the same as in the previous run's."""

    text: str
    change: str  # "same", "added" or "removed"


def list_prompt_lines(request: ModelRequest, previous: ModelRequest | None) -> tuple[PromptLine, ...]:
    """Return the system prompt of a request with the differences to a previous run's request marked."""
    if previous is None:
        return tuple(PromptLine(text=line, change="same") for line in request.system_prompt.splitlines())
    changes = {" ": "same", "+": "added", "-": "removed"}
    return tuple(
        PromptLine(text=line[2:], change=changes[line[0]])
        for line in ndiff(previous.system_prompt.splitlines(), request.system_prompt.splitlines())
        if line[0] in changes
    )
