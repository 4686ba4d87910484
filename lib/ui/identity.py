"""Who is at the browser: the one place that answers it, anew for every script run and every callback.

Three ways, in this order; a configured one that names nobody is never passed over to the next:

1. `st.login` (OIDC), where `.streamlit/secrets.toml` has an `[auth]` section. The user is the provider's `sub`: it never
   changes and is never given to somebody else, an e-mail address may be both. The address is what is shown.
2. `TRUSTED_USER_HEADER`, where a login proxy stands before the app.
3. Local mode: `LOCAL_USER`, or whom this browser tab acts as, for demonstrations. Only where nobody but this machine can
   reach the app, unless `ALLOW_LOCAL_IDENTITY` is true.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import streamlit as st

from lib.errors import LocalIdentityRefused, NotSignedIn
from lib.records import MAX_ID_LENGTH, Reader
from lib.settings import Settings
from lib.ui.tab import open_tab


class SignIn(StrEnum):
    """How the user became known."""

    OIDC = "oidc"
    HEADER = "header"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user who is known: the id that owns sessions, and the name people read."""

    user_id: str
    name: str
    by: SignIn
    admin: bool = False
    acting: bool = False  # local mode, as somebody other than LOCAL_USER

    @property
    def reader(self) -> Reader:
        """Who reads, where an admin may read what is somebody else's: on the Sessions and Replay pages."""
        return Reader(user_id=self.user_id, admin=self.admin)


def current_identity(settings: Settings) -> Identity:
    """Return who is at the browser.

    Raises:
        NotSignedIn: nobody, or nobody whose name can be trusted.
        LocalIdentityRefused: there is no login, and the app can be reached from elsewhere.
    """
    if login_configured():
        user_id, name = read_claims(st.user.to_dict())
        by = SignIn.OIDC
    elif settings.trusted_user_header:
        user_id = read_header(settings.trusted_user_header, st.context.headers.get_all(settings.trusted_user_header))
        name, by = user_id, SignIn.HEADER
    else:
        check_loopback(st.get_option("server.address"), settings)
        chosen = open_tab().acting_as
        user_id = chosen if chosen and _is_name(chosen) else settings.local_user
        name, by = user_id, SignIn.LOCAL
    acting = by is SignIn.LOCAL and user_id != settings.local_user
    return Identity(user_id=user_id, name=name, by=by, admin=user_id in settings.admin_users, acting=acting)


def current_user(settings: Settings) -> str:
    """Return the id of the user in whose name this page reads and writes."""
    return current_identity(settings).user_id


def login_configured() -> bool:
    """Whether secrets.toml has an `[auth]` section, complete or not: a broken login must not open local mode."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def login_providers() -> tuple[str | None, ...]:
    """Return the names `st.login` takes: None for the one provider of `[auth]`, else those of `[auth.<name>]`."""
    auth = st.secrets["auth"]
    named = tuple(name for name, value in auth.items() if isinstance(value, Mapping) and "client_id" in value)
    return named or (None,)


def read_claims(claims: Mapping[str, Any]) -> tuple[str, str]:
    """Return the user's id and shown name from what the OIDC provider said of them. Raises NotSignedIn."""
    if not claims.get("is_logged_in"):
        raise NotSignedIn("Sign in to see your sessions.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _is_name(subject):
        raise NotSignedIn(
            "The login service named no user this app can keep apart from others: the claim sub is missing."
        )
    # A subject is unique at its provider only: with more than one, both say who it is.
    user_id = subject if len(login_providers()) == 1 else f"{claims.get('iss')}|{subject}"
    if not _is_name(user_id):
        raise NotSignedIn(f"The login service names users with more than {MAX_ID_LENGTH} characters.")
    shown = next((value for key in ("email", "name") if isinstance(value := claims.get(key), str) and value), subject)
    return user_id, shown


def read_header(header: str, values: Sequence[str]) -> str:
    """Return the user a login proxy handed over in `header`; `values` are its occurrences on the tab's connection.

    Raises:
        NotSignedIn: the header is missing, empty, there twice (one of them is not the proxy's), or holds no name.
    """
    if not values or not any(value.strip() for value in values):
        raise NotSignedIn(f"The login proxy named no user: the header {header} is missing or empty on this connection.")
    if len(values) > 1:
        raise NotSignedIn(f"The header {header} came more than once, so it cannot be told whom the login proxy meant.")
    try:
        user_id = values[0].encode("latin-1").decode("utf-8").strip()  # a header's bytes arrive as Latin-1 characters
    except UnicodeError:
        raise NotSignedIn(f"The header {header} holds bytes that are not UTF-8.") from None
    if not _is_name(user_id):
        raise NotSignedIn(f"The header {header} holds no user name of 1 to {MAX_ID_LENGTH} printable characters.")
    return user_id


def check_loopback(address: str | None, settings: Settings) -> None:
    """Raise LocalIdentityRefused where others than this machine could be `LOCAL_USER`."""
    if settings.allow_local_identity or is_loopback(address):
        return
    where = f"on {address}" if address else "on every network address"
    raise LocalIdentityRefused(
        f"No login is configured and the app listens {where}: whoever reaches it would be {settings.local_user!r} and read "
        "that user's sessions. Listen on this machine only (STREAMLIT_SERVER_ADDRESS=localhost), or configure a login "
        "([auth] in .streamlit/secrets.toml, or TRUSTED_USER_HEADER behind a login proxy), or say that this is meant: "
        "ALLOW_LOCAL_IDENTITY=true."
    )


def is_loopback(address: str | None) -> bool:
    """Whether a server that listens on `address` is reached from this machine only; None or empty is everywhere."""
    if not address:
        return False
    if address.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def act_as(user_id: str) -> None:
    """Be somebody else in this browser tab, in local mode; nothing of the former user stays in it."""
    tab = open_tab()
    tab.forget_user()
    tab.acting_as = user_id.strip() if _is_name(user_id) else None
    tab.write_address()


def _is_name(value: str) -> bool:
    return bool(value.strip()) and len(value) <= MAX_ID_LENGTH and value.isprintable()
