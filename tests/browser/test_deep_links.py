"""A deep link as the very first request of a fresh server passes by neither the user check nor the frame."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from lib.roundtable import open_roundtable
from tests.services.app_server import ROOT, AppServer

pytestmark = pytest.mark.browser


def test_another_users_session_is_not_shown_to_the_first_visitor(browser_page: Page, start_app, settings):
    opened = open_roundtable(settings)
    run = opened.engine.start("bob's own secret", user_id="bob", team="market-desk")
    run.wait(30)
    opened.close()
    app: AppServer = start_app(settings)
    browser_page.goto(f"{app.url}/?session={run.session_id}")
    expect(browser_page.get_by_test_id("stAlert")).to_contain_text("There is no session")
    expect(browser_page.get_by_text("bob's own secret")).to_have_count(0)
    expect(browser_page.locator(".st-key-sidebar_foot")).to_contain_text("analyst")


def test_a_page_beside_the_chat_is_drawn_by_app_py_even_when_it_is_asked_for_first(
    browser_page: Page, start_app, settings
):
    app: AppServer = start_app(settings)
    browser_page.goto(f"{app.url}/recall")
    expect(browser_page.get_by_test_id("stSidebarNavLink")).to_have_count(len(list((ROOT / "pages").glob("*.py"))))
    expect(browser_page.locator(".st-key-sidebar_foot")).to_contain_text("analyst")
    browser_page.locator(".st-key-new_session button").click()
    expect(browser_page.get_by_test_id("stChatInputTextArea")).to_be_enabled()
