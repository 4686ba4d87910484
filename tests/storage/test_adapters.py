"""What a run does to its session, through Agno's own team code: order, merging, deletion, window, failed reads."""

from __future__ import annotations

import threading

import pytest
from agno.db.base import SessionType
from agno.run.base import RunStatus as AgnoStatus
from agno.session import TeamSession
from sqlalchemy import delete, event, select, text, update

from lib.errors import DatabaseUnavailable, RunNotFound, SessionNotFound
from lib.records import RunStatus
from lib.storage import RunOutcome, open_database, window_read
from lib.storage.schema import runs, sessions
from tests.storage.workers import (
    ask_several,
    build_team,
    finished_run,
    in_processes,
    new_id,
    stage,
    stage_several,
    store_runs,
)


def stored_places(database, session_id):
    """Return (run_index, run_id) of a session's top-level runs, in order."""
    statement = select(runs.c.run_index, runs.c.run_id).where(
        runs.c.session_id == session_id, runs.c.parent_run_id.is_(None)
    )
    return sorted(tuple(row) for row in database.connector.read(lambda connection: connection.execute(statement).all()))


def test_simultaneous_first_messages_of_several_processes_lose_nothing(database_settings, database):
    session_ids = [[new_id() for _ in range(6)] for _ in range(4)]
    stored = in_processes(ask_several, [(database_settings, ids, "ann") for ids in session_ids])
    assert stored == [6, 6, 6, 6]
    assert database.outbox.pending() == ()


def test_simultaneous_first_messages_in_one_new_session_lose_nothing(database_settings, database):
    session_id = new_id()
    stored = in_processes(ask_several, [(database_settings, [session_id], "ann")] * 4)
    assert stored == [1, 1, 1, 1]
    assert [place for place, _ in stored_places(database, session_id)] == [0, 1, 2, 3]


def test_simultaneous_messages_in_one_session_get_one_strict_order(database_settings, database):
    session_id = new_id()
    run_ids = in_processes(stage_several, [(database_settings, session_id, "ann", 12)] * 4)
    places = stored_places(database, session_id)
    assert [place for place, _ in places] == list(range(48))
    assert {run_id for _, run_id in places} == {run_id for ids in run_ids for run_id in ids}
    queued = [run.run_id for run in database.queue.live(session_id=session_id)]
    assert queued == []  # their processes ended
    for ids in run_ids:  # and each process's own order holds
        mine = [run_id for _, run_id in places if run_id in ids]
        assert mine == ids


def test_threads_of_one_process_get_one_order_too(database):
    session_id = new_id()
    threads = [threading.Thread(target=store_runs, args=(database, session_id, 10)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [place for place, _ in stored_places(database, session_id)] == list(range(40))


def test_a_run_after_deleted_ones_still_comes_last(database):
    session_id = new_id()
    run_ids = store_runs(database, session_id, 5)
    for run_id in (run_ids[0], run_ids[2]):
        database.sessions.delete_run(run_id, user_id="ann")
    (newest,) = store_runs(database, session_id, 1)
    build_team(database).run("hello", session_id=session_id, user_id="ann", run_id="plain-agno")
    order = [run.run_id for run in database.sessions.list_runs(session_id, user_id="ann").items]
    assert order == [run_ids[1], run_ids[3], run_ids[4], newest, "plain-agno"]


def test_a_staged_run_keeps_its_place_and_its_settings_when_it_ends(database):
    session_id = new_id()
    first = stage(database, session_id, settings={"model": "offline", "window": 3})
    second = stage(database, session_id)
    database.adapter.upsert_run(
        finished_run(session_id, run_id=second), session_id=session_id, user_id="ann", run_index=0
    )
    run = finished_run(session_id, run_id=first, metadata={"own": "value"})
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann", run_index=0)
    database.queue.leave(first)
    read = database.sessions.get_run(first, user_id="ann")
    assert (read.run_index, read.status) == (0, RunStatus.COMPLETED)
    assert read.settings == {"model": "offline", "window": 3}
    metadata = database.sessions.get_run_row(first, user_id="ann")["run_data"]["metadata"]
    assert metadata["own"] == "value"
    assert "marker" not in metadata["roundtable"]
    assert database.run_outcome(first, session_id=session_id, user_id="ann") is RunOutcome.STORED


def test_nothing_is_kept_of_a_staged_session_once_it_is_written_and_a_deleted_one_does_not_come_back(database):
    session_id = new_id()
    stage(database, session_id)
    assert database.adapter.get_session(session_id, SessionType.TEAM, user_id="ann") is None
    made = TeamSession(session_id=session_id, team_id="market-desk", user_id="ann")
    assert database.adapter.upsert_session(made) is not None
    assert not database.adapter._made_for_a_question
    with database.engine.begin() as connection:  # by another program: nothing of ours remembers it
        connection.execute(delete(sessions).where(sessions.c.session_id == session_id))
    assert database.adapter.upsert_session(made) is None, "the same run writes its session once more"
    assert database.adapter.get_session(session_id, SessionType.TEAM, user_id="ann") is None


def test_a_staged_question_is_in_no_later_prompt_and_takes_no_place_in_the_window(database):
    session_id = new_id()
    team = build_team(database, num_history_runs=1)
    team.run("Remember: the secret word is bird", session_id=session_id, user_id="ann")
    stage(database, session_id, question="Remember: the secret word is horse")
    answer = team.run("What is the secret word?", session_id=session_id, user_id="ann")
    assert "bird" in str(answer.content)


def test_a_rename_a_tag_and_a_collection_given_during_a_run_hold(database):
    session_id, store = new_id(), database.sessions
    stage(database, session_id)

    def meddle(**_):
        store.rename_session(session_id, "My title", user_id="ann")
        store.set_tags(session_id, ["b", "a"], user_id="ann")
        store.set_collection(session_id, "Course", user_id="ann")

    team = build_team(database, pre_hooks=[meddle], session_state={"count": 1})
    run_id = new_id()
    team.run("Remember: the word is bird", session_id=session_id, user_id="ann", run_id=run_id)
    summary = store.get_session(session_id, user_id="ann")
    assert (summary.title, summary.tags, summary.collection) == ("My title", ("a", "b"), "Course")
    assert summary.title_by == "hand"
    assert store.get_run(run_id, user_id="ann").status is RunStatus.COMPLETED
    data = store.get_session_row(session_id, user_id="ann")["session_data"]
    assert data["session_state"] == {"count": 1}
    assert data["session_metrics"]["total_tokens"] > 0


@pytest.mark.parametrize("by", ["store", "adapter", "another program"])
def test_a_session_deleted_during_a_run_stays_deleted(database, by):
    session_id, run_id = new_id(), new_id()
    stage(database, session_id, run_id=run_id)

    def delete(**_):
        if by == "store":
            database.sessions.delete_session(session_id, user_id="ann")
        elif by == "adapter":
            assert database.adapter.delete_session(session_id, user_id="ann")
        else:
            statement = text("DELETE FROM agno_sessions")
            database.connector.write(lambda connection: connection.execute(statement))

    team = build_team(database, pre_hooks=[delete])
    team.run("What is the weather in Paris?", session_id=session_id, user_id="ann", run_id=run_id)
    with pytest.raises(SessionNotFound):
        database.sessions.get_session(session_id, user_id="ann")
    left = database.connector.read(lambda connection: connection.execute(select(runs.c.run_id)).all())
    assert left == []
    assert database.outbox.pending() == ()
    assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.SESSION_DELETED


def test_a_run_deleted_while_it_ran_stays_deleted_with_its_member_runs(database):
    session_id, run_id = new_id(), new_id()
    stage(database, session_id, run_id=run_id)

    def delete(**_):
        database.sessions.delete_run(run_id, user_id="ann")

    team = build_team(database, pre_hooks=[delete])
    team.run("What is the weather in Paris?", session_id=session_id, user_id="ann", run_id=run_id)
    assert database.sessions.list_runs(session_id, user_id="ann").items == ()
    assert database.connector.read(lambda connection: connection.execute(select(runs.c.run_id)).all()) == []
    assert database.run_outcome(run_id, session_id=session_id, user_id="ann") is RunOutcome.SESSION_DELETED


def test_a_deleted_session_cannot_come_back(database):
    session_id = new_id()
    store_runs(database, session_id, 1)
    database.sessions.delete_session(session_id, user_id="ann")
    for again in (
        lambda: stage(database, session_id),
        lambda: database.sessions.create_session(session_id=session_id, user_id="ann", component_id="x"),
        lambda: database.adapter.get_session(session_id, user_id="ann"),
        lambda: database.sessions.delete_session(session_id, user_id="ann"),
    ):
        with pytest.raises(SessionNotFound):
            again()


def test_a_read_that_fails_is_an_error_and_the_model_is_not_called(database):
    session_id = new_id()
    build_team(database).run("Remember: the secret word is bird", session_id=session_id, user_id="ann")
    database.connector.write(lambda connection: connection.execute(text("ALTER TABLE agno_runs RENAME TO away")))
    with pytest.raises(DatabaseUnavailable):
        build_team(database).run("What is the secret word?", session_id=session_id, user_id="ann")
    for read in (
        lambda: database.sessions.list_runs(session_id, user_id="ann"),
        lambda: database.adapter.get_runs(session_id=session_id, user_id="ann"),
        lambda: database.adapter.get_session(session_id, user_id="ann"),
    ):
        with pytest.raises(DatabaseUnavailable) as caught:
            read()
        assert "SELECT" not in str(caught.value)
    database.connector.write(lambda connection: connection.execute(text("ALTER TABLE away RENAME TO agno_runs")))
    answer = build_team(database).run("What is the secret word?", session_id=session_id, user_id="ann")
    assert "bird" in str(answer.content)


def test_a_server_that_restarts_between_two_turns_is_not_noticed(database, database_url, request):
    session_id = new_id()
    build_team(database).run("Remember: the secret word is bird", session_id=session_id, user_id="ann")
    if "mysql" in database_url:
        server = request.getfixturevalue("mariadb")
        server.stop()
        server.start()
    answer = build_team(database).run("What is the secret word?", session_id=session_id, user_id="ann")
    assert "bird" in str(answer.content)


def test_the_window_reads_the_newest_runs_that_count_and_nothing_else(database):
    session_id = new_id()
    run_ids = store_runs(database, session_id, 6)
    skipped = {1: "ERROR", 3: "CANCELLED", 4: "PAUSED"}
    for place, status in skipped.items():
        statement = update(runs).where(runs.c.run_id == run_ids[place]).values(status=status)
        database.connector.write(lambda connection, statement=statement: connection.execute(statement))
    member = finished_run(session_id, run_id="member", parent_run_id=run_ids[5])
    database.adapter.upsert_run(member, session_id=session_id, user_id="ann")
    for window, expected in ((0, []), (1, [5]), (2, [2, 5]), (3, [0, 2, 5]), (9, [0, 2, 5])):
        with window_read(window):
            session = database.adapter.get_session(session_id, user_id="ann")
        assert [run.run_id for run in session.runs] == [run_ids[place] for place in expected]
    everything = database.adapter.get_session(session_id, user_id="ann")
    assert len(everything.runs) == 7
    with window_read(1), window_read(None):
        assert len(database.adapter.get_session(session_id, user_id="ann").runs) == 7


def test_a_turn_costs_the_same_with_10_and_with_300_runs(database):
    """Counted in what is sent and parsed, not in seconds: nothing may grow with the session."""
    session_ids = [new_id(), new_id()]
    team = build_team(database)
    for session_id, number in zip(session_ids, (10, 300), strict=True):
        store_runs(database, session_id, number)
    costs = []
    for session_id in session_ids:
        statements: list[str] = []

        def note(_conn, _cursor, statement, *_, statements=statements):
            statements.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        with window_read(3):
            session = database.adapter.get_session(session_id, user_id="ann")
            assert len(session.runs) == 3
            team.run("hello", session_id=session_id, user_id="ann")
        event.remove(database.engine, "before_cursor_execute", note)
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 40


def test_the_history_query_and_the_place_query_follow_an_index(database):
    session_id = new_id()
    store_runs(database, session_id, 30)
    window = (
        "SELECT run_data FROM agno_runs WHERE session_id = :s AND parent_run_id IS NULL AND "
        "(status IS NULL OR status NOT IN ('PAUSED', 'CANCELLED', 'ERROR', 'REGENERATED')) "
        "ORDER BY run_index DESC, created_at DESC, run_id DESC LIMIT 3"
    )
    place = "SELECT MAX(run_index) FROM agno_runs WHERE session_id = :s"
    members = "SELECT run_id FROM agno_runs WHERE session_id = :s AND parent_run_id IN ('a', 'b')"
    explain = "EXPLAIN " if database.dialect == "mysql" else "EXPLAIN QUERY PLAN "

    def plan(statement):
        rows = database.connector.read(
            lambda connection: connection.execute(text(explain + statement), {"s": session_id}).all()
        )
        return " ".join(str(row) for row in rows)

    assert "roundtable_runs_ordered" in plan(window)
    assert "filesort" not in plan(window)
    assert "TEMP B-TREE" not in plan(window)
    best = "Select tables optimized away" if database.dialect == "mysql" else "run_index"
    assert best in plan(place)
    assert "roundtable_runs_ordered" in plan(members)


def test_what_json_cannot_say_is_stored_as_text(database):
    session_id = new_id()
    run = finished_run(
        session_id,
        run_id=stage(database, session_id),
        metadata={"nan": float("nan"), "set": {1}, "half": "\ud83d", "nul": "a\x00b", "object": object()},
    )
    database.adapter.upsert_run(run, session_id=session_id, user_id="ann")
    metadata = database.sessions.get_run_row(run.run_id, user_id="ann")["run_data"]["metadata"]
    assert (metadata["nan"], metadata["set"], metadata["nul"]) == ("nan", [1], "a\x00b")
    assert database.outbox.pending() == ()


def test_a_run_id_of_another_session_is_not_overwritten(database):
    first, second = new_id(), new_id()
    (run_id,) = store_runs(database, first, 1)
    stage(database, second)
    with pytest.raises(RunNotFound):
        database.adapter.upsert_run(finished_run(second, run_id=run_id), session_id=second, user_id="ann")
    with pytest.raises(RunNotFound):
        stage(database, second, run_id=run_id)
    assert database.sessions.get_run(run_id, user_id="ann").session_id == first


def test_a_session_with_the_runs_in_its_row_as_agno_2_wrote_it_has_its_history(database, database_settings):
    session_id = new_id()
    team = build_team(database)
    team.run("Remember: the secret word is bird", session_id=session_id, user_id="ann")
    run = database.sessions.list_runs(session_id, user_id="ann").items[0]
    row = database.sessions.get_run_row(run.run_id, user_id="ann")
    column = "LONGTEXT" if database.dialect == "mysql" else "JSON"

    def to_agno_2(connection):
        from lib.storage.json_text import to_json

        connection.execute(text(f"ALTER TABLE agno_sessions ADD COLUMN runs {column}"))
        connection.execute(text("UPDATE agno_sessions SET runs = :runs"), {"runs": to_json([row["run_data"]])})
        connection.execute(text("DELETE FROM agno_runs"))

    database.connector.write(to_agno_2)
    reopened = open_database(database_settings)  # an app opens what Agno 2 left; the column does not come while it runs
    with window_read(3):
        answer = build_team(reopened).run("What is the secret word?", session_id=session_id, user_id="ann")
    reopened.close()
    assert "bird" in str(answer.content)


def test_a_teams_introduction_stands_before_the_staged_question(database):
    session_id, run_id = new_id(), new_id()
    stage(database, session_id, run_id=run_id)
    team = build_team(database, introduction="Welcome to the desk.")
    team.run("What is the weather in Paris?", session_id=session_id, user_id="ann", run_id=run_id)
    first, second = database.sessions.list_runs(session_id, user_id="ann").items
    assert "Welcome" in str(first.raw["run_data"]["content"])
    assert second.run_id == run_id


def test_agno_reads_what_we_stored(database):
    """Another Agno app on the same database sees title, runs and order."""
    session_id = new_id()
    run_ids = store_runs(database, session_id, 3)
    database.sessions.rename_session(session_id, "Weather 🌦 talk", user_id="ann")
    (session,) = database.adapter.get_sessions(user_id="ann")
    assert session.session_data["session_name"] == "Weather 🌦 talk"
    assert [run.run_id for run in session.runs] == run_ids
    assert [run.status for run in session.runs] == [AgnoStatus.completed.value] * 3
    assert database.adapter.get_run(run_ids[0], user_id="ann").content == "It is sunny."
    row = database.connector.read(lambda connection: connection.execute(select(sessions.c.team_data)).scalar())
    assert row["team_id"] == "market-desk"
