"""The databases that are measured: one of ours and one of plain Agno's for each kind of server, all thrown away after."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agno.db.base import BaseDb
from agno.db.mysql import MySQLDb
from agno.db.sqlite import SqliteDb
from agno.db.utils import json_serializer
from sqlalchemy import JSON, create_engine, event
from sqlalchemy.engine import make_url

from tests.services.mariadb import MariaDBServer

JSON_COLUMNS = {"session_data", "agent_data", "team_data", "workflow_data", "metadata", "summary", "run_data", "runs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A kind of database, and the addresses of two empty ones of that kind."""

    name: str
    ours: str
    plain: str
    folder: Path


@contextlib.contextmanager
def open_servers(kinds: tuple[str, ...]) -> Iterator[tuple[Server, ...]]:
    """Give the servers of these kinds ("SQLite", "MariaDB"); MariaDB is started for it, on a free port."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roundtable-bench-")))
        servers = []
        if "SQLite" in kinds:
            servers.append(
                Server(
                    name="SQLite",
                    ours=f"sqlite:///{folder / 'ours.db'}",
                    plain=f"sqlite:///{folder / 'plain.db'}",
                    folder=folder,
                )
            )
        if "MariaDB" in kinds:
            if shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/sbin") is None:
                print("MariaDB's server program is not installed (Debian: mariadb-server): SQLite only.")
            else:
                server = MariaDBServer()
                stack.callback(server.close)
                server.start()
                ours, plain = (server.url(server.create_database()) for _ in range(2))
                servers.append(Server(name="MariaDB", ours=ours, plain=plain, folder=folder))
        yield tuple(servers)


def open_plain_db(url: str) -> BaseDb:
    """Return Agno's own adapter, with no more than what it needs to work after a restart on MariaDB (agno-facts F2)."""
    address = make_url(url)
    if address.drivername.startswith("sqlite"):
        return SqliteDb(db_file=address.database)
    engine = create_engine(
        address, json_serializer=json_serializer, pool_pre_ping=True, isolation_level="READ COMMITTED"
    )
    db = MySQLDb(db_engine=engine, db_schema=address.database, create_schema=False)

    @event.listens_for(db.metadata, "column_reflect")
    def _as_json(_inspector: Any, _table: Any, column: dict[str, Any]) -> None:
        if column["name"] in JSON_COLUMNS:
            column["type"] = JSON()

    return db
