"""What the recall lab's page works with: the lab of this process, what goes on in the background, and the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from lib.ui.frame import PageFrame
from lib.ui.notices import Notice, draw_notice, to_notice
from lib.ui.recall.background import Background, Step
from lib.ui.resources import shared_roundtable

if TYPE_CHECKING:
    from lib.recall.experiment import RunCost
    from lib.recall.lab import RecallLab
    from lib.roundtable import Roundtable

LIVE_EVERY_S = 0.4


@dataclass(frozen=True, slots=True)
class OpenedLab:
    """What every part of the page is given."""

    page: PageFrame
    lab: RecallLab
    background: Background

    @property
    def user_id(self) -> str:
        """Whose experiments these are."""
        return self.page.user_id

    @property
    def roundtable(self) -> Roundtable:
        """The app."""
        return self.page.roundtable

    def find(self, name: str) -> Step | None:
        """Return the user's newest background step of this name."""
        return self.background.find(name, user_id=self.user_id)

    def begin(self, name: str, work: Callable[[], Any]) -> None:
        """Begin a background step; where that is not possible the page's next run says why. For callbacks."""
        try:
            self.background.start(name, work, user_id=self.user_id)
        except Exception as error:  # noqa: BLE001 - a callback has no place to draw
            self.page.tab.notice = to_notice(error)

    def call(self, work: Callable[[], Any]) -> Any:
        """Do something short in a callback; what goes wrong is said by the page's next run."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - a callback has no place to draw
            self.page.tab.notice = to_notice(error)
            return None


@st.cache_resource(show_spinner=False)
def shared_lab() -> RecallLab:
    """Return the one recall lab of this process: experiments go on in it whoever looks."""
    from lib.recall.lab import RecallLab

    return RecallLab(shared_roundtable())


@st.cache_resource(show_spinner=False)
def shared_background() -> Background:
    """Return the background steps of this process."""
    return Background()


@st.cache_resource(show_spinner=False)
def known_costs() -> dict[str, RunCost]:
    """Return what a run of each team costs, as far as it was measured."""
    return {}


def open_lab(page: PageFrame) -> OpenedLab:
    """Return what the page works with, and say what a callback left to say."""
    notice = page.tab.take_notice()
    if notice:
        draw_notice(notice)
    return OpenedLab(page, shared_lab(), shared_background())


def draw_failure(step: Step | None) -> None:
    """Say why a step did not come to its end."""
    if step is not None and step.error is not None:
        draw_notice(to_known_notice(step))


def to_known_notice(step: Step) -> Notice:
    """Return what to say about a failed step; the same words each time it is drawn."""
    if isinstance(step.result, Notice):
        return step.result
    notice = to_notice(step.error or RuntimeError())
    step.result = notice
    return notice
