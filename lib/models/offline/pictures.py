"""Pictures: format, size and main colour of an attached image, read with Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from agno.media import Image
from PIL import Image as Picture
from PIL import UnidentifiedImageError

_COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (220, 30, 30),
    "orange": (255, 140, 0),
    "yellow": (250, 230, 40),
    "green": (40, 160, 60),
    "turquoise": (60, 200, 200),
    "blue": (40, 80, 210),
    "purple": (130, 50, 160),
    "pink": (255, 150, 190),
    "brown": (130, 80, 40),
}


def describe_images(images: Sequence[Image]) -> str:
    """Return one sentence per image."""
    if len(images) == 1:
        return f"The attached image is {_described(images[0])}."
    return " ".join(f"Image {number} is {_described(image)}." for number, image in enumerate(images, start=1))


def _described(image: Image) -> str:
    data = _bytes_of(image)
    if data is None:
        return "one whose bytes I was not given: I open no addresses"
    try:
        # Pillow warns before it decodes a picture made to fill the memory; that is a refusal here.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Picture.DecompressionBombWarning)
            with Picture.open(BytesIO(data)) as picture:
                width, height = picture.size
                return f"a {picture.format} of {width} x {height} pixels, mainly {_main_colour(picture)}"
    except (Picture.DecompressionBombWarning, Picture.DecompressionBombError):
        return "too large for me to open"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, ArithmeticError):
        return "not readable as an image"  # Pillow's decoders raise any of these for damaged files


def _bytes_of(image: Image) -> bytes | None:
    if image.content:
        return image.content
    if image.filepath is None:
        return None
    try:
        return Path(image.filepath).read_bytes()
    except OSError:
        return None


def _main_colour(picture: Picture.Image) -> str:
    """Return the name of the colour that most of the picture has; transparent parts count as white."""
    small = picture.convert("RGBA").resize((48, 48))
    ground = Picture.new("RGBA", small.size, "white")
    ground.alpha_composite(small)
    counts = ground.convert("RGB").quantize(colors=8).convert("RGB").getcolors() or [(1, (0, 0, 0))]
    _, colour = max(counts, key=lambda pair: pair[0])
    red, green, blue = colour if isinstance(colour, tuple) else (0, 0, 0)
    return min(
        _COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], (red, green, blue), strict=True))
    )
