"""Runs of different threads meet at Agno's register of cancellations without harming each other."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from agno.exceptions import RunCancelledException
from agno.run.cancel import get_cancellation_manager
from agno.run.cancellation_management.base import BaseRunCancellationManager

from lib.roundtable import open_roundtable
from lib.runs.cancellation import ThreadSafeCancellation, install
from lib.settings import Settings

LONG_S = 60.0


def test_the_engine_installs_its_register_once(settings: Settings) -> None:
    open_roundtable(settings).close()
    installed = get_cancellation_manager()
    assert isinstance(installed, ThreadSafeCancellation)
    install()
    assert get_cancellation_manager() is installed


def test_a_register_that_somebody_chose_stays_and_importing_changes_nothing() -> None:
    program = """
import lib.runs
from agno.run.cancel import get_cancellation_manager, set_cancellation_manager
from agno.run.cancellation_management.in_memory_cancellation_manager import InMemoryRunCancellationManager
from lib.runs.cancellation import install
assert type(get_cancellation_manager()) is InMemoryRunCancellationManager
class Chosen(InMemoryRunCancellationManager): ...
set_cancellation_manager(Chosen())
install()
assert type(get_cancellation_manager()) is Chosen
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=LONG_S)


def test_every_step_a_coroutine_takes_is_made_safe() -> None:
    steps = {name for name, _ in inspect.getmembers(BaseRunCancellationManager, inspect.iscoroutinefunction)}
    assert steps
    assert steps <= set(vars(ThreadSafeCancellation)), "Agno has a new one: give it the thread lock too"


@pytest.fixture
def _eager_threads() -> Iterator[None]:
    """Let Python switch threads all the time: what happens once in a hundred runs on a busy machine happens at once."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_eager_threads")
def test_many_loops_use_the_register_at_once() -> None:
    register = ThreadSafeCancellation()

    async def live(number: int) -> None:
        async def one(run_id: str) -> None:
            await register.aregister_run(run_id)
            for each in range(50):
                await register.araise_if_cancelled(run_id)
                await register.aregister_member_run(run_id, f"member-{each}")
                await asyncio.sleep(0)
            assert len(await register.aget_member_run_ids(run_id)) == 50
            await register.acleanup_member_runs(run_id)
            await register.acleanup_run(run_id)

        await asyncio.gather(*(one(f"{number}-{each}") for each in range(20)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: asyncio.run(live(number)), range(16)))
    assert asyncio.run(register.aget_active_runs()) == {}


def test_a_run_asked_to_stop_is_stopped_whichever_way_it_looks() -> None:
    register = ThreadSafeCancellation()
    asyncio.run(register.aregister_run("r"))
    assert asyncio.run(register.acancel_run("r"))
    assert asyncio.run(register.ais_cancelled("r"))
    with pytest.raises(RunCancelledException):
        asyncio.run(register.araise_if_cancelled("r"))
