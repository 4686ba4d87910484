"""What the sidebar of a page that is reloaded costs in the browser, over the large database that `benchmarks.sessions` left.

Two times, both of the browser's own clock: the whole reload, Streamlit's scripts included, and the app's part of it, from
the browser's connection to the rows on the page.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from urllib.parse import urlencode

from playwright.sync_api import Browser

from benchmarks.databases import Server
from benchmarks.sessions import LISTING, SEARCHING
from benchmarks.turns import settings_of
from tests.services.app_server import AppServer
from tests.services.browser import open_chromium

ROW = "[class*='st-key-session_menu_']"
# Notes when the browser's connection stands and when the first row of the sidebar is drawn.
CLOCK = f"""
    const Plain = window.WebSocket;
    window.WebSocket = class extends Plain {{
        constructor(...given) {{
            super(...given);
            this.addEventListener("open", () => {{ window.connected_ms ??= performance.now(); }});
        }}
    }};
    new MutationObserver(() => {{
        if (!window.drawn_ms && document.querySelector("{ROW}")) window.drawn_ms = performance.now();
    }}).observe(document, {{childList: true, subtree: true}});
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SidebarCost:
    """Median milliseconds of a reload, for a user with many or with some sessions."""

    server: str
    user_id: str
    reload_ms: float  # from the reload to the first row
    app_ms: float  # of it: from the browser's connection to the first row


def measure_sidebar(server: Server, *, repeats: int) -> list[SidebarCost]:
    """Reload the chat page of two users and return what each waits for."""
    app = AppServer(settings_of(server), log=server.folder / "sidebar.log").start()
    try:
        with open_chromium() as browser:
            return [
                _measure_reloads(browser, app.url, server.name, user_id, repeats) for user_id in (LISTING, SEARCHING)
            ]
    finally:
        app.stop()


def _measure_reloads(browser: Browser, url: str, server: str, user_id: str, repeats: int) -> SidebarCost:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(120_000)
    page.add_init_script(CLOCK)
    page.goto(f"{url}/?{urlencode({'as': user_id})}")  # the first visitor of a process waits for its imports
    page.locator(ROW).first.wait_for()
    reloads, parts = [], []
    for _ in range(repeats):
        page.wait_for_timeout(500)
        page.reload()
        page.locator(ROW).first.wait_for()
        drawn, connected = page.evaluate("[window.drawn_ms, window.connected_ms]")
        reloads.append(drawn)
        parts.append(drawn - connected)
    page.close()
    return SidebarCost(
        server=server, user_id=user_id, reload_ms=statistics.median(reloads), app_ms=statistics.median(parts)
    )
