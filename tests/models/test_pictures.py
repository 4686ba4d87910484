"""Attached images: format, size and main colour; nothing is fetched."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from agno.media import Image
from PIL import Image as Picture

from lib.models import DONT_KNOW
from tests.models.messages import DELEGATE, ROSTER, assistant, called, system, user, words_of


def picture(colour: tuple[int, ...], size: tuple[int, int] = (30, 20), form: str = "PNG", mode: str = "RGB") -> bytes:
    out = BytesIO()
    Picture.new(mode, size, colour).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (picture((220, 20, 20)), "a PNG of 30 x 20 pixels, mainly red"),
        (picture((40, 80, 220), (64, 48), "JPEG"), "a JPEG of 64 x 48 pixels, mainly blue"),
        (picture((0, 0, 0, 0), mode="RGBA"), "a PNG of 30 x 20 pixels, mainly white"),
        (picture((40, 160, 60), form="GIF"), "a GIF of 30 x 20 pixels, mainly green"),
        (picture((250, 230, 40), form="WEBP"), "a WEBP of 30 x 20 pixels, mainly yellow"),
        (picture((220, 20, 20))[:40], "not readable as an image"),
        (b"no image", "not readable as an image"),
    ],
)
def test_an_image_is_described_by_format_size_and_main_colour(data: bytes, said: str) -> None:
    assert words_of(user("What is this?", images=[Image(content=data)])) == f"The attached image is {said}."


def test_an_image_in_a_file_is_read_and_one_at_an_address_is_not(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(picture((220, 20, 20)))
    images = [Image(filepath=path), Image(url="http://127.0.0.1:9/x.png"), Image(filepath=tmp_path / "gone.png")]
    said = words_of(user("", images=images))
    assert said.startswith("Image 1 is a PNG of 30 x 20 pixels, mainly red. Image 2 is one whose bytes I was not given")


def test_an_image_of_an_earlier_message_is_described_when_asked_for() -> None:
    earlier = user("look", images=[Image(content=picture((220, 20, 20)))])
    assert "mainly red" in words_of(earlier, assistant("I see."), "Which colour has the picture?")
    assert words_of("What was in the picture?") == DONT_KNOW


def test_a_leader_describes_the_image_beside_what_its_members_report() -> None:
    asked = user("What is the weather in Paris?", images=[Image(content=picture((220, 20, 20)))])
    result = called("delegate_task_to_member", {"member_id": "wx"}, "sunny")
    answer = words_of(system(ROSTER), asked, *result, tools=[DELEGATE])
    assert answer.startswith("The attached image is a PNG")
    assert answer.endswith("Sky reports: sunny.")
