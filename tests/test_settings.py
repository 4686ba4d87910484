"""Settings: where they come from, what they refuse, and that no password ever shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from lib.errors import SettingsError
from lib.settings import Settings, hide_password, load_settings, setting_name
from tests.services.app_server import to_environment

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: no .env and no secrets.toml but a test's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_secrets(folder: Path, text: str) -> None:
    (folder / ".streamlit").mkdir(exist_ok=True)
    (folder / ".streamlit" / "secrets.toml").write_text(text)


class TestWhereTheyComeFrom:
    def test_without_anything_set_the_app_runs_on_one_machine_without_a_key(self):
        settings = load_settings()
        assert settings.database_url.get_secret_value() == "sqlite:///data/roundtable.db"
        assert (settings.chat_model, settings.chat_teams, settings.num_history_runs) == ("offline", (), 3)
        assert (settings.local_user, settings.trusted_user_header, settings.admin_users) == ("analyst", None, ())
        assert (settings.media_dir, settings.outbox_dir) == (Path("data/media"), Path("data/outbox"))
        assert (settings.offline_token_delay, settings.allow_local_identity) == (0.02, False)

    def test_every_setting_is_read_from_the_environment(self, folder, monkeypatch):
        wanted = load_settings(
            database_url="mariadb+mysqlconnector://me:secret@db:3306/chat",
            chat_model="openai-chat:gpt-5-mini",
            chat_teams=("mine.team:team", "mine.other:build_team"),
            num_history_runs=0,
            local_user="Zoë Müller",
            trusted_user_header="X-Forwarded-User",
            admin_users=("root", "Zoë Müller"),
            allow_local_identity=True,
            media_dir=folder / "m",
            outbox_dir=folder / "o",
            offline_token_delay=0.5,
        )
        for name, value in to_environment(wanted).items():
            monkeypatch.setenv(name, value)
        assert load_settings() == wanted
        assert set(to_environment(wanted)) == {setting_name(field) for field in Settings.model_fields}

    def test_environment_beats_env_file_beats_secrets_beats_default(self, folder, monkeypatch):
        write_secrets(folder, 'LOCAL_USER = "of secrets"\nNUM_HISTORY_RUNS = 5\nCHAT_MODEL = "groq:x"\n')
        (folder / ".env").write_text("LOCAL_USER=of file\nCHAT_MODEL=ollama:y\n")
        monkeypatch.setenv("LOCAL_USER", "of environment")
        settings = load_settings()
        assert (settings.local_user, settings.chat_model, settings.num_history_runs) == (
            "of environment",
            "ollama:y",
            5,
        )

    def test_lists_are_split_at_commas_and_empty_means_default(self, monkeypatch):
        monkeypatch.setenv("CHAT_TEAMS", " a.b:c , d:e.f ,, a.b:c")
        monkeypatch.setenv("ADMIN_USERS", "ann, Bob")
        monkeypatch.setenv("NUM_HISTORY_RUNS", "")
        monkeypatch.setenv("TRUSTED_USER_HEADER", "")
        settings = load_settings()
        assert settings.chat_teams == ("a.b:c", "d:e.f")
        assert settings.admin_users == ("ann", "Bob")
        assert settings.num_history_runs == 3
        assert settings.trusted_user_header is None

    def test_secrets_may_hold_a_list_and_tables_belong_to_streamlit(self, folder):
        write_secrets(folder, 'CHAT_TEAMS = ["a:b", "c:d"]\nunknown = 1\n[auth]\nLOCAL_USER = "nobody"\n')
        settings = load_settings()
        assert settings.chat_teams == ("a:b", "c:d")
        assert settings.local_user == "analyst"

    def test_unknown_names_are_ignored(self, folder, monkeypatch):
        (folder / ".env").write_text("SOMETHING=else\nDATABASE_URL_OLD=x\n")
        monkeypatch.setenv("CHAT_COLOUR", "blue")
        assert load_settings().chat_model == "offline"

    def test_what_else_env_file_holds_reaches_the_model_providers(self, folder, monkeypatch):
        (folder / ".env").write_text(
            "OPENAI_API_KEY=of file\nOPENAI_BASE_URL=http://of-file\nGROQ_API_KEY=\nLOCAL_USER=ann\n"
        )
        monkeypatch.setenv("OPENAI_BASE_URL", "http://of-environment")
        monkeypatch.setenv("OPENAI_API_KEY", "")
        monkeypatch.delenv("OPENAI_API_KEY")
        load_settings(num_history_runs=3)
        assert "OPENAI_API_KEY" not in os.environ
        load_settings()
        assert (os.environ["OPENAI_API_KEY"], os.environ["OPENAI_BASE_URL"]) == ("of file", "http://of-environment")
        assert "GROQ_API_KEY" not in os.environ
        assert "LOCAL_USER" not in os.environ

    def test_settings_are_frozen(self):
        with pytest.raises(ValidationError):
            load_settings().chat_model = "other"  # type: ignore[misc]  # that it is read-only is what is tested

    def test_relative_paths_stay_relative_and_the_home_folder_is_found(self, monkeypatch):
        monkeypatch.setenv("HOME", "/home/ann")
        settings = load_settings(media_dir="pictures", outbox_dir="~/outbox")
        assert (settings.media_dir, settings.outbox_dir) == (Path("pictures"), Path("/home/ann/outbox"))

    @pytest.mark.skipif(
        not Path("/proc/self/environ").exists(), reason="only Linux tells a process's first environment"
    )
    def test_secrets_that_streamlit_copied_into_the_environment_stay_the_weakest(self, folder):
        write_secrets(folder, 'LOCAL_USER = "of secrets"\nCHAT_MODEL = "groq:of-secrets"\nNUM_HISTORY_RUNS = 7\n')
        (folder / ".env").write_text("CHAT_MODEL=ollama:of-file\n")
        program = (
            "from streamlit.runtime.secrets import secrets_singleton\n"
            "assert secrets_singleton.load_if_toml_exists()\n"
            "import os\n"
            "assert os.environ['LOCAL_USER'] == 'of secrets'\n"
            "from lib.settings import load_settings\n"
            "s = load_settings()\n"
            "print(s.local_user, s.chat_model, s.num_history_runs, sep='|')"
        )
        environment = {**os.environ, "LOCAL_USER": "of environment", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "of environment|ollama:of-file|7"


class TestWhatTheyRefuse:
    @pytest.mark.parametrize(
        ("field", "value", "takes"),
        [
            ("num_history_runs", "-1", "a whole number, 0 or more"),
            ("num_history_runs", "three", "a whole number, 0 or more"),
            ("num_history_runs", "2.5", "a whole number, 0 or more"),
            ("offline_token_delay", "-0.1", "a number of seconds, 0 or more"),
            ("offline_token_delay", "inf", "a number of seconds, 0 or more"),
            ("offline_token_delay", "nan", "a number of seconds, 0 or more"),
            ("chat_model", "gpt-5", "offline or provider:model-id"),
            ("chat_model", "openai-chat:", "offline or provider:model-id"),
            ("chat_model", ":gpt-5", "offline or provider:model-id"),
            ("chat_teams", "mine.team", "package.module:attribute"),
            ("chat_teams", "a:b,mine/team.py:team", "package.module:attribute"),
            ("chat_teams", "a:1b", "package.module:attribute"),
            ("local_user", " ", "a name of 1 to 128 characters"),
            ("local_user", "x" * 129, "a name of 1 to 128 characters"),
            ("local_user", "a\nb", "a name of 1 to 128 characters"),
            ("admin_users", "ann," + "x" * 129, "user names"),
            ("trusted_user_header", "X Forwarded", "the name of an HTTP header"),
            ("allow_local_identity", "perhaps", "true or false"),
        ],
    )
    def test_a_wrong_value_is_named_with_what_it_is_and_what_it_takes(self, field, value, takes, monkeypatch):
        monkeypatch.setenv(setting_name(field), value)
        with pytest.raises(SettingsError) as caught:
            load_settings()
        message = str(caught.value)
        assert message.startswith(f"{setting_name(field)} is set to {value!r}, but it takes ")
        assert takes in message
        assert caught.value.setting == setting_name(field)

    def test_a_folder_that_is_a_file_is_refused(self, folder):
        (folder / "media").write_text("")
        with pytest.raises(SettingsError, match=r"^MEDIA_DIR is set to 'media', but it takes the path of a folder"):
            load_settings(media_dir="media")

    def test_a_broken_secrets_file_is_named_with_the_place_and_without_its_text(self, folder):
        write_secrets(folder, 'a = 1\nPASSWORD = "hunter2\n')
        with pytest.raises(
            SettingsError, match=r"secrets\.toml is set to a file that cannot be read \(at line 2"
        ) as caught:
            load_settings()
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))

    def test_an_env_file_that_is_no_text_is_named(self, folder):
        (folder / ".env").write_bytes(b"LOCAL_USER=J\xfcrgen\n")
        with pytest.raises(SettingsError, match=r"^\.env is set to bytes that are not UTF-8"):
            load_settings()


class TestDatabaseUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "sqlite:///data/roundtable.db",
            "sqlite:////var/lib/round table.db",
            "mysql+mysqlconnector://me:secret@localhost:3306/chat",
            "mariadb+mysqlconnector://me:p%40ss%2Fw@db.example.com/chat",
            "mysql+mysqlconnector://me@[::1]:3306/chat?charset=utf8mb4",
            "mysql+mysqlconnector://me:a/b?c#d@localhost/chat",  # SQLAlchemy reads this one, too
        ],
    )
    def test_these_are_taken(self, url):
        assert load_settings(database_url=url).database_url.get_secret_value() == url

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("mysql://me:hunter2@localhost/chat", "mysql://me:***@localhost/chat"),
            ("mysql+pymysql://me:hunter2@localhost/chat", "mysql+pymysql://me:***@localhost/chat"),
            ("mysql+mysqlconnector://me:hunter2@localhost", "mysql+mysqlconnector://me:***@localhost"),
            ("mysql+mysqlconnector://me:hunter2@localhost/", "mysql+mysqlconnector://me:***@localhost/"),
            ("mysql+mysqlconnector://me:hun@ter2@localhost/chat", "mysql+mysqlconnector://me:***@localhost/chat"),
            ("mysql+mysqlconnector://me:[hunter2@localhost:port/x", "mysql+mysqlconnector://me:***@localhost:port/x"),
            ("mysql+mysqlconnector://me:hunter2@localhost:99999/x", "mysql+mysqlconnector://me:***@localhost:99999/x"),
            ("mysql+mysqlconnector://me:hunter2", "mysql+mysqlconnector://me:***"),
            ("mysql:me:hunter2@localhost/chat", "***@localhost/chat"),
            ("me:hunter2@localhost/chat", "***@localhost/chat"),
            ("postgresql://me:hunter2@db/chat", "postgresql://***@db/chat"),
            ("postgresql://db/chat?user=me&password=hunter2&x=1", "postgresql://db/chat?user=me&password=***&x=1"),
            ("sqlite://", "sqlite://"),
            ("sqlite:///", "sqlite:///"),
            ("sqlite:///:memory:", "sqlite:///:memory:"),
            ("roundtable.db", "roundtable.db"),
        ],
    )
    def test_others_are_refused_and_shown_without_the_password(self, url, shown, monkeypatch):
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(SettingsError) as caught:
            load_settings()
        assert str(caught.value).startswith(f"DATABASE_URL is set to {shown!r}, but it takes sqlite:///path")
        assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True))
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None

    def test_no_text_form_of_the_settings_holds_the_password(self):
        settings = load_settings(database_url="mysql+mysqlconnector://me:hunter2@localhost/chat")
        for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings.database_url}"):
            assert "hunter2" not in text

    @given(
        st.text("pqr:/?#[]%&= \\é", min_size=1),
        st.sampled_from(["mysql+mysqlconnector://", "mysql://", "mysql:/", "://", ""]),
    )
    def test_no_password_gets_through_whatever_it_is_made_of(self, noise, scheme):
        password = f"{noise}hunter2{noise}"
        assert "hunter2" not in hide_password(f"{scheme}me:{password}@localhost/chat")
        if scheme.startswith("mysql"):
            assert "hunter2" not in hide_password(f"{scheme}me:{password}")

    def test_a_secret_is_accepted_as_one(self):
        assert (
            load_settings(database_url=SecretStr("sqlite:///x.db")).database_url.get_secret_value() == "sqlite:///x.db"
        )


class TestReadme:
    def test_the_table_holds_every_setting_with_its_default_and_its_help(self):
        table = read_settings_table()
        assert set(table) == {setting_name(field) for field in Settings.model_fields}
        for field, info in Settings.model_fields.items():
            default, help_text = table[setting_name(field)]
            assert help_text == info.description
            assert default == show_default(info.default)

    def test_the_example_file_names_every_setting(self):
        text = (ROOT / ".env.example").read_text(encoding="utf-8")
        for field, info in Settings.model_fields.items():
            assert re.search(rf"^#? ?{setting_name(field)}=", text, re.MULTILINE), setting_name(field)
            assert info.description


def read_settings_table() -> dict[str, tuple[str, str]]:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: (default, help_text) for name, default, help_text in rows}


def show_default(value: object) -> str:
    match value:
        case SecretStr():
            return f"`{value.get_secret_value()}`"
        case None | ():
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return f"`{value}`"
