"""What the storage tests let other processes do, and small builders they share. Processes are real ones, spawned."""

from __future__ import annotations

import multiprocessing
import os
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from agno.agent import Agent
from agno.run.base import RunStatus as AgnoStatus
from agno.run.team import TeamRunInput, TeamRunOutput
from agno.team import Team

from lib.models import OfflineModel
from lib.records import SessionKind
from lib.settings import Settings
from lib.storage import Database, open_database


def in_processes(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what `work` returns for each tuple of arguments, each in a process of its own, all at the same time."""
    with ProcessPoolExecutor(len(arguments), mp_context=multiprocessing.get_context("spawn")) as pool:
        begin_at = time.time() + 2.5  # when all of them have imported what they need
        futures = [pool.submit(_at, begin_at, work, given) for given in arguments]
        return [future.result(90) for future in futures]


def _at(begin_at: float, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    time.sleep(max(0.0, begin_at - time.time()))
    return work(*arguments)


def new_id() -> str:
    """Return a fresh id."""
    return str(uuid.uuid4())


def stage(database: Database, session_id: str, *, user_id: str = "ann", run_id: str | None = None, **more: Any) -> str:
    """Stage a question and return its run id."""
    run_id = run_id or new_id()
    values = {
        "component_id": "market-desk",
        "component_name": "Market desk",
        "kind": SessionKind.TEAM,
        "question": "What is the weather in Paris?",
        "settings": {"model": "offline"},
        **more,
    }
    database.sessions.stage_question(session_id=session_id, user_id=user_id, run_id=run_id, **values)
    return run_id


def finished_run(session_id: str, *, run_id: str | None = None, user_id: str = "ann", **more: Any) -> TeamRunOutput:
    """Return a completed team run as Agno hands it to its database."""
    values: dict[str, Any] = {"content": "It is sunny.", "status": AgnoStatus.completed, **more}
    return TeamRunOutput(
        run_id=run_id or new_id(),
        team_id="market-desk",
        team_name="Market desk",
        session_id=session_id,
        user_id=user_id,
        input=TeamRunInput(input_content=more.pop("question", "a question")),
        **{name: value for name, value in values.items() if name != "question"},
    )


def store_runs(database: Database, session_id: str, number: int, *, user_id: str = "ann") -> list[str]:
    """Store finished runs and return their ids, oldest first."""
    run_ids = []
    for _ in range(number):
        run_ids.append(stage(database, session_id, user_id=user_id))
        run = finished_run(session_id, run_id=run_ids[-1], user_id=user_id)
        database.adapter.upsert_run(run, session_id=session_id, user_id=user_id)
        database.queue.leave(run_ids[-1])
    return run_ids


def build_team(database: Database, **more: Any) -> Team:
    """Return a plain Agno team on the app's database."""
    member = Agent(id="weather", name="Weather", role="Weather facts", model=OfflineModel(token_delay_s=0.0))
    values: dict[str, Any] = {"add_history_to_context": True, "num_history_runs": 3, "store_events": True, **more}
    return Team(
        id="market-desk",
        name="Market desk",
        model=OfflineModel(token_delay_s=0.0),
        members=[member],
        db=database.adapter,
        **values,
    )


# -- in other processes ------------------------------------------------------------------------------------------------


def ask(settings: Settings, session_id: str, user_id: str, question: str) -> str:
    """Ask a team and return its answer."""
    database = open_database(settings)
    try:
        return str(build_team(database).run(question, session_id=session_id, user_id=user_id).content)
    finally:
        database.close()


def ask_several(settings: Settings, session_ids: Sequence[str], user_id: str) -> int:
    """Ask one question in each of some sessions, as fast as possible; return how many runs can be read back."""
    database = open_database(settings)
    try:
        team, stored = build_team(database), 0
        for session_id in session_ids:
            run_id = new_id()
            team.run("Remember: the word is bird", session_id=session_id, user_id=user_id, run_id=run_id)
            stored += database.sessions.get_run(run_id, user_id=user_id).status.value == "completed"
        return stored
    finally:
        database.close()


def stage_several(settings: Settings, session_id: str, user_id: str, number: int) -> list[str]:
    """Stage and finish questions in one session; return the run ids."""
    database = open_database(settings)
    try:
        run_ids = [stage(database, session_id, user_id=user_id) for _ in range(number)]
        for run_id in run_ids:
            run = finished_run(session_id, run_id=run_id, user_id=user_id)
            database.adapter.upsert_run(run, session_id=session_id, user_id=user_id, run_index=0)
        return run_ids
    finally:
        database.close()


def open_and_count(settings: Settings) -> tuple[int, list[str]]:
    """Open an empty database; return how many sessions a first write leaves, and what went wrong."""
    try:
        database = open_database(settings)
    except Exception as error:
        return 0, [repr(error)]
    try:
        database.sessions.create_session(user_id=f"user-{os.getpid()}", component_id="market-desk")
        return len(database.sessions.list_sessions(user_id=f"user-{os.getpid()}").items), []
    finally:
        database.close()


def flush(settings: Settings) -> int:
    """Open the database, which writes what is kept; return how many writes still wait."""
    database = open_database(settings)
    try:
        return database.outbox.flush()
    finally:
        database.close()


def enter_and_die(settings: Settings, session_id: str, run_id: str) -> int:
    """Stage a question and end the process without leaving the queue."""
    database = open_database(settings)
    stage(database, session_id, run_id=run_id)
    return os.getpid()


def enter_and_wait(settings: Settings, session_id: str, run_id: str, seconds: float) -> bool:
    """Stage a question, live for a while with heartbeats, and say whether a stop was asked for."""
    database = open_database(settings)
    stage(database, session_id, run_id=run_id)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        database.queue.heartbeat([run_id])
        if database.queue.stop_requested([run_id]):
            database.queue.leave(run_id)
            return True
        time.sleep(0.05)
    database.queue.leave(run_id)
    return False
