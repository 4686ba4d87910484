"""Stored experiments: the list, what one measured, its downloads, and two of them compared."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from lib.recall.experiment import CellResult, GridPoint, build_grid, csv_rows, measured, split_by_subject
from lib.recall.judging import JUDGING_RULE
from lib.recall.picture import draw_grid_picture
from lib.ui.recall.charts import draw_cost, draw_grid, draw_recall_by_distance
from lib.ui.recall.opened import OpenedLab
from lib.ui.recall.sweep import choose_experiment, draw_running, find_chosen, resume
from lib.ui.safe_markdown import plain_label
from lib.ui.words import count_in_words, unlike

if TYPE_CHECKING:
    from lib.recall.lab import Experiment

_MOST_TROUBLES = 5


def draw_experiments(lab: OpenedLab) -> None:
    """Draw the choice of experiments and the chosen one."""
    chosen = find_chosen(lab)
    experiments = {each.experiment_id: each for each in lab.lab.list_experiments(user_id=lab.user_id)}
    if not experiments:
        st.caption("Nothing was measured yet. Start with the settings as they are: it takes a few seconds.")
        return
    if chosen is None or chosen not in experiments:
        chosen = next(iter(experiments))
    if st.session_state.get("experiment_choice") != chosen:
        st.session_state["experiment_choice"] = chosen
    names = _names_of(experiments)
    with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
        st.selectbox(
            "Experiment",
            list(experiments),
            key="experiment_choice",
            format_func=lambda each: names.get(each, each),
            on_change=_choose,
        )
        _draw_menu(lab, experiments[chosen])
    _draw_experiment(lab, experiments[chosen], experiments)


def _choose() -> None:
    choose_experiment(st.session_state["experiment_choice"])


def _names_of(experiments: Mapping[str, Experiment]) -> dict[str, str]:
    return unlike({key: f"{each.plan.name} · {each.created_at:%Y-%m-%d %H:%M}" for key, each in experiments.items()})


def _draw_menu(lab: OpenedLab, experiment: Experiment) -> None:
    with st.popover("", icon=":material/more_vert:", key="experiment_menu", help="Rename or delete"):
        st.text_input("Name", value=experiment.plan.name, key=f"rename_{experiment.experiment_id}", max_chars=200)
        st.button("Rename", key="experiment_rename", on_click=_rename, args=(lab, experiment.experiment_id))
        st.divider()
        st.caption("Deletes its results and all its sessions.")
        st.button(
            "Delete",
            key="experiment_delete",
            icon=":material/delete:",
            on_click=_delete,
            args=(lab, experiment.experiment_id),
        )


def _rename(lab: OpenedLab, experiment_id: str) -> None:
    name = st.session_state[f"rename_{experiment_id}"]
    lab.call(lambda: lab.lab.rename(experiment_id, name, user_id=lab.user_id))


def _delete(lab: OpenedLab, experiment_id: str) -> None:
    lab.call(lambda: lab.lab.delete(experiment_id, user_id=lab.user_id))
    choose_experiment(None)


# -- one experiment ----------------------------------------------------------------------------------------------------


def _draw_experiment(lab: OpenedLab, experiment: Experiment, experiments: dict[str, Experiment]) -> None:
    running = lab.lab.find_running(experiment.experiment_id, user_id=lab.user_id)
    if running is not None:
        draw_running(lab, running)
        return
    if experiment.done < len(experiment.plan.cells) or experiment.note:
        _draw_unfinished(lab, experiment)
    results = lab.lab.list_results(experiment.experiment_id, user_id=lab.user_id)
    _draw_troubles(lab, experiment, results)
    of_one = _choose_subject(results)
    points = build_grid(of_one)
    if not points:
        return
    draw_grid(points, key="grid")
    _draw_downloads(experiment, results, points)
    st.markdown("##### Recall against distance")
    draw_recall_by_distance(points, key="recall_by_distance")
    st.caption("Bars are 95 % Wilson intervals: with few repeats a share is known only roughly.")
    st.markdown("##### What remembering costs")
    if not draw_cost(of_one, key="cost_curve"):
        st.caption("The model reported no tokens.")
    st.caption(_tokens_in_words(of_one))
    _draw_table(of_one)
    _draw_other(lab, experiment, experiments, points)


def _choose_subject(results: Sequence[CellResult]) -> Sequence[CellResult]:
    """Return the results of the leader or of one member, as the reader chooses: their memories are apart."""
    subjects = split_by_subject(results)
    if len(subjects) < 2:
        return results
    chosen = st.segmented_control(
        "Whose memory", list(subjects), key="results_subject", default=next(iter(subjects)), required=True
    )
    return subjects[chosen] if chosen in subjects else next(iter(subjects.values()))


def _draw_unfinished(lab: OpenedLab, experiment: Experiment) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        words = f"{experiment.state.capitalize()} after {experiment.done} of {len(experiment.plan.cells)} cells."
        st.markdown(f":orange[:material/pause_circle: {plain_label(' '.join((words, experiment.note or '')), 400)}]")
        st.button(
            "Resume",
            key="sweep_resume",
            icon=":material/play_arrow:",
            on_click=resume,
            args=(lab, experiment.experiment_id),
        )


def _draw_troubles(lab: OpenedLab, experiment: Experiment, results: Sequence[CellResult]) -> None:
    alarms = [result for result in results if result.alarm]
    if alarms:
        first = alarms[0].cell
        st.error(
            f"{count_in_words(len(alarms), 'cell')}: the model was given something else than the rule says. The first: "
            f"{plain_label(first.fact)}, window {first.window}, distance {first.distance}, session "
            f"{plain_label(alarms[0].session_id)}. Either Agno changed or the rule is wrong: please report it.",
            title="Alarm: prediction and measurement differ",
            icon=":material/crisis_alert:",
        )
    failed = [result for result in results if result.failed]
    if failed:
        reasons = list(dict.fromkeys(str(result.failed) for result in failed))[:_MOST_TROUBLES]
        st.warning(
            plain_label(" ".join(reasons), 600),
            title=f"{count_in_words(len(failed), 'cell')} could not be measured",
            icon=":material/warning:",
        )
        if experiment.done >= len(experiment.plan.cells):
            st.button("Measure them again", key="sweep_again", on_click=resume, args=(lab, experiment.experiment_id))
    if results and not alarms:
        agreed = len(measured(results))
        st.markdown(
            f":green[:material/verified: In all {count_in_words(agreed, 'cell')} the model was given exactly what was predicted.]"
        )


def _draw_downloads(experiment: Experiment, results: Sequence[CellResult], points: Sequence[GridPoint]) -> None:
    name = re.sub(r"[^\w-]+", "-", experiment.plan.name).strip("-") or "experiment"
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            to_csv(results),
            f"{name}.csv",
            "text/csv",
            key="download_csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Picture",
            draw_grid_picture(points, title=experiment.plan.name),
            f"{name}.svg",
            "image/svg+xml",
            key="download_picture",
            icon=":material/image:",
            on_click="ignore",
        )


def to_csv(results: Sequence[CellResult]) -> str:
    """Return the results as the text of a CSV file that a spreadsheet takes for text, whatever an answer begins with."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in csv_rows(results):
        writer.writerow([f"'{value}" if value[:1] in "=+-@\t" and not _is_number(value) else value for value in row])
    return out.getvalue()


def _is_number(value: str) -> bool:
    return not value or re.fullmatch(r"-?[\d.]+", value) is not None


def _tokens_in_words(results: Sequence[CellResult]) -> str:
    """Return what the runs that asked cost, leader and members apart."""
    whole = [result.tokens for result in measured(results) if result.tokens is not None]
    members = [result.member_tokens for result in measured(results) if result.member_tokens is not None]
    if not whole:
        return ""
    of_members = sum(members) / len(members) if members else 0.0
    leader = sum(whole) / len(whole) - of_members
    return f"Tokens per question: leader {leader:,.0f}, members {of_members:,.0f}, on average over all windows."


def _draw_table(results: Sequence[CellResult]) -> None:
    with st.expander("Every cell, with its answer"):
        st.caption(f"How an answer is judged: {JUDGING_RULE}")
        rows = [
            {
                "of": result.cell.subject,
                "fact": result.cell.fact,
                "window": result.cell.window,
                "distance": result.cell.distance,
                "repeat": result.cell.repeat,
                "state": result.failed or result.state.replace("_", " "),
                "predicted in context": result.predicted_in_context,
                "in context": result.in_context,
                "answer": result.answer,
                "tokens": result.tokens,
                "session": result.session_id,
            }
            for result in results
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, height=320)


def _draw_other(
    lab: OpenedLab, experiment: Experiment, experiments: dict[str, Experiment], points: Sequence[GridPoint]
) -> None:
    others = [each for each in experiments if each != experiment.experiment_id]
    if not others:
        return
    names = _names_of(experiments)
    other = st.selectbox(
        "Compare with",
        others,
        index=None,
        key="experiment_other",
        placeholder="Another experiment",
        format_func=lambda each: names.get(each, each),
    )
    if other is None:
        return
    results = lab.lab.list_results(other, user_id=lab.user_id)
    first, second = st.columns(2)
    with first:
        st.caption(plain_label(experiment.plan.name, 100))
        draw_grid(points, key="grid_first")
    with second:
        st.caption(plain_label(experiments[other].plan.name, 100))
        if results:
            draw_grid(build_grid(next(iter(split_by_subject(results).values()))), key="grid_second")
    differences = lab.lab.compare(experiment.experiment_id, other, user_id=lab.user_id)
    if not differences:
        st.markdown("No cell that both measured differs.")
        return
    st.markdown(f"{count_in_words(len(differences), 'cell')} that both measured came out differently.")
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "of": each.cell.subject,
                    "fact": each.cell.fact,
                    "window": each.cell.window,
                    "distance": each.cell.distance,
                    "repeat": each.cell.repeat,
                    "here": each.first.replace("_", " "),
                    "there": each.second.replace("_", " "),
                }
                for each in differences
            ]
        ),
        hide_index=True,
    )
