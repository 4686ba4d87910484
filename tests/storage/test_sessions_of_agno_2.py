"""Sessions that Agno 2 stored are changed without loss: their JSON may be encoded twice, their runs lie in their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agno.db.base import SessionType
from agno.db.migrations.versions import v3_0_0
from sqlalchemy import text

from benchmarks.databases import open_plain_db
from benchmarks.turns import engine_of
from lib.errors import RunNotFound, SessionDamaged
from lib.records import RunRecord, SessionFilter, SessionKind
from lib.roundtable import open_roundtable
from lib.storage import open_database
from tests.storage.workers import finished_run, stage

FOLDER = Path(__file__).parents[1] / "data" / "stored_sessions"
VERSIONS = ("agno-2.0.11", "agno-2.3.26", "agno-2.6.22")
DATA = {"session_state": {"budget": "40k"}, "session_name": "Paris trip", "of another app": {"kept": True}}


@pytest.fixture
def database(database_settings):
    """A database that Agno 2 made: its sessions have a column for their runs."""
    made = open_database(database_settings)
    made.connector.write(lambda connection: connection.execute(text("ALTER TABLE agno_sessions ADD COLUMN runs JSON")))
    made.close()
    opened = open_database(database_settings)
    yield opened
    opened.close()


def once(value: Any) -> str:
    return json.dumps(value)


def twice(value: Any) -> str:
    return json.dumps(json.dumps(value))


def put(database, version="agno-2.6.22", **changes: Any) -> str:
    """Store a session as this version of Agno did, text for text, and return its id."""
    row = json.loads((FOLDER / f"{version}.json").read_text())["agno_sessions"][0] | changes
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    insert = text(f"INSERT INTO agno_sessions ({columns}) VALUES ({values})")
    database.connector.write(lambda connection: connection.execute(insert, row))
    return str(row["session_id"])


def raw(database, session_id="s1", column="session_data") -> Any:
    """Return what a column of the session's row holds, as it is stored."""
    query = text(f"SELECT {column} FROM agno_sessions WHERE session_id = :session_id")
    return database.connector.read(lambda connection: connection.execute(query, {"session_id": session_id}).scalar())


def read_plainly(url: str, session_id="s1", kind=SessionType.TEAM) -> Any:
    """Return the session as plain Agno 3 reads it."""
    plain = open_plain_db(url)
    try:
        return plain.get_session(session_id, session_type=kind)
    finally:
        engine_of(plain).dispose()


def follow(database):
    while database.follow():
        pass


# -- what is stored of the session itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("encode", [once, twice])
def test_a_title_that_agno_2_stored_is_listed_and_found(database, encode):
    put(database, session_data=encode(DATA), team_data=encode({"name": "Desk of old"}))
    for _ in range(2):  # before it is followed, and after
        (listed,) = database.sessions.list_sessions(user_id="ann").items
        assert (listed.title, listed.component_name) == ("Paris trip", "Desk of old")
        follow(database)
    found = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text="paris")).items
    assert [session.session_id for session in found] == ["s1"]


@pytest.mark.parametrize("encode", [once, twice])
def test_changing_a_session_of_agno_2_keeps_its_state_and_what_other_apps_stored(database, database_url, encode):
    put(database, session_data=encode(DATA))
    database.sessions.set_tags("s1", ["holiday"], user_id="ann")
    database.sessions.set_collection("s1", "travel", user_id="ann")
    database.sessions.rename_session("s1", "Rome trip", user_id="ann")
    told = read_plainly(database_url).session_data
    assert told["session_state"] == {"budget": "40k"}
    assert told["session_name"] == "Rome trip"
    assert told["of another app"] == {"kept": True}
    assert told["roundtable"] == {"tags": ["holiday"], "collection": "travel", "title_by": "hand"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_s_session_is_tagged_without_loss(database, database_url, version):
    put(database, version)
    stored = json.loads(json.loads(raw(database)))
    before = [raw(database, column=name) for name in ("runs", "team_data", "metadata", "summary")]
    database.sessions.set_tags("s1", ["holiday"], user_id="ann")
    told = read_plainly(database_url)
    assert told.session_data == {**stored, "roundtable": {"tags": ["holiday"]}}
    assert [run.run_id for run in told.runs] == [run["run_id"] for run in json.loads(json.loads(before[0]))]
    assert [raw(database, column=name) for name in ("runs", "team_data", "metadata", "summary")] == before


def test_a_question_in_a_session_of_agno_2_keeps_its_title_and_state(database, database_url):
    put(database, session_data=twice(DATA))
    stage(database, "s1", question="And in winter?", component_id="desk")
    told = read_plainly(database_url).session_data
    assert (told["session_name"], told["session_state"]) == ("Paris trip", {"budget": "40k"})


def test_a_session_of_agno_2_goes_on_with_all_it_held(database, database_settings):
    fact = {
        "run_id": "old", "team_id": "market-desk", "session_id": "s1", "status": "COMPLETED", "content": "Noted.",
        "input": {"input_content": "Remember: the secret word is bird"},
        "messages": [{"id": "a", "role": "user", "content": "Remember: the secret word is bird"},
                     {"id": "b", "role": "assistant", "content": "Noted."}],
    }  # fmt: skip
    put(database, session_data=twice(DATA), team_id="market-desk", runs=twice([fact]))
    with closing(open_roundtable(database_settings)) as roundtable:
        handle = roundtable.engine.start("What is the secret word?", user_id="ann", team="market-desk", session_id="s1")
        assert "bird" in handle.wait(60).answer
    data = json.loads(raw(database))
    assert (data["session_name"], data["session_state"]) == ("Paris trip", {"budget": "40k"})


# -- what cannot be read is left as it is ------------------------------------------------------------------------------

DAMAGED = '{"session_name": "Paris trip", "session_st'


@pytest.fixture
def damaged(database):
    if database.dialect == "mysql":  # MariaDB's own JSON takes no damaged text; other programs' columns are plain text
        database.connector.write(
            lambda connection: connection.execute(text("ALTER TABLE agno_sessions MODIFY session_data LONGTEXT"))
        )
    return database


@pytest.mark.parametrize("stored", [DAMAGED, twice("no object"), '["a list"]', "true"])
def test_nothing_is_written_into_a_session_whose_data_cannot_be_read(damaged, stored):
    put(damaged, session_data=stored, runs=None)
    store = damaged.sessions
    changes = [
        lambda: store.rename_session("s1", "Rome trip", user_id="ann"),
        lambda: store.set_tags("s1", ["holiday"], user_id="ann"),
        lambda: store.set_collection("s1", "travel", user_id="ann"),
        lambda: stage(damaged, "s1", component_id="desk"),
        lambda: damaged.adapter.get_session("s1", SessionType.TEAM, user_id="ann"),
    ]
    for change in changes:
        with pytest.raises(SessionDamaged, match=r"s1.*is left as it is"):
            change()
    assert raw(damaged) == stored
    assert store.list_runs("s1", user_id="ann").items == ()


def test_a_run_s_late_results_replace_nothing_that_cannot_be_read(damaged):
    put(damaged)
    session = damaged.adapter.get_session("s1", SessionType.TEAM, user_id="ann")
    with damaged.engine.begin() as connection:
        connection.execute(text("UPDATE agno_sessions SET session_data = :damaged"), {"damaged": DAMAGED})
    with pytest.raises(SessionDamaged):
        damaged.adapter.upsert_session(session)
    assert raw(damaged) == DAMAGED


def test_a_session_whose_data_cannot_be_read_is_forked_with_its_runs(damaged):
    put(damaged, session_data=DAMAGED, runs=None)
    fork = damaged.sessions.fork_session("s1", user_id="ann")
    assert (fork.kind, fork.forked_from_session_id) == (SessionKind.TEAM, "s1")
    assert raw(damaged) == DAMAGED


# -- runs that lie in the session's row --------------------------------------------------------------------------------


def stored_runs(version: str) -> list[dict[str, Any]]:
    """Return the runs of the file, as Agno stored them."""
    blob = json.loads((FOLDER / f"{version}.json").read_text())["agno_sessions"][0]["runs"]
    runs: list[dict[str, Any]] = json.loads(json.loads(blob))
    return runs


def tops_of(version: str) -> list[str]:
    return [run["run_id"] for run in stored_runs(version) if run.get("parent_run_id") is None]


def listed_runs(database, session_id="s1", limit=30) -> list[RunRecord]:
    """Return all runs of a session, page by page, oldest first."""
    found: list[RunRecord] = []
    cursor = None
    while True:
        page = database.sessions.list_runs(session_id, user_id="ann", limit=limit, before=cursor)
        assert len(page.items) <= limit
        found = [*page.items, *found]
        cursor = page.next_cursor
        if cursor is None:
            return found


def told(runs: Sequence[RunRecord]) -> list[Any]:
    """Return what was asked, answered and delegated, without ids."""
    return [(run.question, run.answer, run.status, told(run.member_runs)) for run in runs]


EVERY_VERSION = pytest.mark.parametrize("version", [*VERSIONS, "workflow-2.6.22"])


@EVERY_VERSION
@pytest.mark.parametrize("limit", [2, 30])
def test_runs_in_the_session_s_row_are_listed_page_by_page_and_opened_one_by_one(database, version, limit):
    put(database, version)
    runs, stored = listed_runs(database, limit=limit), {run["run_id"] for run in stored_runs(version)}
    assert [run.run_id for run in runs] == tops_of(version)
    for run in runs:
        assert database.sessions.get_run(run.run_id, user_id="ann") == run
        for member in (part for part in run.member_runs if part.run_id in stored):
            assert database.sessions.get_run(member.run_id, user_id="ann").question == member.question
    with pytest.raises(RunNotFound):
        database.sessions.get_run(runs[0].run_id, user_id="bob")
    with pytest.raises(RunNotFound):
        database.sessions.get_run("none", user_id="ann")


@EVERY_VERSION
def test_runs_in_the_session_s_row_are_counted_the_same_before_and_after_following(database, version):
    put(database, version)
    stored, tops = stored_runs(version), tops_of(version)
    for _ in range(2):
        session = database.sessions.get_session("s1", user_id="ann")
        assert (session.runs, session.last_run_id) == (len(tops), tops[-1])
        assert session.first_question == listed_runs(database)[0].question
        loss = database.sessions.describe_loss(["s1"], user_id="ann")
        assert (loss.runs, loss.member_runs) == (len(tops), len(stored) - len(tops))
        follow(database)
    durations = [run["metrics"].get("duration") or 0 for run in stored if run["run_id"] in tops]
    assert (database.sessions.get_session("s1", user_id="ann").duration_s or 0) == pytest.approx(sum(durations))


@EVERY_VERSION
def test_a_fork_takes_the_runs_out_of_the_session_s_row(database, database_url, version):
    put(database, version, session_data=twice(DATA))
    before = listed_runs(database)
    fork = database.sessions.fork_session("s1", user_id="ann")
    assert (fork.runs, fork.name) == (len(before), "Paris trip (fork)")
    copied = listed_runs(database, fork.session_id)
    assert told(copied) == told(before)
    old = {run["run_id"] for run in stored_runs(version)}
    assert not old & {part.run_id for run in copied for part in run.walk()}
    assert listed_runs(database) == before
    kind = SessionType.WORKFLOW if version.startswith("workflow") else SessionType.TEAM
    plain = read_plainly(database_url, fork.session_id, kind)
    assert len(plain.runs) == len(stored_runs(version))
    assert plain.session_data["session_state"] == DATA["session_state"]


@EVERY_VERSION
def test_a_fork_up_to_a_run_of_the_session_s_row_ends_with_it(database, version):
    put(database, version)
    before = listed_runs(database)
    fork = database.sessions.fork_session("s1", user_id="ann", upto_run_id=before[1].run_id)
    assert told(listed_runs(database, fork.session_id)) == told(before[:2])


@EVERY_VERSION
def test_a_run_is_deleted_out_of_the_session_s_row_and_the_others_stay(database, database_url, version):
    put(database, version)
    before = listed_runs(database)
    gone = [run.run_id for run in before[1].walk()]
    loss = database.sessions.describe_run_loss(before[1].run_id, user_id="ann")
    stored = {run["run_id"] for run in stored_runs(version)}
    assert (loss.runs, loss.member_runs) == (1, len(stored & set(gone)) - 1)
    database.sessions.delete_run(before[1].run_id, user_id="ann")
    left = [before[0], *before[2:]]
    assert [run.run_id for run in listed_runs(database)] == [run.run_id for run in left]
    assert told(listed_runs(database)) == told(left)
    assert database.sessions.get_session("s1", user_id="ann").runs == len(left)
    with pytest.raises(RunNotFound):
        database.sessions.get_run(before[1].run_id, user_id="ann")
    kind = SessionType.WORKFLOW if version.startswith("workflow") else SessionType.TEAM
    plain = {run.run_id for run in read_plainly(database_url, kind=kind).runs}
    assert plain == stored - set(gone)


def ask(database, question="And in winter?") -> str:
    """Ask and answer in the session, as the engine does."""
    run_id = stage(database, "s1", question=question, component_id="desk", component_name="Desk")
    run = finished_run("s1", run_id=run_id, question=question)
    database.adapter.upsert_run(run, session_id="s1", user_id="ann")
    database.queue.leave(run_id)
    return run_id


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_question_comes_after_the_runs_in_the_session_s_row(database, database_url, version):
    put(database, version)
    tops, column = tops_of(version), raw(database, column="runs")
    new = [ask(database), ask(database, "And in spring?")]
    for limit in (1, 3, 30):
        assert [run.run_id for run in listed_runs(database, limit=limit)] == [*tops, *new]
    session = database.sessions.get_session("s1", user_id="ann")
    assert (session.runs, session.first_question, session.last_run_id) == (len(tops) + 2, "hello", new[-1])
    assert session.name == "hello"
    assert raw(database, column="runs") == column
    assert [run.run_id for run in read_plainly(database_url).runs][-2:] == new
    window = database.adapter.get_session("s1", SessionType.TEAM, user_id="ann", runs_limit=3)
    assert [run.run_id for run in window.runs] == [*tops, *new][-3:]
    fork = database.sessions.fork_session("s1", user_id="ann")
    assert [run.question for run in listed_runs(database, fork.session_id)][-2:] == ["And in winter?", "And in spring?"]
    assert fork.runs == len(tops) + 2
    loss = database.sessions.describe_loss(["s1"], user_id="ann")
    assert loss.runs == len(tops) + 2


@pytest.mark.parametrize("version", VERSIONS)
def test_after_agno_s_own_migration_nothing_is_there_twice(database, database_url, version):
    put(database, version)
    before = told(listed_runs(database))
    plain: Any = open_plain_db(database_url)
    assert v3_0_0.up(plain, "sessions", "agno_sessions")
    engine_of(plain).dispose()
    for _ in range(2):
        assert told(listed_runs(database)) == before
        session = database.sessions.get_session("s1", user_id="ann")
        assert (session.runs, session.first_question) == (len(before), "hello")
        follow(database)
    assert database.sessions.describe_loss(["s1"], user_id="ann").runs == len(before)
    assert database.sessions.fork_session("s1", user_id="ann").runs == len(before)
    gone = listed_runs(database)[1]
    database.sessions.delete_run(gone.run_id, user_id="ann")
    assert told(listed_runs(database)) == [before[0], *before[2:]]
    assert gone.run_id not in {run.run_id for run in read_plainly(database_url).runs}


def test_deleting_every_run_leaves_a_session_without_a_question(database):
    put(database)
    for run_id in tops_of("agno-2.6.22"):
        database.sessions.delete_run(run_id, user_id="ann")
    session = database.sessions.get_session("s1", user_id="ann")
    assert (session.runs, session.first_question, session.last_run_id) == (0, None, None)


def test_an_id_that_a_run_in_the_session_s_row_has_is_taken(database):
    put(database)
    with pytest.raises(RunNotFound):
        stage(database, "s1", run_id=tops_of("agno-2.6.22")[0], component_id="desk")


def test_runs_that_cannot_be_read_are_left_as_they_are(damaged):
    if damaged.dialect == "mysql":
        damaged.connector.write(
            lambda connection: connection.execute(text("ALTER TABLE agno_sessions MODIFY runs LONGTEXT"))
        )
    cut = json.dumps(stored_runs("agno-2.6.22"))[:30_000]
    put(damaged, runs=cut)
    read = listed_runs(damaged)
    assert [run.run_id for run in read] == tops_of("agno-2.6.22")[: len(read)]
    damaged.sessions.delete_run(ask(damaged), user_id="ann")
    with pytest.raises(SessionDamaged):
        damaged.sessions.delete_run(read[0].run_id, user_id="ann")
    assert raw(damaged, column="runs") == cut


def found_words(database, words, user_id="ann") -> set[str]:
    return {hit.run_id for hit in database.search.search(words, user_id=user_id).items}


@EVERY_VERSION
def test_words_of_runs_in_the_session_s_row_are_found_while_they_are_there(database, database_url, version):
    put(database, version)
    follow(database)
    tops = listed_runs(database)
    chosen = tops[1]
    found = found_words(database, chosen.question)
    assert chosen.run_id in found
    assert found <= {run.run_id for run in tops}
    assert found_words(database, chosen.question, user_id="bob") == set()
    for _ in range(3):
        assert database.follow() == 0
    assert found_words(database, chosen.question) == found
    plain: Any = open_plain_db(database_url)
    plain.delete_run(chosen.run_id)  # by another program
    engine_of(plain).dispose()
    assert found_words(database, chosen.question) == found - {chosen.run_id}
    other = listed_runs(database)[0]
    assert other.run_id in found_words(database, other.answer)
    database.sessions.delete_run(other.run_id, user_id="ann")
    assert other.run_id not in found_words(database, other.answer)
    database.sessions.delete_session("s1", user_id="ann")
    assert found_words(database, tops[-1].question) == set()


def test_words_of_runs_stay_found_once_over_agno_s_own_migration(database, database_url):
    put(database)
    follow(database)
    before = found_words(database, "weather")
    plain: Any = open_plain_db(database_url)
    assert v3_0_0.up(plain, "sessions", "agno_sessions")
    engine_of(plain).dispose()
    assert len(before) == 3
    for _ in range(2):
        hits = database.search.search("weather", user_id="ann").items
        assert len(hits) == len({hit.run_id for hit in hits})
        follow(database)
    assert found_words(database, "weather") == before


def test_what_agno_2_adds_to_a_session_later_is_found(database):
    runs = stored_runs("agno-2.6.22")
    put(database, runs=twice(runs[:1]))
    follow(database)
    assert found_words(database, "finance") == set()
    with database.engine.begin() as connection:
        statement = text("UPDATE agno_sessions SET runs = :runs, updated_at = updated_at + 1")
        connection.execute(statement, {"runs": twice(runs)})
    follow(database)
    assert found_words(database, "finance")
