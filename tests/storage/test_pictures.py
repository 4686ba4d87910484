"""What is taken as an attached image, and what is not: by what a file holds, never by its name."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib.errors import InvalidInput
from lib.storage.pictures import MAX_NAME_LENGTH, to_attachment, to_preview


def picture(kind: str = "PNG", *, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options) -> bytes:
    made = BytesIO()
    Image.new(mode, size, "red" if mode == "RGB" else None).save(made, kind, **options)
    return made.getvalue()


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says it is very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("kind", "mime_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")]
)
def test_the_type_is_what_a_file_holds_not_what_it_is_called(kind, mime_type):
    taken = to_attachment(picture(kind), "holiday.png")
    assert (taken.mime_type, taken.name, taken.content) == (mime_type, "holiday.png", picture(kind))


def test_a_photograph_with_a_second_view_in_it_is_a_still_jpeg():
    second = Image.new("RGB", (40, 30), "blue")
    taken = to_attachment(picture("MPO", save_all=True, append_images=[second]), "phone.jpg")
    assert taken.mime_type == "image/jpeg"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is not a PNG"),
        (b"just words", "is not a PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not a PNG"),
        (picture("TIFF"), "is not a PNG"),
        (picture("PDF"), "is not a PNG"),
        (picture("PNG", size=(400, 300))[:-700], "damaged or was cut off"),
        (picture("JPEG", size=(400, 300))[:-700], "damaged or was cut off"),
        (bomb(30_000, 30_000), "has more than 50 million pixels"),
        (bomb(9_000, 9_000), "9,000 x 9,000 pixels"),
        (picture("GIF", save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")]), "is animated"),
        (picture("WEBP", save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")]), "is animated"),
        (picture("PNG", save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")]), "is animated"),
        (b"\0" * 10_600_000, "larger than 10 MB"),
    ],
)
def test_what_is_no_still_picture_of_a_bearable_size_is_refused_in_words(content, why):
    with pytest.raises(InvalidInput, match=why) as refused:
        to_attachment(content, "x.png")
    assert str(refused.value).startswith("x.png ")


@given(st.binary(max_size=400) | st.integers(0, 80).map(lambda at: picture()[:at] + b"\xff" + picture()[at + 1 :]))
def test_any_bytes_are_taken_or_refused_and_nothing_else(content):
    with suppress(InvalidInput):
        assert to_attachment(content, "x").content == content


@given(st.text(max_size=400))
def test_a_file_name_is_one_short_line_without_a_folder(name):
    taken = to_attachment(picture(), name).name
    assert taken
    assert len(taken) <= MAX_NAME_LENGTH
    assert taken.isprintable()
    assert not set("/\\") & set(taken)


def test_a_preview_is_small_upright_and_keeps_what_is_see_through():
    turned = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (2000, 1000), "red").save(turned, "JPEG", exif=exif)
    with Image.open(BytesIO(to_preview(turned.getvalue(), 640))) as small:
        assert (small.format, small.size) == ("JPEG", (320, 640))
    with Image.open(BytesIO(to_preview(picture("PNG", mode="RGBA"), 640))) as small:
        assert (small.format, small.mode, small.size) == ("PNG", "RGBA", (40, 30))
    with pytest.raises(InvalidInput):
        to_preview(b"no picture", 640)
