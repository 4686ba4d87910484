"""axe-core's accessibility rules, run in a page."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.services.npm import get_npm_file

HELD_AGAINST_US = ("serious", "critical")


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
