"""What one browser tab remembers: ids and choices, never data. The database is the truth, the address says what is shown."""

from __future__ import annotations

from dataclasses import dataclass, fields
from time import monotonic

import streamlit as st

from lib.ui.notices import Notice

RUNS_A_PAGE = 30
SESSIONS_A_PAGE = 15
MOST_SESSIONS_SHOWN = 60
"""Rows of the sidebar: further ones are on the Sessions page."""
TABLE_ROWS = 100
A_TITLE_TAKES_S = 60.0
"""For so long a title can be written in peace: a field left open does not hold the list up for ever."""
CHAT_PAGE = "pages/chat.py"
REPLAY_PAGE = "pages/replay.py"
SESSIONS_PAGE = "pages/sessions.py"
WRITTEN = ("chat_input", "session_search")
"""Keys of the fields in which words may stand that were not sent yet."""
_STATE_KEY = "roundtable_tab"


@dataclass(frozen=True, slots=True)
class Dialog:
    """A dialog that is open: which, and about which sessions, or which run of one."""

    name: str
    session_ids: tuple[str, ...]
    run_id: str | None = None
    then_run_id: str | None = None  # shown where this run was, once it is deleted


@dataclass(slots=True)
class TabState:
    """The one object that pages and callbacks keep in Streamlit's session state."""

    user_id: str | None = None  # whose tab this is; another user finds nothing of the former's in it
    acting_as: str | None = None  # local mode only: for demonstrations
    session_id: str | None = None
    run_id: str | None = None
    member_id: str | None = None
    team: str | None = None  # chosen for the next new session
    runs_shown: int = RUNS_A_PAGE
    sessions_shown: int = SESSIONS_A_PAGE
    stopping_run_id: str | None = None
    read_run_id: str | None = None  # the run last noted as read: drawing it again writes nothing
    notice: Notice | None = None  # what a callback has to say; drawn once by the next script run
    next_page: str | None = None  # where a callback leads; followed by the next script run
    dialog: Dialog | None = None  # what is asked over the page; drawn by every script run until it is answered
    dialog_notice: Notice | None = None  # what went wrong with what was asked there
    sessions_sort: str | None = None  # the order of the Sessions page
    table_ids: tuple[str, ...] = ()  # the rows of the Sessions page, by which ticks are kept
    table_rows: int = TABLE_ROWS
    renaming: str | None = None  # the session whose row of the sidebar is a field now
    renaming_since: float | None = None  # by the monotonic clock
    # Of the sidebar's list as it is drawn: a fingerprint, and the store's change token. None: it could not be read.
    listed: str | None = None
    listed_token: str | None = None

    @property
    def being_written(self) -> bool:
        """Whether something is typed that is lost where a watcher draws the page anew: in a dialog, or in a title.

        The field of a title is lost where the rows of the sidebar move.
        """
        writes_title = self.renaming_since is not None and monotonic() - self.renaming_since < A_TITLE_TAKES_S
        return self.dialog is not None or writes_title

    def rename(self, session_id: str | None) -> None:
        """Make the row of this session a field for its title; None: make it a row again."""
        self.renaming = session_id
        self.renaming_since = monotonic() if session_id is not None else None

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
        for name, value in self._shown():
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

    def belong_to(self, user_id: str) -> None:
        """Make this the tab of `user_id`; what it holds of another user goes."""
        if self.user_id not in (None, user_id):
            self.forget_user()
        self.user_id = user_id

    def forget_user(self) -> None:
        """Let go of everything the tab holds: ids, choices, drafts."""
        for key in list(st.session_state):
            if key != _STATE_KEY:
                del st.session_state[key]
                if key in WRITTEN:
                    st.session_state[key] = ""  # the browser keeps what is being written until it is told otherwise
        fresh = TabState()
        for field in fields(self):
            setattr(self, field.name, getattr(fresh, field.name))
        self.write_address()

    def follow(self, page: str) -> None:
        """Go where a callback leads, unless that is this `page`."""
        next_page, self.next_page = self.next_page, None
        if next_page and next_page != page:
            st.switch_page(next_page, query_params={name: value for name, value in self._shown() if value} or None)

    def _shown(self) -> tuple[tuple[str, str | None], ...]:
        ids = (("session", self.session_id), ("run", self.run_id), ("member", self.member_id))
        return (*ids, ("as", self.acting_as))

    def take_notice(self) -> Notice | None:
        """Return what a callback left to say, once."""
        notice, self.notice = self.notice, None
        return notice


def open_tab() -> TabState:
    """Return this browser tab's state."""
    if _STATE_KEY not in st.session_state:
        st.session_state[_STATE_KEY] = TabState(acting_as=st.query_params.get("as") or None)
    state: TabState = st.session_state[_STATE_KEY]
    return state
