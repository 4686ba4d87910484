"""What went wrong, said on the page: what, which, and what to do next. Never a stack trace, never a password."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from lib.errors import (
    DatabaseBusy,
    DatabaseRefused,
    DatabaseUnavailable,
    HistoryNotSaved,
    LocalIdentityRefused,
    ModelUnavailable,
    NotAllowed,
    NotFound,
    NotSignedIn,
    RoundtableError,
    RunRefused,
    SessionDamaged,
    SettingsError,
    TeamUnavailable,
)
from lib.ui.safe_markdown import plain_label

logger = logging.getLogger(__name__)

_TITLES: tuple[tuple[type[RoundtableError], str], ...] = (
    (SettingsError, "A setting cannot be used"),
    (DatabaseRefused, "The database refused this"),
    (DatabaseUnavailable, "The database cannot be reached"),
    (DatabaseBusy, "The database is busy"),
    (HistoryNotSaved, "Not stored yet"),
    (ModelUnavailable, "The model cannot be called"),
    (TeamUnavailable, "This team cannot be used"),
    (SessionDamaged, "This session is damaged"),
    (NotFound, "Not found"),
    (NotSignedIn, "Not signed in"),
    (LocalIdentityRefused, "Nobody signs in here"),
    (NotAllowed, "Not allowed"),
    (RunRefused, "The question was not asked"),
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell the reader, already in words for the page."""

    title: str
    text: str


def to_notice(error: Exception) -> Notice:
    """Return what to say about `error`; one that nobody foresaw goes to the log, and the page names the place there."""
    if isinstance(error, RoundtableError):
        title = next((title for kind, title in _TITLES if isinstance(error, kind)), "This did not work")
        return Notice(title, str(error))
    reference = uuid.uuid4().hex[:8]
    logger.error("Unexpected error, reference %s", reference, exc_info=error)
    return Notice(
        "Something went wrong",
        f"This part of the page could not be drawn. Reload the page; if it happens again, look for {reference} in the log.",
    )


def draw_notice(notice: Notice) -> None:
    """Draw one clear box."""
    st.error(plain_label(notice.text, 1000), title=notice.title, icon=":material/error:")


@contextmanager
def errors_shown() -> Iterator[None]:
    """Draw an error in place of what could not be drawn. Also a decorator, for fragments."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the page is the last to see it: everything that went wrong becomes words here
        draw_notice(to_notice(error))
