"""An OpenAI-compatible server that nobody here wrote: npm's @copilotkit/aimock, by its `llmock` command."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.ports import find_free_port

TOOLS = Path(__file__).parents[2] / ".tools"
AIMOCK = "@copilotkit/aimock@1.43.0"
START_WITHIN_S = 20.0


@dataclass(frozen=True)
class MockProvider:
    """A running llmock."""

    address: str

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests it was sent, oldest first, from its own journal."""
        with urllib.request.urlopen(f"{self.address}/v1/_requests", timeout=10) as response:
            found = json.load(response)
        return list(found)


@pytest.fixture(scope="session")
def llmock_command() -> Path:
    """The llmock command; it is installed where it is missing."""
    command = TOOLS / "node_modules" / ".bin" / "llmock"
    if not command.exists():
        npm = shutil.which("npm")
        assert npm, "llmock is missing and npm is not installed: install nodejs and npm, or run make test"
        subprocess.run(
            [npm, "install", "--no-save", "--prefix", str(TOOLS), AIMOCK], check=True, capture_output=True, timeout=300
        )
    return command


@pytest.fixture
def start_llmock(llmock_command: Path, tmp_path: Path) -> Iterator[Callable[..., MockProvider]]:
    """A function that starts llmock with fixtures: `start_llmock([{"match": ..., "response": ...}], "--latency", "20")`."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(fixtures: list[dict[str, Any]], *options: str) -> MockProvider:
        file = tmp_path / f"fixtures-{len(processes)}.json"
        file.write_text(json.dumps({"fixtures": fixtures}))
        port = find_free_port()
        command = [str(llmock_command), "--port", str(port), "--fixtures", str(file), "--validate-on-load", *options]
        with (tmp_path / f"llmock-{len(processes)}.log").open("wb") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        provider = MockProvider(f"http://127.0.0.1:{port}")
        _wait_for(provider.address, processes[-1])
        return provider

    yield start
    for process in processes:
        process.terminate()
        process.wait(timeout=10)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + START_WITHIN_S
    while time.monotonic() < give_up_at and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except urllib.error.HTTPError:
            return  # it answers: that there is nothing at / is no matter
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"llmock did not start at {address} (exit status {process.poll()})")
