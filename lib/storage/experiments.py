"""Experiments on recall as they are stored: plan, state and one row a cell; and the forks that their cells ask in.

Results are written one by one, so that an experiment that is stopped or cut off goes on where it was. The lab's sessions
have ids that begin with `LAB_SESSION_PREFIX` and the experiment's id: they are kept out of the normal list by that, and
found together by it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateTable

from lib.errors import ExperimentNotFound, RunNotFound, SessionNotFound
from lib.records import LAB_SESSION_PREFIX, MAX_ID_LENGTH, SessionKind
from lib.storage.connector import Connector
from lib.storage.forking import build_renaming, select_runs, to_forked_row
from lib.storage.identity import check_text, check_user, exactly
from lib.storage.json_text import to_json
from lib.storage.schema import ON_MYSQL, runs, sessions
from lib.storage.staging import ensure_session
from lib.storage.writing import OUR_KEY

if TYPE_CHECKING:
    from lib.storage.database import Database

COLLECTION = "recall lab"
"""The collection that all sessions of experiments are in."""
MAX_NAME_LENGTH = 200

_tables = MetaData()
_LONG_TEXT = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")  # MySQL's TEXT ends at 64 KiB
_experiments = Table(
    "roundtable_experiments",
    _tables,
    Column("experiment_id", String(MAX_ID_LENGTH), primary_key=True),
    Column("user_id", String(MAX_ID_LENGTH), nullable=False),
    Column("name", String(MAX_NAME_LENGTH), nullable=False),
    Column("state", String(20), nullable=False),
    Column("note", Text),
    Column("plan", _LONG_TEXT, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    **ON_MYSQL,
)
_cells = Table(
    "roundtable_experiment_cells",
    _tables,
    Column("experiment_id", String(MAX_ID_LENGTH), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # of the cell in its plan
    Column("result", _LONG_TEXT, nullable=False),
    **ON_MYSQL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExperiment:
    """An experiment without its results."""

    experiment_id: str
    user_id: str
    name: str
    state: str  # running, stopped, completed or failed
    note: str | None  # why it failed
    plan: Mapping[str, Any]
    results: int  # how many cells are measured
    created_at: datetime
    updated_at: datetime


class ExperimentStore:
    """Where experiments are kept. Every method names the user, compared exactly."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connector.write(_create_tables)

    def create(self, name: str, plan: Mapping[str, Any], *, user_id: str) -> str:
        """Store a new experiment as running and return its id."""
        name = check_text(name, "name of the experiment", max_length=MAX_NAME_LENGTH, one_line=True)
        experiment_id, now = uuid.uuid4().hex[:12], int(time.time())
        values: dict[str, Any] = {"experiment_id": experiment_id, "user_id": check_user(user_id), "name": name}
        values |= {"state": "running", "plan": to_json(plan), "created_at": now, "updated_at": now}
        self._connector.write(lambda connection: connection.execute(insert(_experiments).values(values)))
        return experiment_id

    def list_experiments(self, *, user_id: str) -> tuple[StoredExperiment, ...]:
        """Return the user's experiments, the newest first."""
        user_id = check_user(user_id)
        counted = select(func.count()).where(_cells.c.experiment_id == _experiments.c.experiment_id).scalar_subquery()
        statement = (
            select(_experiments, counted.label("results"))
            .where(exactly(_experiments.c.user_id, user_id))
            .order_by(_experiments.c.created_at.desc(), _experiments.c.experiment_id)
        )
        rows = self._connector.read(lambda connection: connection.execute(statement).mappings().all())
        return tuple(_to_experiment(row) for row in rows if row["user_id"] == user_id)

    def get(self, experiment_id: str, *, user_id: str) -> StoredExperiment:
        """Return one experiment. Raises ExperimentNotFound."""
        found = [item for item in self.list_experiments(user_id=user_id) if item.experiment_id == experiment_id]
        if not found:
            raise ExperimentNotFound(experiment_id)
        return found[0]

    def list_results(self, experiment_id: str, *, user_id: str) -> tuple[Mapping[str, Any], ...]:
        """Return the rows measured so far, in the order of the plan."""
        self.get(experiment_id, user_id=user_id)
        statement = (
            select(_cells.c.result).where(exactly(_cells.c.experiment_id, experiment_id)).order_by(_cells.c.number)
        )
        rows = self._connector.read(lambda connection: connection.execute(statement).scalars().all())
        return tuple(json.loads(row) for row in rows)

    def add_result(self, experiment_id: str, number: int, row: Mapping[str, Any]) -> None:
        """Store what the cell with this number in its plan measured; measured again, it replaces what was there."""
        cell = {"experiment_id": experiment_id, "number": number}

        def work(connection: Connection) -> None:
            connection.execute(
                delete(_cells).where(exactly(_cells.c.experiment_id, experiment_id), _cells.c.number == number)
            )
            connection.execute(insert(_cells).values(result=to_json(row), **cell))

        self._connector.write(work)

    def set_state(self, experiment_id: str, state: str, *, user_id: str, note: str | None = None) -> None:
        """Say where an experiment stands."""
        self._update(experiment_id, user_id, state=state, note=note)

    def rename(self, experiment_id: str, name: str, *, user_id: str) -> None:
        """Give an experiment another name."""
        name = check_text(name, "name of the experiment", max_length=MAX_NAME_LENGTH, one_line=True)
        self._update(experiment_id, user_id, name=name)

    def delete(self, experiment_id: str, *, user_id: str) -> None:
        """Delete an experiment with its results. Its sessions are the session store's to delete."""
        self.get(experiment_id, user_id=user_id)

        def work(connection: Connection) -> None:
            connection.execute(delete(_cells).where(exactly(_cells.c.experiment_id, experiment_id)))
            connection.execute(delete(_experiments).where(exactly(_experiments.c.experiment_id, experiment_id)))

        self._connector.write(work)

    def list_session_ids(self, *, user_id: str, experiment_id: str = "") -> tuple[str, ...]:
        """Return the ids of the lab's sessions, of one experiment or of all."""
        user_id = check_user(user_id)
        prefix = f"{LAB_SESSION_PREFIX}{experiment_id}"
        statement = select(sessions.c.session_id, sessions.c.user_id).where(
            sessions.c.session_id.startswith(prefix, autoescape=True), exactly(sessions.c.user_id, user_id)
        )
        rows = self._connector.read(lambda connection: connection.execute(statement).all())
        return tuple(row.session_id for row in rows if row.user_id == user_id)

    def fork(
        self, source_session_id: str, *, user_id: str, new_session_id: str, upto_run_id: str | None = None
    ) -> tuple[str, ...]:
        """Copy a session up to a run, that run included, and return the new ids of its top-level runs, oldest first.

        The source stays as it is. Images are shared with the source, not copied.
        Raises SessionNotFound, or RunNotFound where the run is no top-level run of the session.
        """
        user_id = check_user(user_id)

        def work(connection: Connection) -> tuple[str, ...]:
            source = connection.execute(
                select(sessions).where(exactly(sessions.c.session_id, source_session_id))
            ).mappings().first()  # fmt: skip
            if source is None or source["user_id"] != user_id:
                raise SessionNotFound(source_session_id)
            rows = _read_rows(connection, source_session_id)
            try:
                chosen = select_runs(rows, upto_run_id=upto_run_id)
            except KeyError:
                raise RunNotFound(upto_run_id or "") from None
            renaming = build_renaming(chosen, session_id=source_session_id, new_session_id=new_session_id)
            forked = [to_forked_row(row, replace(renaming, media={})) for row in chosen]
            ensure_session(
                connection,
                session_id=new_session_id,
                user_id=user_id,
                component_id=source["team_id"] or source["agent_id"],
                component_name=None,
                kind=SessionKind(source["session_type"]),
                ours={"collection": COLLECTION},
            )
            connection.execute(
                update(sessions)
                .where(exactly(sessions.c.session_id, new_session_id))
                .values(_forked_columns(source, source_session_id))
            )
            if forked:
                connection.execute(insert(runs), forked)
            return tuple(row["run_id"] for row in forked if row["parent_run_id"] is None)

        return self._connector.write(work)

    def _update(self, experiment_id: str, user_id: str, **values: Any) -> None:
        self.get(experiment_id, user_id=user_id)
        statement = (
            update(_experiments)
            .where(exactly(_experiments.c.experiment_id, experiment_id))
            .values(updated_at=int(time.time()), **values)
        )
        self._connector.write(lambda connection: connection.execute(statement))


def prepare_memories(database: Database) -> None:
    """Make Agno's table of user memories if it is missing: during a run it cannot make it on a busy SQLite file."""
    database.adapter._get_table("memories", create_table_if_not_found=True)


def _create_tables(connection: Connection) -> None:
    # Not create_all: two processes may come here at once, and the statement itself tolerates that.
    for table in _tables.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))


def _forked_columns(source: Mapping[Any, Any], source_session_id: str) -> dict[str, Any]:
    """Return what a fork has of its source's own row: state and summary, but not title, tags or token sums."""
    data = source["session_data"] if isinstance(source["session_data"], Mapping) else {}
    forked = {
        "session_state": data.get("session_state") or {},
        "forked_from_session_id": source_session_id,
        OUR_KEY: {"collection": COLLECTION},
    }
    kept = ("agent_data", "team_data", "workflow_data", "metadata", "summary")
    return {"session_data": forked, **{name: source[name] for name in kept}}


def _read_rows(connection: Connection, session_id: str) -> Sequence[Mapping[str, Any]]:
    statement = (
        select(runs)
        .where(exactly(runs.c.session_id, session_id))
        .order_by(runs.c.run_index, runs.c.created_at, runs.c.run_id)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def _to_experiment(row: Mapping[Any, Any]) -> StoredExperiment:
    return StoredExperiment(
        experiment_id=row["experiment_id"],
        user_id=row["user_id"],
        name=row["name"],
        state=row["state"],
        note=row["note"],
        plan=json.loads(row["plan"]),
        results=row["results"],
        created_at=datetime.fromtimestamp(row["created_at"], UTC),
        updated_at=datetime.fromtimestamp(row["updated_at"], UTC),
    )
