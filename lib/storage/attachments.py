"""Images of questions: kept before the question is asked, read back by who may read its run.

Agno writes an image when its run ends; after a crash before that it would be lost. So it is written here first, the way
Agno does it (`LocalMediaStorage`), and given to the run with its reference: what has one, Agno does not write again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agno.media import Image
from agno.media.reference import MediaReference
from agno.media.storage.local import LocalMediaStorage

from lib.errors import ImageNotFound, StorageError
from lib.records import Attachment
from lib.storage.media import MediaFolder
from lib.storage.reading.loose import to_list, to_mapping
from lib.storage.reading.messages import to_image

_SESSION_IN_KEY = 120  # letters; a file's name may have 255


def keep_images(attachments: Sequence[Attachment], *, session_id: str, media_dir: Path) -> tuple[Image, ...]:
    """Write images into the media folder and return them as a run takes them: bytes and reference.

    Raises:
        StorageError: the folder cannot be written; nothing is left in it.
    """
    if not attachments:
        return ()
    kept: list[Image] = []
    try:
        storage = LocalMediaStorage(str(media_dir))
        for attachment in attachments:
            kept.append(_keep(attachment, session_id, storage))  # noqa: PERF401 - after an error, those before it are removed
    except OSError as error:
        drop_images(kept, media_dir=media_dir)
        raise StorageError(
            f"The image cannot be written to {media_dir} ({error.strerror}). Nothing was asked. Make room there, or set "
            "MEDIA_DIR to another folder."
        ) from error
    return tuple(kept)


def drop_images(images: Sequence[Image], *, media_dir: Path) -> None:
    """Remove images that were kept for a question that could not be stored."""
    references = (image.media_reference for image in images)
    MediaFolder(media_dir).remove(reference.storage_key for reference in references if reference is not None)


def _keep(attachment: Attachment, session_id: str, storage: LocalMediaStorage) -> Image:
    content, mime_type, name = attachment
    media_id, content_hash = str(uuid.uuid4()), hashlib.sha256(content).hexdigest()
    storage_key = storage.upload(
        f"{session_id[:_SESSION_IN_KEY]}-{media_id}-{content_hash[:16]}",  # as Agno names them
        content,
        mime_type=mime_type,
        metadata={"original-filename": name} if name else None,
    )
    reference = MediaReference(
        media_id=media_id,
        storage_key=storage_key,
        session_id=session_id,
        storage_backend=storage.backend_name,
        bucket=storage.bucket,
        mime_type=mime_type,
        filename=name,
        size=len(content),
        content_hash=content_hash,
        media_type="image",
    )
    return Image(id=media_id, content=content, mime_type=mime_type, media_reference=reference)


def read_image(run_row: Mapping[str, Any], image_id: str, folder: MediaFolder) -> bytes:
    """Return the bytes of an image of a run: from the media folder, or from the row that holds them itself.

    The key of the file is taken from the run's own row, never from who asks. Nothing is fetched from any address.

    Raises:
        ImageNotFound: the run has no such image, or its file is not there any more.
    """
    for stored in _images_of(to_mapping(run_row.get("run_data")), image_id):
        content = stored.get("content")
        storage_key = to_mapping(stored.get("media_reference")).get("storage_key")
        found = folder.read(storage_key) if isinstance(storage_key, str) else None
        if found is None and isinstance(content, str):
            found = _from_base64(content)
        if found is not None:
            return found
    raise ImageNotFound(image_id)


def _images_of(run_data: Mapping[str, Any], image_id: str) -> Iterator[Mapping[str, Any]]:
    """Yield what a run stores under an image's id: of its question first, then of its messages and its answer."""
    messages = (to_mapping(message).get("images") for message in to_list(run_data.get("messages")))
    for images in (to_mapping(run_data.get("input")).get("images"), run_data.get("images"), *messages):
        for position, stored in enumerate(to_list(images)):
            if to_image(stored, position=position).image_id == image_id:
                yield to_mapping(stored)


def _from_base64(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
