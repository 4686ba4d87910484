"""The session store: lists that are filtered, counted and searched, forks, deletions, and who may read."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agno.agent import Agent
from agno.run.base import RunStatus as AgnoStatus
from sqlalchemy import insert, select, text

from benchmarks.databases import open_plain_db
from benchmarks.turns import engine_of
from lib.errors import InvalidInput, NotAllowed, RunNotFound, SessionNotFound
from lib.models import OfflineModel
from lib.records import Reader, RunStatus, SessionFilter, SessionKind, SessionState
from lib.storage.forks import forks
from lib.storage.heads import facts, heads
from lib.storage.media import references
from lib.storage.schema import run_queue, runs, sessions
from lib.storage.search_tables import texts
from tests.storage.workers import finished_run, new_id, stage, store_runs

ADMIN = Reader(user_id="root", admin=True)


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


# -- filters, search, counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    ["pAris", "weath", "par weather", "what is the", "köln", "KOLN", "straße", "STRASSE", "天气", "🦊", "100%", "a_b",
     "'quoted", '"in paris', "münchen"],
)  # fmt: skip
def test_a_session_is_found_by_what_one_types_of_its_first_question(database, typed):
    question = "What is the weather in Paris, Köln, Straße, MÜNCHEN 天气怎么样 🦊 100% a_b 'quoted'?"
    mine = session_of(database, question)
    session_of(database, "Something else entirely")
    session_of(database, question, user_id="bob")
    assert listed(database, text=typed) == {mine}


@pytest.mark.parametrize("typed", ["%", "_", "a%b", "axb", "\\", "weather_in", '"paris in"'])
def test_wildcards_are_letters_like_others(database, typed):
    session_of(database, "What is the weather in Paris a_b")
    assert listed(database, text=typed) == (listed(database) if typed == "_" else set())


def test_titles_and_tags_are_searched_as_soon_as_they_are_given(database):
    session_id = session_of(database)
    store = database.sessions
    store.rename_session(session_id, "Ünïted Kingdom", user_id="ann")
    store.set_tags(session_id, ["Kurs 5", "a,b"], user_id="ann")
    for typed in ("united", "kurs 5", "a,b", "paris"):
        assert listed(database, text=typed) == {session_id}
    assert listed(database, tag="Kurs 5") == {session_id}
    assert listed(database, tag="Kurs") == listed(database, tag="kurs 5") == set()
    store.rename_session(session_id, "Other", user_id="ann")
    assert listed(database, text="united") == set()


def test_lists_are_narrowed_by_collection_team_kind_state_and_time(database):
    store = database.sessions
    done, failed, empty = session_of(database), session_of(database), new_id()
    run_id = stage(database, failed)
    run = finished_run(failed, run_id=run_id, status=AgnoStatus.error)
    database.adapter.upsert_run(run, session_id=failed, user_id="ann")
    database.queue.leave(run_id)
    store.create_session(
        session_id=empty, user_id="ann", component_id="weather", kind=SessionKind.AGENT, collection="Client A"
    )
    live = new_id()
    live_run = stage(database, live)

    assert listed(database, state=SessionState.LIVE) == {live}
    assert listed(database, state=SessionState.COMPLETED) == {done}
    assert listed(database, state=SessionState.FAILED) == {failed}
    assert listed(database, state=SessionState.EMPTY) == {empty}
    assert listed(database, collection="Client A") == listed(database, kind=SessionKind.AGENT) == {empty}
    assert listed(database, component_id="market-desk") == {done, failed, live}
    now = datetime.now(UTC)
    assert listed(database, since=now - timedelta(minutes=1)) == {done, failed, empty, live}
    assert listed(database, until=now - timedelta(minutes=1)) == set()

    database.queue.leave(live_run)  # its process died: nothing was answered
    assert listed(database, state=SessionState.FAILED) == {failed, live}
    counts = store.count_sessions(user_id="ann")
    assert (counts.total, counts.components, counts.collections) == (
        4,
        {"market-desk": 3, "weather": 1},
        {"Client A": 1},
    )


def test_counts_are_the_users_own_and_of_what_the_list_shows(database):
    store = database.sessions
    for tags in (["x", "y"], ["x"], []):
        store.set_tags(session_of(database), tags, user_id="ann")
    session_of(database, user_id="bob")
    assert store.count_sessions(user_id="ann").tags == {"x": 2, "y": 1}
    assert store.count_sessions(user_id="ann", where=SessionFilter(tag="y")).total == 1
    assert store.count_sessions(user_id=ADMIN).owners == {"ann": 3, "bob": 1}
    assert store.count_sessions(user_id="eve").total == 0


def test_the_recall_labs_sessions_are_left_out_unless_asked_for(database):
    store = database.sessions
    lab, mine = "recall-lab-1", session_of(database)
    store.create_session(session_id=lab, user_id="ann", component_id="market-desk", collection="recall lab")
    assert listed(database) == listed(database, component_id="market-desk") == {mine}
    assert store.count_sessions(user_id="ann").total == 1
    assert listed(database, hidden=True) == {lab, mine}
    assert listed(database, collection="recall lab") == {lab}


def test_a_filtered_list_is_paged_without_gap_or_double(database):
    ids = [session_of(database, f"weather {number}") for number in range(7)]
    session_of(database, "nothing of it")
    where, found, cursor = SessionFilter(text="weather"), [], None
    while True:
        page = database.sessions.list_sessions(user_id="ann", where=where, limit=3, cursor=cursor)
        found += [summary.session_id for summary in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(found) == sorted(ids)
    with pytest.raises(InvalidInput):
        database.sessions.list_sessions(user_id="ann", where=where, cursor="nonsense")


def test_a_row_says_what_its_runs_add_up_to_without_reading_them(database):
    session_id = new_id()
    run_ids = store_runs(database, session_id, 2)
    adapter = database.adapter
    metrics = {"total_tokens": 12, "input_tokens": 10, "output_tokens": 2, "duration": 1.5}
    data = finished_run(session_id, run_id=run_ids[0]).to_dict() | {"metrics": metrics}
    member = data | {"run_id": new_id(), "parent_run_id": run_ids[0]}
    database.connector.write(
        lambda connection: connection.execute(
            text("UPDATE agno_runs SET run_data = :data, updated_at = updated_at + 1 WHERE run_id = :id"),
            {"data": json.dumps(data, default=str), "id": run_ids[0]},
        )
    )
    row = {"run_id": member["run_id"], "session_id": session_id, "run_type": "team", "parent_run_id": run_ids[0],
           "run_data": member, "status": "COMPLETED", "created_at": 1, "updated_at": int(time.time())}  # fmt: skip
    database.connector.write(lambda connection: connection.execute(insert(runs).values(**row)))
    follow(database)
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.runs, summary.tokens, summary.duration_s, summary.failed_runs) == (2, 24, 1.5, 0)
    failing = stage(database, session_id)
    assert database.sessions.get_session(session_id, user_id="ann").failed_runs == 0  # live
    database.queue.leave(failing)
    assert database.sessions.get_session(session_id, user_id="ann").failed_runs == 1  # interrupted
    adapter.upsert_run(finished_run(session_id, run_id=failing), session_id=session_id, user_id="ann")
    summary = database.sessions.get_session(session_id, user_id="ann")
    assert (summary.runs, summary.failed_runs, summary.last_status) == (3, 0, RunStatus.COMPLETED)


def test_heads_are_the_same_whether_written_along_or_made_anew(database):
    store = database.sessions
    ids = [session_of(database, f"question {number}") for number in range(3)]
    store.rename_session(ids[0], "A title", user_id="ann")
    store.set_tags(ids[1], ["a"], user_id="ann")
    store.fork_session(ids[1], user_id="ann")
    store.delete_session(ids[2], user_id="ann")
    stage(database, ids[0])

    def read(connection):
        return (
            connection.execute(select(heads).order_by(heads.c.session_key)).all(),
            connection.execute(select(facts).order_by(facts.c.run_key)).all(),
        )

    written = database.connector.read(read)
    for table in ("roundtable_session_heads", "roundtable_run_facts"):
        database.connector.write(lambda connection, table=table: connection.execute(text(f"DELETE FROM {table}")))
    database.connector.write(
        lambda connection: connection.execute(text("UPDATE roundtable_following SET updated_at = 0, row_id = ''"))
    )
    follow(database)
    assert database.connector.read(read) == written


# -- who may read ------------------------------------------------------------------------------------------------------


def test_an_admin_reads_every_session_and_writes_none(database):
    session_id = session_of(database, user_id="bob")
    store = database.sessions
    (run,) = store.list_runs(session_id, user_id=ADMIN).items
    assert store.get_session(session_id, user_id=ADMIN).user_id == "bob"
    assert store.get_run(run.run_id, user_id=ADMIN).run_id == run.run_id
    assert store.get_session_row(session_id, user_id=ADMIN)["user_id"] == "bob"
    assert listed(database, user_id=ADMIN) == listed(database, user_id=ADMIN, owner="bob") == {session_id}
    assert listed(database, user_id=ADMIN, owner="Bob") == set()
    assert listed(database, user_id=ADMIN, text="paris") == {session_id}

    before = rows_of(database, session_id)
    for who, refusal in ((ADMIN, NotAllowed), ("root", SessionNotFound)):
        for write in (
            lambda who=who: store.rename_session(session_id, "mine", user_id=who),
            lambda who=who: store.set_tags(session_id, ["mine"], user_id=who),
            lambda who=who: store.change_tags([session_id], add=["mine"], user_id=who),
            lambda who=who: store.set_collection(session_id, "mine", user_id=who),
            lambda who=who: store.delete_session(session_id, user_id=who),
            lambda who=who: store.fork_session(session_id, user_id=who),
            lambda who=who: store.describe_loss([session_id], user_id=who),
            lambda who=who: store.create_session(session_id=session_id, component_id="x", user_id=who),
            lambda who=who: stage(database, session_id, user_id=who),
        ):
            with pytest.raises(refusal):
                write()
        with pytest.raises((NotAllowed, RunNotFound)):
            store.delete_run(run.run_id, user_id=who)
    assert rows_of(database, session_id) == before


def test_nobody_else_lists_counts_or_finds_anothers_sessions(database):
    session_id = session_of(database, user_id="bob")
    store = database.sessions
    for other in ("Bob", "bob ", "ann", Reader(user_id="root")):
        assert listed(database, user_id=other) == listed(database, user_id=other, text="paris") == set()
        assert store.count_sessions(user_id=other).total == 0
        assert store.find_session(session_id, user_id=other) is None
        with pytest.raises(NotAllowed):
            store.list_sessions(user_id=other, where=SessionFilter(owner="bob"))
    for nobody in ("", " ", Reader(user_id="", admin=True)):
        with pytest.raises(NotAllowed):
            store.list_sessions(user_id=nobody)


# -- forks -------------------------------------------------------------------------------------------------------------


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


def test_a_fork_goes_on_apart_and_leaves_its_source_as_it_is(database, database_settings):
    store, session_id = database.sessions, new_id()
    first = with_image(database, session_id, database_settings.media_dir)
    second, third = store_runs(database, session_id, 2)
    store.set_tags(session_id, ["a"], user_id="ann")
    before = rows_of(database, session_id)
    fork = store.fork_session(session_id, user_id="ann", upto_run_id=second)
    assert rows_of(database, session_id) == before

    assert fork.name == "What is the weather in Paris? (fork)"
    assert (fork.runs, fork.tags, fork.forked_from_session_id) == (2, ("a",), session_id)
    copies = store.list_runs(fork.session_id, user_id="ann").items
    assert not {run.run_id for run in copies} & {first, second, third}
    assert [run.question for run in copies] == [
        run.question for run in store.list_runs(session_id, user_id="ann").items[:2]
    ]
    assert first not in str(rows_of(database, fork.session_id)[1]) and session_id not in str(
        [row.run_data for row in rows_of(database, fork.session_id)[1]]
    )
    (image,) = copies[0].images
    assert image.storage_key != "images/one.png"
    assert (Path(database_settings.media_dir) / image.storage_key).read_bytes() == b"picture"
    for one in (session_id, fork.session_id):
        (link,) = store.list_forks(one, user_id="ann")
        assert (link.source_session_id, link.source_run_id, link.session_id) == (session_id, second, fork.session_id)

    store.delete_session(session_id, user_id="ann")
    assert store.list_forks(fork.session_id, user_id="ann") == ()
    assert (Path(database_settings.media_dir) / image.storage_key).is_file()
    assert not (Path(database_settings.media_dir) / "images/one.png").exists()
    (again,) = store_runs(database, fork.session_id, 1)
    assert [run.run_id for run in store.list_runs(fork.session_id, user_id="ann").items][-1] == again


def test_a_live_run_is_not_forked(database):
    store, session_id = database.sessions, new_id()
    (done,) = store_runs(database, session_id, 1)
    live = stage(database, session_id)
    with pytest.raises(InvalidInput, match="still goes on"):
        store.fork_session(session_id, user_id="ann", upto_run_id=live)
    assert store.fork_session(session_id, user_id="ann").runs == 1
    assert store.fork_session(session_id, user_id="ann", upto_run_id=done).runs == 1
    with pytest.raises(RunNotFound):
        store.fork_session(session_id, user_id="ann", upto_run_id=new_id())
    assert len(listed(database)) == 3


# -- deletion ----------------------------------------------------------------------------------------------------------


def test_deleting_says_what_is_lost_and_leaves_nothing_behind(database, database_settings):
    store, session_id = database.sessions, new_id()
    with_image(database, session_id, database_settings.media_dir)
    store_runs(database, session_id, 2)
    database.outbox.keep("session", session_id=session_id, user_id="ann", run_id=None, payload={}, reason="test")
    other = session_of(database)
    assert {one.session_id for one in store.list_sessions(user_id="ann").items if one.unsaved} == {session_id}
    loss = store.describe_loss([session_id, other], user_id="ann")
    assert (loss.sessions, loss.runs, loss.images, loss.live_runs, loss.kept_writes) == (2, 4, 1, 0, 1)

    assert store.delete_sessions([session_id, other, new_id()], user_id="ann") == 2
    for table in (sessions, runs, heads, facts, references, texts, run_queue):
        assert database.connector.read(lambda connection, table=table: connection.execute(select(table)).all()) == []
    assert list(Path(database_settings.media_dir).rglob("*.*")) == []
    assert database.outbox.pending() == ()
    with pytest.raises(SessionNotFound):
        stage(database, session_id)


def test_an_image_that_another_session_uses_stays(database, database_settings):
    store, session_id, other = database.sessions, new_id(), new_id()
    with_image(database, session_id, database_settings.media_dir)
    with_image(database, other, database_settings.media_dir)
    assert store.describe_loss([session_id], user_id="ann").images == 0
    assert store.describe_loss([session_id, other], user_id="ann").images == 1
    store.delete_session(session_id, user_id="ann")
    assert (Path(database_settings.media_dir) / "images/one.png").is_file()
    store.delete_session(other, user_id="ann")
    assert not (Path(database_settings.media_dir) / "images/one.png").exists()


def test_one_run_is_deleted_with_its_image_and_the_others_stay(database, database_settings):
    store, session_id = database.sessions, new_id()
    run_id = with_image(database, session_id, database_settings.media_dir)
    kept = store_runs(database, session_id, 2)
    loss = store.describe_run_loss(run_id, user_id="ann")
    assert (loss.runs, loss.member_runs, loss.images) == (1, 0, 1)
    store.delete_run(run_id, user_id="ann")
    assert [run.run_id for run in store.list_runs(session_id, user_id="ann").items] == kept
    assert store.get_session(session_id, user_id="ann").runs == 2
    assert not (Path(database_settings.media_dir) / "images/one.png").exists()


# -- other programs ----------------------------------------------------------------------------------------------------


def test_sessions_that_plain_agno_wrote_are_listed_at_once_and_searched_when_followed(database, database_url):
    plain = open_plain_db(database_url)
    agent = Agent(id="solo", name="Solo", model=OfflineModel(token_delay_s=0.0), db=plain, telemetry=False)
    odd = "Ödd id/…%_ 1"
    agent.run("Where is Timbuktu?", session_id=odd, user_id="ann")
    agent.run("Whose is this?", session_id="nobodys")
    (summary,) = database.sessions.list_sessions(user_id="ann").items
    assert (summary.session_id, summary.kind, summary.component_id, summary.name, summary.runs, summary.title) == (
        odd, SessionKind.AGENT, "solo", "Where is Timbuktu?", 1, None,
    )  # fmt: skip
    assert database.sessions.list_runs(odd, user_id="ann").items[0].question == "Where is Timbuktu?"
    follow(database)
    (found,) = database.sessions.list_sessions(user_id="ann", where=SessionFilter(text="timbuk")).items
    assert (found.session_id, found.component_name, found.runs) == (odd, "Solo", 1)
    assert [hit.session_id for hit in database.search.search("timbuktu", user_id="ann").items] == [odd]
    assert "nobodys" in listed(database, user_id=ADMIN)
    assert listed(database, user_id=ADMIN, text="whose") == {"nobodys"}
    with pytest.raises(SessionNotFound):
        database.sessions.get_session("nobodys", user_id="ann")

    plain.delete_session(odd)
    for _ in range(3):
        follow(database)
    assert database.sessions.count_sessions(user_id="ann").total == 0
    assert listed(database, text="timbuk") == set()
    engine_of(plain).dispose()


def test_forks_and_heads_forget_what_is_deleted(database):
    store, session_id = database.sessions, session_of(database)
    fork = store.fork_session(session_id, user_id="ann")
    store.delete_sessions([fork.session_id], user_id="ann")
    assert store.list_forks(session_id, user_id="ann") == ()
    assert database.connector.read(lambda connection: len(connection.execute(select(forks)).all())) == 1


def test_a_session_of_agno_2_is_listed_and_opens(database):
    blob = [
        {"run_id": f"old-{number}", "team_id": "desk", "session_id": "old", "status": "COMPLETED",
         "input": {"input_content": f"Old question {number}"}, "content": f"Old answer {number}",
         "messages": [{"role": "user", "content": f"Old question {number}"},
                      {"role": "assistant", "content": f"Old answer {number}"}]}
        for number in range(3)
    ]  # fmt: skip

    def write(connection):
        connection.execute(text("ALTER TABLE agno_sessions ADD COLUMN runs TEXT"))
        connection.execute(
            text(
                "INSERT INTO agno_sessions (session_id, session_type, team_id, user_id, created_at, updated_at, runs) "
                "VALUES ('old', 'team', 'desk', 'ann', 1, 2, :runs)"
            ),
            {"runs": json.dumps(blob)},
        )

    database.connector.write(write)
    for _ in range(2):  # before it is followed, and after
        summary = database.sessions.get_session("old", user_id="ann")
        assert (summary.runs, summary.name, summary.last_status) == (3, "Old question 0", RunStatus.COMPLETED)
        found = database.sessions.list_runs("old", user_id="ann").items
        assert [run.question for run in found] == [f"Old question {number}" for number in range(3)]
        follow(database)
    assert listed(database, text="old question") == {"old"}


def test_a_page_that_was_pasted_into_the_search_breaks_nothing(database):
    session_of(database, "word0 word1 and no more")
    page = " ".join(f"word{number}" for number in range(1100))
    assert listed(database, text=page) == set()
    assert database.search.search(page, user_id="ann").items == ()
