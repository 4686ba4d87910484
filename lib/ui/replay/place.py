"""Where the reader of a replay is: which view, which run, which step. The address says the same."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

from lib.ui.tab import open_tab

_STATE_KEY = "replay_place"
OTHER_SESSION, OTHER_RUN = "with", "with_run"
"""In the address of a comparison: whole sessions are compared where it names a session and no run."""


class View(StrEnum):
    """The views, as the address names them, in the order of the tabs."""

    CONVERSATION = "conversation"
    STEPS = "steps"
    TIMELINE = "timeline"
    DELEGATION = "delegation"
    CONTEXT = "context"
    RAW = "raw"
    FINDINGS = "findings"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class Other:
    """What the run or the session on screen is compared with. Without a session: a run of the same one."""

    session_id: str | None = None
    run_id: str | None = None

    @property
    def whole_session(self) -> bool:
        """Whether sessions are compared, not runs."""
        return self.session_id is not None and self.run_id is None


@dataclass(slots=True)
class Place:
    """What the tabs and the address agree on; the session and the run are the browser tab's."""

    session_id: str | None = None
    run_id: str | None = None
    view: View = View.CONVERSATION
    step: str | None = None  # a number of `steps`, from 1, as text; or what was written into the address
    other: Other = Other()  # as the address named it that was opened
    other_of: str | None = None  # the run on screen then

    def go(self, *, run_id: str | None = None, view: View | None = None, step: int | str | None = None) -> None:
        """Go to a run, a view, a step; a step belongs to its run, so another run begins without one."""
        tab = open_tab()
        if run_id is not None and run_id != tab.run_id:
            self.step = None
            tab.select_session(tab.session_id, run_id=run_id, member_id=tab.member_id)
        self.run_id = tab.run_id
        self.view = view or self.view
        self.step = str(step) if step is not None else self.step
        self.write_address()

    def write_address(self) -> None:
        """Put view and step into the address."""
        st.query_params["view"] = self.view.value
        if self.step:
            st.query_params["step"] = self.step
        elif "step" in st.query_params:
            del st.query_params["step"]
        if self.view is not View.COMPARE:
            self.write_other(Other())

    def is_linked(self, run_id: str) -> bool:
        """Whether this is the run that was on screen when the address was opened."""
        return self.other_of in (None, run_id)

    @staticmethod
    def write_other(other: Other) -> None:
        """Put into the address what is compared."""
        for name, value in ((OTHER_SESSION, other.session_id), (OTHER_RUN, other.run_id)):
            if value:
                st.query_params[name] = value
            elif name in st.query_params:
                del st.query_params[name]

    @property
    def step_number(self) -> int | None:
        """The chosen step, from 1; None where the address names none."""
        return int(self.step) if self.step and self.step.isdecimal() and len(self.step) < 8 else None


def open_place() -> Place:
    """Return where this browser tab is, after what its address says."""
    if _STATE_KEY not in st.session_state:
        other = Other(st.query_params.get(OTHER_SESSION), st.query_params.get(OTHER_RUN))
        st.session_state[_STATE_KEY] = Place(other=other, other_of=open_tab().run_id)
    place: Place = st.session_state[_STATE_KEY]
    return place


def read_place() -> Place:
    """Take over view and step from the address. An address without them (another page was chosen) keeps the tab's."""
    tab, place = open_tab(), open_place()
    if place.session_id not in (None, tab.session_id):
        place.other = Other()  # it was to be compared with another session
    if (place.session_id, place.run_id) != (tab.session_id, tab.run_id):
        place.session_id, place.run_id, place.step = tab.session_id, tab.run_id, None
    named = st.query_params.get("view")
    if named in set(View):
        place.view = View(named)
    place.step = st.query_params.get("step") or place.step
    place.write_address()
    return place


def open_view(view: View) -> None:
    """Show another view of the same run. A callback."""
    open_place().go(view=view)


def open_run(run_id: str, view: View | None = None) -> None:
    """Show another run of the session. A callback."""
    open_place().go(run_id=run_id, view=view)


def open_step(number: int, view: View | None = None) -> None:
    """Show another step of the same run. A callback."""
    open_place().go(step=number, view=view)
