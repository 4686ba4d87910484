"""A deep link as the very first request of a fresh server passes by neither the user check nor the frame."""

from __future__ import annotations

from pathlib import Path

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
    browser_page: Page, settings, tmp_path: Path, monkeypatch
):
    site = tmp_path / "site"
    (site / "pages").mkdir(parents=True)
    (site / "lib").symlink_to(ROOT / "lib")
    (site / ".streamlit").symlink_to(ROOT / ".streamlit")
    (site / "pages" / "chat.py").write_text((ROOT / "pages" / "chat.py").read_text())
    (site / "pages" / "probe.py").write_text(
        "import streamlit as st\nfrom lib.ui.frame import open_page\n"
        "page = open_page('Probe')\nst.write('for ' + page.user_id)\n"
    )
    other = '    st.Page("pages/probe.py", title="Probe"),\n]'
    (site / "app.py").write_text((ROOT / "app.py").read_text().replace("\n]", f"\n{other}", 1))
    monkeypatch.setattr("tests.services.app_server.ROOT", site)
    app = AppServer(settings, log=tmp_path / "probe.log").start()
    try:
        browser_page.goto(f"{app.url}/probe")
        expect(browser_page.get_by_text("for analyst")).to_be_visible()
        expect(browser_page.get_by_test_id("stSidebarNavLink")).to_have_count(
            len(list((ROOT / "pages").glob("*.py"))) + 1
        )
        browser_page.locator(".st-key-new_session button").click()
        expect(browser_page.get_by_test_id("stChatInputTextArea")).to_be_enabled()
    finally:
        app.stop()
