"""One run at a time in a session, across processes: a table of the runs that wait or run, in the order they came.

An entry counts only while its process lives: on the same machine the process itself is looked at, elsewhere its
heartbeat, by the database's clock. Whoever sees a dead entry removes it, so that a crash never blocks a session.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from lib.errors import RunNotFound
from lib.records import RunStatus
from lib.storage.connector import Connector
from lib.storage.identity import check_id, check_user, exactly, is_possible_id
from lib.storage.schema import database_now, run_queue
from lib.storage.writing import lock_session

SILENT_ELSEWHERE_S = 30.0
"""An entry of another machine with no heartbeat for this long is dead. Beat every five seconds or so."""
SILENT_HERE_S = 15 * 60.0
"""So is one of this machine whose process lives but has forgotten it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRun:
    """A run that waits or runs now, in this process or another."""

    run_id: str
    session_id: str
    user_id: str
    state: RunStatus  # WAITING or RUNNING
    here: bool  # in this very process
    stop_requested: bool = False


class RunQueue:
    """The runs that are alive, of all processes that share the database."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector

    def enter(self, *, session_id: str, run_id: str, user_id: str) -> None:
        """Queue a run behind the others of its session; a run that is queued already keeps its place."""
        check_user(user_id), check_id(session_id, "session id"), check_id(run_id, "run id")

        def work(connection: Connection) -> None:
            lock_session(connection, session_id)  # so that places are given in the order of arrival
            enter(connection, session_id=session_id, run_id=run_id, user_id=user_id)

        self._connector.write(work)

    def ahead(self, run_id: str) -> int:
        """Return how many living runs of the session come before this one; 0: it is its turn.

        Raises:
            RunNotFound: the run is not queued (it left, or its process was taken for dead).
        """
        for run in self._connector.read(lambda connection: _entries(connection, run_queue.c.run_id == run_id)):
            if run.run_id == run_id:
                others = self._living(run_queue.c.session_id == run.session_id)
                return sum(other.session_id == run.session_id and other.sequence < run.sequence for other in others)
        raise RunNotFound(run_id)

    def heartbeat(self, run_ids: Collection[str]) -> None:
        """Say that this process still works on these runs."""
        if run_ids:
            beat = update(run_queue).where(run_queue.c.run_id.in_(run_ids)).values(heartbeat_at=database_now())
            self._connector.write(lambda connection: connection.execute(beat))

    def request_stop(self, run_id: str, *, user_id: str) -> bool:
        """Ask whoever runs it to stop the user's run; whether it is alive and theirs."""
        check_user(user_id)
        if not is_possible_id(run_id):
            return False
        statement = (
            update(run_queue)
            .where(exactly(run_queue.c.run_id, run_id), exactly(run_queue.c.user_id, user_id))
            .values(stop_requested_at=database_now())
        )
        return self._connector.write(lambda connection: connection.execute(statement).rowcount) > 0

    def stop_requested(self, run_ids: Collection[str]) -> set[str]:
        """Return those of the runs that somebody asked to stop."""
        if not run_ids:
            return set()
        statement = select(run_queue.c.run_id).where(
            run_queue.c.run_id.in_(run_ids), run_queue.c.stop_requested_at.is_not(None)
        )
        return set(self._connector.read(lambda connection: connection.execute(statement).scalars().all()))

    def leave(self, run_id: str) -> None:
        """Take a run out of the queue; also safe where it is not in it."""
        statement = delete(run_queue).where(run_queue.c.run_id == run_id)
        self._connector.write(lambda connection: connection.execute(statement))

    def live(self, *, session_id: str | None = None, user_id: str | None = None) -> tuple[LiveRun, ...]:
        """Return the living runs of a session or a user, in order."""
        conditions = []
        if session_id is not None:
            conditions.append(exactly(run_queue.c.session_id, session_id))
        if user_id is not None:
            conditions.append(exactly(run_queue.c.user_id, user_id))
        return self._to_live(self._living(*conditions))

    def live_in(self, session_ids: Collection[str]) -> tuple[LiveRun, ...]:
        """Return the living runs of some sessions."""
        return self._to_live(self._living(run_queue.c.session_id.in_(session_ids))) if session_ids else ()

    def live_states(self, session_ids: Collection[str]) -> dict[str, RunStatus]:
        """Return the ids of the living runs of some sessions, and whether each waits or runs."""
        return {run.run_id: run.state for run in self.live_in(session_ids)}

    def _living(self, *conditions: Any) -> list[Row[Any]]:
        """Return the entries that count, and remove those that do not."""
        entries = self._connector.read(lambda connection: _entries(connection, *conditions))
        dead = [entry.sequence for entry in entries if not _is_alive(entry)]
        if dead:
            # By sequence: an entry that came back meanwhile has a new one.
            statement = delete(run_queue).where(run_queue.c.sequence.in_(dead))
            self._connector.write(lambda connection: connection.execute(statement))
        return [entry for entry in entries if entry.sequence not in dead]

    def _to_live(self, entries: Iterable[Row[Any]]) -> tuple[LiveRun, ...]:
        running: set[str] = set()
        found = []
        for entry in entries:
            first = entry.session_id not in running
            running.add(entry.session_id)
            found.append(
                LiveRun(
                    run_id=entry.run_id,
                    session_id=entry.session_id,
                    user_id=entry.user_id,
                    state=RunStatus.RUNNING if first else RunStatus.WAITING,
                    here=(entry.host, entry.pid, entry.process_token) == _this_process(os.getpid()),
                    stop_requested=entry.stop_requested_at is not None,
                )
            )
        return tuple(found)


def enter(connection: Connection, *, session_id: str, run_id: str, user_id: str) -> None:
    """Queue a run within a transaction that holds the session's row."""
    if connection.execute(select(run_queue.c.run_id).where(run_queue.c.run_id == run_id)).first() is not None:
        return
    host, pid, token = _this_process(os.getpid())
    connection.execute(
        insert(run_queue).values(
            run_id=run_id,
            session_id=session_id,
            user_id=user_id,
            host=host,
            pid=pid,
            process_token=token,
            heartbeat_at=database_now(),
        )
    )


_ENTRIES = select(run_queue, (database_now() - run_queue.c.heartbeat_at).label("silent_s")).order_by(
    run_queue.c.sequence
)


def _entries(connection: Connection, *conditions: Any) -> list[Row[Any]]:
    return list(connection.execute(_ENTRIES.where(*conditions)))


def _is_alive(entry: Row[Any]) -> bool:
    host, _, _ = _this_process(os.getpid())
    if entry.host != host:
        return float(entry.silent_s) <= SILENT_ELSEWHERE_S
    return _process_token(entry.pid) == entry.process_token and float(entry.silent_s) <= SILENT_HERE_S


@cache
def _this_process(pid: int) -> tuple[str, int, str]:
    """Return (machine, pid, token) of this process; by pid, so that a forked child finds its own."""
    return _this_machine(), pid, _process_token(pid) or ""


def _this_machine() -> str:
    """Return a name for the place in which process ids mean the same: host, boot and container."""
    parts = [socket.gethostname()]
    for source in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        try:
            parts.append(os.readlink(source) if source.name == "pid" else source.read_text().strip())
        except OSError:
            continue  # not Linux: the host name has to do
    return "|".join(parts)[:200]


def _process_token(pid: int) -> str | None:
    """Return what tells a process from a later one with the same id: its start; None where there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        fields = status.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]  # a zombie is dead; field 22 is the start time
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except OSError:
        return None
    started = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return started.stdout.strip()[:64] or None
