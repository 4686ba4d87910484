"""Where history is kept: the engine, Agno's adapters made safe, the session store, the run queue, the outbox.

    open_database(settings) -> Database
        .adapter     what Agno's teams are given as `db`
        .sessions    SessionStore: sessions and runs, for one user at a time
        .queue       RunQueue: one run at a time in a session, across processes
        .search      SearchIndex: the full text of questions and answers
        .follow()    takes in what other programs wrote
        .outbox      what the database refused, kept on disk

The only part of the app that knows SQLAlchemy.
"""

from __future__ import annotations

from lib.storage.adapters import SafeMySQLDb, SafeSqliteDb, window_read
from lib.storage.database import Database, RunOutcome, open_database
from lib.storage.outbox import Outbox
from lib.storage.run_queue import LiveRun, RunQueue
from lib.storage.sessions import SessionStore

__all__ = [
    "Database",
    "LiveRun",
    "Outbox",
    "RunOutcome",
    "RunQueue",
    "SafeMySQLDb",
    "SafeSqliteDb",
    "SessionStore",
    "open_database",
    "window_read",
]
