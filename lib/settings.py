"""One typed Settings, read from the environment, `.env` and `.streamlit/secrets.toml`.

A name is looked up in this order: environment, `.env`, top-level keys of `.streamlit/secrets.toml`, default. Both files are
those of the working directory; in secrets.toml the tables, such as `[auth]`, belong to Streamlit. An empty value means the
default. Names that are not settings of this app are ignored.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from lib.errors import SettingsError
from lib.records import MAX_ID_LENGTH

SECRETS_FILE: Final = Path(".streamlit/secrets.toml")
ENV_FILE: Final = Path(".env")

_DATABASE_URL_TAKES = (
    "sqlite:///path, mysql+mysqlconnector://user:password@host:port/database or the same with mariadb+mysqlconnector "
    "(special characters of the password percent-encoded, @ as %40)"
)
_SERVER_URL = re.compile(
    r"(?:mysql|mariadb)\+mysqlconnector://"
    r"(?:[^:/?#@]*(?::[^@]*)?@)?"  # user and password
    r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)"  # host
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"/[^/?#@\s]+"  # database
    r"(?:\?[^#\s]*)?"
)
_SCHEME = re.compile(r"[A-Za-z0-9+.-]*://")
_SECRET_OPTION = re.compile(r"([?&][^=&]*(?:pass|pwd|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)
_IMPORT_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Settings(BaseSettings):
    """Everything a person can set. Frozen; `repr` and `str` never hold a password."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=ENV_FILE, env_file_encoding="utf-8", env_ignore_empty=True
    )

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///data/roundtable.db"),
        description="Where history lives: `sqlite:///path` or `mysql+mysqlconnector://user:password@host:port/database` "
        "(`mariadb+mysqlconnector://` too).",
        json_schema_extra={"takes": _DATABASE_URL_TAKES},
    )
    chat_model: str = Field(
        default="offline",
        description="The model that answers: `offline`, or Agno's own `provider:model-id`; `openai-chat:` models use the usual "
        "`OPENAI_API_KEY` and `OPENAI_BASE_URL`.",
        json_schema_extra={"takes": "offline or provider:model-id, such as openai-chat:gpt-5-mini"},
    )
    chat_teams: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Your own teams beside the sample teams: comma-separated `package.module:attribute` of Agno Teams, or of "
        "functions that return one.",
        json_schema_extra={"takes": "a comma-separated list of package.module:attribute"},
    )
    num_history_runs: int = Field(
        default=3,
        ge=0,
        description="The history window a new chat starts with, in runs; the page can change it, 0 is no history.",
        json_schema_extra={"takes": "a whole number, 0 or more"},
    )
    local_user: str = Field(
        default="analyst",
        description="Who you are when no login is configured.",
        json_schema_extra={"takes": f"a name of 1 to {MAX_ID_LENGTH} characters"},
    )
    trusted_user_header: str | None = Field(
        default=None,
        description="The header in which a login proxy hands over the user. Set it only where nobody gets past the proxy.",
        json_schema_extra={"takes": "the name of an HTTP header, such as X-Forwarded-User"},
    )
    admin_users: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated users who may read, never write, other users' sessions.",
        json_schema_extra={"takes": f"a comma-separated list of user names of up to {MAX_ID_LENGTH} characters"},
    )
    allow_local_identity: bool = Field(
        default=False,
        description="Whether `LOCAL_USER` also holds when the app listens on more than loopback: everyone who reaches it is that "
        "user.",
        json_schema_extra={"takes": "true or false"},
    )
    media_dir: Path = Field(
        default=Path("data/media"),
        description="The folder in which attached images are kept.",
        json_schema_extra={"takes": "the path of a folder"},
    )
    outbox_dir: Path = Field(
        default=Path("data/outbox"),
        description="The folder in which history is kept while the database refuses it.",
        json_schema_extra={"takes": "the path of a folder"},
    )
    offline_token_delay: float = Field(
        default=0.02,
        ge=0,
        allow_inf_nan=False,
        description="Seconds between two words of the offline model.",
        json_schema_extra={"takes": "a number of seconds, 0 or more"},
    )

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value().strip()
        if not (_is_sqlite_file(text) or _is_server_database(text)):
            raise ValueError(_DATABASE_URL_TAKES)
        return SecretStr(text)

    @field_validator("chat_model")
    @classmethod
    def _check_chat_model(cls, spec: str) -> str:
        spec = spec.strip()
        if spec.lower() == "offline":
            return "offline"
        provider, _, model_id = spec.partition(":")
        if not provider.strip() or not model_id.strip():
            raise ValueError("no provider or no model id")
        return spec

    @field_validator("chat_teams", "admin_users", mode="before")
    @classmethod
    def _split_at_commas(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part for part in map(str.strip, value.split(",")) if part)
        return value

    @field_validator("chat_teams")
    @classmethod
    def _check_import_paths(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_IMPORT_PATH.fullmatch(path) for path in paths):
            raise ValueError("not an import path")
        return tuple(dict.fromkeys(paths))

    @field_validator("admin_users")
    @classmethod
    def _check_users(cls, users: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(_check_user, users)))

    @field_validator("local_user")
    @classmethod
    def _check_local_user(cls, user: str) -> str:
        return _check_user(user)

    @field_validator("trusted_user_header")
    @classmethod
    def _check_header(cls, header: str | None) -> str | None:
        if header is not None and not _HEADER_NAME.fullmatch(header):
            raise ValueError("not a header's name")
        return header

    @field_validator("media_dir", "outbox_dir")
    @classmethod
    def _check_folder(cls, folder: Path) -> Path:
        folder = folder.expanduser()
        if folder.exists() and not folder.is_dir():
            raise ValueError("not a folder")
        return folder

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the sources, strongest first."""
        secrets = _load_secrets()
        environment = _EnvironmentSource(settings_cls, secrets) if secrets else env_settings
        return init_settings, environment, dotenv_settings, _SecretsSource(settings_cls, secrets)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings in force; `overrides` (by field name) win over every source. Raises SettingsError.

    Without overrides this is the start of an app: what else `.env` holds, such as OPENAI_API_KEY, is put into the environment
    where it is not set there, because that is where model providers look for it.
    """
    problem: SettingsError
    try:
        settings = Settings(**overrides)
        if not overrides:
            _hand_over_provider_variables()
        return settings
    except ValidationError as error:
        problem = _to_settings_error(error)
    except UnicodeDecodeError:
        problem = SettingsError(str(ENV_FILE), got="bytes that are not UTF-8", takes="text in UTF-8")
    # Raised here, not in the handler: pydantic's error holds the value that was refused, which may be a password.
    raise problem


def _hand_over_provider_variables() -> None:
    for name, value in dotenv_values(ENV_FILE).items():
        if value and name.lower() not in Settings.model_fields:
            os.environ.setdefault(name, value)


def setting_name(field: str) -> str:
    """Return the name under which a person sets this field: `database_url` is `DATABASE_URL`."""
    return field.upper()


def hide_password(url: str) -> str:
    """Return `url` with its password as ***, also when it is no URL that anything can parse.

    What cannot be told from a password is hidden too: everything up to the last @, save the user of a MySQL URL.
    """
    if url.startswith("sqlite:///"):
        return url
    found = _SCHEME.match(url)
    scheme = found[0] if found else ""
    login, at, address = url.removeprefix(scheme).rpartition("@")
    if at and not scheme.startswith(("mysql", "mariadb")):
        return _SECRET_OPTION.sub(r"\1***", f"{scheme}***@{address}")
    user, colon, _ = (login if at else address).partition(":")
    return _SECRET_OPTION.sub(r"\1***", f"{scheme}{user}{':***' if colon else ''}{at}{address if at else ''}")


def _is_sqlite_file(url: str) -> bool:
    scheme, _, path = url.partition(":///")
    # A database in memory would be another one for every connection and forget everything at the end.
    return scheme == "sqlite" and bool(path.split("?")[0].strip()) and not path.startswith(":memory:")


def _is_server_database(url: str) -> bool:
    found = _SERVER_URL.fullmatch(url)
    return found is not None and int(found["port"] or 1) in range(1, 65536)


def _check_user(user: str) -> str:
    # Names are compared exactly, so nothing is cut off or folded here.
    if not user.strip() or len(user) > MAX_ID_LENGTH or not user.isprintable():
        raise ValueError("not a user's name")
    return user


class _SecretsSource(PydanticBaseSettingsSource):
    """Top-level values of secrets.toml."""

    def __init__(self, settings_cls: type[BaseSettings], secrets: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._secrets = secrets

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._secrets.get(setting_name(field_name)), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        return {name: self._secrets[setting_name(name)] for name in fields if setting_name(name) in self._secrets}


class _EnvironmentSource(EnvSettingsSource):
    """The environment without what Streamlit wrote into it.

    Streamlit copies the top-level values of secrets.toml into os.environ, over what was there. A variable that equals its
    secret is therefore read again as the process was started with it, so that environment and `.env` stay stronger.
    """

    def __init__(self, settings_cls: type[BaseSettings], secrets: dict[str, Any]) -> None:
        self._copied = {name.lower() for name, value in secrets.items() if os.environ.get(name) == str(value)}
        super().__init__(settings_cls)

    def _load_env_vars(self) -> dict[str, str | None]:
        variables = dict(super()._load_env_vars())
        at_start = {name.lower(): value for name, value in _environment_at_start().items() if value}
        for name in self._copied:
            variables.pop(name, None)
            if name in at_start:
                variables[name] = at_start[name]
        return variables


def _environment_at_start() -> dict[str, str]:
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:  # not Linux: what Streamlit overwrote cannot be known
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in entries)
    return {name: value for name, mark, value in pairs if mark}


def _load_secrets() -> dict[str, Any]:
    try:
        secrets = tomllib.loads(SECRETS_FILE.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        place = re.search(r"\(at [^()]*\)", str(error))
        got = f"a file that cannot be read {place[0] if place else f'({type(error).__name__})'}"
        takes = "TOML, such as DATABASE_URL = 'sqlite:///data/roundtable.db'"
        raise SettingsError(str(SECRETS_FILE), got=got, takes=takes) from None
    return {name.upper(): value for name, value in secrets.items() if not isinstance(value, dict) and value != ""}


def _to_settings_error(error: ValidationError) -> SettingsError:
    first = error.errors(include_url=False, include_context=False)[0]
    field = str(first["loc"][0])
    value = first["input"]
    if field == "database_url":
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        value = hide_password(str(value).strip())
    extra = Settings.model_fields[field].json_schema_extra
    takes = str(extra["takes"]) if isinstance(extra, dict) else "another value"
    shown = ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
    return SettingsError(setting_name(field), got=repr(shown), takes=takes)
