"""Agno's register of runs to cancel, made safe for runs that work in threads with event loops of their own.

Agno guards its register with an asyncio lock for coroutines and with a thread lock for the rest. An asyncio lock belongs
to one loop: two runs of different threads that meet at it end one of them with "bound to a different event loop". Every
step here is a look into a dict, so the thread lock serves both.
"""

from __future__ import annotations

from agno.run.cancel import get_cancellation_manager, set_cancellation_manager
from agno.run.cancellation_management.in_memory_cancellation_manager import InMemoryRunCancellationManager
from agno.utils.log import logger


class ThreadSafeCancellation(InMemoryRunCancellationManager):
    """The same register, with one lock for threads and coroutines."""

    async def aregister_run(self, run_id: str) -> None:
        """Take note of a run; an intent to cancel it stays."""
        self.register_run(run_id)

    async def acancel_run(self, run_id: str) -> bool:
        """Ask for a run to be cancelled; return whether it is known."""
        return self.cancel_run(run_id)

    async def ais_cancelled(self, run_id: str) -> bool:
        """Whether a run is to be cancelled."""
        return self.is_cancelled(run_id)

    async def acleanup_run(self, run_id: str) -> None:
        """Forget a run."""
        self.cleanup_run(run_id)

    async def araise_if_cancelled(self, run_id: str) -> None:
        """Raise Agno's RunCancelledException if the run is to be cancelled."""
        self.raise_if_cancelled(run_id)

    async def aget_active_runs(self) -> dict[str, bool]:
        """Return the runs known, and whether each is to be cancelled."""
        return self.get_active_runs()


def install() -> None:
    """Put the safe register in place of Agno's default; one that somebody else chose stays."""
    if type(get_cancellation_manager()) is InMemoryRunCancellationManager:
        was_disabled, logger.disabled = logger.disabled, True  # it would say so on standard output
        set_cancellation_manager(ThreadSafeCancellation())
        logger.disabled = was_disabled
