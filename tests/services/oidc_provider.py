"""A real OpenID Connect provider in a process of its own, on loopback: PyPI's oidc-provider-mock."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.services.ports import find_free_port, wait_until


class OidcProvider:
    """One provider with some users: `start`, `stop`; anybody signs in there by a form that asks who one is."""

    def __init__(self, users: Sequence[Mapping[str, Any]], *, log: Path) -> None:
        self.port = find_free_port()
        self.url = f"http://localhost:{self.port}"
        self.metadata_url = f"{self.url}/.well-known/openid-configuration"
        self._users = users
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> OidcProvider:
        """Start it and return when it answers."""
        claims = [f"--user-claims={json.dumps(user)}" for user in self._users]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "oidc_provider_mock", f"--port={self.port}", *claims], stdout=log, stderr=log
            )
        wait_until(self._answers, timeout_s=30, what=f"the login service at {self.url}")
        return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.metadata_url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
