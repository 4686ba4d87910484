"""What the replay page shows: one session by its heads, one run of it with its body; everything else when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import NotFound, RoundtableError
from lib.records import RunRecord, SessionSummary
from lib.ui.frame import PageFrame
from lib.ui.notices import draw_notice, to_notice
from lib.ui.replay.finding_searches import Search, shared_searches
from lib.ui.replay.place import Place, read_place
from lib.ui.safe_markdown import plain_label
from lib.ui.sessions_drawer import whose_in_words
from lib.ui.tab import open_tab
from lib.ui.words import count_in_words

if TYPE_CHECKING:
    from lib.replay.findings import Finding
    from lib.replay.steps import Step
    from lib.storage.replaying import Replay
    from lib.storage.session_overview import RunHead, SessionOverview, SessionOverviews

NEAR = 60
"""Runs before the one on screen that are read for the ledger of a long session, until all are asked for."""
CHOICE = 20
"""Sessions to choose from where the address names none."""
READ_AT_ONCE = 40
"""Runs up to which a session is read whole without being asked to."""
PATIENCE_S = 1.5
"""So long the page waits for the search in a short session."""


@dataclass(frozen=True)
class OpenedReplay:
    """One session, the run on screen, and where the reader is."""

    page: PageFrame
    place: Place
    overview: SessionOverview
    position: int  # of the run among the top-level runs, from 0

    @property
    def summary(self) -> SessionSummary:
        """The session as lists show it."""
        return self.overview.summary

    @property
    def heads(self) -> Sequence[RunHead]:
        """The session's runs, by their columns."""
        return self.overview.heads

    @property
    def head(self) -> RunHead:
        """The run on screen, by its columns."""
        return self.heads[self.position]

    @cached_property
    def replay(self) -> Replay:
        """The run on screen alone, ready to be looked at from every side."""
        return self.read([self.head.run_id])

    @cached_property
    def run(self) -> RunRecord:
        """The run on screen with the runs under it."""
        return self.replay.get_run(self.head.run_id)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Everything that happened in the run on screen."""
        return self.replay.steps(self.run)

    def read(self, run_ids: Sequence[str] | None) -> Replay:
        """Return the session with the bodies of some runs; None: of all."""
        from lib.storage.replaying import Replay

        session = open_overviews(self.page).get_runs(self.overview, run_ids)
        return Replay(session, assumed_window=self.page.settings.num_history_runs)

    @property
    def is_short(self) -> bool:
        """Whether the whole session is read without asking."""
        return len(self.heads) <= READ_AT_ONCE or self.overview.older_format

    def near(self, *, everything: bool = False) -> Replay:
        """Return the session with the runs that stand around the one on screen, or with all; kept for the next click."""
        first = 0 if everything or self.is_short else max(0, self.position - NEAR)
        until = len(self.heads) if everything or self.is_short else self.position + 2
        ids = None if everything or self.is_short else tuple(head.run_id for head in self.heads[first:until])
        return _keep_replay(self.overview.fingerprint, self.summary.session_id, ids, self)

    def newest(self, count: int) -> Replay:
        """Return the session with its newest runs, so many; kept for the next click."""
        ids = None if self.overview.older_format else tuple(head.run_id for head in self.heads[-count:])
        return _keep_replay(self.overview.fingerprint, self.summary.session_id, ids, self)

    @cached_property
    def search(self) -> Search:
        """The search for the findings of the whole session: over, as a rule, where it is short; else going on."""
        from lib.storage.run_findings import find_for_session

        connector, overviews, overview = (
            self.page.roundtable.database.connector,
            open_overviews(self.page),
            self.overview,
        )
        short = self.is_short
        search = shared_searches().ask(
            self._search_key,
            lambda looked: find_for_session(connector, overviews, overview, looked=looked),
            runs=len(self.heads),
            pausing=not short,
        )
        if short:
            search.over.wait(PATIENCE_S)
        return search

    def forget_search(self) -> None:
        """Have the findings looked for anew by the next script run."""
        shared_searches().forget(self._search_key)

    @property
    def _search_key(self) -> str:
        return f"{self.overview.session.session_id} {self.overview.fingerprint}"

    def list_column_findings(self) -> tuple[Finding, ...]:
        """Return what the columns of all runs tell, without reading a body."""
        from lib.storage.run_findings import find_by_columns

        return find_by_columns(self.page.roundtable.database.connector, self.overview)


@st.cache_resource(show_spinner=False, max_entries=6, ttl=300)
def _keep_replay(fingerprint: str, session_id: str, run_ids: tuple[str, ...] | None, _opened: OpenedReplay) -> Replay:
    """Keep what was read until the session is written to. Who may see it was checked with the overview."""
    return _opened.read(run_ids)


def open_overviews(page: PageFrame) -> SessionOverviews:
    """Return the reader of stored sessions."""
    from lib.storage.session_overview import SessionOverviews

    database = page.roundtable.database
    return SessionOverviews(database.connector, queue=database.queue)


def open_replay(page: PageFrame) -> OpenedReplay:
    """Return what is to be shown; draws one clear box, or the sessions to choose from, and stops the page otherwise."""
    place = read_place()
    notice = page.tab.take_notice()
    if notice:
        draw_notice(notice)
    if not page.tab.session_id:
        _draw_choice(page)
        st.stop()
    try:
        overview = open_overviews(page).get_overview(page.tab.session_id, user_id=page.identity.reader)
        if not overview.heads:
            position = -1
        elif page.tab.run_id:
            position = overview.place_of(page.tab.run_id)
        else:
            position = len(overview.heads) - 1
    except NotFound as error:  # missing, deleted, malformed or somebody else's: one and the same box
        draw_notice(to_notice(error))
        st.button("Choose a session", key="leave_replay", icon=":material/arrow_back:", on_click=_leave)
        st.stop()
    except RoundtableError as error:
        draw_notice(to_notice(error))
        st.stop()
    if overview.summary.user_id != page.user_id:
        st.info(whose_in_words(overview.summary), icon=":material/visibility:")
    return OpenedReplay(page=page, place=place, overview=overview, position=position)


def _draw_choice(page: PageFrame) -> None:
    """Draw the sessions last used, each of which can be opened here."""
    st.header("Replay", anchor=False)
    st.markdown(
        "Read a stored session back: what happened, in what order, and what each model was shown. Nothing is run."
    )
    try:
        found = page.roundtable.store.list_sessions(user_id=page.user_id, limit=CHOICE).items
    except RoundtableError as error:
        draw_notice(to_notice(error))
        return
    if not found:
        st.caption("No sessions yet. Ask something on the chat page, and it can be read back here.")
    with st.container(key="replay_choice", gap="xsmall"):
        for summary in found:
            st.button(
                f"{plain_label(summary.name, 80)} :gray[· {count_in_words(summary.runs, 'run')}]",
                key=f"replay_session_{summary.session_id}",
                icon=":material/history:",
                type="tertiary",
                on_click=_open_session,
                args=(summary.session_id,),
            )


def _open_session(session_id: str) -> None:
    open_tab().select_session(session_id)


def _leave() -> None:
    open_tab().select_session(None)
