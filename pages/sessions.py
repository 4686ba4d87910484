"""Sessions: find, tag and delete one's own, look at one in a drawer; admins read everybody's."""

import streamlit as st

from lib.ui.frame import open_page
from lib.ui.notices import draw_notice, errors_shown
from lib.ui.sessions_filters import draw_filters
from lib.ui.sessions_table import draw_table

page = open_page("Sessions", wide=True)
if notice := page.tab.take_notice():
    draw_notice(notice)

st.header("Sessions", anchor=False)
with errors_shown():
    draw_table(page, draw_filters(page))
