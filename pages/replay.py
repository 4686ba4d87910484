"""Replay: read one stored session back, run by run and step by step, and see what each model was shown."""

import streamlit as st

from lib.ui.frame import open_page
from lib.ui.replay.header import draw_run_line, draw_session_line, draw_tabs
from lib.ui.replay.opened import open_replay
from lib.ui.sessions_seen import note_read

page = open_page("Replay", wide=True)  # two columns, a timeline and tables stand side by side
opened = open_replay(page)

draw_session_line(opened)
if opened.heads:
    draw_run_line(opened)
    draw_tabs(opened)
    note_read(page, [opened.run])
else:
    st.caption("Nothing was asked in this session yet.")
