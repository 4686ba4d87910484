"""The servers that tests run against do what their tests rely on."""

from __future__ import annotations

from pathlib import Path

import mysql.connector
import openai
import pytest

from tests.services.llmock import open_llmock
from tests.services.mariadb import COLLATION, MariaDBServer
from tests.services.npm import get_npm_file


def test_each_test_has_a_database_of_its_own_that_compares_names_exactly(mariadb: MariaDBServer) -> None:
    name = mariadb.create_database()
    rows = mariadb.execute(
        f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{name}'"
    )
    assert rows == [(COLLATION,)]
    mariadb.execute("CREATE TABLE users (name VARCHAR(128) PRIMARY KEY)", database=name)
    mariadb.execute("INSERT INTO users VALUES ('bob'), ('Bob'), ('bob '), ('böb')", database=name)
    assert mariadb.execute("SELECT name FROM users WHERE name = 'bob'", database=name) == [("bob",)]
    mariadb.drop_database(name)


def test_a_killed_server_comes_back_with_what_it_held(mariadb: MariaDBServer) -> None:
    name = mariadb.create_database()
    mariadb.execute("CREATE TABLE kept (word VARCHAR(10))", database=name)
    mariadb.execute("INSERT INTO kept VALUES ('bird')", database=name)
    mariadb.kill()
    with pytest.raises(mysql.connector.Error):
        mariadb.execute("SELECT 1")
    mariadb.start()
    assert mariadb.execute("SELECT word FROM kept", database=name) == [("bird",)]
    mariadb.drop_database(name)


def test_a_limited_account_reaches_its_database_only(mariadb: MariaDBServer) -> None:
    name = mariadb.create_database()
    url = mariadb.create_account(name, rights="SELECT, INSERT")
    user = url.split("://")[1].split(":")[0]
    grants = mariadb.execute(f"SHOW GRANTS FOR '{user}'@'%'")
    assert f"GRANT SELECT, INSERT ON `{name}`.* TO `{user}`@`%`" in {row[0] for row in grants}
    mariadb.drop_database(name)


def test_the_fixture_gives_an_empty_database_of_each_kind(database_url: str) -> None:
    assert database_url.startswith(("sqlite:///", "mysql+mysqlconnector://"))


def test_the_openai_compatible_server_answers_from_its_fixtures(tmp_path: Path) -> None:
    answer = {"match": {"userMessage": "hello"}, "response": {"content": "good day"}}
    with open_llmock([answer], folder=tmp_path) as provider:
        client = openai.OpenAI(base_url=provider.base_url, api_key="none", max_retries=0)
        with client:
            said = client.chat.completions.create(model="any", messages=[{"role": "user", "content": "hello"}])
    assert said.choices[0].message.content == "good day"


def test_the_accessibility_rules_are_there() -> None:
    assert "axe" in get_npm_file("axe-core/axe.min.js").read_text(encoding="utf-8")[:200]
