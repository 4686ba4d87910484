"""The recall lab on real runs: what is predicted is what the model is given, in every cell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lib.errors import InvalidInput, ModelUnavailable, NotFound, TeamUnavailable
from lib.recall.__main__ import main, read_facts
from lib.recall.experiment import SAMPLE_FACTS, CellState, Fact, Plan, build_grid, estimate_tokens, read_numbers
from lib.recall.lab import Experiment, ExperimentState, RecallLab, RunningExperiment
from lib.records import LAB_SESSION_PREFIX
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings
from lib.storage.experiments import COLLECTION, ExperimentStore
from tests.conftest import build_settings

USER = "ann"
TEAM = "market-desk"
LONG_S = 120.0


@pytest.fixture
def here(settings: Settings) -> Iterator[Roundtable]:
    """Everything put together on SQLite."""
    opened = open_roundtable(settings)
    yield opened
    opened.close()


@pytest.fixture
def lab(here: Roundtable) -> Iterator[RecallLab]:
    opened = RecallLab(here)
    yield opened
    opened.close()


def measured(lab: RecallLab, plan: Plan) -> RunningExperiment:
    running = lab.start(plan, user_id=USER)
    assert running.wait(LONG_S), f"only {running.progress()}"
    return running


def small(**change: object) -> Plan:
    return Plan(**{"name": "small", "team": TEAM, "distances": (0, 1), "windows": (1,), **change})  # type: ignore[arg-type]  # by name


def test_over_all_windows_the_grid_shows_no_alarm_and_the_cliff_where_it_is_predicted(lab: RecallLab) -> None:
    plan = Plan(name="grid", team=TEAM, distances=tuple(range(6)), windows=(0, 1, 2, 3, 4, 5, 9))
    results = measured(lab, plan).results()
    assert len(results) == len(plan.cells) == 42
    assert not [result for result in results if result.alarm or result.failed]
    for point in build_grid(results):
        assert point.state is (CellState.NOT_IN_CONTEXT if point.forgotten else CellState.ANSWERED)
    assert not any(result.guessed for result in results)
    assert all(len(result.run_ids) == result.cell.distance + 2 for result in results)
    assert all((result.tokens or 0) > 0 for result in results)


def test_a_shared_growth_measures_the_same_in_fewer_runs(lab: RecallLab) -> None:
    shared = Plan(name="shared", team=TEAM, distances=(0, 1, 2), windows=(1, 2))
    plan = replace(shared, name="own", share_windows=False)
    assert shared.run_count < plan.run_count
    first, second = measured(lab, plan), measured(lab, shared)
    assert [result.state for result in first.results()] == [result.state for result in second.results()]
    assert lab.compare(first.experiment_id, second.experiment_id, user_id=USER) == ()


def test_an_experiment_on_a_stored_session_leaves_that_session_as_it_was(lab: RecallLab, here: Roundtable) -> None:
    for question in ("Hello there.", "Remember: the code name is Falcon."):
        here.engine.start(question, user_id=USER, team=TEAM, session_id="mine").wait(LONG_S)
    before = here.store.list_runs("mine", user_id=USER)
    results = measured(lab, small(source_session_id="mine", windows=(1, 3))).results()
    assert not [result for result in results if result.alarm or result.failed]
    assert here.store.list_runs("mine", user_id=USER) == before
    assert all(len(here.store.list_runs(each.session_id, user_id=USER).items) > 3 for each in results)


def test_sessions_of_experiments_are_hidden_from_the_list_and_deleted_together(
    lab: RecallLab, here: Roundtable
) -> None:
    here.store.create_session(user_id=USER, component_id=TEAM, session_id="mine")
    running = measured(lab, small())
    session_id = running.results()[0].session_id
    assert session_id.startswith(LAB_SESSION_PREFIX)
    assert here.store.get_session(session_id, user_id=USER).collection == COLLECTION
    assert [item.session_id for item in here.store.list_sessions(user_id=USER).items] == ["mine"]

    lab.delete(running.experiment_id, user_id=USER)

    assert lab.list_experiments(user_id=USER) == ()
    assert ExperimentStore(here.database.connector).list_session_ids(user_id=USER) == ()
    with pytest.raises(NotFound):
        here.store.get_session(session_id, user_id=USER)
    assert here.store.get_session("mine", user_id=USER).session_id == "mine"


def test_an_experiment_is_stopped_and_resumed_where_it_was(lab: RecallLab) -> None:
    plan = Plan(name="long", team=TEAM, facts=SAMPLE_FACTS[:3], distances=(0, 1, 2), windows=(1, 2, 3))
    running = lab.start(plan, user_id=USER)
    for _ in range(int(LONG_S * 20)):
        if running.results() or running.wait(0.05):
            break
    running.stop()
    assert running.wait(LONG_S)
    kept = lab.list_results(running.experiment_id, user_id=USER)
    assert 0 < len(kept) < len(plan.cells)
    assert lab.get(running.experiment_id, user_id=USER).state is ExperimentState.STOPPED

    resumed = lab.resume(running.experiment_id, user_id=USER)
    assert resumed.wait(LONG_S)

    assert lab.get(running.experiment_id, user_id=USER).state is ExperimentState.COMPLETED
    every = lab.list_results(running.experiment_id, user_id=USER)
    assert [result.cell for result in every] == list(plan.cells)
    assert [result for result in every if result in kept] == list(kept), "what was measured is not measured again"


def test_progress_tells_the_time_left(lab: RecallLab) -> None:
    running = measured(lab, small())
    progress = running.progress()
    assert (progress.done, progress.total, progress.share, progress.left_s) == (2, 2, 1.0, 0.0)


def test_results_and_names_survive_the_process(settings: Settings) -> None:
    def work() -> tuple[Experiment, int]:
        opened = open_roundtable(settings)
        lab = RecallLab(opened)
        if not lab.list_experiments(user_id=USER):
            measured(lab, small())
        (found,) = lab.list_experiments(user_id=USER)
        results = lab.list_results(found.experiment_id, user_id=USER)
        lab.rename(found.experiment_id, "renamed", user_id=USER)
        lab.close()
        opened.close()
        return found, len(results)

    first, second = work(), work()
    assert (first[0].plan.name, second[0].plan.name) == ("small", "renamed")
    assert first[1] == second[1] == 2


def test_an_experiment_is_its_owners_only(lab: RecallLab) -> None:
    running = measured(lab, small())
    assert lab.list_experiments(user_id="bob") == ()
    assert lab.find_running(running.experiment_id, user_id="bob") is None
    for action in (lab.get, lab.list_results, lab.resume, lab.delete):
        with pytest.raises(NotFound):
            action(running.experiment_id, user_id="bob")
    assert len(lab.list_results(running.experiment_id, user_id=USER)) == 2


def test_a_failing_model_is_told_as_not_measured_and_is_no_alarm(lab: RecallLab) -> None:
    plan = small(fillers=("[fail model] go on",), distances=(0, 1))
    near, far = measured(lab, plan).results()
    assert (near.failed, near.state) == (None, CellState.ANSWERED)
    assert far.failed is not None and not far.alarm
    assert [point.distance for point in build_grid((near, far))] == [0]


def test_an_unknown_team_model_or_session_is_refused_before_anything_is_stored(lab: RecallLab) -> None:
    with pytest.raises(ModelUnavailable):
        lab.start(small(model="nobody:nothing"), user_id=USER)
    with pytest.raises(TeamUnavailable):
        lab.start(small(team="nobody"), user_id=USER)
    with pytest.raises(NotFound):
        lab.start(small(source_session_id="not mine"), user_id=USER)
    assert lab.list_experiments(user_id=USER) == ()


def test_the_token_estimate_is_near_what_is_then_used(lab: RecallLab) -> None:
    plan = Plan(name="cost", team=TEAM, distances=(0, 1, 2, 3), windows=(1, 3))
    estimate = estimate_tokens(plan, lab.measure_cost(TEAM, user_id=USER))
    results = measured(lab, plan).results()
    asked = sum(result.tokens or 0 for result in results)
    assert asked < estimate < 4 * asked


def test_experiments_run_on_every_database(roundtable: Roundtable) -> None:
    lab = RecallLab(roundtable)
    try:
        results = measured(lab, small(windows=(0, 1))).results()
        assert not [result for result in results if result.alarm or result.failed]
        assert [result.answered for result in results] == [False, False, True, False]
    finally:
        lab.close()


def test_two_processes_may_make_the_tables_at_once(roundtable: Roundtable) -> None:
    barrier, failures = threading.Barrier(4), []

    def work() -> None:
        barrier.wait()
        try:
            ExperimentStore(roundtable.database.connector)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- command line ------------------------------------------------------------------------------------------------------


@pytest.fixture
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = build_settings(tmp_path)
    for name in ("database_url", "media_dir", "outbox_dir"):
        value = getattr(settings, name)
        text = value.get_secret_value() if name == "database_url" else str(value)
        monkeypatch.setenv(name.upper(), text)
    monkeypatch.setenv("LOCAL_USER", USER)
    return settings


@pytest.mark.usefixtures("_environment")
def test_the_command_line_prints_one_json_row_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    facts = "the secret word is bird; my budget is 40k"
    status = main(["sweep", "--facts", facts, "--distances", "0-2", "--windows", "1,3", "--repeats", "2", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    assert len(rows) == 2 * 3 * 2 * 2
    assert {"fact", "distance", "window", "repeat", "predicted_in_context", "in_context", "answered", "tokens",
            "run_ids"} <= set(rows[0])  # fmt: skip
    assert all(row["in_context"] == row["predicted_in_context"] == (row["distance"] < row["window"]) for row in rows)
    assert all(row["answered"] == row["in_context"] for row in rows)
    assert {row["subject"] for row in rows} == {"leader"}
    first = next(row for row in rows if (row["distance"], row["window"]) == (0, 1))
    assert len(first["run_ids"]) == 2, "distance 0 is the very next question: planting, then asking"


@pytest.mark.usefixtures("_environment")
def test_the_command_line_measures_members_apart_from_the_leader(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sweep", "--distances", "0,1", "--windows", "1", "--subjects", "leader,weather", "--quiet"]
    assert main([*arguments, "--member-history", "own"]) == 0
    leader, member = capsys.readouterr().out.split("weather:")
    assert leader.startswith("leader:")
    assert ("# | ." in leader, "#   #" in member) == (True, True)


@pytest.mark.usefixtures("_environment")
def test_stored_experiments_are_listed_shown_and_deleted_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sweep", "--distances", "0,1", "--windows", "1", "--name", "mine", "--quiet"]) == 0
    assert "# | ." in capsys.readouterr().out
    assert main(["list"]) == 0
    experiment_id, *rest = capsys.readouterr().out.split()
    assert rest[:2] == ["completed", "2/2"]
    assert main(["show", experiment_id, "--csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["delete", experiment_id]) == 0
    assert main(["show", experiment_id]) == 1
    assert "no experiment" in capsys.readouterr().err


@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "--distances", "x"],
        ["sweep", "--windows", "1-"],
        ["sweep", "--facts", "0"],
        ["sweep", "--facts", "nonsense"],
        ["sweep", "--repeats", "0"],
        ["sweep", "--windows", "1001"],
        ["sweep", "--distances", "0-99999999999"],
        ["sweep", "--subjects", "nobody"],
        ["sweep", "--subjects", ","],
    ],
)
def test_wrong_arguments_are_told_with_status_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.strip()


def test_numbers_and_facts_are_read_as_people_write_them(tmp_path: Path) -> None:
    assert read_numbers("0-3, 10,2") == (0, 1, 2, 3, 10)
    assert read_facts("2") == SAMPLE_FACTS[:2]
    file = tmp_path / "facts.txt"
    file.write_text("the secret word is bird\n\nmy budget = 40k\n", encoding="utf-8")
    assert read_facts(str(file)) == (
        Fact(name="the secret word", value="bird"),
        Fact(name="my budget", value="40k"),
    )
    with pytest.raises(InvalidInput):
        read_facts("-1")
