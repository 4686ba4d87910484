"""Free ports and waiting for a server to answer."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable


def find_free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Return when `ready()` is true; raise TimeoutError naming `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} was not ready after {timeout_s:g} seconds")
        time.sleep(0.05)
