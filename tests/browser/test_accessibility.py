"""The chat for everybody: axe-core finds nothing serious, the keyboard reaches everything, and it shows where it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, FloatRect, Page, expect

from tests.browser.test_chat_in_the_browser import BOTH, answered, ask, open_chat
from tests.browser.test_images_in_the_browser import attach, drawn, picture
from tests.conftest import build_settings
from tests.services.app_server import AppServer
from tests.services.axe import list_violations_light_and_dark, no_fading

pytestmark = pytest.mark.browser

DRAWN_MS = 100
AROUND = 20  # pixels: the ring of a field may stand off it
FOCUSED = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect();
    const name = one.getAttribute('aria-label') || one.innerText || '';
    return {tag: one.tagName, name, x: box.x, y: box.y, width: box.width, height: box.height,
            key: one.closest('[class*=st-key-]')?.className.match(/st-key-\\S+/)?.[0] || ''};
}"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    folder = tmp_path_factory.mktemp("accessible")
    server = AppServer(build_settings(folder), log=folder / "app.log")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious_on_the_chat(chromium: Browser, app: AppServer, width):
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        page.mouse.move(0, 0)
        found[state] = list_violations_light_and_dark(page)

    page.goto(app.url)
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled(timeout=60_000)  # an app's very first page
    look("empty")
    attach(page, picture(), {"name": "bad.png", "mimeType": "image/png", "buffer": b"words"})
    look("attached")
    composer = page.get_by_test_id("stChatInputTextArea")
    composer.fill(BOTH)
    composer.press("Enter")
    expect(page.get_by_text("bad.png is not")).to_be_visible()
    look("refused")
    composer.press("Enter")
    answered(page)
    drawn(page)
    for summary in page.locator("[data-testid=stExpander] summary").all():
        summary.click()
    look("answered, cards open")
    page.get_by_role("button", name="Copy").last.click()
    expect(page.get_by_role("button", name="Copy to clipboard")).to_be_visible()
    look("copy open")
    page.keyboard.press("Escape")
    ask(page, "[slow 60s] Tell me")
    expect(page.locator(".st-key-stop_run button")).to_be_visible()
    look("at work")
    page.locator(".st-key-stop_run button").click()
    expect(page.get_by_text("Stopped by you.")).to_be_visible()
    look("stopped")
    context.close()
    assert {state: wrong for state, wrong in found.items() if wrong} == {}


def tab_to(page: Page, key: str, *, backwards: bool = False) -> None:
    """Press Tab until the keyboard is in the part of the page with this key, as a person would who sees where it is."""
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if re.match(f"st-key-{key}", page.evaluate(FOCUSED)["key"]):
            return
    raise AssertionError(f"Tab never reaches {key}")


def test_a_question_is_asked_stopped_read_and_left_with_the_keyboard_alone(browser_page: Page, app: AppServer):
    page = browser_page
    open_chat(page, app)
    tab_to(page, "chat_input")
    page.keyboard.type(BOTH)
    page.keyboard.press("Enter")
    answered(page)
    page.wait_for_url("**/?session=*")
    first = page.url.split("session=")[1]
    tab_to(page, "card_tool_call_", backwards=True)
    page.keyboard.press("Enter")
    expect(page.locator("[data-testid=stExpander] details[open]")).to_have_count(1)
    tab_to(page, "copy_")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Copy to clipboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Copy to clipboard")).to_have_count(0)
    tab_to(page, "chat_input")
    page.keyboard.type("[slow 60s] Tell me")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-stop_run button")).to_be_visible()
    tab_to(page, "stop_run")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stopped by you.")).to_have_count(1)  # while it is drawn anew there may be two
    tab_to(page, "new_session")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Market desk")).to_be_visible()
    tab_to(page, f"session_{first}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stopped by you.")).to_be_visible()
    assert page.url.endswith(first)


def test_it_is_seen_where_the_keyboard_is(browser_page: Page, app: AppServer):
    page = browser_page
    open_chat(page, app)
    attach(page, picture())
    ask(page, BOTH)
    answered(page)
    drawn(page)
    page.reload()
    answered(page)
    drawn(page)
    no_fading(page)
    page.wait_for_timeout(500)
    unseen, stops = [], 0
    for _ in range(60):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at["tag"] == "BODY":
            break
        stops += 1
        page.wait_for_timeout(DRAWN_MS)
        around: FloatRect = {
            "x": max(at["x"] - AROUND, 0),
            "y": max(at["y"] - AROUND, 0),
            "width": at["width"] + 2 * AROUND,
            "height": at["height"] + 2 * AROUND,
        }
        with_focus = page.screenshot(clip=around)
        page.evaluate("document.activeElement.blur()")
        page.wait_for_timeout(DRAWN_MS)
        if page.screenshot(clip=around) == with_focus:
            unseen.append(f"{at['tag']} {at['key']} {at['name'][:40]}")
    assert stops > 12
    assert not unseen
