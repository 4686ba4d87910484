"""What the database refused, kept on disk until it is there again: one file a write, in order, for this machine.

A kept write is a JSON file of mode 0600 in OUTBOX_DIR/<hash of the database address>. It is written, flushed to the disk
and then renamed into place, so that a crash leaves a whole file or none. One process at a time empties the folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from lib.errors import HistoryNotSaved, SettingsError
from lib.storage.json_text import to_json

logger = logging.getLogger("roundtable.storage")

_VERSION = 1


class Delivery(StrEnum):
    """What became of a kept write that was tried again."""

    DONE = "done"  # stored, or rightly dropped because its session was deleted
    LATER = "later"  # the database is not there; stop trying for now
    REFUSED = "refused"  # the database is there and will not take this one


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptWrite:
    """A write that waits on disk."""

    kind: str  # "session" or "run"
    session_id: str
    user_id: str
    run_id: str | None
    payload: Mapping[str, Any]
    kept_at: datetime
    reason: str
    file: Path


Deliver = Callable[[KeptWrite], Delivery]


class Outbox:
    """The kept writes of one database on this machine."""

    def __init__(self, outbox_dir: Path, *, address: str, deliver: Deliver) -> None:
        self.folder = outbox_dir.expanduser().absolute() / hashlib.sha256(address.encode()).hexdigest()[:16]
        self._deliver = deliver
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise SettingsError(
                "OUTBOX_DIR", got=f"{outbox_dir} ({error.strerror})", takes="a folder that can be written"
            ) from None
        if not os.access(self.folder, os.W_OK):
            raise SettingsError("OUTBOX_DIR", got=f"{outbox_dir} (read-only)", takes="a folder that can be written")

    def keep(
        self, kind: str, *, session_id: str, user_id: str, run_id: str | None, payload: Mapping[str, Any], reason: str
    ) -> None:
        """Keep a write on disk. Raises HistoryNotSaved where even that fails."""
        document = {
            "version": _VERSION,
            "kind": kind,
            "session_id": session_id,
            "user_id": user_id,
            "run_id": run_id,
            "kept_at": time.time(),
            "reason": reason,
            "payload": payload,
        }
        with self._locked():
            name = self._next_name(session_id, user_id, run_id)
            try:
                self._write(name, to_json(document))
            except OSError as error:
                raise HistoryNotSaved(
                    f"The database did not take a write of session {session_id!r}, and it cannot be kept in "
                    f"{self.folder} either: {error.strerror}. Free the disk; this write is lost."
                ) from None
        logger.warning("A %s of session %s is kept on disk: %s", kind, session_id, reason)

    def pending(self) -> tuple[Path, ...]:
        """Return the files of all kept writes, oldest first."""
        return tuple(sorted(path for path in self.folder.glob("*.json") if path.is_file()))

    def pending_for(
        self,
        *,
        session_id: str | None = None,
        run_id: str | None = None,
        user_id: str | None = None,
        set_aside: bool = False,
    ) -> int:
        """Return how many kept writes (or those set aside) belong to all of the given; cheap, no file is read."""
        wanted = [
            f"{letter}{_short(value)}" for letter, value in (("s", session_id), ("r", run_id), ("u", user_id)) if value
        ]
        files = self.set_aside() if set_aside else self.pending()
        return sum(all(mark in path.name.split(".") for mark in wanted) for path in files)

    def kept_sessions(self, session_ids: Iterable[str]) -> frozenset[str]:
        """Return those of the sessions that have kept writes; the folder is read once."""
        marks = {part for path in (*self.pending(), *self.set_aside()) for part in path.name.split(".")}
        return (
            frozenset(session_id for session_id in session_ids if f"s{_short(session_id)}" in marks)
            if marks
            else frozenset()
        )

    def drop(self, *, session_id: str | None = None, run_id: str | None = None) -> int:
        """Remove the kept writes of a session or run that was deleted, also those set aside; return how many."""
        mark = f"s{_short(session_id)}" if session_id else f"r{_short(run_id or '')}"
        if not any(mark in path.name.split(".") for path in (*self.pending(), *self.set_aside())):
            return 0
        with self._locked():
            found = [path for path in (*self.pending(), *self.set_aside()) if mark in path.name.split(".")]
            for path in found:
                path.unlink(missing_ok=True)
                path.with_name(f"{path.name}.note.txt").unlink(missing_ok=True)
        return len(found)

    def set_aside(self) -> tuple[Path, ...]:
        """Return the files that cannot be written to the database as they are; each has a note beside it."""
        return tuple(sorted((self.folder / "set-aside").glob("*.json")))

    def flush(self) -> int:
        """Write what is kept, in order, as far as the database takes it; return how many writes still wait.

        May be called at any time by any process: each write is delivered once, and delivering it again would not harm.
        """
        if not self.pending():
            return 0
        with self._locked():
            for path in self.pending():
                write = self._read(path)
                if write is None:
                    continue
                match self._deliver(write):
                    case Delivery.DONE:
                        path.unlink(missing_ok=True)
                    case Delivery.REFUSED:
                        self._put_aside(path, "The database is there and does not take this write; see the app's log.")
                    case Delivery.LATER:
                        break
        return len(self.pending())

    def _read(self, path: Path) -> KeptWrite | None:
        """Return a kept write; a file that holds none is set aside, so that it blocks nothing."""
        try:
            document = json.loads(path.read_bytes())
            if document["version"] != _VERSION or not isinstance(document["payload"], dict):
                raise ValueError("written by another version")
            run_id = document["run_id"]
            return KeptWrite(
                kind=str(document["kind"]),
                session_id=str(document["session_id"]),
                user_id=str(document["user_id"]),
                run_id=None if run_id is None else str(run_id),
                payload=document["payload"],
                kept_at=datetime.fromtimestamp(float(document["kept_at"]), UTC),
                reason=str(document["reason"]),
                file=path,
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            self._put_aside(path, f"This file holds no kept write: {type(error).__name__}.")
            return None

    def _put_aside(self, path: Path, note: str) -> None:
        aside = self.folder / "set-aside"
        aside.mkdir(exist_ok=True, mode=0o700)
        path.replace(aside / path.name)
        (aside / f"{path.name}.note.txt").write_text(
            f"{note}\nSet aside at {datetime.now(UTC).isoformat()}. Nothing was lost: to try it again, move the file "
            f"back to {self.folder}.\n"
        )
        logger.error("The kept write %s is set aside in %s: %s", path.name, aside, note)

    def _next_name(self, session_id: str, user_id: str, run_id: str | None) -> str:
        # Never before what is there already, even when the clock was set back.
        last = max((int(path.name.split(".")[0]) for path in self.pending() if path.name[:1].isdigit()), default=0)
        number = max(time.time_ns(), last + 1)
        run = f".r{_short(run_id)}" if run_id else ""
        return f"{number:020d}.s{_short(session_id)}.u{_short(user_id)}{run}.json"

    def _write(self, name: str, content: str) -> None:
        draft = self.folder / f"{name}.draft"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(self.folder / name)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process and one thread at a time work on the folder."""
        with (self.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)  # released when the handle is closed, also by a crash
            yield


def _short(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16]
