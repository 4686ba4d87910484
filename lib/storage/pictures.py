"""Pictures looked at with Pillow: what is taken as an attachment, and a small view of one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image as Picture
from PIL import ImageOps, UnidentifiedImageError

from lib.errors import InvalidInput
from lib.records import Attachment

MAX_IMAGE_MB = 10
MAX_MEGAPIXELS = 50
"""Decoded, a picture takes four bytes a pixel: this keeps one that was made to fill the memory at 200 MB."""
MAX_NAME_LENGTH = 120
_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "MPO": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
_OPENED = ("PNG", "JPEG", "WEBP", "GIF")  # Pillow's other decoders, some of which call programs, never run
# What Pillow's decoders raise for damaged files.
_DAMAGED = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, ArithmeticError)


def to_attachment(content: bytes, name: str) -> Attachment:
    """Return a file as an image to ask about; its type is what it holds, whatever it is called.

    Raises:
        InvalidInput: it is no still picture of a kind that is taken, is damaged, or too large.
    """
    name = _to_name(name)
    if len(content) > MAX_IMAGE_MB * 1_000_000 * 1.05:  # a browser counts 1024s
        raise InvalidInput(f"{name} is larger than {MAX_IMAGE_MB} MB. Attach a smaller copy.")
    with _opened(content, name) as picture:
        kind = picture.format or ""
        # A photograph with a second view in it (MPO) counts as two frames, and is a still one.
        if kind != "MPO" and getattr(picture, "is_animated", False):
            raise InvalidInput(f"{name} is animated. Attach a still picture.")
        picture.load()
    return Attachment(content, _TYPES[kind], name)


def to_preview(content: bytes, max_edge: int) -> bytes:
    """Return a small view of a picture, upright, as PNG or JPEG. Raises InvalidInput."""
    with _opened(content, "The image") as picture:
        picture.draft("RGB", (max_edge, max_edge))
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail((max_edge, max_edge))
        see_through = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
        made = BytesIO()
        if see_through:
            upright.convert("RGBA").save(made, "PNG")
        else:
            upright.convert("RGB").save(made, "JPEG", quality=85)
        return made.getvalue()


@contextmanager
def _opened(content: bytes, name: str) -> Iterator[Picture.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Picture.DecompressionBombWarning)  # our own limit is lower
            with Picture.open(BytesIO(content), formats=_OPENED) as picture:
                width, height = picture.size
                if width * height > MAX_MEGAPIXELS * 1_000_000:
                    raise InvalidInput(
                        f"{name} is {width:,} x {height:,} pixels. At most {MAX_MEGAPIXELS} million can be attached: "
                        "make a smaller copy."
                    )
                yield picture
    except Picture.DecompressionBombError:
        raise InvalidInput(f"{name} has more than {MAX_MEGAPIXELS} million pixels. Make a smaller copy.") from None
    except UnidentifiedImageError:
        raise InvalidInput(f"{name} is not a PNG, JPEG, WebP or GIF picture.") from None
    except _DAMAGED:
        raise InvalidInput(f"{name} is damaged or was cut off: it cannot be read to its end.") from None


def _to_name(name: str) -> str:
    """Return a file's name as one line that can be stored and read, its ending kept."""
    name = "".join(char for char in name.replace("\\", "/").rpartition("/")[2] if char.isprintable()).strip()
    if len(name) > MAX_NAME_LENGTH:
        name = f"{name[: MAX_NAME_LENGTH - 12]}…{name[-11:]}"
    return name or "image"
