"""An asyncio loop for one run that never holds its thread, or the process, longer than the run lasts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from agno.run.background import _background_tasks as agno_background_tasks

WAIT_FOR_WRITES_S = 20.0
"""How long the writes that Agno detaches from a cancelled run may take; a database that is down is retried meanwhile."""
WAIT_FOR_OTHERS_S = 2.0


class DaemonExecutor(ThreadPoolExecutor):
    """Runs each call in a daemon thread: a tool that blocks for ever ends with the process, not the process with it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start the call at once in a thread of its own."""
        future: Future[Any] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  # handed to whoever awaits the future
                future.set_exception(error)

        threading.Thread(target=call, name="roundtable-tool", daemon=True).start()
        return future


def run_to_end(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a loop of its own, then everything it left behind, within bounds."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(DaemonExecutor())
    try:
        loop.run_until_complete(main)
    finally:
        try:
            loop.run_until_complete(_settle())
        finally:
            loop.close()


async def _settle() -> None:
    """Let Agno's detached writes finish and end every other task that is left."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    writes = {task for task in left if task in agno_background_tasks}
    for task in left - writes:
        task.cancel()
    if left - writes:
        await asyncio.wait(left - writes, timeout=WAIT_FOR_OTHERS_S)
    if writes:
        await asyncio.wait(writes, timeout=WAIT_FOR_WRITES_S)
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().shutdown_asyncgens(), WAIT_FOR_OTHERS_S)
