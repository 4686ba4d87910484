"""The benchmarks run, measure both sides on the same question, and print what they measured."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import main
from benchmarks.databases import open_plain_db
from benchmarks.seeding import copy_runs
from benchmarks.turns import ask_ours, ask_plain, build_plain_team, engine_of


def test_a_copied_session_is_read_as_if_it_had_been_run(roundtable, database_settings):
    ask_ours(roundtable, "template")
    copy_runs(roundtable.database.engine, from_session="template", to_session="long", runs=40, user_id="ann")
    copied = roundtable.store.list_runs("long", user_id="ann", limit=100).items
    assert len(copied) == 40
    assert [run.run_index for run in copied] == sorted({run.run_index for run in copied})
    for run in copied:
        assert "Paris" in run.answer
        assert [member.component_id for member in run.member_runs] == ["weather"]
        assert run.session_id == "long"


def test_plain_agno_answers_the_same_question_on_a_database_of_its_own(database_url, database_settings, roundtable):
    ours = ask_ours(roundtable, "one")
    db = open_plain_db(database_url)
    assert ask_plain(build_plain_team(database_settings, db=db), "two") == ours
    engine_of(db).dispose()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_benchmark_prints_every_table_for_both_databases(capsys):
    assert main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for heading in (
        "One run in a session",
        "The first page of sessions",
        "pages of one with",
        "Reading a session back",
        "A sweep of 2 windows",
        "From the model's word",
    ):
        assert heading in printed
    rows = [line.split() for line in printed.splitlines() if line.split()[:1] in (["SQLite"], ["MariaDB"])]
    assert len(rows) == 2 * (3 + 2 + 18 + 2 + 1 + 2)
    assert all(float(number) > 0 for cells in rows for number in cells[2:3])
