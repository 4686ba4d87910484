"""Fixtures for every test: settings, databases on both kinds of server, the app, a browser.

Each imports the part it needs when it is used, so that a test of one part needs no other.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from lib.roundtable import Roundtable
    from lib.settings import Settings
    from lib.storage import Database
    from tests.services.app_server import AppServer
    from tests.services.llmock import MockProvider
    from tests.services.mariadb import MariaDBServer

# Before anything imports Agno: nothing is sent to anybody from a test.
os.environ["AGNO_TELEMETRY"] = "false"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --fail-on-skip, which `make test` gives: what could not be tested is not passed over."""
    parser.addoption("--fail-on-skip", action="store_true", help="a skipped test fails the run")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when a test was skipped and --fail-on-skip is given."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--fail-on-skip") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own settings and keys never reach a test."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")) or name in _SETTING_NAMES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_main_module() -> Iterator[None]:
    """Streamlit's AppTest puts the page in the place of `__main__`, and processes that are spawned later would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(autouse=True)
def _nothing_goes_on_afterwards() -> Iterator[None]:
    """What a test opens it closes: threads that are left look into its database all through the tests that follow."""
    before = set(threading.enumerate())
    yield
    for thread in threading.enumerate():
        if thread not in before and thread.name in ("roundtable-upkeep", "roundtable-following"):
            thread.join(10)  # one that is closed ends after what it is doing
            assert not thread.is_alive(), "a Roundtable is not closed"


_SETTING_NAMES = frozenset(
    "DATABASE_URL CHAT_MODEL CHAT_TEAMS NUM_HISTORY_RUNS LOCAL_USER TRUSTED_USER_HEADER MEDIA_DIR OUTBOX_DIR "
    "OFFLINE_TOKEN_DELAY ADMIN_USERS ALLOW_LOCAL_IDENTITY".split()
)


def build_settings(folder: Path, **changes: Any) -> Settings:
    """Return settings that live in `folder` alone: SQLite, the offline model without delay, no login."""
    from lib.settings import load_settings

    values: dict[str, Any] = {
        "database_url": f"sqlite:///{folder / 'roundtable.db'}",
        "chat_model": "offline",
        "chat_teams": (),
        "num_history_runs": 3,
        "local_user": "analyst",
        "trusted_user_header": None,
        "media_dir": folder / "media",
        "outbox_dir": folder / "outbox",
        "offline_token_delay": 0.0,
        "admin_users": (),
        "allow_local_identity": False,
    }
    return load_settings(**{**values, **changes})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings on SQLite in a temporary folder."""
    return build_settings(tmp_path)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDBServer]:
    """One real MariaDB server for the whole test run. A test that stops it need not start it again."""
    from tests.services.mariadb import MariaDBServer

    # Making the tables of a fresh database, as hundreds of tests do, waits for the disk 600 times.
    server = MariaDBServer(in_memory=True)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty database: once on SQLite, once on MariaDB."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'roundtable.db'}"
        return
    server: MariaDBServer = request.getfixturevalue("mariadb")
    server.start()
    name = server.create_database()
    yield server.url(name)
    server.start()
    server.drop_database(name)


@pytest.fixture
def database_settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings over each kind of database."""
    return build_settings(tmp_path, database_url=database_url)


@pytest.fixture
def database(database_settings: Settings) -> Iterator[Database]:
    """An open database of each kind, closed afterwards."""
    from lib.storage import open_database

    opened = open_database(database_settings)
    yield opened
    opened.close()


@pytest.fixture
def roundtable(database_settings: Settings) -> Iterator[Roundtable]:
    """Everything put together over each kind of database, closed afterwards."""
    from lib.roundtable import open_roundtable

    opened = open_roundtable(database_settings)
    yield opened
    opened.close()


@pytest.fixture
def app_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """`settings` in this process's environment: what a page run by AppTest reads. What pages opened is closed afterwards."""
    import lib.roundtable
    from tests.services.app_server import to_environment

    for name, value in to_environment(settings).items():
        monkeypatch.setenv(name, value)
    opened: list[Roundtable] = []
    open_roundtable = lib.roundtable.open_roundtable

    def open_and_note(*given: Any) -> Roundtable:
        opened.append(open_roundtable(*given))
        return opened[-1]

    monkeypatch.setattr(lib.roundtable, "open_roundtable", open_and_note)
    yield settings
    for each in opened:
        each.close()


@pytest.fixture
def start_app(tmp_path: Path) -> Iterator[Callable[..., AppServer]]:
    """A function that starts the app in a process of its own: `start_app(settings, environment={...})`."""
    from tests.services.app_server import AppServer

    servers: list[AppServer] = []

    def start(settings: Settings, **options: Any) -> AppServer:
        server = AppServer(settings, log=tmp_path / f"app-{len(servers)}.log", **options)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app on SQLite, one for all tests of a file; its words come without delay."""
    from tests.services.app_server import AppServer

    folder = tmp_path_factory.mktemp("app")
    server = AppServer(build_settings(folder), log=folder / "app.log")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def app_url(app_server: AppServer) -> str:
    """The address of the running app."""
    return app_server.url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, one for all tests of a file."""
    from tests.services.browser import open_chromium

    with open_chromium() as browser:
        yield browser


@pytest.fixture
def browser_page(chromium: Browser) -> Iterator[Page]:
    """A fresh browser page of 1280 by 800; `browser_page.context.new_page()` is a second tab of the same person."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


@pytest.fixture
def start_llmock(tmp_path: Path) -> Iterator[Callable[..., MockProvider]]:
    """A function that starts an OpenAI-compatible server: `start_llmock([{"match": ..., "response": ...}], "--latency", "20")`."""
    from tests.services.llmock import open_llmock

    with ExitStack() as servers:
        yield lambda answers, *options: servers.enter_context(open_llmock(answers, *options, folder=tmp_path))
