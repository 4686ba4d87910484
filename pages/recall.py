"""The recall lab: show, predict and measure what a team remembers and forgets."""

import streamlit as st

from lib.ui.frame import open_page
from lib.ui.recall.beside import draw_beside
from lib.ui.recall.cases import draw_cases, draw_rescues
from lib.ui.recall.guided import draw_guided
from lib.ui.recall.head import draw_head
from lib.ui.recall.opened import open_lab
from lib.ui.recall.results import draw_experiments
from lib.ui.recall.sweep import draw_sweep_form

page = open_page("Recall", wide=True)  # the steps stand beside the film strip, the settings beside the grid
lab = open_lab(page)

draw_head(lab)
guided, cases, rescues, sweep, beside = st.tabs(
    ["Demonstration", "Cases", "Rescues", "Sweep", "Side by side"], key="lab", on_change="rerun", bind="query-params"
)
if guided.open:
    with guided:
        draw_guided(lab)
if cases.open:
    with cases:
        draw_cases(lab)
if rescues.open:
    with rescues:
        draw_rescues(lab)
if sweep.open:
    with sweep:
        settings, measured = st.columns([2, 5], gap="large")
        with settings:
            draw_sweep_form(lab)
        with measured:
            draw_experiments(lab)
if beside.open:
    with beside:
        draw_beside(lab)
