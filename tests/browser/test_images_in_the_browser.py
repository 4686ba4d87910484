"""Images as a person attaches them: the real app, a real Chromium, and the offline model that looks at them."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.test_chat_in_the_browser import answered, ask, open_chat
from tests.services.app_server import AppServer

pytestmark = pytest.mark.browser

CHOOSER = "[data-testid=stChatInput] input[type=file]"


def picture(colour: str = "blue", *, name: str = "harbour.png") -> FilePayload:
    made = io.BytesIO()
    Image.new("RGB", (320, 200), colour).save(made, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": made.getvalue()}


def attach(page: Page, *files: FilePayload) -> None:
    """Attach files as a person does: one after the other, each seen to have arrived."""
    for file in files:
        with page.expect_response("**/_stcore/upload_file/**"):
            page.locator(CHOOSER).set_input_files([file])
        expect(page.get_by_test_id("stChatInput").get_by_text(file["name"]).first).to_be_visible()
    page.wait_for_timeout(300)  # Streamlit sends nothing before it has noted that a file arrived


def thumbnails(page: Page) -> Locator:
    return page.locator("[class*='st-key-images_'] img")


def drawn(page: Page, count: int = 1) -> None:
    """Wait until this many thumbnails show their picture."""
    expect(thumbnails(page)).to_have_count(count)
    page.wait_for_function(
        "[...document.querySelectorAll(\"[class*='st-key-images_'] img\")].every(img => img.naturalWidth > 0)"
    )


def test_what_is_in_the_picture_is_answered_and_the_picture_is_there_after_a_reload(browser_page, app_server):
    page = browser_page
    open_chat(page, app_server)
    attach(page, picture())
    ask(page, "What is in the picture?")
    answered(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("a PNG of 320 x 200 pixels, mainly blue")
    drawn(page)
    page.reload()
    answered(page)
    drawn(page)
    expect(thumbnails(page)).to_have_attribute("alt", "harbour.png")
    expect(page.locator("[class*='st-key-images_']")).to_contain_text("harbour.png · ")


def test_somebody_else_is_shown_no_picture(browser_page, chromium, app_server):
    open_chat(browser_page, app_server)
    attach(browser_page, picture())
    ask(browser_page, "What is in the picture?")
    answered(browser_page)
    context = chromium.new_context()
    other = context.new_page()
    other.goto(f"{browser_page.url}&as=eve")
    expect(other.get_by_text("There is no session")).to_be_visible(timeout=30_000)
    expect(other.locator("[data-testid=stMain] img")).to_have_count(0)
    context.close()


def test_a_file_that_is_no_picture_is_said_over_the_composer_and_nothing_is_lost(browser_page, app_server):
    page = browser_page
    open_chat(page, app_server)
    attach(page, picture("red", name="good.png"), {"name": "bad.png", "mimeType": "image/png", "buffer": b"words"})
    composer = page.get_by_test_id("stChatInputTextArea")
    composer.fill("What is in the picture?")
    composer.press("Enter")
    expect(page.get_by_text("bad.png is not a PNG, JPEG, WebP or GIF picture.")).to_be_in_viewport()
    expect(composer).to_have_value("What is in the picture?")
    expect(page.locator(".st-key-waiting_images").get_by_role("button")).to_have_count(1)
    composer.press("Enter")
    answered(page)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("mainly red")
    expect(page.locator(".st-key-waiting_images")).to_have_count(0)
    expect(page.get_by_text("bad.png")).to_have_count(0)


def test_after_a_crash_the_picture_is_still_there_and_can_be_asked_about_again(
    browser_page: Page, start_app: Callable[..., AppServer], settings
):
    page, app = browser_page, start_app(settings)
    open_chat(page, app)
    attach(page, picture("green"))
    ask(page, "[slow 10s] What is in the picture?")
    expect(page.locator(".st-key-stop_run button")).to_be_visible()
    drawn(page)
    page.wait_for_url("**/?session=*")
    app.kill()
    app.start()
    page.goto(page.url)
    expect(page.get_by_text("Interrupted: the app stopped while this was running.")).to_be_visible()
    drawn(page)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".st-key-stop_run button")).to_be_visible()
    drawn(page, 2)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("mainly green", timeout=90_000)
