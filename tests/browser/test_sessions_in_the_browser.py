"""Sessions as a person finds, names, tags, forks and deletes them: the real app, a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import text

from lib.roundtable import open_roundtable
from lib.settings import Settings
from tests.conftest import build_settings
from tests.services.app_server import AppServer
from tests.services.axe import list_violations_light_and_dark
from tests.services.browser import wait_until_drawn

pytestmark = pytest.mark.browser

BIRD = "Remember: the secret word is bird"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app; root is an admin."""
    folder = tmp_path_factory.mktemp("sessions")
    server = AppServer(build_settings(folder, admin_users=("root",)), log=folder / "app.log")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def page(browser_page: Page, app: AppServer) -> Iterator[Page]:
    """A browser tab that fails the test where the app met something nobody foresaw."""
    yield browser_page
    assert "Traceback" not in app.log_text()


def add(settings: Settings, user_id: str, *named: tuple[str, str]) -> list[str]:
    """Store sessions of one answered question each, (title, question), and return their ids."""
    opened = open_roundtable(settings)
    ids = []
    for title, question in named:
        run = opened.engine.start(question, user_id=user_id, team="market-desk")
        run.wait(30)
        opened.store.rename_session(run.session_id, title, user_id=user_id)
        ids.append(run.session_id)
    while opened.database.follow():
        pass
    opened.close()
    return ids


def visit(page: Page, app: AppServer, path: str, user_id: str) -> None:
    page.goto(f"{app.url}{path}{'&' if '?' in path else '?'}as={user_id}")
    # The first visitor of a process waits for its imports, on a busy machine for long.
    expect(page.locator(".st-key-sidebar_foot")).to_contain_text(user_id, timeout=60_000)
    wait_until_drawn(page)


def row(page: Page, session_id: str) -> Locator:
    return page.locator(f".st-key-session_{session_id} button")


def row_menu(page: Page, session_id: str) -> Locator:
    return page.locator(f".st-key-session_menu_{session_id} button")


def choose(page: Page, session_id: str, action: str) -> None:
    row_menu(page, session_id).click()
    page.get_by_role("menuitem", name=action).click()


def tick(page: Page, *rows: int) -> None:
    """Tick rows of the table, counted from 0: it is drawn on a canvas."""
    canvas = page.locator("[data-testid=stDataFrame] canvas").first
    expect(canvas).to_be_visible()
    for count, number in enumerate(rows, start=1):
        found = canvas.bounding_box()
        assert found is not None
        page.mouse.click(found["x"] + 16, found["y"] + 38 + 36 * number + 14)
        expect(page.locator(".st-key-sessions_bar")).to_contain_text(
            f"{count} session{'s' if count > 1 else ''} chosen"
        )


def rows_of(page: Page) -> Locator:
    """The rows of the table in view, as screen readers are given them beside the canvas."""
    return page.locator("[data-testid=stDataFrame] canvas table tbody tr")


def titles_of(rows: Locator) -> Locator:
    return rows.locator("[aria-colindex='2']")


def click_head(page: Page, column: str) -> None:
    """Click a column's head: "Title" begins 130 pixels from the left."""
    canvas = page.locator("[data-testid=stDataFrame] canvas").first
    found = canvas.bounding_box()
    assert found is not None
    page.mouse.click(found["x"] + {"Title": 130, "Team": 320}[column], found["y"] + 18)


def press_until(page: Page, key: str, target: Locator, most: int = 40) -> None:
    """Press a key until the keyboard is at `target`."""
    for _ in range(most):
        if target.evaluate("found => found === document.activeElement || found.contains(document.activeElement)"):
            return
        page.keyboard.press(key)
    expect(target).to_be_focused()


def test_a_title_changed_in_place_is_seen_in_a_second_tab_within_seconds(page, app):
    (session_id,) = add(app.settings, "namer", ("Weather", "What is the weather in Paris?"))
    visit(page, app, "/", "namer")
    second = page.context.new_page()
    visit(second, app, "/sessions", "namer")
    expect(row(second, session_id)).to_contain_text("Weather")
    choose(page, session_id, "Rename")
    field = page.locator(f".st-key-session_title_{session_id} input")
    expect(field).to_have_value("Weather")
    field.fill("Spring in Paris")
    page.wait_for_timeout(3500)  # longer than the list's own beat: what is being typed stays
    expect(field).to_have_value("Spring in Paris")
    field.press("Enter")
    expect(row(page, session_id)).to_contain_text("Spring in Paris")
    expect(row(second, session_id)).to_contain_text("Spring in Paris", timeout=8000)


def test_a_new_session_appears_in_another_tab_within_seconds(page, app):
    visit(page, app, "/", "starter")
    second = page.context.new_page()
    visit(second, app, "/", "starter")
    page.locator(".st-key-new_session_collection input").fill("Client: Initech")
    page.locator(".st-key-new_session_collection input").press("Enter")
    composer = page.get_by_test_id("stChatInputTextArea")
    composer.fill(BIRD)
    composer.press("Enter")
    expect(page.locator(".st-key-session_list [class*='st-key-session_menu_']")).to_have_count(1)
    expect(second.locator(".st-key-session_list [class*='st-key-session_menu_']")).to_have_count(1, timeout=8000)
    expect(page.locator(".st-key-chat_header")).to_contain_text("Client: Initech")


def test_an_open_dialog_stays_while_the_list_draws_itself_anew_and_keeps_what_is_typed(page, app):
    (session_id,) = add(app.settings, "tagger", ("Weather", "What is the weather in Paris?"))
    visit(page, app, f"/?session={session_id}", "tagger")
    choose(page, session_id, "Tags and collection")
    field = page.locator(".st-key-tags_choice input")
    field.fill("travel")
    add(app.settings, "tagger", ("Another", BIRD))  # the list changes meanwhile
    page.wait_for_timeout(4000)
    expect(field).to_have_value("travel")
    field.press("Enter")
    page.locator(".st-key-save_labels button").click()
    expect(page.get_by_test_id("stDialog")).to_have_count(0)
    visit(page, app, "/sessions", "tagger")
    page.locator(".st-key-sessions_tag input").click()
    expect(page.get_by_role("option", name="travel (1)")).to_be_visible()


def test_several_sessions_are_ticked_and_deleted_after_one_question(page, app):
    add(app.settings, "cleaner", ("One", BIRD), ("Two", BIRD), ("Three", BIRD))
    visit(page, app, "/sessions", "cleaner")
    tick(page, 0, 1)
    page.locator(".st-key-bar_delete button").click()
    dialog = page.get_by_test_id("stDialog")
    expect(dialog).to_contain_text("2 sessions with 2 runs")
    page.locator(".st-key-delete_yes button").click()
    expect(page.locator(".st-key-sessions_bar")).to_contain_text("1 session")
    expect(page.locator("[class*='st-key-session_menu_']")).to_have_count(1)


def test_the_table_follows_what_others_change_and_keeps_its_ticks_its_place_and_an_open_drawer(page, app):
    add(app.settings, "watcher", *((f"Session {number:02d}", BIRD) for number in range(24)))
    visit(page, app, "/sessions?sort=title", "watcher")
    tick(page, 1, 3)
    table, scroller = page.locator("[data-testid=stDataFrame] canvas table"), page.locator(".dvn-scroller")
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(500)
    place = scroller.evaluate("found => found.scrollTop")
    assert place > 100
    add(app.settings, "watcher", ("Session 02b", BIRD))
    expect(table).to_have_attribute("aria-rowcount", "26", timeout=8000)  # with the head
    assert scroller.evaluate("found => found.scrollTop") == place
    scroller.evaluate("found => found.scrollTo(0, 0)")
    expect(titles_of(rows_of(page)).nth(3)).to_have_text("Session 02b")
    expect(titles_of(page.locator("tr[aria-selected=true]"))).to_have_text(["Session 01", "Session 03"])

    canvas = page.locator("[data-testid=stDataFrame] canvas").first.bounding_box()
    page.mouse.click(canvas["x"] + 65, canvas["y"] + 38 + 14)
    drawer = page.get_by_test_id("stDialog")
    expect(drawer).to_contain_text("Session 00")
    add(app.settings, "watcher", ("Session 02c", BIRD))
    page.wait_for_timeout(5000)
    expect(drawer).to_contain_text("Session 00")
    page.keyboard.press("Escape")
    expect(table).to_have_attribute("aria-rowcount", "27", timeout=8000)
    expect(page.locator(".st-key-sessions_bar")).to_contain_text("2 sessions chosen")


def test_an_order_is_over_all_sessions_also_those_not_shown_and_the_address_holds_it(page, app):
    opened = open_roundtable(app.settings)
    for title in ("Aardvark", *(f"Session {number:03d}" for number in range(104)), "Zebra"):
        made = opened.store.create_session(user_id="sorter", component_id="market-desk")
        opened.store.rename_session(made.session_id, title, user_id="sorter")
    opened.database.connector.write(  # the last used first is the order in which they were made
        lambda connection: connection.execute(
            text("UPDATE agno_sessions SET updated_at = created_at - 9 WHERE session_data LIKE '%Aardvark%'")
        )
    )
    while opened.database.follow():
        pass
    opened.close()
    visit(page, app, "/sessions", "sorter")
    first = titles_of(rows_of(page)).first
    expect(page.locator(".st-key-sessions_bar")).to_contain_text("the latest 100 of 106 sessions")
    expect(first).not_to_have_text("Aardvark")
    click_head(page, "Title")
    expect(first).to_have_text("Aardvark")
    page.wait_for_url("**/sessions?*sort=title")
    expect(page.locator(".st-key-sessions_sort input")).to_have_value("Title, A to Z")
    expect(page.locator(".st-key-sessions_bar")).to_contain_text("the first 100 of 106 sessions")
    click_head(page, "Title")
    expect(first).to_have_text("Zebra")
    click_head(page, "Team")  # narrowed by above the table: its head changes nothing
    page.wait_for_timeout(1000)
    expect(first).to_have_text("Zebra")
    page.reload()
    expect(first).to_have_text("Zebra")
    wait_until_drawn(page)
    page.locator(".st-key-sessions_sort input").click()
    page.get_by_role("option", name="Title, A to Z").click()
    expect(first).to_have_text("Aardvark")


def test_a_hit_of_the_search_opens_the_run_it_was_found_in(page, app):
    first, _ = add(app.settings, "finder", ("To keep", BIRD), ("Weather", "What is the weather in Paris?"))
    visit(page, app, "/", "finder")
    page.locator(".st-key-session_search input").press_sequentially("secret wo", delay=40)
    hit = page.locator(".st-key-session_hits button").first
    expect(hit).to_contain_text("secret wo")
    hit.click()
    page.wait_for_url(f"**/replay?*session={first}*")
    assert "run=" in page.url
    expect(page.get_by_text(BIRD).first).to_be_visible()


def test_a_session_deleted_in_one_tab_is_calmly_not_found_in_the_other(page, app):
    (session_id,) = add(app.settings, "deleter", ("Weather", "What is the weather in Paris?"))
    visit(page, app, "/", "deleter")
    second = page.context.new_page()
    visit(second, app, f"/?session={session_id}", "deleter")
    expect(second.get_by_test_id("stChatMessage").first).to_be_visible()
    choose(page, session_id, "Delete")
    page.locator(".st-key-delete_yes button").click()
    expect(row(page, session_id)).to_have_count(0)
    expect(second.get_by_test_id("stAlert")).to_contain_text("There is no session", timeout=10_000)


def test_an_admin_reads_under_a_banner_and_is_given_nothing_to_write_with(page, app):
    (session_id,) = add(app.settings, "ann", ("Of Ann", BIRD))
    visit(page, app, "/sessions", "root")
    page.locator(".st-key-sessions_owner input").click()
    page.get_by_role("option", name="ann (1)").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("as an admin")
    tick(page, 0)
    expect(page.locator(".st-key-bar_delete")).to_have_count(0)
    page.locator(".st-key-bar_facts button").click()
    drawer = page.get_by_test_id("stDialog")
    expect(drawer).to_contain_text("You read a session of ann as an admin")
    expect(drawer.locator("[class*='st-key-facts_'] button")).to_have_count(1)
    page.locator(".st-key-facts_replay button").click()
    page.wait_for_url("**/replay?*")
    expect(page.get_by_test_id("stAlert").first).to_contain_text("You read a session of ann as an admin")
    expect(page.get_by_text("Open in chat")).to_have_count(0)
    visit(page, app, f"/?session={session_id}", "root")
    expect(page.get_by_test_id("stAlert")).to_contain_text("you can read it in Replay; nothing in it can be changed")


def test_the_keyboard_alone_opens_a_session_and_its_menu(page, app):
    (session_id,) = add(app.settings, "typist", ("Weather", "What is the weather in Paris?"))
    visit(page, app, "/", "typist")
    expect(page.locator(f".st-key-session_menu_{session_id} button")).to_be_visible()  # else Tab goes past it
    page.locator(".st-key-session_search input").focus()
    page.keyboard.press("Tab")
    expect(row(page, session_id)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/?*session={session_id}*")


def test_the_keyboard_alone_opens_ticks_tags_and_renames(page, app):
    one, _, three = add(app.settings, "keys", ("One", BIRD), ("Two", BIRD), ("Three", BIRD))
    visit(page, app, "/sessions?sort=title", "keys")
    table, bar = page.locator(".st-key-sessions_table"), page.locator(".st-key-sessions_bar")
    expect(rows_of(page)).to_have_count(3)

    press_until(page, "Tab", page.locator(".st-key-sessions_sort input"))
    press_until(page, "Tab", table.locator("canvas").first)
    expect(page.locator(".st-key-sessions_keys")).to_have_css("opacity", "1")
    page.keyboard.press("Shift+Space")  # One, Three, Two
    expect(bar).to_contain_text("1 session chosen")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    expect(bar).to_contain_text("2 sessions chosen")
    press_until(page, "Shift+Tab", page.locator(".st-key-bar_tag button"))
    page.keyboard.press("Enter")
    field = page.locator(".st-key-tags_to_add input")
    expect(field).to_be_visible()
    press_until(page, "Tab", field)
    page.keyboard.type("shared")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-tags_to_add")).to_contain_text("shared")
    page.keyboard.press("Escape")  # the list of tags
    press_until(page, "Tab", page.locator(".st-key-save_bulk_tags button"))
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stDialog")).to_have_count(0)
    expect(table.locator("tr[aria-selected=true]")).to_have_count(2)
    expect(table.locator("tr[aria-selected=true]", has_text="shared")).to_have_count(2)

    press_until(page, "Tab", row_menu(page, three))
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Rename")).to_be_visible()
    press_until(page, "ArrowDown", page.get_by_role("menuitem", name="Rename"))
    page.keyboard.press("Enter")
    field = page.locator(f".st-key-session_title_{three} input")
    expect(field).to_be_focused()
    page.wait_for_timeout(3500)  # the list draws itself anew meanwhile
    expect(field).to_be_focused()
    page.keyboard.type("Zebra")  # instead of the old title, which is marked
    page.keyboard.press("Enter")
    expect(row(page, three)).to_contain_text("Zebra")
    expect(titles_of(rows_of(page))).to_have_text(["One", "Two", "Zebra"])

    press_until(page, "Tab", table.locator("canvas").first)
    expect(table.locator("td:focus")).to_have_text("One")  # also where ticks were moved, which leaves no cell chosen
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")  # no longer ticked
    expect(bar).to_contain_text("1 session chosen")
    press_until(page, "Shift+Tab", page.locator(".st-key-bar_open button"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/?*session={one}*")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("secret word")


def test_a_question_and_its_answer_are_deleted_with_the_keyboard_and_the_page_stays_where_it_was(page, app):
    opened = open_roundtable(app.settings)
    session_id: str | None = None
    run_ids: list[str] = []
    for place in range(8):
        run = opened.engine.start(f"Question {place}", user_id="keeper", team="market-desk", session_id=session_id)
        run.wait(30)
        session_id, run_ids = run.session_id, [*run_ids, run.run_id]
    opened.close()
    visit(page, app, f"/?session={session_id}", "keeper")
    expect(page.locator(f".st-key-run_{run_ids[-1]}")).to_be_visible()
    page.wait_for_timeout(1000)
    gone, following = (page.locator(f".st-key-run_{run_ids[place]}") for place in (3, 4))
    menu = page.locator(f".st-key-run_menu_{run_ids[3]} button")
    gone.evaluate("run => run.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(500)
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Replay")).to_be_visible()
    press_until(page, "ArrowDown", page.get_by_role("menuitem", name="Delete this"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("What is lost: 1 run")
    before = following.bounding_box()
    press_until(page, "Tab", page.locator(".st-key-delete_yes button"))
    page.keyboard.press("Enter")
    expect(gone).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_timeout(1500)
    after = following.bounding_box()
    assert before is not None and after is not None
    assert abs(after["y"] - before["y"]) < 40, "what is read on stands where it stood"
    assert session_id in page.url


def test_an_admin_follows_a_link_to_anothers_chat_into_replay(page, app):
    (session_id,) = add(app.settings, "linked", ("Birds", BIRD))
    visit(page, app, f"/?session={session_id}", "root")
    page.locator(".st-key-read_in_replay button").click()
    page.wait_for_url("**/replay?*")
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("secret word")
    visit(page, app, f"/?session={session_id}", "stranger")
    expect(page.get_by_text("There is no session")).to_be_visible()
    expect(page.locator(".st-key-read_in_replay")).to_have_count(0)


@pytest.mark.parametrize("state", ["sidebar", "table", "drawer", "delete", "run menu", "delete run"])
def test_no_serious_barrier_stands_in_the_way_of_anybody(chromium: Browser, app, state):
    user_id = f"barrier-{state}".replace(" ", "-")
    (session_id,) = add(app.settings, user_id, ("Weather", "What is the weather in Paris?"))
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    visit(page, app, f"/?session={session_id}" if state not in ("table", "drawer") else "/sessions", user_id)
    expect(row(page, session_id)).to_be_visible()
    match state:
        case "drawer":
            tick(page, 0)
            page.locator(".st-key-bar_facts button").click()
            expect(page.locator(".st-key-facts_open")).to_be_visible()
        case "delete":
            choose(page, session_id, "Delete")
            expect(page.locator(".st-key-delete_yes")).to_be_visible()
        case "run menu" | "delete run":
            page.locator("[class*='st-key-run_menu_'] button").click()
            if state == "delete run":
                page.get_by_role("menuitem", name="Delete this").click()
                expect(page.locator(".st-key-delete_yes")).to_be_visible()
        case "table":
            expect(page.locator("[data-testid=stDataFrame] canvas").first).to_be_visible()
    page.wait_for_timeout(600)
    found = list_violations_light_and_dark(page)
    context.close()
    assert found == []


@pytest.mark.parametrize("path", ["/", "/sessions"])
def test_on_a_phone_nothing_is_wider_than_the_screen(chromium: Browser, app, path):
    add(app.settings, "walker", ("Weather", "What is the weather in Paris?"))
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{app.url}{path}?as=walker")
    expect(page.get_by_test_id("stMainBlockContainer")).to_be_visible()
    page.wait_for_timeout(1500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
