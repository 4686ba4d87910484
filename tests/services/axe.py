"""axe-core's accessibility rules, run in a page."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page

from tests.services.npm import get_npm_file

HELD_AGAINST_US = ("serious", "critical")
DRAWN_MS = 150
"""How long a page takes to draw itself in other colours, without fading."""


def list_violations_light_and_dark(page: Page) -> list[str]:
    """Return what is seriously wrong on the page in either colour scheme; Streamlit follows the browser's at once."""
    no_fading(page)
    found = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(DRAWN_MS)
        page.wait_for_function("!document.querySelector('[data-stale=true]')")  # what is drawn anew is pale meanwhile
        background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        lightness = sum(map(int, re.findall(r"\d+", background)[:3]))
        assert lightness > 600 if scheme == "light" else lightness < 150, f"{scheme}: {background}"
        found += [f"{scheme}: {violation}" for violation in list_violations(page)]
    return found


def no_fading(page: Page) -> None:
    """Let colours, rings and cards change at once."""
    page.add_style_tag(content="* { transition: none !important; animation-duration: 1ms !important }")


def list_violations(page: Page) -> list[str]:
    """Return what is seriously wrong on the page: one line for each element, with its rule."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(get_npm_file("axe-core/axe.min.js").read_text())
    report: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations', 'passes']})")
    assert len(report["passes"]) > 10, "axe found next to nothing to look at"
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:200]}: {node['failureSummary'][:300]}"
        for violation in report["violations"]
        if violation["impact"] in HELD_AGAINST_US
        for node in violation["nodes"]
    ]
