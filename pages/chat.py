"""Chat: ask a team, watch it delegate, come back to the same session tomorrow."""

from functools import partial

import streamlit as st

from lib.ui.attaching import draw_waiting
from lib.ui.chat import draw_composer, draw_empty_state, draw_header, draw_history, open_chat
from lib.ui.frame import open_page
from lib.ui.live import draw_live_runs, draw_progress
from lib.ui.memory import draw_carried, draw_explanations, draw_window_mark, read_memory
from lib.ui.sessions_seen import note_read

page = open_page("Chat")
chat = open_chat(page)

draw_header(chat)
memory = read_memory(chat)
if chat.is_new:
    draw_empty_state(chat)
draw_history(chat, mark=partial(draw_window_mark, memory))
draw_live_runs(chat)
note_read(page, chat.runs)
draw_explanations(memory)

with st.bottom:
    draw_progress(chat)
    draw_carried(memory)
    draw_waiting()
draw_composer(
    chat
)  # not inside st.bottom: Streamlit keeps a page at its newest message only for an input it placed itself
