"""The reply: what the rules decide on, before it is streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A tool to call, with its arguments."""

    tool_name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """Either words or calls; `helpless` marks the words that only say what this model is."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    helpless: bool = False
