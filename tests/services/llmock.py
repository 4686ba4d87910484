"""An OpenAI-compatible server that nobody here wrote: npm's @copilotkit/aimock, started by its `llmock` command."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.npm import get_npm_file
from tests.services.ports import find_free_port, wait_until


@contextmanager
def open_llmock(fixtures: Path, *options: str) -> Iterator[str]:
    """Give the OPENAI_BASE_URL of a server that answers from the JSON files in `fixtures`.

    `options` are llmock's own: "--latency=20", "--chunk-size=5", "--chaos-drop=1", "--strict", ...
    """
    port = find_free_port()
    command = ["node", str(get_npm_file("@copilotkit/aimock/dist/cli.js")), f"--port={port}", f"--fixtures={fixtures}"]
    log = fixtures.with_name(f"{fixtures.name}-llmock.log")
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *options], stdout=output, stderr=output)
    try:
        wait_until(lambda: _answers(process, port, log), timeout_s=30, what="llmock")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)


def _answers(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"llmock ended at once:\n{log.read_text(errors='replace')[-2000:]}")
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
