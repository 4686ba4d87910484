"""An experiment before and while it is measured: settings, what it will cost, progress, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import InvalidInput, NotFound
from lib.models import describe_model
from lib.recall.experiment import (
    LEADER,
    SAMPLE_FACTS,
    MemberHistory,
    Plan,
    build_grid,
    estimate_tokens,
    read_fact,
    read_numbers,
    split_by_subject,
)
from lib.records import SessionKind
from lib.ui.notices import errors_shown
from lib.ui.recall.charts import draw_grid
from lib.ui.recall.opened import OpenedLab, known_costs
from lib.ui.safe_markdown import plain_label
from lib.ui.words import count_in_words, seconds_in_words, unlike

if TYPE_CHECKING:
    from lib.recall.lab import RunningExperiment

ADDRESS = "experiment"
OFFLINE = "offline"
FRESH = ""
LIVE_EVERY_S = 1.0
_SESSIONS = 20
_MEMBER_HISTORY = {
    MemberHistory.AS_BUILT: "what the team's own settings give them",
    MemberHistory.OWN: "their own earlier delegations",
    MemberHistory.TEAM: "the team's questions and answers",
    MemberHistory.NONE: "no history",
}


def draw_sweep_form(lab: OpenedLab) -> None:
    """Draw the settings of an experiment, what it will take, and the button that starts it."""
    settings = lab.page.settings
    titles = {entry.name: entry.title for entry in lab.roundtable.catalogue.entries}
    st.text_input("Name", key="sweep_name", placeholder="Windows 1, 3, 10 of Market desk")
    windows, distances = st.columns(2)
    windows.text_input("Windows", key="sweep_windows", value="1, 3, 5")
    distances.text_input("Distances", key="sweep_distances", value="0-7")
    st.caption("A window is a number of runs, num_history_runs; a distance the runs between planting and asking.")
    st.number_input("Repeats", 1, 100, 3 if settings.chat_model == OFFLINE else 1, key="sweep_repeats")
    st.text_area(
        "Facts, one a line",
        key="sweep_facts",
        value="\n".join(fact.text for fact in SAMPLE_FACTS[:1]),
        height=90,
        help="Written as: the secret word is bird",
    )
    with st.expander("Team, model, session", key="sweep_more"):
        st.selectbox("Team", list(titles), key="sweep_team", format_func=lambda name: titles.get(name, name))
        _draw_subjects(lab)
        models = list(dict.fromkeys((settings.chat_model, OFFLINE)))
        st.selectbox("Model", models, key="sweep_model", format_func=describe_model)
        _draw_sources(lab)
        st.toggle(
            "Grow one session for all windows",
            key="sweep_share",
            value=True,
            help="Fewer runs. Off: every window grows sessions of its own.",
        )
    _draw_start(lab)


def _draw_subjects(lab: OpenedLab) -> None:
    able = _list_subjects(lab)
    st.multiselect(
        "Whose memory",
        able,
        default=[LEADER],
        key=f"sweep_subjects_{st.session_state['sweep_team']}",
        help="A member is told and asked through the leader: its own memory is measured.",
    )
    st.selectbox(
        "What members are given",
        list(_MEMBER_HISTORY),
        key="sweep_member_history",
        format_func=lambda history: _MEMBER_HISTORY[history],
        disabled=_chosen_subjects() == (LEADER,),
    )


def _list_subjects(lab: OpenedLab) -> list[str]:
    team = lab.roundtable.catalogue.get(st.session_state["sweep_team"])
    return [LEADER, *(member.member_id for member in team.members if member.kind is SessionKind.AGENT)]


def _chosen_subjects() -> tuple[str, ...]:
    return tuple(st.session_state.get(f"sweep_subjects_{st.session_state['sweep_team']}") or (LEADER,))


def _draw_sources(lab: OpenedLab) -> None:
    recent = lab.roundtable.store.list_sessions(user_id=lab.user_id, limit=_SESSIONS).items
    names = unlike({FRESH: "Fresh sessions"} | {each.session_id: f"Forks of: {each.name[:60]}" for each in recent})
    st.selectbox(
        "Measured on",
        list(names),
        key="sweep_source",
        format_func=lambda each: names.get(each, each),
        help="A stored session stays as it is: forks of it are measured.",
    )


def read_plan(lab: OpenedLab) -> Plan:
    """Return the experiment that the form describes. Raises InvalidInput."""
    state = st.session_state
    windows = read_numbers(state["sweep_windows"])
    team = state["sweep_team"]
    model = state["sweep_model"]
    title = lab.roundtable.catalogue.get(team).title
    return Plan(
        name=state["sweep_name"].strip() or f"Windows {', '.join(map(str, windows))} of {title}",
        team=team,
        facts=tuple(read_fact(line) for line in state["sweep_facts"].splitlines() if line.strip()),
        distances=read_numbers(state["sweep_distances"]),
        windows=windows,
        repeats=int(state["sweep_repeats"]),
        subjects=_chosen_subjects(),
        member_history=state["sweep_member_history"],
        source_session_id=state["sweep_source"] or None,
        model=None if model == lab.page.settings.chat_model else model,
        share_windows=state["sweep_share"],
    )


def _draw_start(lab: OpenedLab) -> None:
    try:
        plan, problem = read_plan(lab), ""
    except InvalidInput as error:
        plan, problem = None, str(error)
    if plan is None:
        st.caption(f":red[{plain_label(problem, 300)}]")
    else:
        st.caption(_cost_in_words(lab, plan))
    st.button(
        "Start measuring",
        key="sweep_start",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=plan is None,
        on_click=_start,
        args=(lab,),
    )


def _cost_in_words(lab: OpenedLab, plan: Plan) -> str:
    size = f"{count_in_words(len(plan.cells), 'cell')} in {count_in_words(plan.run_count, 'run')}"
    entry = lab.roundtable.catalogue.get(plan.team)
    if (plan.model or lab.page.settings.chat_model) == OFFLINE and entry.model is None:
        return f"{size}. The offline model costs nothing."
    costs = known_costs()
    if plan.team not in costs:
        costs[plan.team] = lab.lab.measure_cost(plan.team, user_id=lab.user_id)
    tokens = estimate_tokens(plan, costs[plan.team])
    return (
        f"{size}, **about {tokens:,} tokens** in all. An estimate: counted on two runs of the "
        "offline model; a provider counts in its own way."
    )


def _start(lab: OpenedLab) -> None:
    running = lab.call(lambda: lab.lab.start(read_plan(lab), user_id=lab.user_id))
    if running is not None:
        choose_experiment(running.experiment_id)


def choose_experiment(experiment_id: str | None) -> None:
    """Show this experiment, in the tab and in the address."""
    if experiment_id:
        st.query_params[ADDRESS] = experiment_id
        st.session_state["experiment_choice"] = experiment_id
    else:
        st.session_state.pop("experiment_choice", None)
        if ADDRESS in st.query_params:
            del st.query_params[ADDRESS]


# -- while it is measured ----------------------------------------------------------------------------------------------


def draw_running(lab: OpenedLab, running: RunningExperiment) -> None:
    """Draw how far it is, with the time left, and the grid as it fills."""
    st.fragment(_draw_progress, run_every=LIVE_EVERY_S)(lab, running.experiment_id)


@errors_shown()
def _draw_progress(lab: OpenedLab, experiment_id: str) -> None:
    running = lab.lab.find_running(experiment_id, user_id=lab.user_id)
    if running is None:
        st.rerun()  # it is over: the whole page shows what was measured
    progress = running.progress()
    left = "" if progress.left_s is None else f" · about {seconds_in_words(max(progress.left_s, 1.0), whole=True)} left"
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        st.progress(min(progress.share, 1.0), f"{progress.done} of {progress.total} cells{left}")
        st.button("Stop", key="sweep_stop", icon=":material/stop_circle:", on_click=_stop, args=(lab, experiment_id))
    subjects = split_by_subject(running.results())
    if subjects:
        subject, results = list(subjects.items())[-1]
        if len(running.plan.subjects) > 1:
            st.caption(f"Now measured: {plain_label(subject)}")
        if points := build_grid(results):
            draw_grid(points, key="grid_live", plan=running.plan)


def _stop(lab: OpenedLab, experiment_id: str) -> None:
    running = lab.lab.find_running(experiment_id, user_id=lab.user_id)
    if running is not None:
        running.stop()


def resume(lab: OpenedLab, experiment_id: str) -> None:
    """Go on with an experiment. For callbacks."""
    lab.call(lambda: lab.lab.resume(experiment_id, user_id=lab.user_id))


def find_chosen(lab: OpenedLab) -> str | None:
    """Return the experiment in the address, if it is the user's."""
    chosen = st.query_params.get(ADDRESS)
    if not chosen:
        return None
    try:
        lab.lab.get(chosen, user_id=lab.user_id)
    except NotFound as error:
        st.error(plain_label(str(error), 300), title="Not found", icon=":material/error:")
        return None
    return chosen
