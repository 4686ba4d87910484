"""Small builders that tests of stored sessions share."""

from __future__ import annotations

import time

from sqlalchemy import insert, select

from lib.records import SessionFilter
from lib.storage.schema import runs, sessions
from tests.storage.workers import finished_run, new_id, stage


def follow(database):
    while database.follow():
        pass


def listed(database, *, user_id="ann", **where):
    page = database.sessions.list_sessions(user_id=user_id, where=SessionFilter(**where))
    return {summary.session_id for summary in page.items}


def session_of(database, question="What is the weather in Paris?", *, user_id="ann", **more):
    session_id = new_id()
    run_id = stage(database, session_id, user_id=user_id, question=question, **more)
    run = finished_run(session_id, run_id=run_id, user_id=user_id, question=question)
    database.adapter.upsert_run(run, session_id=session_id, user_id=user_id)
    database.queue.leave(run_id)
    return session_id


def rows_of(database, session_id):
    """Every stored row of a session, as it is."""

    def read(connection):
        order = (runs.c.run_index, runs.c.run_id)
        of_runs = connection.execute(select(runs).where(runs.c.session_id == session_id).order_by(*order)).all()
        return connection.execute(select(sessions).where(sessions.c.session_id == session_id)).all(), of_runs

    return database.connector.read(read)


def with_image(database, session_id, media_dir, key="images/one.png"):
    """A run whose image is stored in the media folder."""
    run_id = stage(database, session_id)
    (media_dir / key).parent.mkdir(parents=True, exist_ok=True)
    (media_dir / key).write_bytes(b"picture")
    (media_dir / f"{key}.meta.json").write_text("{}")
    reference = {"storage_key": key, "backend": "local", "media_id": "one", "size": 7}
    run = finished_run(session_id, run_id=run_id)
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann")

    def refer(connection):
        data = dict(connection.execute(select(runs.c.run_data).where(runs.c.run_id == run_id)).scalar_one())
        data["input"]["images"] = [{"id": "one", "media_reference": reference}]
        connection.execute(
            runs.update().where(runs.c.run_id == run_id).values(run_data=data, updated_at=int(time.time()) + 1)
        )

    database.connector.write(refer)
    database.queue.leave(run_id)
    follow(database)
    return run_id


def write_plainly(database, session_id, *, run_id="r1", title=None, user_id="ann", team_id="desk"):
    """Write a session with one run as a program without this app's care does."""
    session = {"session_id": session_id, "session_type": "team", "team_id": team_id, "user_id": user_id}
    session |= {"session_data": {"session_name": title} if title is not None else None}
    messages = [{"role": "user", "content": "Where is Oslo?"}, {"role": "assistant", "content": "In Norway."}]
    data = {
        "run_id": run_id,
        "session_id": session_id,
        "team_id": team_id,
        "status": "COMPLETED",
        "created_at": 5,
    }
    data |= {"input": {"input_content": "Where is Oslo?"}, "content": "In Norway.", "messages": messages}
    run = {
        "run_id": run_id,
        "session_id": session_id,
        "run_type": "team",
        "team_id": team_id,
        "user_id": user_id,
    }
    run |= {"status": "COMPLETED", "run_index": 0, "run_data": data}
    times = {"created_at": 5, "updated_at": 5}

    def work(connection):
        connection.execute(insert(sessions).values(**session, **times))
        connection.execute(insert(runs).values(**run, **times))

    database.connector.write(work)
