"""The sidebar of a tab in which nothing happens: it draws nothing, and shows what others change within seconds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from lib.storage import Database, open_database
from tests.conftest import build_settings
from tests.services.app_server import AppServer
from tests.services.browser import wait_until_drawn
from tests.storage.workers import store_runs

pytestmark = pytest.mark.browser

TITLES = ".st-key-session_list [class*='st-key-session_row_'] > div:first-child"
LOOK = """
    window.drawn = 0;
    window.looks = new MutationObserver(() => window.drawn++);
    window.looks.observe(document.querySelector("[data-testid='stSidebar']"),
                         {subtree: true, childList: true, characterData: true});
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    folder = tmp_path_factory.mktemp("idle")
    server = AppServer(build_settings(folder), log=folder / "app.log")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def database(app: AppServer) -> Iterator[Database]:
    opened = open_database(app.settings)
    yield opened
    opened.close()


def visit(page: Page, app: AppServer, user_id: str, session_id: str, path: str = "/") -> None:
    page.goto(f"{app.url}{path}?session={session_id}&as={user_id}")
    expect(page.locator(".st-key-sidebar_foot")).to_contain_text(user_id, timeout=60_000)
    wait_until_drawn(page)


def test_an_idle_tab_draws_nothing_and_shows_what_another_process_changes(browser_page, app, database):
    session_id, user_id = str(uuid.uuid4()), "idler"
    store_runs(database, session_id, 2, user_id=user_id)
    database.sessions.rename_session(session_id, "Before", user_id=user_id)
    visit(browser_page, app, user_id, session_id)
    expect(browser_page.locator(TITLES).first).to_contain_text("Before")
    composer = browser_page.get_by_test_id("stChatInputTextArea")
    composer.fill("half a question")
    browser_page.wait_for_timeout(4500)  # what was just read is noted, and that is seen once
    browser_page.evaluate(LOOK)
    browser_page.wait_for_timeout(7000)
    assert browser_page.evaluate("window.drawn") == 0

    database.sessions.rename_session(session_id, "After", user_id=user_id)
    expect(browser_page.locator(TITLES).first).to_contain_text("After", timeout=6000)
    database.sessions.rename_session(session_id, "Within the second", user_id=user_id)
    expect(browser_page.locator(TITLES).first).to_contain_text("Within the second", timeout=6000)
    store_runs(database, str(uuid.uuid4()), 1, user_id=user_id)
    expect(browser_page.locator(".st-key-session_list [class*='st-key-session_menu_']")).to_have_count(2, timeout=6000)
    expect(composer).to_have_value("half a question")
    assert "Traceback" not in app.log_text()


@pytest.mark.parametrize("path", ["/", "/sessions"])
def test_the_list_waits_while_a_title_is_written_and_catches_up_then(browser_page, app, database, path):
    session_id, user_id = str(uuid.uuid4()), f"typist{path[1:]}"
    store_runs(database, session_id, 1, user_id=user_id)
    visit(browser_page, app, user_id, session_id, path)
    menu = browser_page.locator(f".st-key-session_menu_{session_id} button")
    menu.click()
    browser_page.get_by_text("Rename", exact=True).click()
    field = browser_page.locator(f".st-key-session_title_{session_id} input")
    field.fill("My own words")
    store_runs(database, str(uuid.uuid4()), 1, user_id=user_id)  # its row comes first: all others move
    browser_page.wait_for_timeout(5000)
    expect(browser_page.locator(TITLES)).to_have_count(1)
    expect(field).to_have_value("My own words")
    field.press("Enter")
    expect(browser_page.locator(f".st-key-session_row_open_{session_id}")).to_contain_text("My own words")
    expect(browser_page.locator(TITLES)).to_have_count(2, timeout=6000)
