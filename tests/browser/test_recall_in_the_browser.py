"""The recall lab and "Will it remember?" as a presenter meets them: the real app, a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.conftest import build_settings
from tests.services.app_server import AppServer
from tests.services.axe import list_violations_light_and_dark
from tests.services.browser import wait_until_drawn

pytestmark = pytest.mark.browser
SLOWEST_MS = 30_000
TABS = ("Demonstration", "Cases", "Rescues", "Sweep", "Side by side")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    folder = tmp_path_factory.mktemp("recall")
    server = AppServer(build_settings(folder), log=folder / "app.log")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def page(browser_page: Page, app: AppServer) -> Iterator[Page]:
    """A browser tab that fails the test where the page talks to anybody else or the app met a defect."""
    foreign: list[str] = []
    own = (app.url, app.url.replace("http", "ws"), "data:", "blob:")
    browser_page.on("request", lambda each: None if each.url.startswith(own) else foreign.append(each.url))
    browser_page.set_default_timeout(SLOWEST_MS)
    yield browser_page
    assert not foreign
    assert "Traceback" not in app.log_text()


def open_lab(page: Page, app: AppServer, tab: str = "Demonstration") -> None:
    page.goto(f"{app.url}/recall")
    expect(page.get_by_role("tab", name="Cases")).to_be_visible(timeout=SLOWEST_MS)
    wait_until_drawn(page)
    if tab != TABS[0]:
        page.get_by_role("tab", name=tab).click()


def press(page: Page, key: str) -> None:
    """Press a step and wait until the next one may be pressed."""
    page.locator(f".st-key-{key} button").click()
    expect(page.locator(".st-key-demo_ask button")).to_be_enabled(timeout=SLOWEST_MS)


def test_the_guided_demonstration_shows_the_moment_a_fact_falls_out_of_the_window(page, app):
    open_lab(page, app)
    cards, inside = page.locator(".film-card"), page.locator(".film-window .film-card")
    press(page, "demo_plant")
    expect(inside).to_have_count(1)
    expect(inside.locator(".film-fact")).to_have_text("bird")
    press(page, "demo_ask")
    expect(page.get_by_text("Remembered:")).to_be_visible(timeout=SLOWEST_MS)
    page.get_by_role("radio", name="3", exact=True).click()
    press(page, "demo_pass")
    expect(cards).to_have_count(4, timeout=SLOWEST_MS)
    expect(inside).to_have_count(3)
    expect(page.locator(".film-out .film-fact")).to_have_text("bird · forgotten")
    press(page, "demo_ask")
    expect(page.get_by_text("Forgotten:")).to_be_visible(timeout=SLOWEST_MS)
    page.locator(".st-key-demo_window").get_by_role("combobox").click()
    page.get_by_role("option", name="last 5 runs").click()
    expect(inside).to_have_count(4)
    press(page, "demo_ask")
    expect(page.get_by_text("Remembered: it was given the last 5 runs")).to_be_visible(timeout=SLOWEST_MS)
    expect(cards).to_have_count(4)
    page.reload()
    expect(cards).to_have_count(4, timeout=SLOWEST_MS)


def test_a_small_sweep_goes_on_while_the_page_is_used_and_its_grid_is_there_after(page, app):
    open_lab(page, app, "Sweep")
    page.get_by_label("Distances").fill("0-3")
    page.get_by_label("Distances").press("Enter")
    expect(page.get_by_text("36 cells in")).to_be_visible(timeout=SLOWEST_MS)
    page.locator(".st-key-sweep_start button").click()
    expect(page.locator(".st-key-sweep_stop button")).to_be_visible(timeout=SLOWEST_MS)
    page.get_by_role("tab", name="Cases").click()
    expect(page.get_by_text("Old and new value are both planted.")).to_be_visible(timeout=5_000)
    page.get_by_role("tab", name="Sweep").click()
    expect(page.get_by_text("In all 36 cells the model was given exactly what was predicted.")).to_be_visible(
        timeout=60_000
    )
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(3)
    with page.expect_download() as download:
        page.locator(".st-key-download_csv button").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == 37
    with page.expect_download() as download:
        page.locator(".st-key-download_picture button").click()
    assert download.value.path().read_text(encoding="utf-8").startswith("<svg")
    page.reload()
    expect(page.locator("[data-testid=stVegaLiteChart]")).to_have_count(3, timeout=SLOWEST_MS)


def test_a_message_that_is_pointed_at_says_whether_it_is_in_and_why_not(page, app):
    page.goto(app.url)
    composer = page.get_by_test_id("stChatInputTextArea")
    expect(composer).to_be_enabled(timeout=SLOWEST_MS)
    for number, question in enumerate(("Remember: the secret word is bird", "Hello there.")):
        composer.fill(question)
        composer.press("Enter")
        expect(page.locator("[class*='st-key-actions_']")).to_have_count(number + 1, timeout=SLOWEST_MS)
    first, last = page.locator("[class*='st-key-message_']").first, page.locator("[class*='st-key-message_']").last
    expect(page.get_by_text("The next question carries 2 runs, 4 messages")).to_be_visible()
    page.locator(".st-key-history_window").get_by_role("combobox").click()
    page.get_by_role("option", name="window: last run", exact=True).click()
    expect(page.get_by_text("The next question carries 1 run, 2 messages")).to_be_visible(timeout=SLOWEST_MS)
    mark = page.get_by_text("the next question remembers from here")
    expect(mark).to_be_visible()
    assert _top(page, first) < _top(page, mark) < _top(page, last)
    for message, words in ((first, "Not in. Older than the history window."), (last, "In: the next question is given")):
        message.scroll_into_view_if_needed()
        message.hover()
        assert words in message.evaluate("element => getComputedStyle(element, '::after').content")


def _top(page: Page, part: object) -> float:
    box = part.bounding_box()  # type: ignore[attr-defined]  # a Locator
    assert box is not None
    return float(box["y"])


def test_the_lab_has_no_serious_barriers_and_fits_a_phone(chromium: Browser, app: AppServer):
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(SLOWEST_MS)
    open_lab(page, app)
    press(page, "demo_plant")
    press(page, "demo_ask")
    expect(page.get_by_text("Remembered:")).to_be_visible(timeout=SLOWEST_MS)
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
        # Streamlit's own "running" fades in and out over the page's corner: the page itself is looked at.
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=SLOWEST_MS)
        assert not list_violations_light_and_dark(page), tab
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in TABS:
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(500)
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390, tab
    context.close()
