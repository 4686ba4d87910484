"""What the columns of a session's runs tell, without a single body: whose each run is, where it stands, what became of it."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, select

from lib.records import RunRecord
from lib.storage.connector import Connector
from lib.storage.identity import exactly
from lib.storage.reading import to_run_records_of_columns
from lib.storage.schema import runs

_COLUMNS = (
    *("run_id", "session_id", "run_type", "agent_id", "team_id", "workflow_id"),
    *("user_id", "parent_run_id", "status", "run_index", "created_at"),
)


def read_column_runs(connector: Connector, session_id: str) -> tuple[RunRecord, ...]:
    """Return all runs of a session as their columns tell of them, members under their leaders; no body is read.

    Runs of older Agno versions, which have no rows of their own, are not among them.
    """

    def read(connection: Connection) -> tuple[RunRecord, ...]:
        stored = inspect(connection)
        if not stored.has_table("agno_runs"):
            return ()
        there = {column["name"] for column in stored.get_columns("agno_runs")}
        statement = select(*(runs.c[name] for name in _COLUMNS if name in there)).where(
            exactly(runs.c.session_id, session_id)
        )
        found = connection.execute(statement.order_by(runs.c.run_index, runs.c.run_id)).mappings()
        return to_run_records_of_columns([dict(row) for row in found])

    return connector.read(read)
