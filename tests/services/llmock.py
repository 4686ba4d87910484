"""An OpenAI-compatible server that nobody here wrote: npm's @copilotkit/aimock, started by its `llmock` command."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.npm import get_npm_file
from tests.services.ports import find_free_port, wait_until


@dataclass(frozen=True)
class MockProvider:
    """A running llmock."""

    address: str

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"{self.address}/v1"

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests it was sent, oldest first, from its own journal."""
        with urllib.request.urlopen(f"{self.address}/v1/_requests", timeout=10) as response:
            found = json.load(response)
        return list(found)


@contextmanager
def open_llmock(answers: Sequence[dict[str, Any]], *options: str, folder: Path) -> Iterator[MockProvider]:
    """Give a server that answers as the fixtures say; its files go into `folder`.

    `options` are llmock's own: "--latency=20", "--chunk-size=5", "--chaos-drop=1", "--strict", ...
    """
    port = find_free_port()
    fixtures = folder / f"llmock-{port}.json"
    fixtures.write_text(json.dumps({"fixtures": list(answers)}))
    cli = str(get_npm_file("@copilotkit/aimock/dist/cli.js"))
    command = ["node", cli, f"--port={port}", f"--fixtures={fixtures}", "--validate-on-load", *options]
    log = fixtures.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        provider = MockProvider(f"http://127.0.0.1:{port}")
        wait_until(lambda: _answers(process, provider, log), timeout_s=30, what="llmock")
        yield provider
    finally:
        process.terminate()
        process.wait(10)


def _answers(process: subprocess.Popen[bytes], provider: MockProvider, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"llmock ended at once:\n{log.read_text(errors='replace')[-2000:]}")
    try:
        urllib.request.urlopen(f"{provider.base_url}/models", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
