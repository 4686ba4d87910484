"""Agno's register of runs to cancel, made safe for runs that work in threads with event loops of their own.

Agno guards its register with an asyncio lock for coroutines and with a thread lock for the rest. An asyncio lock belongs
to one loop: when two runs of different threads meet at it, one of them ends with "bound to a different event loop" or
waits for ever. Every step here is a look into a dict, so the thread lock serves both.

The register is Agno's own for the whole process. It is not taken out again when an engine closes: runs that are still
ending look into it, and it does all that Agno's does.
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

    async def aregister_member_run(self, team_run_id: str, member_run_id: str) -> None:
        """Take note that a member's run ends with the run it stands under."""
        self.register_member_run(team_run_id, member_run_id)

    async def aget_member_run_ids(self, team_run_id: str) -> set[str]:
        """Return the member runs that work under a run."""
        return self.get_member_run_ids(team_run_id)

    async def acleanup_member_runs(self, team_run_id: str) -> None:
        """Forget the member runs of a run."""
        self.cleanup_member_runs(team_run_id)


def install() -> None:
    """Put the safe register in place of Agno's default, once; one that somebody else chose stays."""
    if type(get_cancellation_manager()) is InMemoryRunCancellationManager:
        was_disabled, logger.disabled = logger.disabled, True  # it would say so on standard output
        set_cancellation_manager(ThreadSafeCancellation())
        logger.disabled = was_disabled
