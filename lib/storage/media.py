"""Stored images and other media: which runs refer to which file of MEDIA_DIR, and the files themselves.

A file is removed only when no run of another session refers to it, so the references are kept in a table of our own.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Column, Connection, Index, MetaData, String, Table, Text, delete, insert, select

from lib.storage.forking import list_media_keys
from lib.storage.keys import to_key
from lib.storage.schema import ON_MYSQL, runs

logger = logging.getLogger("roundtable.storage")

_TABLES = MetaData()

references = Table(
    "roundtable_media",
    _TABLES,
    Column("run_key", String(64), primary_key=True),
    Column("media_key", String(64), primary_key=True),  # a hash of the storage key
    Column("session_key", String(64), nullable=False),
    Column("storage_key", Text, nullable=False),
    Index("roundtable_media_session", "session_key"),
    Index("roundtable_media_file", "media_key"),
    **ON_MYSQL,
)


def create_media_table(connection: Connection) -> None:
    """Make the table of references where it is missing. Runs under the set-up lock."""
    _TABLES.create_all(connection, checkfirst=True)


def note_media(connection: Connection, run_ids: Sequence[str]) -> None:
    """Take down which files some runs refer to; their earlier references have been dropped."""
    if not run_ids:
        return
    found = connection.execute(
        select(runs.c.run_id, runs.c.session_id, runs.c.run_data).where(runs.c.run_id.in_(run_ids))
    )
    rows = [
        {
            "run_key": to_key(row.run_id),
            "media_key": to_key(storage_key),
            "session_key": to_key(row.session_id),
            "storage_key": storage_key,
        }
        for row in found
        for storage_key in list_media_keys(row.run_data)
    ]
    if rows:
        connection.execute(insert(references), rows)


def forget_media(connection: Connection, *, run_keys: Sequence[str] = (), session_keys: Sequence[str] = ()) -> None:
    """Drop the references of runs or of whole sessions."""
    if run_keys:
        connection.execute(delete(references).where(references.c.run_key.in_(run_keys)))
    if session_keys:
        connection.execute(delete(references).where(references.c.session_key.in_(session_keys)))


def read_own_media(
    connection: Connection, *, session_keys: Sequence[str] = (), run_keys: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the storage keys to which only these sessions (or only these runs) refer."""
    column, keys = (references.c.run_key, run_keys) if run_keys else (references.c.session_key, session_keys)
    ours = connection.execute(
        select(references.c.media_key, references.c.storage_key).where(column.in_(keys)).distinct()
    ).all()
    used_elsewhere = set(
        connection.execute(
            select(references.c.media_key).where(
                references.c.media_key.in_([row.media_key for row in ours]), column.not_in(keys)
            )
        ).scalars()
    )
    return tuple(sorted(row.storage_key for row in ours if row.media_key not in used_elsewhere))


class MediaFolder:
    """The files of MEDIA_DIR, laid out as Agno's LocalMediaStorage does: a file, and what it is beside it."""

    def __init__(self, media_dir: Path) -> None:
        self._folder = media_dir.expanduser().absolute()

    def copy(self, renamed: Mapping[str, str]) -> list[str]:
        """Copy files under new keys; return the new keys that were made. A file that is not there is left out."""
        made = []
        for key, new_key in renamed.items():
            source, target = self._file(key), self._file(new_key)
            if source is None or target is None or not source.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            made.append(new_key)
            if (beside := _beside(source)).is_file():
                shutil.copyfile(beside, _beside(target))
        return made

    def read(self, storage_key: str) -> bytes | None:
        """Return a file's bytes; None where there is none, or the key leads out of the folder."""
        file = self._file(storage_key)
        try:
            return file.read_bytes() if file is not None else None
        except OSError:
            return None

    def remove(self, storage_keys: Iterable[str]) -> int:
        """Remove files; return how many were there. One that cannot be removed is logged and left."""
        removed = 0
        for key in storage_keys:
            file = self._file(key)
            if file is None or not file.is_file():
                continue
            try:
                file.unlink()
                _beside(file).unlink(missing_ok=True)
                removed += 1
            except OSError as error:
                logger.warning("A stored image cannot be removed from %s: %s", self._folder, error.strerror)
        return removed

    def count(self, storage_keys: Iterable[str]) -> int:
        """Return how many of the files are there."""
        return sum((file := self._file(key)) is not None and file.is_file() for key in storage_keys)

    def _file(self, storage_key: str) -> Path | None:
        """Return where a file is kept; None for a key that leads out of the folder."""
        root = self._folder.resolve()
        try:
            file = (root / storage_key).resolve()
        except (OSError, ValueError):
            return None
        return file if file != root and root in file.parents else None


def _beside(file: Path) -> Path:
    return file.with_suffix(file.suffix + ".meta.json")
