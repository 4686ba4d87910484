"""The one database of a process: `open_database` and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lib.errors import RunNotFound, SessionNotFound
from lib.storage.adapters import SafeMySQLDb, SafeSqliteDb
from lib.storage.agno_log import quieten_agno
from lib.storage.connector import BUSY_TIMEOUT_S, Connector, Dialect, build_connector
from lib.storage.delivering import SafeWriter, build_deliver
from lib.storage.faults import told_as_storage_errors
from lib.storage.following import SessionFollowing, create_following_table
from lib.storage.forks import create_fork_table
from lib.storage.heads import create_head_tables
from lib.storage.outbox import Outbox
from lib.storage.read_marks import ReadMarks
from lib.storage.run_queue import RunQueue
from lib.storage.schema import create_tables
from lib.storage.search_index import SearchIndex
from lib.storage.search_tables import create_search_tables
from lib.storage.sessions import SessionStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from lib.settings import Settings


class RunOutcome(StrEnum):
    """Where the results of an ended run are."""

    STORED = "stored"
    KEPT_ON_DISK = "kept_on_disk"  # written when the database is there again
    SESSION_DELETED = "session_deleted"  # the session or run was deleted meanwhile; dropped, as it should be
    MISSING = "missing"  # the row is not there, or still says only that the question was asked


@dataclass(frozen=True, slots=True)
class Database:
    """Everything that is stored, and the adapter that Agno stores through."""

    connector: Connector
    adapter: SafeSqliteDb | SafeMySQLDb
    sessions: SessionStore
    queue: RunQueue
    outbox: Outbox
    search: SearchIndex
    following: SessionFollowing
    read_marks: ReadMarks

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine; one a process."""
        return self.connector.engine

    @property
    def address(self) -> str:
        """Where the database is, for people: without password."""
        return self.connector.address

    @property
    def dialect(self) -> Dialect:
        """Which kind of database it is; MariaDB counts as mysql."""
        return self.connector.dialect

    def check(self) -> None:
        """Raise DatabaseUnavailable or DatabaseBusy where the database does not answer now."""
        self.connector.check()

    def run_outcome(self, run_id: str, *, session_id: str, user_id: str) -> RunOutcome:
        """Return where the results of a run that ended are.

        Raises:
            StorageError: nothing is kept on disk, and the database cannot be asked.
        """
        if self.outbox.pending_for(run_id=run_id) or self.outbox.pending_for(run_id=run_id, set_aside=True):
            return RunOutcome.KEPT_ON_DISK
        try:
            row = self.sessions.get_run_row(run_id, user_id=user_id)
        except (RunNotFound, SessionNotFound):
            gone = self.sessions.was_deleted(session_id) or self.sessions.was_deleted(run_id, kind="run")
            if gone or not self._has_session(session_id, user_id):
                return RunOutcome.SESSION_DELETED
            return RunOutcome.MISSING
        data = row["run_data"]
        ours = (data.get("metadata") or {}).get("roundtable") or {} if isinstance(data, dict) else {}
        return RunOutcome.MISSING if ours.get("marker") else RunOutcome.STORED

    def kept_for(self, user_id: str) -> int:
        """Return how many of a user's writes are on disk and not in the database; cheap enough for every page."""
        return self.outbox.pending_for(user_id=user_id) + self.outbox.pending_for(user_id=user_id, set_aside=True)

    def follow(self) -> int:
        """Take in a batch of what was written since: heads of other programs' sessions, texts to search; 0: all is in."""
        return self.following.follow() + self.search.update()

    def _has_session(self, session_id: str, user_id: str) -> bool:
        try:
            self.sessions.get_session_row(session_id, user_id=user_id)
        except SessionNotFound:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        self.connector.close()


def open_database(settings: Settings, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Database:
    """Return the database of DATABASE_URL, its tables made if missing, what was kept on disk written.

    Raises:
        DatabaseUnavailable: it cannot be reached or used; the message says where and why.
        DatabaseBusy: it stayed locked.
        SettingsError: DATABASE_URL or OUTBOX_DIR cannot be used.
    """
    quieten_agno()
    connector = build_connector(settings.database_url.get_secret_value(), busy_timeout_s=busy_timeout_s)
    outbox = Outbox(settings.outbox_dir, address=connector.address, deliver=build_deliver(connector))
    queue = RunQueue(connector)
    search = SearchIndex(connector)
    store = SessionStore(connector, queue=queue, search=search, outbox=outbox, media_dir=settings.media_dir)
    adapter_class = SafeMySQLDb if connector.dialect == "mysql" else SafeSqliteDb
    adapter = adapter_class(connector, store=store, writer=SafeWriter(connector, outbox))
    try:
        connector.check()
        with told_as_storage_errors(connector.address):
            create_tables(
                connector,
                adapter,
                lambda connection: create_search_tables(connection, connector.dialect),
                create_head_tables,
                create_fork_table,
                create_following_table,
            )
    except BaseException:
        connector.close()
        raise
    outbox.flush()
    return Database(
        connector=connector,
        adapter=adapter,
        sessions=store,
        queue=queue,
        outbox=outbox,
        search=search,
        following=SessionFollowing(connector, search),
        read_marks=ReadMarks(connector),
    )
