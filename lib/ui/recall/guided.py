"""The guided demonstration: plant a fact, let runs pass, ask again, and see the window move over the runs.

Every question is asked in a copy of the session, so that asking reminds the team of nothing, and another window can be
tried on the same history. The session is stored: the address holds it, and any tab of its owner can go on with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import InvalidInput, NotFound
from lib.recall.experiment import FILLERS, SAMPLE_FACTS, read_fact
from lib.recall.horizon import runs_left
from lib.records import RunRecord
from lib.ui.notices import errors_shown
from lib.ui.recall.film import draw_film
from lib.ui.recall.opened import LIVE_EVERY_S, OpenedLab, draw_failure
from lib.ui.resources import shared_settings
from lib.ui.safe_markdown import plain_label, safe_markdown
from lib.ui.words import count_in_words

if TYPE_CHECKING:
    from lib.recall.lab.demonstration import Asked, Demonstration, Frame

WINDOWS = (0, 1, 2, 3, 5, 10)
FILLER_COUNTS = (1, 3, 5)
ADDRESS = "demo"
_SHOWN_ANSWERS = 4


@dataclass(slots=True)
class Show:
    """One presenter's demonstration in this process: the session, and the answers it got so far, newest last."""

    demonstration: Demonstration
    asked: list[Asked] = field(default_factory=list)
    doing: str = ""


def draw_guided(lab: OpenedLab) -> None:
    """Draw the three steps and the film strip."""
    show = find_show(lab)
    step = lab.find(_step_name(show)) if show else None
    live = step is not None and step.live
    _draw_choices(lab, show, live=live)
    left, right = st.columns([2, 5], gap="large")
    with left:
        _draw_steps(lab, show, live=live)
    with right:
        if show is None:
            _draw_welcome()
        else:
            st.fragment(_draw_strip, run_every=LIVE_EVERY_S if live else None)(lab, show, was_live=live)


# -- the demonstration on the page -------------------------------------------------------------------------------------


def find_show(lab: OpenedLab) -> Show | None:
    """Return the demonstration that the address names, if it is the user's; a stored one is taken up again."""
    session_id = st.query_params.get(ADDRESS)
    if not session_id:
        return None
    known = _shows().get((lab.user_id, session_id))
    if known is None:
        try:
            known = _take_up(lab, session_id)
        except (NotFound, InvalidInput):
            st.error(
                "It was deleted, or it is not yours. Plant a fact to begin another one.",
                title="There is no such demonstration",
            )
            return None
        _shows()[lab.user_id, session_id] = known
    return known


@st.cache_resource(show_spinner=False)
def _shows() -> dict[tuple[str, str], Show]:
    """The demonstrations of this process, by user and session."""
    return {}


def _take_up(lab: OpenedLab, session_id: str) -> Show:
    """Return a stored demonstration: its fact is read back from the run that planted it."""
    from lib.recall.lab.demonstration import Demonstration

    session = lab.roundtable.store.get_session(session_id, user_id=lab.user_id)
    runs = lab.roundtable.store.list_runs(session_id, user_id=lab.user_id, limit=100).items
    planted = [run.question.removeprefix("Remember:") for run in runs if run.question.startswith("Remember:")]
    if not planted:
        raise NotFound(f"Session {session_id!r} is no demonstration.")
    demonstration = Demonstration(
        lab.roundtable,
        user_id=lab.user_id,
        team=session.component_id,
        fact=read_fact(planted[-1]),
        session_id=session_id,
    )
    demonstration.continue_after(sum(run.question in FILLERS for run in runs))
    return Show(demonstration)


def _window() -> int:
    return int(st.session_state.get("demo_window", shared_settings().num_history_runs))


def _step_name(show: Show) -> str:
    return f"demo {show.demonstration.session_id}"


# -- steps -------------------------------------------------------------------------------------------------------------


def _plant(lab: OpenedLab) -> None:
    from lib.recall.lab.demonstration import Demonstration

    def begin() -> Show:
        fact = read_fact(st.session_state["demo_fact"])
        return Show(
            Demonstration(
                lab.roundtable,
                user_id=lab.user_id,
                team=st.session_state.get("demo_team") or lab.roundtable.catalogue.entries[0].name,
                fact=fact,
                window=_window(),
            )
        )

    show = lab.call(begin)
    if show is not None:
        _shows()[lab.user_id, show.demonstration.session_id] = show
        st.query_params[ADDRESS] = show.demonstration.session_id
        _begin(lab, show, "Planting the fact", show.demonstration.plant)


def _let_pass(lab: OpenedLab, show: Show) -> None:
    count = int(st.session_state.get("demo_count") or 1)
    _begin(lab, show, "Runs are passing", lambda: show.demonstration.pass_fillers(count))


def _ask(lab: OpenedLab, show: Show) -> None:
    window = _window()
    _begin(lab, show, "Asking", lambda: show.asked.append(show.demonstration.ask_in_fork(window=window)))


def _start_over() -> None:
    if ADDRESS in st.query_params:
        del st.query_params[ADDRESS]


def _begin(lab: OpenedLab, show: Show, doing: str, work: Callable[[], object]) -> None:
    show.doing = doing
    show.demonstration.window = _window()
    lab.begin(_step_name(show), work)


# -- drawing -----------------------------------------------------------------------------------------------------------


def _draw_choices(lab: OpenedLab, show: Show | None, *, live: bool) -> None:
    fact, team, window = st.columns([4, 3, 3])
    entries = lab.roundtable.catalogue.entries
    titles = {entry.name: entry.title for entry in entries}
    if show is None:
        fact.text_input("The fact", key="demo_fact", value=SAMPLE_FACTS[0].text, help="Written as: … is …")
        team.selectbox("Team", list(titles), key="demo_team", format_func=lambda name: titles.get(name, name))
    else:
        name = show.demonstration.team
        fact.text_input(
            "The fact",
            value=show.demonstration.fact.text,
            key=f"demo_fact_{show.demonstration.session_id}",
            disabled=True,
        )
        team.text_input(
            "Team", value=titles.get(name, name), key=f"demo_team_{show.demonstration.session_id}", disabled=True
        )
    usual = lab.page.settings.num_history_runs
    windows = sorted({*WINDOWS, usual})
    window.selectbox(
        "History window",
        windows,
        # Not by the session state: set there once, it is lost where the first click comes before the page is whole.
        index=windows.index(usual),
        key="demo_window",
        format_func=lambda runs: "no earlier run" if runs == 0 else f"last {count_in_words(runs, 'run')}",
        help="How many earlier runs the next question is given. Change it and ask again.",
        disabled=live,
    )


def _draw_steps(lab: OpenedLab, show: Show | None, *, live: bool) -> None:
    frames = show.demonstration.frames(_window()) if show else ()
    passed = max(len(frames) - 1, 0)
    next_step = 1 if show is None else 2 if not passed else 3
    with st.container(key="demo_steps", gap="small"):
        st.button(
            "**1** Plant the fact",
            key="demo_plant",
            type="primary" if next_step == 1 else "secondary",
            width="stretch",
            disabled=show is not None,
            on_click=_plant,
            args=(lab,),
        )
        st.caption(_planted_in_words(show, frames))
        count = int(st.session_state.get("demo_count") or 1)
        st.button(
            f"**2** Let {count_in_words(count, 'run')} pass",
            key="demo_pass",
            type="primary" if next_step == 2 else "secondary",
            width="stretch",
            disabled=show is None or live,
            on_click=_let_pass,
            args=(lab, show),
        )
        st.segmented_control(
            "How many", FILLER_COUNTS, key="demo_count", default=1, required=True, label_visibility="collapsed"
        )
        st.caption("Small talk, without the fact." if not passed else f"{count_in_words(passed, 'run')} passed.")
        st.button(
            "**3** Ask for it" if not (show and show.asked) else "**3** Ask again",
            key="demo_ask",
            type="primary" if next_step == 3 else "secondary",
            width="stretch",
            disabled=show is None or live,
            on_click=_ask,
            args=(lab, show),
        )
        st.caption("In a copy of the session: asking reminds the team of nothing.")
    if show is not None:
        st.button("Start over", key="demo_again", type="tertiary", icon=":material/restart_alt:", on_click=_start_over)


def _planted_in_words(show: Show | None, frames: Sequence[Frame]) -> str:
    if show is None:
        return "The team is told something to remember."
    answer = frames[0].run.answer if frames else ""
    return f"“{plain_label(show.demonstration.fact.planting, 80)}” " + (
        f"→ {plain_label(answer, 80)}" if answer else ""
    )


def _draw_welcome() -> None:
    draw_film((), window=_window(), fact=None)
    st.markdown(
        "With every question a team is given the last few runs of its session, and nothing older. "
        "Plant a fact, let runs pass, and see it fall out of the **history window**."
    )


@errors_shown()
def _draw_strip(lab: OpenedLab, show: Show, *, was_live: bool) -> None:
    step = lab.find(_step_name(show))
    live = step is not None and step.live
    if was_live and not live:
        st.rerun()  # the whole page: the steps at the left have changed
    frames = show.demonstration.frames(_window())
    draw_film(frames, window=_window(), fact=show.demonstration.fact)
    if live:
        st.markdown(f":shimmer[{plain_label(show.doing)}]")
    else:
        draw_failure(step)
        st.caption(_outlook(frames, show))
    _draw_answers(show)


def _outlook(frames: Sequence[Frame], show: Show) -> str:
    """Return what becomes of the fact with the next question, as predicted from the stored runs."""
    holding = [frame.run.run_id for frame in frames if frame.holds_fact]
    if not holding:
        return ""
    left = runs_left([frame.run for frame in frames], holding[-1], show.demonstration.rules(_window()))
    if left == 0:
        return "Predicted: the next question is not given the fact."
    if left is None:
        return "Predicted: the fact stays."
    return f"Predicted: the fact is given with the next {count_in_words(left, 'question') if left > 1 else 'question'} and forgotten after."


def _draw_answers(show: Show) -> None:
    for place, asked in enumerate(reversed(show.asked[-_SHOWN_ANSWERS:])):
        if place == 1:
            st.caption("Asked before")
        with st.container(border=place == 0, key=f"demo_answer_{len(show.asked) - place}", gap="xsmall"):
            _draw_answer(show, asked, newest=place == 0)


def _draw_answer(show: Show, asked: Asked, *, newest: bool) -> None:
    color, icon = ("green", ":material/check_circle:") if asked.answered else ("orange", ":material/cancel:")
    if not newest:
        window = f"last {count_in_words(asked.window, 'run')}" if asked.window else "no earlier run"
        st.markdown(f":{color}[{icon}] window: {window} · {safe_markdown(_answer_of(asked.run))}")
        return
    st.caption(f"{plain_label(asked.run.question, 200)}")
    st.markdown(f"#### {safe_markdown(_answer_of(asked.run))}")
    st.markdown(f":{color}[{icon}] {plain_label(asked.sentence, 300)}")
    if not asked.as_predicted:
        st.error(
            "The model was given other messages than the rule says. Please report this with the run's id: "
            + plain_label(asked.run.run_id),
            title="Alarm: prediction and measurement differ",
        )


def _answer_of(run: RunRecord) -> str:
    return " ".join(run.answer.split()) or run.error or f"No answer: the run is {run.status}."
