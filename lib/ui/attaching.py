"""Images on their way into a question: looked at when they are attached, kept in the tab until the question is asked."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Protocol

import streamlit as st

from lib.errors import InvalidInput
from lib.records import Attachment
from lib.storage.pictures import to_attachment
from lib.ui.notices import Notice, draw_notice
from lib.ui.safe_markdown import plain_label
from lib.ui.tab import open_tab
from lib.ui.words import bytes_in_words

MAX_IMAGES = 4
"""Images of one question."""
IMAGE_TYPES = ("png", "jpg", "jpeg", "webp", "gif")
_WAITING = "waiting_images"
_REFUSED = "refused_question"


class AttachedFile(Protocol):
    """A file as Streamlit hands it over."""

    name: str

    def getvalue(self) -> bytes:
        """Return its bytes."""


def waiting_images() -> tuple[Attachment, ...]:
    """Return the images that go with the tab's next question: those of one that could not be asked."""
    waiting: tuple[Attachment, ...] = st.session_state.get(_WAITING, ())
    return waiting


def take_files(files: Iterable[AttachedFile]) -> Notice | None:
    """Keep attached files for the next question; returns what is to be said of those that are not taken."""
    taken, problems = list(waiting_images()), []
    for file in files:
        try:
            attachment = to_attachment(file.getvalue(), file.name)
        except InvalidInput as error:
            problems.append(str(error))
            continue
        if len(taken) == MAX_IMAGES:
            problems.append(f"{attachment.name} is one too many: a question takes {MAX_IMAGES} images.")
            continue
        taken.append(attachment)
    keep_waiting(taken)
    if not problems:
        return None
    rest = " What you wrote is still there" + (", and so are the other images." if taken else ".")
    return Notice("Not asked yet", " ".join(problems) + rest)


def keep_waiting(images: Iterable[Attachment], refused: Notice | None = None) -> None:
    """Keep these images, and what is to be said, until the next question is sent."""
    st.session_state[_WAITING] = tuple(images)
    st.session_state[_REFUSED] = refused and (open_tab().session_id, refused)


def draw_waiting() -> None:
    """Draw, over the composer, why a question was not asked, and the images that wait with it."""
    session_id, refused = st.session_state.get(_REFUSED) or (None, None)
    if refused is not None and session_id == open_tab().session_id:
        draw_notice(refused)
    images = waiting_images()
    if not images:
        return
    with st.container(horizontal=True, gap="small", key="waiting_images"):
        for place, image in enumerate(images):
            st.button(
                plain_label(f"{image.name} · {bytes_in_words(len(image.content))}", 80),
                key=f"remove_image_{place}",
                icon=":material/close:",
                help="Take this image away from the question.",
                on_click=partial(_remove, place),
            )


def _remove(place: int) -> None:
    images = list(waiting_images())
    if place < len(images):
        del images[place]
    keep_waiting(images)
