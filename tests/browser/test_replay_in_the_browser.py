"""The replay page as an engineer meets it: the real app, a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import text

from lib.roundtable import Roundtable, open_roundtable
from tests.conftest import build_settings
from tests.services.app_server import AppServer
from tests.services.axe import list_violations_light_and_dark
from tests.services.browser import wait_until_drawn

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)

DATA = Path(__file__).parents[1] / "data" / "stored_sessions"
BOTH = "What is the weather in Paris and the price of ACME?"
QUESTIONS = ("Remember: the secret word is bird", BOTH, "[fail tool] What is the weather in London?", BOTH)
EVIL = (
    "<script>window.hit = 1</script> <img src=x onerror='window.hit = 1'> ![x](https://evil.example/x.png) "
    "\x1b[31mred :red[no] $x$ `end` %%{init: {}}%% --> ] ; end"
)
VIEWS = ("conversation", "steps", "timeline", "delegation", "context", "raw", "findings", "compare")


@dataclass(frozen=True)
class Stored:
    """What the database of this file's app holds."""

    session_id: str
    run_ids: tuple[str, ...]
    polluted: str
    evil: str
    foreign: str
    other_app: str


def put_session_of_another_app(opened: Roundtable) -> str:
    """Store what plain Agno stored with a team that this app does not have; return the session's id."""
    tables = json.loads((DATA / "agno-3.1.10.json").read_text())
    with opened.database.engine.execution_options(roundtable_writes=True).begin() as connection:
        for name, rows in tables.items():
            for row in rows:
                own = {**row, "session_id": "other-app", **({"user_id": "analyst"} if row.get("user_id") else {})}
                columns = ", ".join(own)
                values = ", ".join(f":{column}" for column in own)
                connection.execute(text(f"INSERT INTO {name} ({columns}) VALUES ({values})"), own)
    return "other-app"


def ask(opened: Roundtable, *questions: str, user_id: str = "analyst") -> tuple[str, tuple[str, ...]]:
    session_id, run_ids = None, []
    for question in questions:
        handle = opened.engine.start(question, user_id=user_id, team="market-desk", session_id=session_id, window=1)
        handle.wait(30)
        session_id = handle.session_id
        run_ids.append(handle.run_id)
    assert session_id is not None
    return session_id, tuple(run_ids)


@pytest.fixture(scope="module")
def app_and_stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AppServer, Stored]]:
    """The app over some stored sessions; nobody has opened a page of it yet."""
    folder = tmp_path_factory.mktemp("replay")
    settings = build_settings(folder, offline_token_delay=0.005)
    opened = open_roundtable(settings)
    session_id, run_ids = ask(opened, *QUESTIONS)
    polluted, polluted_runs = ask(opened, "Remember: my budget is 40k", "What is my budget?")
    evil, _ = ask(opened, EVIL)
    foreign, _ = ask(opened, "bob's own secret", user_id="bob")
    with opened.database.engine.begin() as connection:
        statement = text("UPDATE agno_runs SET user_id = 'mallory' WHERE run_id = :run_id")
        connection.execute(statement, {"run_id": polluted_runs[0]})
    other_app = put_session_of_another_app(opened)
    opened.close()
    app = AppServer(settings, log=folder / "app.log")
    try:
        yield app.start(), Stored(session_id, run_ids, polluted, evil, foreign, other_app)
    finally:
        app.stop()


@pytest.fixture
def app(app_and_stored: tuple[AppServer, Stored]) -> AppServer:
    return app_and_stored[0]


@pytest.fixture
def stored(app_and_stored: tuple[AppServer, Stored]) -> Stored:
    return app_and_stored[1]


@pytest.fixture
def page(browser_page: Page, app: AppServer) -> Iterator[Page]:
    """A browser tab that fails the test where the page talks to anybody else or runs what was stored."""
    foreign = watch(browser_page, app)
    yield browser_page
    assert not foreign
    assert browser_page.evaluate("window.hit") is None
    assert "Traceback" not in app.log_text()


def watch(page: Page, app: AppServer) -> list[str]:
    """Return the list into which requests to anybody else will be written."""
    foreign: list[str] = []
    own = (app.url, app.url.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(own) else foreign.append(request.url))
    return foreign


def open_replay(page: Page, app: AppServer, session_id: str, **address: str) -> None:
    more = "".join(f"&{name}={value}" for name, value in address.items())
    page.goto(f"{app.url}/replay?session={session_id}{more}")
    expect(page.get_by_role("tab", name=address.get("view", "conversation"), exact=False).first).to_be_visible()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    wait_until_drawn(page)


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_a_deep_link_as_the_first_request_of_a_fresh_server_opens_its_view_and_step(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[1], view="steps", step="6")
    expect(page.locator("[class*='st-key-step_here_']")).to_contain_text("get_weather")
    expect(page.locator("[class*='st-key-step_here_']")).to_be_in_viewport()
    expect(page.get_by_text("Run 2 of 4")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink").filter(has_text="Chat")).to_have_count(1)


def test_the_chat_leads_to_the_replay_of_its_session_and_back(page, app, stored):
    page.goto(f"{app.url}/?session={stored.session_id}")
    page.locator(".st-key-chat_header").get_by_role("link", name="Replay").click()
    expect(page.get_by_text("Run 4 of 4")).to_be_visible()
    expect(page.locator(f".st-key-run_{stored.run_ids[3]}")).to_be_visible()
    page.wait_for_url(f"**/replay?session={stored.session_id}*")
    page.get_by_role("link", name="Open in chat").click()
    expect(page.get_by_test_id("stChatInputTextArea")).to_be_enabled()


@pytest.mark.parametrize("how", ["with the control key", "with the middle button"])
def test_the_way_to_the_chat_opens_in_a_new_tab_as_well(page, app, stored, how):
    open_replay(page, app, stored.session_id, view="steps")
    link = page.get_by_role("link", name="Open in chat")
    with page.context.expect_page() as opened:
        if how == "with the control key":
            link.click(modifiers=["Control"])
        else:
            link.click(button="middle")
    opened.value.wait_for_url(f"{app.url}/?session={stored.session_id}")
    expect(opened.value.get_by_test_id("stChatInputTextArea")).to_be_enabled()
    assert "/replay" in page.url, "this tab stays where it is"
    opened.value.close()


def test_a_session_that_cannot_be_gone_on_with_is_read_here_and_says_so_in_the_chat(page, app, stored):
    open_replay(page, app, stored.other_app, view="delegation")
    expect(page.get_by_text("Desk · analyst")).to_be_visible()
    page.get_by_role("link", name="Open in chat").click()
    page.wait_for_url(f"{app.url}/?session={stored.other_app}*")
    expect(page.get_by_text("You can read this session, not go on with it")).to_be_visible()
    expect(page.locator(".st-key-chat_header")).to_contain_text("Desk")
    expect(page.locator(".st-key-team_choice, .st-key-history_window")).to_have_count(0)
    page.locator(".st-key-chat_header").get_by_role("link", name="Replay").click()
    page.wait_for_url(f"**/replay?session={stored.other_app}*")
    expect(page.get_by_role("tab", name="Delegation")).to_have_attribute("aria-selected", "true")


def test_a_session_to_compare_with_is_named_by_its_id_if_one_may_read_it(page, app, stored):
    open_replay(page, app, stored.session_id, view="compare")
    page.get_by_text("Two sessions").click()
    choice = page.get_by_role("combobox", name="With session")
    choice.fill(stored.other_app)
    choice.press("Enter")
    expect(page.get_by_text("0 questions asked in both")).to_be_visible()
    choice.fill(stored.foreign)
    choice.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_contain_text("There is no session")


def test_what_hovering_tells_is_reached_by_the_keyboard(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[1], view="timeline")
    page.locator("[class*='st-key-timeline_bars'] summary").press("Enter")
    bar = page.locator("[class*='st-key-timeline_bar_'] button").filter(has_text="get_price").last
    expect(bar).to_contain_text("Finance · tool: get_price")
    bar.press("Enter")
    expect(page.get_by_role("tab", name="Steps")).to_have_attribute("aria-selected", "true")
    expect(page.locator("[class*='st-key-step_here_']")).to_contain_text("get_price")


def test_a_raw_row_is_downloaded_whole(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[1], view="raw")
    with page.expect_download() as download:
        page.locator(".st-key-raw_download button").click()
    row = json.loads(download.value.path().read_text())
    assert row["run_id"] == stored.run_ids[1]
    assert row["run_data"]["messages"][0]["role"] == "system"


def test_switching_views_keeps_the_place_and_the_address_says_it(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[1], view="steps", step="5")
    tab(page, "Context")
    expect(page.get_by_role("combobox", name="Model request")).to_have_value("3. Weather, request 1 of 2")
    page.wait_for_url("**view=context*")
    tab(page, "Timeline")
    tab(page, "Steps")
    expect(page.locator("[class*='st-key-step_here_']")).to_contain_text("model request")
    page.wait_for_url(f"**run={stored.run_ids[1]}**")
    assert "view=steps" in page.url
    assert "step=5" in page.url
    page.reload()
    expect(page.locator("[class*='st-key-step_here_']")).to_contain_text("model request")


def test_a_click_in_the_timeline_goes_to_the_step(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[1], view="timeline")
    bars = page.locator("[class*='st-key-replay_timeline'] svg path[aria-roledescription=bar]")
    bar = bars.and_(page.locator("[aria-label*='get_price']"))
    bar.first.hover(force=True)
    expect(page.locator("#vg-tooltip-element")).to_contain_text("get_price")
    bar.first.click(force=True)
    expect(page.get_by_role("tab", name="Steps")).to_have_attribute("aria-selected", "true")
    expect(page.locator("[class*='st-key-step_here_']")).to_contain_text("get_price")


def test_context_has_two_columns_and_says_why_a_fact_was_not_there(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[3], view="context")
    given, left_out = page.get_by_role("heading", name="Given"), page.get_by_role("heading", name="Not given")
    expect(given.first).to_be_visible()
    expect(left_out).to_be_visible()
    assert given.first.bounding_box()["x"] < left_out.bounding_box()["x"]
    page.get_by_placeholder("Find a fact").fill("bird")
    expect(
        page.locator("[class*='st-key-left_out_']").filter(has_text="Remember: the secret word is bird")
    ).to_be_visible()
    expect(
        page.locator("[class*='st-key-left_out_']").filter(has_text="outside the history window · run 1").first
    ).to_be_visible()


def test_findings_of_a_polluted_session_lead_to_the_run(page, app, stored):
    open_replay(page, app, stored.polluted)
    tab(page, "Findings (1)")
    expect(page.get_by_text("foreign_user")).to_be_visible()
    expect(page.get_by_text("'mallory'")).to_be_visible()
    page.get_by_role("button", name="Open run 1").click()
    expect(page.get_by_text("Run 1 of 2")).to_be_visible()
    expect(page.get_by_role("tab", name="Steps")).to_have_attribute("aria-selected", "true")


def test_another_users_session_is_not_found(page, app, stored):
    page.goto(f"{app.url}/replay?session={stored.foreign}")
    expect(page.get_by_test_id("stAlert")).to_contain_text("There is no session")
    expect(page.get_by_text("bob's own secret")).to_have_count(0)
    expect(page.get_by_role("tab")).to_have_count(0)


def test_play_back_runs_to_the_end(page, app, stored):
    open_replay(page, app, stored.session_id, run=stored.run_ids[1])
    page.get_by_text("Play back").click()
    expect(page.get_by_role("slider")).to_be_visible()
    expect(page.get_by_text("Acme (ACME) closed")).to_have_count(0)
    page.locator(".st-key-play_pause button").click()
    expect(page.get_by_text("Finance reports: Acme (ACME) closed")).to_be_visible()
    expect(page.locator(".st-key-play_pause")).to_contain_text("Play")


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_that_was_stored_is_run_or_loaded_in_any_view(page, app, stored, view):
    open_replay(page, app, stored.evil, view=view)
    page.wait_for_timeout(700)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.locator(".katex")).to_have_count(0)
    expect(page.locator("img[src*=evil], img[src=x]")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
def test_every_view_fits_and_breaks_no_serious_rule_of_accessibility(
    chromium: Browser, app: AppServer, stored: Stored, width
):
    context = chromium.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()
    page.set_default_timeout(15_000)
    for view in VIEWS:
        open_replay(page, app, stored.session_id, run=stored.run_ids[1], view=view)
        page.wait_for_timeout(900)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 0, view
        assert list_violations_light_and_dark(page) == [], view
    context.close()
