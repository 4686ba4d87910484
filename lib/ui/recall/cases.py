"""Awkward cases of remembering, and what brings a forgotten fact back: each one button, one session, one verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lib.recall.experiment import SAMPLE_FACTS
from lib.records import RunRecord
from lib.ui.notices import errors_shown
from lib.ui.recall.film import draw_film
from lib.ui.recall.opened import LIVE_EVERY_S, OpenedLab, draw_failure
from lib.ui.safe_markdown import plain_label, safe_markdown

if TYPE_CHECKING:
    from lib.recall.lab.cases import Case, CaseShown
    from lib.recall.lab.rescues import Shown, Variant

FACT = SAMPLE_FACTS[0]
CASE_WINDOW = 3
RESCUE_WINDOW = 1
_EXCERPT = 400


def draw_cases(lab: OpenedLab) -> None:
    """Draw the cases: choose one, show it."""
    from lib.recall.lab.cases import CASES

    cases = {case.name: case for case in CASES}
    name = st.segmented_control(
        "Case",
        list(cases),
        key="case_choice",
        default=CASES[0].name,
        required=True,
        format_func=lambda each: cases[each].title,
        label_visibility="collapsed",
    )
    case = cases[name or CASES[0].name]
    st.markdown(case.sentence)
    _draw_one(lab, f"case {case.name}", "Show it", _show_case, (lab, case))


def draw_rescues(lab: OpenedLab) -> None:
    """Draw the rescues: the same forgotten fact, with one thing switched on."""
    from lib.recall.lab.rescues import PLAIN, RESCUES

    variants = {variant.name: variant for variant in (PLAIN, *RESCUES)}
    st.markdown(
        f"The fact is planted and falls out of a window of {RESCUE_WINDOW} run. One thing at a time may bring it back."
    )
    name = st.segmented_control(
        "Rescue",
        list(variants),
        key="rescue_choice",
        default=PLAIN.name,
        required=True,
        format_func=lambda each: each.capitalize(),
        label_visibility="collapsed",
    )
    variant = variants[name or PLAIN.name]
    st.caption(variant.sentence)
    _draw_one(lab, f"rescue {variant.name}", "Show it", _show_rescue, (lab, variant))


def _draw_one(lab: OpenedLab, name: str, label: str, begin: object, args: tuple[object, ...]) -> None:
    step = lab.find(name)
    live = step is not None and step.live
    st.button(
        label if step is None else "Show it again",
        key="show_" + name.replace(" ", "_"),
        type="primary" if step is None else "secondary",
        icon=":material/play_arrow:",
        disabled=live,
        on_click=begin,  # type: ignore[arg-type]  # one of the two below, with its own arguments
        args=args,
    )
    st.fragment(_draw_shown, run_every=LIVE_EVERY_S if live else None)(lab, name, was_live=live)


def _show_case(lab: OpenedLab, case: Case) -> None:
    from lib.recall.lab.demonstration import Demonstration

    lab.begin(
        f"case {case.name}",
        lambda: case.show(Demonstration(lab.roundtable, user_id=lab.user_id, fact=FACT, window=CASE_WINDOW)),
    )


def _show_rescue(lab: OpenedLab, variant: Variant) -> None:
    from lib.recall.lab.rescues import show_rescue

    lab.begin(
        f"rescue {variant.name}",
        lambda: show_rescue(lab.roundtable, variant, FACT, user_id=lab.user_id, window=RESCUE_WINDOW),
    )


@errors_shown()
def _draw_shown(lab: OpenedLab, name: str, *, was_live: bool) -> None:
    from lib.recall.lab.cases import CaseShown
    from lib.recall.lab.rescues import Shown

    step = lab.find(name)
    if step is None:
        return
    if step.live:
        st.markdown(":shimmer[Asking]")
        return
    if was_live:
        st.rerun()
    match step.result:
        case CaseShown() as shown:
            _draw_case(shown)
        case Shown() as rescued:
            draw_given(rescued)
        case _:
            draw_failure(step)


def _draw_case(shown: CaseShown) -> None:
    draw_film(shown.frames, window=CASE_WINDOW, fact=shown.fact)
    with st.container(border=True, key="case_answer", gap="xsmall"):
        st.caption(plain_label(shown.question, 200))
        st.markdown(f"#### {safe_markdown(last_words(shown.run))}")
        color, icon = ("green", ":material/check_circle:") if shown.as_expected else ("red", ":material/error:")
        st.markdown(f":{color}[{icon}] {plain_label(shown.verdict, 400)}")
    if shown.details:
        with st.expander("What the member was told, called, heard and said"):
            for line in shown.details:
                st.code(line, language=None, wrap_lines=True)


def draw_given(shown: Shown) -> None:
    """Draw an answer, what it was given, and where the fact stood in it."""
    with st.container(border=True, gap="xsmall"):
        st.caption(plain_label(shown.run.question, 200))
        st.markdown(f"#### {safe_markdown(last_words(shown.run))}")
        color, icon = ("green", ":material/check_circle:") if shown.answered else ("orange", ":material/cancel:")
        st.markdown(f":{color}[{icon}] {_where(shown)}")
    with st.expander("What the model was given"):
        for message in shown.given:
            origin = " · from history" if message.from_history else ""
            st.caption(f"{plain_label(message.role)}{origin}")
            text = message.content if len(message.content) <= _EXCERPT else _around(message.content, FACT.value)
            st.code(text or "(no text)", language=None, wrap_lines=True)


def last_words(run: RunRecord) -> str:
    """Return what the model answered, in one line: its last message."""
    own = [message.content for message in run.messages if message.role == "assistant" and message.own]
    return " ".join((own[-1] if own else run.answer).split()) or run.error or "(no answer)"


def _where(shown: Shown) -> str:
    if shown.in_history:
        return "The fact stood in the history it was given."
    if shown.brought_back:
        return f"The fact was not in the window. It came back by: {plain_label(shown.variant.name)}."
    return "The fact was not in the window, and nothing brought it back."


def _around(text: str, value: str) -> str:
    """Return the part of a long text that holds the value, else its beginning."""
    at = max(text.lower().find(value.lower()) - _EXCERPT // 2, 0)
    cut = text[at : at + _EXCERPT]
    return f"{'… ' if at else ''}{cut}{' …' if at + _EXCERPT < len(text) else ''}"
