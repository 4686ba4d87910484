"""The set-up works in a fresh clone, in a folder whose name holds spaces, and says what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lib.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SET_UP_FILES = ("Makefile", "requirements.txt", "requirements-dev.txt", ".ci/venv", ".ci/packages", ".ci/run")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files of the set-up alone, in a folder with spaces, beside a stand-in for what would be installed."""
    folder = tmp_path / "a folder with spaces"
    for name in SET_UP_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    # A lock of nothing: installing it is quick and needs no network.
    (folder / "requirements.txt").write_text("# nothing\n")
    (folder / "requirements-dev.txt").write_text("# nothing\n")
    return folder


def run_make(folder: Path, target: str, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    command = [shutil.which("make") or "make", "--no-print-directory", target, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def write_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def build_path(folder: Path, *names: str) -> str:
    """Return a PATH on which only the named programs of this machine are found."""
    folder.mkdir(exist_ok=True)
    for name in names:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return str(folder)


SHELL_PROGRAMS = ("sh", "cat", "cksum", "grep", "rm", "id", "cmp", "mkdir", "cp")


class TestVirtualEnvironment:
    def test_it_is_made_once_in_a_folder_with_spaces(self, clone):
        first = run_make(clone, "app-venv", f"PYTHON={sys.executable}")
        assert first.returncode == 0, first.stderr
        assert "Creating .venv with Python 3." in first.stdout
        second = run_make(clone, "app-venv")
        assert (second.returncode, second.stdout) == (0, "")

    def test_it_is_brought_up_to_date_when_the_lock_changes(self, clone):
        run_make(clone, "app-venv", f"PYTHON={sys.executable}")
        (clone / "requirements.txt").write_text("# nothing, but newer\n")
        again = run_make(clone, "app-venv")
        assert again.returncode == 0
        assert "Installing requirements.txt" in again.stdout
        assert "Creating" not in again.stdout

    def test_what_tests_installed_is_enough_to_run_the_app(self, clone):
        run_make(clone, "dev-venv", f"PYTHON={sys.executable}")
        assert run_make(clone, "app-venv").stdout == ""

    def test_an_environment_whose_python_is_gone_is_made_anew(self, clone):
        run_make(clone, "app-venv", f"PYTHON={sys.executable}")
        (clone / ".venv/bin/python").unlink()
        again = run_make(clone, "app-venv", f"PYTHON={sys.executable}")
        assert "Creating .venv" in again.stdout
        assert (clone / ".venv/bin/python").exists()

    def test_a_python_that_is_there_but_does_not_run_is_passed_over(self, clone, tmp_path):
        # pyenv's shims: python3.13 is found, and fails with 127 when it is run.
        programs = tmp_path / "bin"
        path = build_path(programs, *SHELL_PROGRAMS)
        write_program(programs, "python3.13", "exit 127")
        write_program(programs, "python3.12", f'exec "{sys.executable}" "$@"')
        done = run_make(clone, "app-venv", path=path)
        assert done.returncode == 0, done.stderr
        assert "Creating .venv" in done.stdout

    def test_without_a_python_it_says_which_one_is_needed(self, clone, tmp_path):
        programs = tmp_path / "bin"
        path = build_path(programs, *SHELL_PROGRAMS)
        write_program(programs, "python3", "exit 1")  # too old
        done = run_make(clone, "run", path=path)
        assert done.returncode != 0
        assert "Roundtable needs Python 3.11 or newer" in done.stderr
        assert not (clone / ".venv").exists()

    def test_a_python_without_venv_is_named_with_the_package_that_mends_it(self, clone, tmp_path):
        programs = tmp_path / "bin"
        path = build_path(programs, *SHELL_PROGRAMS)
        write_program(programs, "python3", 'case "$2" in *ensurepip*) exit 1;; esac; exit 0')
        done = run_make(clone, "run", path=path)
        assert done.returncode != 0
        assert "python3-venv" in done.stderr


def test_missing_packages_are_named_where_they_may_not_be_installed(clone, tmp_path):
    programs = tmp_path / "bin"
    path = build_path(programs, *(name for name in SHELL_PROGRAMS if name != "id"))
    write_program(programs, "id", "echo 1000")
    write_program(programs, "sudo", "exit 1")
    write_program(programs, "apt-get", "exit 1")
    done = run_make(clone, "packages", path=path)
    assert done.returncode != 0
    assert re.search(r"please install them:.* chromium nodejs npm", done.stderr)
    assert "sudo apt-get install" in done.stderr


def test_make_alone_lists_the_commands():
    listed = run_make(ROOT, "help").stdout
    for command in ("run", "test", "check", "demo", "bench", "lock", "clean"):
        assert re.search(rf"^make {command} +\w", listed, re.MULTILINE)


def test_the_scripts_may_be_executed():
    for name in (".ci/run", ".ci/venv", ".ci/packages"):
        assert os.access(ROOT / name, os.X_OK), name


class TestLocks:
    @pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
    def test_every_line_is_pinned_and_names_no_machine(self, name):
        text = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
        pinned = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert all(re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==[^ ]+( ; .+)?$", line) for line in pinned)
        assert not re.search(r"https?://|file:|--index|--find-links|/tmp|/home|/root", text)

    @pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
    def test_every_wish_is_in_the_lock(self, name):
        wishes = re.findall(r"^([a-z0-9-]+)", (ROOT / f"{name}.in").read_text(encoding="utf-8"), re.MULTILINE)
        locked = re.findall(r"^([a-z0-9-]+)", (ROOT / f"{name}.txt").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(wishes) - {"-c"} <= set(locked)


class TestStreamlitConfig:
    def test_the_app_listens_on_loopback_and_reports_to_nobody(self):
        config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
        assert config["server"]["address"] == "localhost"
        assert config["server"]["headless"] is True
        assert config["browser"]["gatherUsageStats"] is False
        assert config["client"]["showErrorDetails"] == "none"

    def test_streamlit_knows_every_option(self):
        from streamlit import config as streamlit_config

        options = streamlit_config.get_config_options(force_reparse=False)
        config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
        names = {f"{part}.{option}" for part, values in config.items() for option in values}
        # Sections of the theme hold colours for light and dark; Streamlit checks those when it starts.
        assert {name for name in names if not name.startswith("theme.")} <= set(options)


def test_fixtures_hide_every_setting_a_developer_has_set():
    from tests import conftest

    assert {field.upper() for field in Settings.model_fields} == conftest._SETTING_NAMES
