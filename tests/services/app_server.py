"""The app as a user starts it: `streamlit run app.py` in a process of its own, on a free port."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from lib.settings import Settings
from tests.services.ports import find_free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]


def to_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that give a new process the same settings."""
    return {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "CHAT_MODEL": settings.chat_model,
        "CHAT_TEAMS": ",".join(settings.chat_teams),
        "NUM_HISTORY_RUNS": str(settings.num_history_runs),
        "LOCAL_USER": settings.local_user,
        "TRUSTED_USER_HEADER": settings.trusted_user_header or "",
        "MEDIA_DIR": str(settings.media_dir),
        "OUTBOX_DIR": str(settings.outbox_dir),
        "OFFLINE_TOKEN_DELAY": str(settings.offline_token_delay),
        "ADMIN_USERS": ",".join(settings.admin_users),
        "ALLOW_LOCAL_IDENTITY": str(settings.allow_local_identity).lower(),
    }


class AppServer:
    """One running app: its `url`, its `log`; `stop`, `kill`, and `start` again on the same port."""

    def __init__(self, settings: Settings, *, log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.port = find_free_port()
        self.url = f"http://localhost:{self.port}"
        self._log = log
        self._environment = {**os.environ, **to_environment(settings), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> AppServer:
        """Start the app and return when it serves its first page."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={self.port}"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._healthy, timeout_s=60, what=f"the app at {self.url}")
        return self

    def stop(self) -> None:
        """End the app as Ctrl-C does and wait for its end."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the app at once, as a crash would (kill -9)."""
        self._end(kill=True)

    @property
    def process_id(self) -> int | None:
        """The id of the app's process while it runs."""
        return self._process.pid if self._process is not None else None

    def log_text(self) -> str:
        """Return everything the app has printed so far."""
        return self._log.read_text(errors="replace")

    def _healthy(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"the app ended at once:\n{self.log_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if kill:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
