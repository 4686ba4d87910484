"""Where a visitor wanted to go before they signed in: kept for their browser over the way to the login service and back.

`st.login` leads to the login service, and that back to the first page, without the address that was asked for. Only
this process keeps it, for a few minutes, under the token that Streamlit gives each browser; what is kept is one of the
app's own pages and what stood behind the question mark. So it can lead nowhere else, and shows nobody anything: who may
see what it names is asked when they are there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

from lib.ui.tab import CHAT_PAGE

COOKIE = "_streamlit_xsrf"
KEPT_S = 15 * 60
MOST_KEPT = 1000
MOST_CHARACTERS = 2000
"""Of names and values behind the question mark; more than any link of this app has."""


@dataclass(frozen=True, slots=True)
class WantedAddress:
    """A page of the app, `pages/<name>.py`, and its parameters."""

    page: str
    parameters: Mapping[str, str]


class WantedAddresses:
    """The wanted addresses of the browsers that are on their way to sign in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[bytes, tuple[float, WantedAddress]] = {}
        self._lock = threading.Lock()

    def keep(self, browser: bytes, wanted: WantedAddress) -> None:
        """Keep where a browser wants to go; one that is longer than any link of this app is not kept."""
        if sum(len(name) + len(value) for name, value in wanted.parameters.items()) > MOST_CHARACTERS:
            return
        with self._lock:
            self._kept.pop(browser, None)
            self._kept[browser] = (self._clock(), wanted)
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def take(self, browser: bytes) -> WantedAddress | None:
        """Return where a browser wanted to go, once; None where that is unknown or too long ago."""
        with self._lock:
            kept_at, wanted = self._kept.pop(browser, (0.0, None))
        return wanted if self._clock() - kept_at <= KEPT_S else None


def keep_wanted_address(page: str) -> None:
    """Keep the address of this tab, which shows `page`, before it leaves to sign in.

    An address that names nothing leaves what was kept: so it outlasts a first attempt that failed.
    """
    browser, parameters = _this_browser(), {name: st.query_params[name] for name in st.query_params if name != "as"}
    if browser and (parameters or page != CHAT_PAGE):
        _wanted_addresses().keep(browser, WantedAddress(page, parameters))


def go_where_wanted(page: str) -> None:
    """Lead a tab that has just come back from signing in to where it wanted to go."""
    browser = _this_browser()
    if page != CHAT_PAGE or len(st.query_params) or not browser:
        return  # it names where it wants to go
    wanted = _wanted_addresses().take(browser)
    if wanted is None:
        return
    if wanted.page != page:
        st.switch_page(wanted.page, query_params=dict(wanted.parameters))
    st.query_params.update(wanted.parameters)


def _this_browser() -> bytes | None:
    cookie = st.context.cookies.get(COOKIE)
    return decode_xsrf_token_string(cookie)[0] if cookie else None


@st.cache_resource(show_spinner=False)
def _wanted_addresses() -> WantedAddresses:
    return WantedAddresses()
