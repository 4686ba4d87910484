"""The film strip: one small card a run, newest right, and the window drawn as a frame over the last of them.

It is one piece of HTML, since a frame around some of many cards is nothing Streamlit has; every text in it is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from lib.recall.experiment import Fact
from lib.records import RunStatus
from lib.ui.words import count_in_words

if TYPE_CHECKING:
    from lib.recall.lab.demonstration import Frame

SHOWN = 14
"""Newest runs on the strip; older ones are only counted."""
_QUESTION_LENGTH = 54
_ENDS = {
    RunStatus.STOPPED: "stopped",
    RunStatus.FAILED: "failed",
    RunStatus.INTERRUPTED: "interrupted",
    RunStatus.PAUSED: "paused",
    RunStatus.REGENERATED: "replaced",
    RunStatus.RUNNING: "running",
    RunStatus.WAITING: "waiting",
}


def draw_film(frames: Sequence[Frame], *, window: int, fact: Fact | None) -> None:
    """Draw the strip."""
    st.html(to_film(frames, window=window, fact=fact))


def to_film(frames: Sequence[Frame], *, window: int, fact: Fact | None) -> str:
    """Return the strip as HTML: the runs before the window, then the window with its runs."""
    first = next((place for place, frame in enumerate(frames) if frame.in_window), len(frames))
    hidden = max(0, min(len(frames) - SHOWN, first))
    before = [_to_card(number, frames[number], fact) for number in range(hidden, first)]
    inside = [_to_card(number, frames[number], fact) for number in range(first, len(frames))]
    older = f'<li class="film-older">{count_in_words(hidden, "older run")}</li>' if hidden else ""
    empty = '<li class="film-empty">no run</li>'
    return (
        '<ol class="film">'
        f"{older}{''.join(before)}"
        f'<li class="film-window"><span class="film-label">{escape(_label(window))}</span>'
        f'<ol class="film">{"".join(inside) or empty}</ol></li></ol>'
    )


def _to_card(number: int, frame: Frame, fact: Fact | None) -> str:
    question = frame.run.question
    shown = question if len(question) <= _QUESTION_LENGTH else question[: _QUESTION_LENGTH - 1].rstrip() + "…"
    end = _ENDS.get(frame.run.status, "")
    place = "in" if frame.in_window else "out"
    mark = ""
    if frame.holds_fact and fact is not None:
        said = fact.value if frame.in_window else f"{fact.value} · forgotten"
        mark = f'<span class="film-fact">{escape(said)}</span>'
    return (
        f'<li class="film-card film-{place}{" film-holds" if mark else ""}" title="{escape(frame.explanation)}">'
        f'<span class="film-run">run {number + 1}{f" · {end}" if end else ""}</span>'
        f'<span class="film-question">{escape(shown)}</span>{mark}</li>'
    )


def _label(window: int) -> str:
    if window == 0:
        return "window: no earlier run"
    return "window: the last run" if window == 1 else f"window: the last {window} runs"
