"""Roundtable: names the pages and runs the chosen one. Start it with `streamlit run app.py`."""

import streamlit as st

from lib.ui.assets import FAVICON
from lib.ui.notices import errors_shown

# Before st.navigation: the browser would fetch a page's Material icon from elsewhere to show it in the tab.
st.set_page_config(page_title="Roundtable", page_icon=FAVICON)

pages = [
    st.Page("pages/chat.py", title="Chat", icon=":material/forum:", default=True),
    st.Page("pages/sessions.py", title="Sessions", icon=":material/list:"),
    st.Page("pages/replay.py", title="Replay", icon=":material/history:"),
    st.Page("pages/recall.py", title="Recall lab", icon=":material/psychology:"),
]

with errors_shown():
    st.navigation(pages).run()
