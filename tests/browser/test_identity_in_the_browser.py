"""Who is asking, as a browser meets it: a real login service, a login proxy, local mode."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lib.roundtable import open_roundtable
from lib.settings import Settings
from tests.conftest import build_settings
from tests.services.app_server import ROOT, AppServer
from tests.services.login_proxy import LoginProxy
from tests.services.oidc_provider import OidcProvider

pytestmark = pytest.mark.browser

USERS = [
    {"sub": "ann-7f3a", "email": "ann@example.org", "email_verified": True, "name": "Ann"},
    {"sub": "bob-19c0", "email": "bob@example.org", "email_verified": True, "name": "Bob"},
]
HEADER = "X-Forwarded-User"


def add_session(settings: Settings, user_id: str, question: str) -> str:
    """Store one answered question of a user and return its session."""
    opened = open_roundtable(settings)
    run = opened.engine.start(question, user_id=user_id, team="market-desk")
    run.wait(30)
    opened.close()
    return run.session_id


def foot(page: Page):
    return page.locator(".st-key-sidebar_foot")


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[OidcProvider]:
    service = OidcProvider(USERS, log=tmp_path / "provider.log")
    try:
        yield service.start()
    finally:
        service.stop()


@pytest.fixture
def login_app(provider: OidcProvider, settings: Settings, tmp_path: Path, monkeypatch) -> Iterator[AppServer]:
    """The app in a folder of its own, whose secrets.toml has an [auth] section."""
    site = tmp_path / "site"
    (site / ".streamlit").mkdir(parents=True)
    for name in ("lib", "pages", "app.py"):
        (site / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / ".streamlit" / "config.toml", site / ".streamlit" / "config.toml")
    monkeypatch.setattr("tests.services.app_server.ROOT", site)
    app = AppServer(settings, log=tmp_path / "login-app.log")
    (site / ".streamlit" / "secrets.toml").write_text(
        f"""
[auth]
redirect_uri = "{app.url}/oauth2callback"
cookie_secret = "a secret of at least thirty-two characters"
client_id = "roundtable"
client_secret = "known to the two of them"
server_metadata_url = "{provider.metadata_url}"
"""
    )
    try:
        yield app.start()
    finally:
        app.stop()


def sign_in(page: Page, subject: str) -> None:
    page.locator(".st-key-sign_in_button button").click()
    page.locator("input[name=sub]").fill(subject)
    page.get_by_role("button", name="Authorize").click()


def test_a_login_shows_ones_own_sessions_only_survives_a_reload_and_ends_with_sign_out(
    browser_page, login_app, settings
):
    page = browser_page
    anns = add_session(settings, "ann-7f3a", "Remember: the secret word is bird")
    bobs = add_session(settings, "bob-19c0", "bob's own secret")
    page.goto(f"{login_app.url}/?session={anns}")
    expect(page.locator(".st-key-sign_in_button button")).to_be_visible()
    expect(page.get_by_text("secret word")).to_have_count(0)
    expect(foot(page)).to_have_count(0)
    sign_in(page, "ann-7f3a")
    expect(foot(page)).to_contain_text("ann@example.org")
    expect(page.locator(f".st-key-session_{anns}")).to_be_visible()
    expect(page.locator(f".st-key-session_{bobs}")).to_have_count(0)
    page.goto(f"{login_app.url}/?session={bobs}")
    expect(page.get_by_test_id("stAlert")).to_contain_text("There is no session")
    page.goto(f"{login_app.url}/?session={anns}&as=bob-19c0")  # local mode's way of being somebody else
    expect(foot(page)).to_contain_text("ann@example.org")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("secret word")
    page.locator(".st-key-sign_out button").click()
    page.get_by_role("button", name="End session").click()  # the login service ends its session too
    expect(page.locator(".st-key-sign_in_button button")).to_be_visible()
    expect(page.get_by_text("secret word")).to_have_count(0)
    sign_in(page, "bob-19c0")
    expect(foot(page)).to_contain_text("bob@example.org")
    expect(page.locator(f".st-key-session_{bobs}")).to_be_visible()
    assert "Traceback" not in login_app.log_text()


def test_a_link_to_a_session_leads_there_after_the_login_even_if_the_first_attempt_was_given_up(
    browser_page, login_app, settings
):
    page = browser_page
    anns = add_session(settings, "ann-7f3a", "Remember: the secret word is bird")
    page.goto(f"{login_app.url}/?session={anns}&next=https://example.org/&as=bob-19c0")
    page.locator(".st-key-sign_in_button button").click()
    page.get_by_role("button", name="Deny").click()
    page.wait_for_url(f"{login_app.url}/")
    sign_in(page, "ann-7f3a")
    page.wait_for_url(f"{login_app.url}/?*session={anns}*")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("secret word")
    page.locator(".st-key-new_session button").click()  # it leads there once
    expect(page.get_by_test_id("stChatMessage")).to_have_count(0)
    page.goto(login_app.url)
    expect(foot(page)).to_contain_text("ann@example.org")
    assert page.url == f"{login_app.url}/"


def test_a_link_to_another_page_leads_to_that_page_and_shows_nobody_elses_session(browser_page, login_app, settings):
    page = browser_page
    bobs = add_session(settings, "bob-19c0", "bob's own secret")
    page.goto(f"{login_app.url}/replay?session={bobs}")
    sign_in(page, "ann-7f3a")
    page.wait_for_url(f"{login_app.url}/replay?*session={bobs}*")
    expect(page.get_by_test_id("stAlert")).to_contain_text("There is no session")
    expect(page.get_by_text("bob's own secret")).to_have_count(0)
    assert "Traceback" not in login_app.log_text()


@pytest.fixture
def proxied(settings, start_app) -> Iterator[LoginProxy]:
    app: AppServer = start_app(settings.model_copy(update={"trusted_user_header": HEADER}))
    proxy = LoginProxy(app.port)
    try:
        yield proxy.start()
    finally:
        proxy.stop()


def test_a_deep_link_as_the_first_request_shows_the_proxys_user_their_session_and_nobody_elses(
    browser_page, proxied, settings
):
    anns = add_session(settings, "Zoë", "Remember: the secret word is bird")
    bobs = add_session(settings, "bob", "bob's own secret")
    proxied.headers = [(HEADER, "Zoë")]
    browser_page.goto(f"{proxied.url}/?session={anns}&as=bob")
    expect(foot(browser_page)).to_contain_text("Zoë")
    expect(browser_page.get_by_test_id("stChatMessage").first).to_contain_text("secret word")
    expect(browser_page.locator(".st-key-act_as")).to_have_count(0)
    browser_page.goto(f"{proxied.url}/?session={bobs}")
    expect(browser_page.get_by_test_id("stAlert")).to_contain_text("There is no session")
    expect(browser_page.get_by_text("bob's own secret")).to_have_count(0)


@pytest.mark.parametrize(
    "headers", [[], [(HEADER, "")], [(HEADER, "ann"), (HEADER, "bob")]], ids=["no", "empty", "double"]
)
def test_a_connection_without_exactly_one_user_is_not_signed_in_and_shows_no_data(
    browser_page, proxied, settings, headers
):
    session_id = add_session(settings, "ann", "Remember: the secret word is bird")
    proxied.headers = headers
    browser_page.goto(f"{proxied.url}/?session={session_id}")
    expect(browser_page.get_by_test_id("stAlert")).to_contain_text("Not signed in")
    expect(browser_page.get_by_text("secret word")).to_have_count(0)
    expect(foot(browser_page)).to_have_count(0)
    expect(browser_page.get_by_test_id("stChatInput")).to_have_count(0)


def test_local_mode_on_every_address_shows_a_notice_instead_of_data(browser_page, start_app, settings):
    session_id = add_session(settings, "analyst", "Remember: the secret word is bird")
    app: AppServer = start_app(settings, environment={"STREAMLIT_SERVER_ADDRESS": "0.0.0.0"})
    browser_page.goto(f"{app.url}/?session={session_id}")
    expect(browser_page.get_by_test_id("stAlert")).to_contain_text("ALLOW_LOCAL_IDENTITY=true")
    expect(browser_page.get_by_text("secret word")).to_have_count(0)
    expect(foot(browser_page)).to_have_count(0)


def test_acting_as_somebody_else_shows_nothing_of_the_first_not_even_what_was_being_written(
    browser_page, start_app, tmp_path
):
    page = browser_page
    settings = build_settings(tmp_path)
    anns = add_session(settings, "analyst", "Remember: the secret word is bird")
    app: AppServer = start_app(settings)
    page.goto(f"{app.url}/?session={anns}")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("secret word")
    page.get_by_test_id("stChatInputTextArea").fill("a draft of the analyst's")
    page.locator(".st-key-act_as button").click()
    page.locator(".st-key-act_as_user input").fill("bob")
    page.locator(".st-key-act_as_user input").press("Enter")
    expect(foot(page)).to_contain_text("acting as bob")
    expect(page.get_by_text("secret word")).to_have_count(0)
    expect(page.locator(f".st-key-session_{anns}")).to_have_count(0)
    expect(page.get_by_test_id("stChatInputTextArea")).to_have_value("")
    assert "session=" not in page.url
    page.reload()
    expect(foot(page)).to_contain_text("acting as bob")
