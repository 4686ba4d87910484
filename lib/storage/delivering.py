"""How a run's writes reach the database: at once, or kept on disk and brought there later, a session's in their order."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection

from lib.errors import DatabaseUnavailable, HistoryNotSaved, NotAllowed, SessionDamaged, SessionNotFound
from lib.storage.connector import Connector
from lib.storage.faults import DATABASE_ERRORS, FaultKind, to_fault
from lib.storage.heads import note_runs, refresh_heads, touch_head
from lib.storage.outbox import Deliver, Delivery, KeptWrite, Outbox
from lib.storage.writing import RunWrite, SessionWrite, Written, write_run, write_session

_PAUSE_AFTER_FAILURE_S = 3.0


class SafeWriter:
    """Writes what a run left, and loses nothing where the database does not take it."""

    def __init__(self, connector: Connector, outbox: Outbox) -> None:
        self.connector, self.outbox = connector, outbox
        self._no_attempt_before = 0.0

    def write(self, write: SessionWrite | RunWrite) -> Written:
        """Write now, or keep on disk and say so.

        Raises:
            HistoryNotSaved: the database did not take it; it is kept on disk.
        """
        if self.outbox.pending_for(session_id=write.session_id):
            # Earlier writes of this session go first; where they cannot, this one queues up behind them.
            if time.monotonic() >= self._no_attempt_before:
                self.outbox.flush()
            if self.outbox.pending_for(session_id=write.session_id):
                raise self._keep(write, "earlier writes of the session still wait")
        try:
            return self.connector.write_raw(lambda connection: _apply(connection, write))
        except DATABASE_ERRORS as error:
            fault = to_fault(error)
            if fault.kind is not FaultKind.REFUSED:
                self._no_attempt_before = time.monotonic() + _PAUSE_AFTER_FAILURE_S
            number = f" ({fault.code})" if fault.code is not None else ""
            raise self._keep(write, f"{fault.told}{number}") from None

    def settle(self, session_id: str) -> None:
        """Write what is kept of a session before it is read: a history without it would be a false one.

        Raises:
            DatabaseUnavailable: the database does not take it yet.
        """
        if not self.outbox.pending_for(session_id=session_id):
            return
        self.outbox.flush()
        if self.outbox.pending_for(session_id=session_id):
            raise DatabaseUnavailable(
                f"Earlier answers of session {session_id!r} still wait on disk for the database "
                f"{self.connector.address}. Try again when it is reachable."
            )

    def _keep(self, write: SessionWrite | RunWrite, reason: str) -> HistoryNotSaved:
        run_id = write.run_id if isinstance(write, RunWrite) else None
        self.outbox.keep(
            "session" if run_id is None else "run",
            session_id=write.session_id,
            user_id=write.user_id,
            run_id=run_id,
            payload=_to_payload(write),
            reason=reason,
        )
        return HistoryNotSaved(
            f"The database {self.connector.address} did not take a write of session {write.session_id!r}: {reason}. "
            "It is kept on disk and will be written when the database is there again."
        )


def build_deliver(connector: Connector) -> Deliver:
    """Return how a kept write is brought to the database."""

    def attempt(write: SessionWrite | RunWrite) -> tuple[Delivery, bool]:
        """Return what became of it, and whether the connection broke over it."""
        try:
            connector.write_raw(lambda connection: _apply(connection, write), patience_s=1.0)
        except DATABASE_ERRORS as error:
            kind = to_fault(error).kind
            return Delivery.REFUSED if kind is FaultKind.REFUSED else Delivery.LATER, kind is FaultKind.UNREACHABLE
        except (SessionNotFound, SessionDamaged, NotAllowed):
            return Delivery.REFUSED, False
        return Delivery.DONE, False

    def deliver(kept: KeptWrite) -> Delivery:
        write = _to_write(kept)
        delivery, broke = attempt(write)
        if broke and _answers(connector):
            # A write larger than the server takes looks like a broken connection: it is the write if that happens twice.
            delivery, broke = attempt(write)
            if broke and _answers(connector):
                return Delivery.REFUSED
        return delivery

    return deliver


def _answers(connector: Connector) -> bool:
    try:
        connector.check()
    except DatabaseUnavailable:
        return False
    return True


def _to_payload(write: SessionWrite | RunWrite) -> dict[str, Any]:
    if isinstance(write, RunWrite):
        return {"row": dict(write.row), "comes_first": write.comes_first}
    return {"values": dict(write.values), "is_new": write.is_new}


def _to_write(kept: KeptWrite) -> SessionWrite | RunWrite:
    if kept.kind == "run" and kept.run_id is not None:
        return RunWrite(
            session_id=kept.session_id,
            user_id=kept.user_id,
            run_id=kept.run_id,
            row=kept.payload.get("row", kept.payload),  # an earlier version kept the row alone
            comes_first=bool(kept.payload.get("comes_first")),
        )
    return SessionWrite(
        session_id=kept.session_id,
        user_id=kept.user_id,
        values=kept.payload["values"],
        is_new=bool(kept.payload["is_new"]),
    )


def _apply(connection: Connection, write: SessionWrite | RunWrite) -> Written:
    """Write within a transaction, and what is derived from it."""
    if isinstance(write, SessionWrite):
        written = write_session(connection, write)
        if written is Written.STORED:
            touch_head(connection, write.session_id)
        return written
    written = write_run(connection, write)
    if written is Written.STORED:
        note_runs(connection, [write.run_id])
        if write.row.get("parent_run_id") is None:  # a leader's row comes last, its members' before it
            refresh_heads(connection, [write.session_id])
    return written
