"""Questions and answers are found by their owner, whoever wrote them, until they are deleted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert

from lib.errors import NotAllowed
from lib.records import Reader, RunStatus, SearchHit, SessionFilter
from lib.settings import Settings
from lib.storage.connector import Connector, build_connector
from lib.storage.schema import runs, sessions
from lib.storage.search_index import SearchIndex
from lib.storage.search_tables import create_search_tables, progress, texts


@pytest.fixture
def connector(database_settings: Settings) -> Iterator[Connector]:
    from lib.storage import open_database

    open_database(database_settings).close()
    connector = build_connector(database_settings.database_url.get_secret_value())
    connector.write(lambda connection: create_search_tables(connection, connector.dialect))
    yield connector
    connector.engine.dispose()


@pytest.fixture
def index(connector: Connector) -> SearchIndex:
    return SearchIndex(connector)


def write_run(
    connector: Connector,
    question: str,
    answer: str,
    *,
    run_id: str = "run-1",
    session_id: str = "session-1",
    user_id: str | None = "ann",
    at: int | None = None,
) -> None:
    """Write a run as plain Agno would, without this app's help."""
    now = int(time.time()) if at is None else at
    messages = [
        {"id": f"{run_id}-q", "role": "user", "content": question},
        {"id": f"{run_id}-a", "role": "assistant", "content": answer},
    ]
    data: dict[str, Any] = {
        "run_id": run_id,
        "session_id": session_id,
        "team_id": "desk",
        "input": {"input_content": question},
    }
    data |= {"messages": messages, "content": answer, "status": "COMPLETED", "created_at": now}
    times = {"created_at": now, "updated_at": now}
    session = {"session_id": session_id, "session_type": "team", "team_id": "desk", "user_id": user_id, **times}
    run: dict[str, Any] = {"run_id": run_id, "session_id": session_id, "run_type": "team", "team_id": "desk"}
    run |= {"user_id": user_id, "status": RunStatus.COMPLETED.upper(), "run_index": 0, "run_data": data, **times}

    def work(connection: Any) -> None:
        connection.execute(delete(runs).where(runs.c.run_id == run_id))
        known = connection.execute(sessions.select().where(sessions.c.session_id == session_id)).first()
        if known is None:
            connection.execute(insert(sessions).values(**session))
        connection.execute(insert(runs).values(**run))

    connector.write(work)


def update_all(index: SearchIndex) -> None:
    for _ in range(20):
        if not index.update():
            return
    raise AssertionError("the index never says that it is current")


def found(index: SearchIndex, typed: str, user_id: str = "ann") -> list[SearchHit]:
    return list(index.search(typed, user_id=user_id).items)


@pytest.mark.parametrize(
    "typed",
    [
        "umbrella",
        "UMBRELLA",
        "umbr",
        '"an umbrella"',
        "天气",
        "koln",
        "Köln",
        "🌧",
        "100%",
        "the",
        "a_b",
        "it's",
        "%",
        '"',
    ],
)
def test_a_word_of_any_script_finds_the_run(connector: Connector, index: SearchIndex, typed: str) -> None:
    write_run(connector, '巴黎的天气? a_b "so"', "Take an umbrella: the sky, it's 100% wet in Köln 🌧.")
    update_all(index)
    assert [hit.run_id for hit in found(index, typed)] == ["run-1"]


@pytest.mark.parametrize(
    "typed", ["", "   ", "parasol", '"umbrella an"', "'; DROP TABLE", '+-><()~*"@', "AND", "NOT umbrella)"]
)
def test_what_is_not_there_is_not_found_and_does_no_harm(connector: Connector, index: SearchIndex, typed: str) -> None:
    write_run(connector, "Rain?", "Take an umbrella.")
    update_all(index)
    assert found(index, typed) == []


def test_a_hit_is_shown_in_its_sentence(connector: Connector, index: SearchIndex) -> None:
    write_run(connector, "Rain?", "It rains. Take an umbrella with you! Bye.")
    update_all(index)
    (hit,) = found(index, "umbrella")
    assert (hit.found_in, hit.before, hit.hit, hit.after) == ("answer", "Take an ", "umbrella", " with you!")


def test_nobody_finds_what_another_user_wrote(connector: Connector, index: SearchIndex) -> None:
    write_run(connector, "my umbrella", "yes", user_id="Bob")
    write_run(connector, "my umbrella", "yes", user_id=None, run_id="run-2", session_id="session-2")
    update_all(index)
    assert len(found(index, "umbrella", "Bob")) == 1
    for other in ("bob", "Bob ", "Böb", "ann"):
        assert found(index, "umbrella", other) == []


def test_a_changed_run_is_found_by_its_new_words_only(connector: Connector, index: SearchIndex) -> None:
    now = int(time.time())
    write_run(connector, "Rain?", "unknown", at=now)
    update_all(index)
    write_run(connector, "Rain?", "Take an umbrella.", at=now)  # in the same second
    update_all(index)
    assert len(found(index, "umbrella")) == 1
    assert found(index, "unknown") == []


def test_a_deleted_run_is_not_found_even_before_the_index_knows(connector: Connector, index: SearchIndex) -> None:
    write_run(connector, "Rain?", "Take an umbrella.")
    update_all(index)
    connector.write(lambda connection: connection.execute(delete(runs)))
    assert found(index, "umbrella") == []


def test_forgetting_a_session_leaves_nothing_of_its_words(connector: Connector, index: SearchIndex) -> None:
    from lib.storage.search_tables import texts

    write_run(connector, "Rain?", "Take an umbrella.")
    update_all(index)
    connector.write(lambda connection: index.forget_session(connection, "session-1"))
    assert connector.read(lambda connection: connection.execute(texts.select()).all()) == []


def test_hits_come_newest_first_in_pages_without_gap_or_double(connector: Connector, index: SearchIndex) -> None:
    for number in range(25):
        write_run(connector, f"umbrella {number}", "yes", run_id=f"run-{number}", at=1_000 + number // 2)
    update_all(index)
    pages, cursor = [], None
    while True:
        page = index.search("umbrella", user_id="ann", limit=10, cursor=cursor)
        pages.append([hit.run_id for hit in page.items])
        cursor = page.next_cursor
        if cursor is None:
            break
    together = [run_id for page in pages for run_id in page]
    assert sorted(together) == sorted(f"run-{number}" for number in range(25))
    assert together[0] in ("run-24",) and [len(page) for page in pages][:2] == [10, 10]


def test_a_search_with_a_broken_cursor_starts_from_the_top(connector: Connector, index: SearchIndex) -> None:
    write_run(connector, "umbrella", "yes")
    update_all(index)
    assert len(index.search("umbrella", user_id="ann", cursor="not a cursor").items) == 1


ADMIN = Reader(user_id="root", admin=True)


def take_all(index: SearchIndex) -> int:
    """Take everything in; how many runs were read."""
    read = 0
    while number := index.update():
        read += number
    return read


def found_by(index: SearchIndex, typed: str, user_id: str | Reader, owner: str | None = None) -> set[str]:
    return {hit.session_id for hit in index.search(typed, user_id=user_id, where=SessionFilter(owner=owner)).items}


def test_an_admin_searches_everybodys_and_nobodys_sessions_or_those_of_one_user(
    index: SearchIndex, connector: Connector
) -> None:
    write_run(connector, "Where is Timbuktu?", "In Mali.", run_id="r1", session_id="anns", user_id="ann")
    write_run(connector, "Where is Timbuktu?", "In Mali.", run_id="r2", session_id="bobs", user_id="bob")
    write_run(connector, "Where is Timbuktu?", "In Mali.", run_id="r3", session_id="nobodys", user_id=None)
    take_all(index)
    assert found_by(index, "timbuktu", ADMIN) == found_by(index, "tim", ADMIN) == {"anns", "bobs", "nobodys"}
    assert found_by(index, "timbuktu", ADMIN, "bob") == {"bobs"}
    assert found_by(index, "timbuktu", ADMIN, "Bob") == found_by(index, "timbuktu", ADMIN, "root") == set()
    assert found_by(index, "timbuktu", "ann") == found_by(index, "timbuktu", "ann", "ann") == {"anns"}
    for who in ("ann", Reader(user_id="root")):
        with pytest.raises(NotAllowed):
            index.search("timbuktu", user_id=who, where=SessionFilter(owner="bob"))


def test_what_an_earlier_version_left_out_of_the_index_is_taken_in(index: SearchIndex, connector: Connector) -> None:
    write_run(connector, "Where is Timbuktu?", "In Mali.", run_id="r1", session_id="nobodys", user_id=None, at=1000)
    write_run(connector, "Where is Timbuktu?", "In Mali.", run_id="r2", session_id="anns", at=1000)
    take_all(index)

    def make_old(connection: Connection) -> None:
        connection.execute(texts.update().where(texts.c.user_id == "").values(question="", answer="", words=None))
        connection.execute(progress.update().values(name="runs"))

    connector.write(make_old)
    assert found_by(index, "timbuktu", ADMIN) == {"anns"}
    for _ in range(2):  # the second time nothing is begun anew
        connector.write(lambda connection: create_search_tables(connection, connector.dialect))
    assert take_all(index) == 2
    assert found_by(index, "timbuktu", ADMIN) == {"anns", "nobodys"}
    connector.write(lambda connection: create_search_tables(connection, connector.dialect))
    assert take_all(index) == 0
