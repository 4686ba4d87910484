"""What one browser tab remembers: ids and choices, never data. The database is the truth, the address says what is shown."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from lib.ui.notices import Notice

RUNS_A_PAGE = 30
SESSIONS_A_PAGE = 15
CHAT_PAGE = "pages/chat.py"
_STATE_KEY = "roundtable_tab"


@dataclass(slots=True)
class TabState:
    """The one object that pages and callbacks keep in Streamlit's session state."""

    session_id: str | None = None
    run_id: str | None = None
    member_id: str | None = None
    team: str | None = None  # chosen for the next new session
    runs_shown: int = RUNS_A_PAGE
    sessions_shown: int = SESSIONS_A_PAGE
    stopping_run_id: str | None = None
    notice: Notice | None = None  # what a callback has to say; drawn once by the next script run
    next_page: str | None = None  # where a callback leads; followed by the next script run
    dialog_open: bool = False  # a live view must not rerun the page under an open dialog: it would close

    def select_session(
        self, session_id: str | None, *, run_id: str | None = None, member_id: str | None = None
    ) -> None:
        """Show this session (None: a new one), in the tab and in the address."""
        if session_id != self.session_id:
            self.runs_shown = RUNS_A_PAGE
            self.stopping_run_id = None
            st.session_state.pop("history_window", None)
        self.session_id, self.run_id, self.member_id = session_id, run_id, member_id
        self.write_address()

    def write_address(self) -> None:
        """Put what is shown into the address, so that it can be reloaded and sent to a colleague."""
        for name, value in (("session", self.session_id), ("run", self.run_id), ("member", self.member_id)):
            if value:
                st.query_params[name] = value
            elif name in st.query_params:
                del st.query_params[name]

    def read_address(self) -> None:
        """Take over what the address names. One without a session (another page was chosen) keeps the tab's."""
        session_id = st.query_params.get("session") or self.session_id
        same = session_id == self.session_id
        run_id = st.query_params.get("run") or (self.run_id if same else None)
        member_id = st.query_params.get("member") or (self.member_id if same else None)
        self.select_session(session_id, run_id=run_id, member_id=member_id)

    def follow(self, page: str) -> None:
        """Go where a callback leads, unless that is this `page`."""
        next_page, self.next_page = self.next_page, None
        if next_page and next_page != page:
            st.switch_page(next_page, query_params={"session": self.session_id} if self.session_id else None)

    def take_notice(self) -> Notice | None:
        """Return what a callback left to say, once."""
        notice, self.notice = self.notice, None
        return notice


def open_tab() -> TabState:
    """Return this browser tab's state."""
    if _STATE_KEY not in st.session_state:
        st.session_state[_STATE_KEY] = TabState()
    state: TabState = st.session_state[_STATE_KEY]
    return state
