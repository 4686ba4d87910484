"""Images of questions on the page: as thumbnails, read for the one who reads the run. No address is ever opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from lib.errors import InvalidInput, StorageError
from lib.records import ImageRecord, Reader, RunRecord
from lib.storage import SessionStore
from lib.storage.pictures import to_preview
from lib.ui.drawn_keys import DrawnKeys
from lib.ui.safe_markdown import plain_label
from lib.ui.words import bytes_in_words

THUMBNAIL_WIDTH = 176  # CSS pixels
_PREVIEW_EDGE = 1280  # what a thumbnail grows to when it is opened
_NOT_THERE = "its file is not there any more"


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where images are read, and for whom."""

    store: SessionStore
    reader: str | Reader

    def preview(self, run_id: str, image_id: str) -> bytes:
        """Return a small view of an image, made once for each reader. Raises StorageError, InvalidInput."""
        return _make_preview(
            repr(self.reader), run_id, image_id, lambda: self.store.get_image(run_id, image_id, user_id=self.reader)
        )


@st.cache_data(max_entries=256, ttl="1h", show_spinner=False)
def _make_preview(reader: str, run_id: str, image_id: str, _read: Callable[[], bytes]) -> bytes:
    return to_preview(_read(), _PREVIEW_EDGE)  # `reader` is part of what is kept: one's view is nobody else's


def draw_images(run: RunRecord, source: ImageSource | None, keys: DrawnKeys) -> None:
    """Draw the images of a run's question; in words where one cannot be shown."""
    if not run.images:
        return
    with st.container(horizontal=True, gap="small", key=keys.once(f"images_{run.run_id}")):
        for image in run.images:
            _draw_image(run, image, source)


def _draw_image(run: RunRecord, image: ImageRecord, source: ImageSource | None) -> None:
    if image.url and not image.storage_key:
        st.caption(f":material/link: {_name(image)}, kept elsewhere and not fetched: {plain_label(image.url, 300)}")
        return
    try:
        preview = source.preview(run.run_id, image.image_id) if source else None
    except StorageError:
        st.caption(f":material/hide_image: {_facts(image)}: {_NOT_THERE}")
        return
    except InvalidInput:
        st.caption(f":material/hide_image: {_facts(image)}: it cannot be shown")
        return
    if preview is None:
        st.caption(f":material/image: {_facts(image)}")
        return
    with st.container(width=THUMBNAIL_WIDTH, gap="xsmall"):
        st.image(preview, alt=image.name or "attached image")
        st.caption(_facts(image))


def _name(image: ImageRecord) -> str:
    return plain_label(image.name or image.mime_type or "image", 60)


def _facts(image: ImageRecord) -> str:
    return f"{_name(image)} · {bytes_in_words(image.size_bytes)}" if image.size_bytes else _name(image)
