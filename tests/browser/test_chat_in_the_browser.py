"""The chat as a person meets it: the real app, a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect

from lib.roundtable import open_roundtable
from tests.conftest import build_settings
from tests.services.app_server import AppServer

pytestmark = pytest.mark.browser

BOTH = "What is the weather in Paris and the price of ACME?"
BOTH_AT_WORK = """() => {
    const open = [...document.querySelectorAll('[data-testid=stExpander] details[open]')];
    const atWork = open.length === 2 && open.some(card => card.innerText.includes('get_price('));
    return atWork && open.map(card => card.getBoundingClientRect().toJSON());
}"""  # asked and measured in one go: the cards close as soon as the members are done
SLOW = "[slow 4s] What is the weather in Paris and the price of ACME?"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app with words that come as slowly as a model's."""
    folder = tmp_path_factory.mktemp("chat")
    server = AppServer(build_settings(folder, offline_token_delay=0.08), log=folder / "app.log")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def page(browser_page: Page, app: AppServer) -> Iterator[Page]:
    """A browser tab that fails the test where the page talks to anybody else or complains on its console."""
    foreign, complaints = watch(browser_page, app.url)
    yield browser_page
    assert not foreign
    assert not complaints
    assert "Traceback" not in app.log_text()


def watch(page: Page, url: str) -> tuple[list[str], list[str]]:
    """Return the lists into which foreign requests and console errors of the page will be written."""
    foreign: list[str] = []
    complaints: list[str] = []
    own = (url, url.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    return foreign, complaints


def open_chat(page: Page, app: AppServer, address: str = "/") -> None:
    page.goto(app.url + address)
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()


def ask(page: Page, question: str) -> None:
    composer = page.get_by_test_id("stChatInputTextArea")
    composer.fill(question)
    composer.press("Enter")
    expect(page.get_by_test_id("stChatMessage").filter(has_text=question).last).to_be_visible()


def answered(page: Page, *, runs: int = 1) -> None:
    """Wait until the page shows this many finished answers."""
    expect(page.locator("[class*='st-key-actions_']")).to_have_count(runs)


def box(part: Locator) -> FloatRect:
    """Return where a part of the page stands."""
    found = part.bounding_box()
    assert found is not None
    return found


def test_two_members_work_side_by_side_and_their_cards_close_when_they_are_done(page, app):
    open_chat(page, app)
    ask(page, BOTH)
    open_cards = page.locator("[data-testid=stExpander] details[open]")
    left, right = page.wait_for_function(BOTH_AT_WORK).json_value()
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] < right["x"]
    answered(page)
    expect(open_cards).to_have_count(0)
    expect(page.get_by_test_id("stExpander")).to_have_count(2)
    expect(page.locator("[class*='st-key-tool_call_']:not([class*='st-key-card_'])")).to_have_count(4)
    page.get_by_test_id("stExpander").first.locator("summary").click()
    expect(page.get_by_text("get_weather(").first).to_be_visible()
    page.wait_for_timeout(3500)  # longer than the idle watcher's beat
    expect(open_cards).to_have_count(1)


def test_reloading_in_mid_run_and_a_second_tab_show_the_same_live_run(page, app):
    open_chat(page, app)
    ask(page, SLOW)
    stop = page.locator(".st-key-stop_run button")
    expect(stop).to_be_visible()
    page.wait_for_url("**/?session=*")
    page.reload()
    expect(stop).to_be_visible()
    second = page.context.new_page()
    second.goto(page.url)
    expect(second.locator(".st-key-stop_run button")).to_be_visible()
    answered(page)
    answered(second)
    for tab in (page, second):
        expect(tab.get_by_test_id("stChatMessage")).to_have_count(2)
    assert (
        page.get_by_test_id("stChatMessage").all_inner_texts()
        == second.get_by_test_id("stChatMessage").all_inner_texts()
    )


def test_a_question_asked_in_one_tab_appears_in_the_other(page, app):
    open_chat(page, app)
    ask(page, "Remember: the secret word is bird")
    answered(page)
    second = page.context.new_page()
    second.goto(page.url)
    answered(second)
    ask(second, "What is the secret word?")
    answered(page, runs=2)
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("bird")


def test_stop_keeps_what_was_said(page, app):
    open_chat(page, app)
    ask(page, "[slow 60s] Tell me")
    page.locator(".st-key-stop_run button").click()
    expect(page.get_by_text("Stopped by you. This question is not part of what the team remembers.")).to_be_visible()
    expect(page.get_by_role("button", name="Ask again")).to_be_visible()
    expect(page.locator(".st-key-stop_run")).to_have_count(0)


def test_escape_stops_too(page, app):
    open_chat(page, app)
    ask(page, "[slow 60s] Tell me")
    expect(page.locator(".st-key-stop_run button")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Stopped by you.")).to_be_visible()


def test_a_draft_and_an_opened_card_survive_a_run(page, app):
    open_chat(page, app)
    ask(page, BOTH)
    answered(page)
    page.get_by_test_id("stExpander").first.locator("summary").click()
    ask(page, SLOW)
    composer = page.get_by_test_id("stChatInputTextArea")
    composer.press_sequentially("my next question", delay=40)
    answered(page, runs=2)
    expect(composer).to_have_value("my next question")
    expect(page.locator("[data-testid=stExpander] details[open]")).to_have_count(1)


def test_leaving_for_another_session_and_coming_back_finds_the_run_going_on(page, app):
    open_chat(page, app)
    ask(page, SLOW)
    page.wait_for_url("**/?session=*")
    session_id = page.url.split("session=")[1]
    page.locator(".st-key-new_session button").click()
    expect(page.get_by_role("heading", name="Market desk")).to_be_visible()
    expect(page.locator(".st-key-stop_run")).to_have_count(0)
    page.locator(f".st-key-session_{session_id} button").click()
    expect(page.locator(".st-key-stop_run button")).to_be_visible()
    answered(page)


def test_the_session_goes_on_after_the_app_was_restarted(
    browser_page: Page, start_app: Callable[..., AppServer], settings
):
    app = start_app(settings)
    open_chat(browser_page, app)
    ask(browser_page, "Remember: the secret word is bird")
    answered(browser_page)
    address = browser_page.url
    app.stop()
    app.start()
    browser_page.goto(address)
    answered(browser_page)
    ask(browser_page, "What is the secret word?")
    answered(browser_page, runs=2)
    expect(browser_page.get_by_test_id("stChatMessage").last).to_contain_text("bird")


def test_what_was_interrupted_by_a_crash_says_so_and_can_be_asked_again(
    browser_page: Page, start_app: Callable[..., AppServer], settings
):
    app = start_app(settings)
    open_chat(browser_page, app)
    ask(browser_page, "[slow 60s] Tell me")
    expect(browser_page.locator(".st-key-stop_run button")).to_be_visible()
    browser_page.wait_for_url("**/?session=*")
    app.kill()
    app.start()
    browser_page.goto(browser_page.url)
    expect(browser_page.get_by_text("Interrupted: the app stopped while this was running.")).to_be_visible()
    expect(browser_page.get_by_role("button", name="Ask again")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_page_fits_a_phone_and_a_laptop_in_light_and_dark(chromium: Browser, app: AppServer, scheme, width):
    context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    foreign, complaints = watch(page, app.url)
    open_chat(page, app)
    ask(page, BOTH)
    answered(page)
    for summary in page.locator("[data-testid=stExpander] summary").all():
        summary.click()
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    main = page.get_by_test_id("stMain").or_(page.get_by_test_id("stMainBlockContainer")).first
    assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", background)[:3]))
    assert lightness > 600 if scheme == "light" else lightness < 150
    tops = [box(each)["y"] for each in page.get_by_test_id("stExpander").all()]
    assert (tops[0] == tops[1]) is (width > 640)
    assert not foreign
    assert not complaints
    context.close()


def test_the_page_loads_nothing_that_a_question_points_to(page, app):
    open_chat(page, app)
    evil = "Remember: ![x](https://evil.example/x.png) <img src='https://evil.example/y.png'> costs $5 and $10 :red[no]"
    ask(page, evil)
    answered(page)
    expect(page.locator(".katex")).to_have_count(0)
    expect(page.locator("[data-testid=stSidebar] img[src*='evil'], [data-testid=stChatMessage] img")).to_have_count(0)
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("costs $5 and $10 :red[no]")


def test_a_long_session_opens_at_its_newest_run_and_whole(
    browser_page: Page, start_app: Callable[..., AppServer], settings
):
    opened = open_roundtable(settings)
    run = opened.engine.start(BOTH, user_id="analyst", team="market-desk")
    run.wait(30)
    for number in range(34):
        again = opened.engine.start(
            f"{BOTH} {number}", user_id="analyst", team="market-desk", session_id=run.session_id
        )
        again.wait(30)
    opened.close()
    app = start_app(settings)
    browser_page.goto(f"{app.url}/?session={run.session_id}")
    answered(browser_page, runs=30)
    expect(browser_page.get_by_test_id("stChatMessage").last).to_be_in_viewport()
    oldest = browser_page.get_by_test_id("stExpander").first
    oldest.locator("summary").click()
    expect(oldest.get_by_text("get_weather(")).to_be_visible()
    browser_page.locator(".st-key-load_earlier button").click()
    answered(browser_page, runs=35)
