"""Take README.md's picture anew, with the offline model: `python -m tests.browser.screenshot`."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from playwright.sync_api import expect

from lib.roundtable import Roundtable, open_roundtable
from tests.conftest import build_settings
from tests.services.app_server import ROOT, AppServer
from tests.services.browser import open_chromium
from tests.services.ports import wait_until

PICTURE = ROOT / ".github" / "screenshot.png"
EARLIER = (
    ("market-desk", "Remember: my budget is 40k"),
    ("trip-desk", "What is the weather in Rome?"),
    ("market-desk", "What is the price of GLOBEX?"),
)
QUESTION = "What is the weather in Paris and the price of ACME?"


def take_screenshot(picture: Path = PICTURE) -> None:
    """Ask a question for two members in the real app, open both cards, and write what the browser shows."""
    with tempfile.TemporaryDirectory(prefix="roundtable-") as folder:
        settings = build_settings(Path(folder))
        roundtable = open_roundtable(settings)
        for team, question in (*EARLIER, ("market-desk", QUESTION)):
            run = roundtable.engine.start(question, user_id=settings.local_user, team=team).wait(60)
            wait_until(partial(is_named, roundtable, run.session_id), timeout_s=20, what="the session's name")
        roundtable.close()
        server = AppServer(settings, log=Path(folder) / "app.log").start()
        try:
            with open_chromium() as browser:
                page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
                page.goto(f"{server.url}/?session={run.session_id}")
                cards = page.get_by_test_id("stExpander").locator("summary")
                expect(cards).to_have_count(2)
                for card in cards.all():
                    card.click()
                page.mouse.move(1270, 790)
                page.wait_for_timeout(1500)  # until the cards have opened and all fonts are there
                page.get_by_role("main").evaluate("main => main.scrollTo(0, 0)")
                page.wait_for_timeout(300)
                page.screenshot(path=picture)
        finally:
            server.stop()


def is_named(roundtable: Roundtable, session_id: str) -> bool:
    """Whether the model has given the session its name, which comes after the answer."""
    session = roundtable.store.get_session(session_id, user_id=roundtable.settings.local_user)
    return session.title_by == "model"


if __name__ == "__main__":
    take_screenshot()
