"""The theme is readable: every text colour keeps WCAG AA (4.5 to 1) on every surface it stands on, light and dark."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
TEXTS = ("textColor", "linkColor", "primaryColor", "grayTextColor", "redTextColor", "orangeTextColor", "greenTextColor")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", TEXTS)
def test_text_can_be_read_on_every_surface(mode, name):
    theme = THEME[mode]
    surfaces = [theme["backgroundColor"], theme["secondaryBackgroundColor"], theme["codeBackgroundColor"]]
    surfaces += [theme["sidebar"]["backgroundColor"]]
    ratios = {surface: round(_contrast(theme[name], surface), 2) for surface in surfaces}
    assert min(ratios.values()) >= 4.5, ratios


def test_no_font_is_fetched_from_elsewhere():
    assert THEME["font"] == "sans-serif"
    assert "fontFaces" not in THEME


def _contrast(first: str, second: str) -> float:
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[position : position + 2], 16) / 255 for position in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
