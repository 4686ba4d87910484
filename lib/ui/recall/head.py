"""The head of the page: its name, and a way to delete what the lab has left in the database."""

from __future__ import annotations

import streamlit as st

from lib.ui.recall.opened import OpenedLab


def draw_head(lab: OpenedLab) -> None:
    """Draw the page's name and its menu."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
        st.header("Recall lab", anchor=False)
        menu = st.popover("", icon=":material/more_vert:", key="lab_menu", help="Tidy up", on_change="rerun")
        if menu.open:
            with menu:
                _draw_menu(lab)


def _draw_menu(lab: OpenedLab) -> None:
    running = any(
        lab.lab.find_running(each.experiment_id, user_id=lab.user_id)
        for each in lab.lab.list_experiments(user_id=lab.user_id)
    )
    st.caption(
        "Demonstrations, cases and experiments are sessions of their own, kept out of your list. "
        "The results of experiments stay."
    )
    st.button(
        "Delete the lab's sessions",
        key="lab_tidy",
        icon=":material/delete:",
        disabled=running,
        help="An experiment is being measured." if running else None,
        on_click=_tidy,
        args=(lab,),
    )


def _tidy(lab: OpenedLab) -> None:
    if lab.call(lambda: lab.lab.delete_all_sessions(user_id=lab.user_id)) is not None and "demo" in st.query_params:
        del st.query_params["demo"]
