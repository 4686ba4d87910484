"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",  # root in a container has no other choice
    "--disable-dev-shm-usage",  # a container's /dev/shm is small
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PATIENCE_MS = 20_000
"""How long a page may take to show what a test expects: the first page of a process imports Agno, on a busy machine."""


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Give a headless Chromium. While it is open, asyncio.run() does not work in this thread (Playwright's own loop)."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("chromium is missing: install Debian's package chromium (make test does)")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def wait_until_drawn(page: Page) -> None:
    """Wait until no script run of the page goes on: what is clicked while it is being drawn may be lost."""
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
