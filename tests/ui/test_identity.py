"""Who is at the browser: what a login, a proxy's header and local mode make of it, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lib.errors import LocalIdentityRefused, NotSignedIn
from lib.ui import identity
from lib.ui.identity import check_loopback, is_loopback, read_claims, read_header

ROOT = Path(__file__).parents[2]
HEADER = "X-Forwarded-User"


@pytest.mark.parametrize("address", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.0.1", "::1", "[::1]"])
def test_local_mode_may_listen_on_loopback(address, settings):
    assert is_loopback(address)
    check_loopback(address, settings)


@pytest.mark.parametrize("address", [None, "", "0.0.0.0", "::", "10.0.0.7", "example.org", "localhost.example.org"])
def test_local_mode_refuses_every_other_address_and_says_what_to_do(address, settings):
    assert not is_loopback(address)
    with pytest.raises(LocalIdentityRefused) as refused:
        check_loopback(address, settings)
    for words in (
        "'analyst'",
        "ALLOW_LOCAL_IDENTITY=true",
        "TRUSTED_USER_HEADER",
        "STREAMLIT_SERVER_ADDRESS=localhost",
    ):
        assert words in str(refused.value)
    check_loopback(address, settings.model_copy(update={"allow_local_identity": True}))


@pytest.mark.parametrize(
    ("sent", "user_id"),
    [("ann", "ann"), (" ann ", "ann"), ("Ann", "Ann"), ("ann@example.org", "ann@example.org"), ("a" * 128, "a" * 128)],
)
def test_a_trusted_header_names_the_user_exactly(sent, user_id):
    assert read_header(HEADER, [sent]) == user_id


def test_a_name_beyond_ascii_is_read_as_utf_8():
    as_it_arrives = "Zoë 李".encode().decode("latin-1")
    assert read_header(HEADER, [as_it_arrives]) == "Zoë 李"


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["  "],
        ["", ""],
        ["ann", "ann"],
        ["ann", "bob"],
        ["a" * 129],
        ["an\x07n"],
        ["an\nn"],
        ["Zo\xeb"],
        ["\x00"],
    ],
)
def test_a_header_that_is_missing_empty_double_or_no_name_is_nobody(values):
    with pytest.raises(NotSignedIn, match=HEADER):
        read_header(HEADER, values)


def test_a_login_is_known_by_its_subject_and_shown_by_its_address(monkeypatch):
    monkeypatch.setattr(identity, "login_providers", lambda: (None,))
    claims = {"is_logged_in": True, "sub": "7f3a", "email": "ann@example.org", "name": "Ann", "iss": "https://id"}
    assert read_claims(claims) == ("7f3a", "ann@example.org")
    assert read_claims({"is_logged_in": True, "sub": "7f3a"}) == ("7f3a", "7f3a")


def test_the_same_subject_of_two_providers_is_two_users(monkeypatch):
    monkeypatch.setattr(identity, "login_providers", lambda: ("one", "two"))
    ids = {read_claims({"is_logged_in": True, "sub": "1", "iss": f"https://{name}"})[0] for name in ("one", "two")}
    assert ids == {"https://one|1", "https://two|1"}


@pytest.mark.parametrize(
    "claims", [{}, {"is_logged_in": False, "sub": "ann"}, {"is_logged_in": True}, {"is_logged_in": True, "sub": " "}]
)
def test_a_login_without_a_subject_is_nobody(claims, monkeypatch):
    monkeypatch.setattr(identity, "login_providers", lambda: (None,))
    with pytest.raises(NotSignedIn):
        read_claims(claims)


@pytest.fixture
def app(app_environment):
    st.cache_resource.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    st.cache_resource.clear()


def test_without_the_trusted_header_the_page_says_so_and_shows_no_data(app, monkeypatch):
    monkeypatch.setenv("TRUSTED_USER_HEADER", HEADER)
    app.query_params["session"] = "s1"
    app.run()
    assert "missing or empty" in app.error[0].value
    assert not app.chat_input and not app.caption and [button.key for button in app.button] == ["try_again"]


def test_where_others_can_reach_the_app_local_mode_shows_a_notice_and_no_data(app, monkeypatch):
    monkeypatch.setattr("lib.ui.identity.is_loopback", lambda _address: False)
    app.run()
    assert "ALLOW" in app.error[0].value
    assert not app.chat_input and not app.caption


def test_acting_as_somebody_else_leaves_nothing_of_the_former_user_in_the_tab(app):
    app.run()
    app.chat_input(key="chat_input").set_value("Remember: the secret word is bird").run()
    former = app.query_params["session"]
    app.text_input(key="act_as_user").set_value("bob").run()
    assert any("acting as bob" in caption.value for caption in app.caption)
    assert "session" not in app.query_params and "bob" in app.query_params["as"]
    assert not any(button.key.startswith("session_") for button in app.button)
    app.query_params["session"] = former
    app.run()
    assert "There is no session" in app.error[0].value.replace("\\", "")


def test_an_address_that_says_as_whom_one_acts_is_followed_in_local_mode(app):
    app.query_params["as"] = "bob"
    app.run()
    assert any("acting as bob" in caption.value for caption in app.caption)
