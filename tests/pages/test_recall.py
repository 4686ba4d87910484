"""The recall lab's page, driven by AppTest over the real engine, storage and offline model."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lib.recall.experiment import Plan
from lib.recall.lab import ExperimentState, RecallLab
from lib.roundtable import Roundtable
from lib.ui.recall.opened import shared_background, shared_lab
from lib.ui.recall.results import to_csv
from lib.ui.resources import shared_roundtable

ROOT = Path(__file__).parents[2]
USER = "analyst"
MOST_ELEMENTS = 400


@pytest.fixture
def recall(app_environment) -> Iterator[AppTest]:
    """The recall lab's page, opened."""
    st.cache_resource.clear()
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.run()
    app.switch_page("pages/recall.py").run()
    yield app
    shared_background().wait()
    shared_lab().close()
    shared().close()
    st.cache_resource.clear()


def shared() -> Roundtable:
    return shared_roundtable()


def lab() -> RecallLab:
    return shared_lab()


def click(app: AppTest, key: str) -> None:
    """Click, wait for what that began, and draw the page as the next poll does."""
    app.button(key=key).click().run()
    shared_background().wait()
    app.run()
    assert not app.exception


def show(app: AppTest, tab: str) -> None:
    app.session_state["lab"] = tab
    app.run()
    assert not app.exception


def words(app: AppTest) -> str:
    assert "Something went wrong" not in [each.proto.title for each in app.error]
    return "\n".join(element.value for element in [*app.markdown, *app.caption]).replace("\\", "")


def film(app: AppTest) -> str:
    return next(each.proto.body for each in app.get("html") if 'class="film"' in each.proto.body)


def address(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[0]


# -- the guided demonstration ------------------------------------------------------------------------------------------


def test_a_fact_is_planted_remembered_and_falls_out_of_the_window(recall):
    assert "window: the last 3 runs" in film(recall)
    click(recall, "demo_plant")
    assert film(recall).count("film-card film-in") == 1
    click(recall, "demo_ask")
    assert "The secret word is bird" in words(recall)
    assert "Remembered: it was given the last 3 runs" in words(recall)
    recall.session_state["demo_count"] = 3
    click(recall, "demo_pass")
    assert film(recall).count("film-card film-in") == 3
    assert "bird · forgotten" in film(recall)
    assert "Predicted: the next question is not given the fact." in words(recall)
    click(recall, "demo_ask")
    assert "Forgotten: it was given the last 3 runs" in words(recall)


def test_another_window_is_asked_in_a_copy_and_the_first_history_is_untouched(recall):
    click(recall, "demo_plant")
    recall.session_state["demo_count"] = 3
    click(recall, "demo_pass")
    session_id = address(recall, "demo")
    before = shared().store.list_runs(session_id, user_id=USER)
    click(recall, "demo_ask")
    recall.selectbox(key="demo_window").set_value(5).run()
    assert "bird · forgotten" not in film(recall)
    assert film(recall).count("film-card film-in") == 4
    click(recall, "demo_ask")
    assert "Remembered: it was given the last 5 runs" in words(recall)
    assert "window: last 3 runs · I don't know" in words(recall)
    assert shared().store.list_runs(session_id, user_id=USER) == before
    assert not shared().store.list_sessions(user_id=USER).items, "demonstrations stay out of the list"


def test_a_demonstration_is_taken_up_in_another_tab_and_by_its_owner_only(recall):
    recall.text_input(key="demo_fact").set_value("my budget is 40k").run()
    click(recall, "demo_plant")
    assert address(recall, "demo")
    from lib.ui.recall.guided import _shows

    _shows().clear()
    click(recall, "demo_ask")
    assert "40k" in words(recall)
    shared().store.create_session(user_id="bob", component_id="market-desk", session_id="recall-lab-demo-bobs")
    recall.query_params["demo"] = "recall-lab-demo-bobs"
    recall.run()
    assert "not yours" in recall.error[0].value
    assert recall.button(key="demo_plant")


def test_the_labs_sessions_are_deleted_together_and_nothing_else(recall):
    shared().store.create_session(user_id=USER, component_id="market-desk", session_id="mine")
    click(recall, "demo_plant")
    session_id = address(recall, "demo")
    recall.session_state["lab_menu"] = True
    recall.run()
    recall.button(key="lab_tidy").click().run()
    from lib.errors import NotFound

    with pytest.raises(NotFound):
        shared().store.get_session(session_id, user_id=USER)
    assert shared().store.get_session("mine", user_id=USER).session_id == "mine"
    assert recall.button(key="demo_plant")


def test_what_states_no_fact_is_said_in_one_clear_box(recall):
    recall.text_input(key="demo_fact").set_value("nothing at all").run()
    recall.button(key="demo_plant").click().run()
    assert "states no fact" in recall.error[0].value
    assert "demo" not in recall.query_params


def test_a_planted_text_is_drawn_as_text(recall):
    recall.text_input(key="demo_fact").set_value("my tag is <img src=http://evil/x onerror=alert(1)>").run()
    click(recall, "demo_plant")
    assert "<img" not in film(recall)
    assert "&lt;img" in film(recall)


# -- cases, rescues, side by side --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("updated", "Answered with 'fish', the newer value"),
        ("never_said", "Nothing is made up"),
        ("member_only", "None of the member's"),
        ("stopped", "neither question nor answer is given again"),
        ("repeat", "2 delegations the first time, 0 now"),
    ],
)
def test_every_case_is_shown_with_its_verdict(recall, case, said):
    show(recall, "Cases")
    recall.session_state["case_choice"] = case
    recall.run()
    click(recall, f"show_case_{case}")
    assert said in words(recall)
    assert ":green[" in words(recall)


@pytest.mark.parametrize(
    ("rescue", "said"),
    [
        ("no rescue", "nothing brought it back"),
        ("session summary", "It came back by: session summary"),
        ("chat history tool", "It came back by: chat history tool"),
        ("user memory", "It came back by: user memory"),
    ],
)
def test_each_rescue_alone_brings_the_fact_back(recall, rescue, said):
    show(recall, "Rescues")
    recall.session_state["rescue_choice"] = rescue
    recall.run()
    click(recall, "show_rescue_" + rescue.replace(" ", "_"))
    assert said in words(recall)


def test_injected_and_kept_history_and_the_price_of_events_stand_side_by_side(recall):
    show(recall, "Side by side")
    click(recall, "compare_injection")
    assert "The fact was not in the window. It came back by: additional_input." in words(recall)
    assert "The fact stood in the history it was given." in words(recall)
    assert len([each for each in recall.markdown if "The secret word is bird." in each.value.replace("\\", "")]) == 2
    click(recall, "compare_events")
    assert "bytes more for this answer" in words(recall)
    default, everything = (int(each.value.replace(",", "")) for each in recall.metric)
    assert everything > default > 1000


# -- the sweep ---------------------------------------------------------------------------------------------------------


def settings_of_a_small_sweep(app: AppTest) -> None:
    show(app, "Sweep")
    app.text_input(key="sweep_windows").set_value("1, 2")
    app.text_input(key="sweep_distances").set_value("0-2")
    app.number_input(key="sweep_repeats").set_value(2).run()


def measure(app: AppTest) -> str:
    app.button(key="sweep_start").click().run()
    experiment_id = address(app, "experiment")
    running = lab().find_running(experiment_id, user_id=USER)
    if running is not None:
        assert running.wait(60)
    app.run()
    assert not app.exception
    return experiment_id


def test_a_sweep_is_measured_and_its_grid_drawn_without_an_alarm(recall):
    settings_of_a_small_sweep(recall)
    assert "12 cells in " in words(recall)
    experiment_id = measure(recall)
    assert "In all 12 cells the model was given exactly what was predicted." in words(recall)
    assert not recall.error
    assert charts(recall) == 3, sorted(kinds(recall.main))
    assert len(recall.dataframe[0].value) == 12
    results = lab().list_results(experiment_id, user_id=USER)
    rows = list(csv.DictReader(io.StringIO(to_csv(results))))
    assert len(rows) == 12
    assert {(row["window"], row["distance"]) for row in rows if row["answered"] == "True"} == {
        ("1", "0"), ("2", "0"), ("2", "1"),
    }  # fmt: skip
    assert [button.proto.label for button in recall.get("download_button")] == ["CSV", "Picture"]


def test_leader_and_members_are_measured_and_shown_apart(recall):
    show(recall, "Sweep")
    recall.text_input(key="sweep_windows").set_value("1")
    recall.text_input(key="sweep_distances").set_value("0-1")
    recall.number_input(key="sweep_repeats").set_value(1)
    recall.multiselect(key="sweep_subjects_market-desk").set_value(["leader", "weather"]).run()
    recall.selectbox(key="sweep_member_history").set_value("own").run()
    assert "4 cells in " in words(recall)
    experiment_id = measure(recall)
    results = lab().list_results(experiment_id, user_id=USER)
    assert {result.cell.subject for result in results} == {"leader", "weather"}
    assert not any(result.alarm or result.failed for result in results), results
    assert list(recall.dataframe[0].value["of"].unique()) == ["leader"]
    recall.session_state["results_subject"] = "weather"
    recall.run()
    assert list(recall.dataframe[0].value["of"].unique()) == ["weather"]
    assert "leader " in words(recall) and ", members " in words(recall)


def test_what_cannot_be_measured_is_said_before_it_starts(recall):
    show(recall, "Sweep")
    recall.text_input(key="sweep_windows").set_value("one").run()
    assert "'one' is no list of numbers" in words(recall)
    assert recall.button(key="sweep_start").disabled


def test_experiments_are_renamed_compared_and_deleted_with_their_sessions(recall):
    settings_of_a_small_sweep(recall)
    first = measure(recall)
    second = measure(recall)
    assert first != second
    recall.selectbox(key="experiment_other").set_value(first).run()
    assert "No cell that both measured differs." in words(recall)
    recall.text_input(key=f"rename_{second}").set_value("the second").run()
    recall.button(key="experiment_rename").click().run()
    assert lab().get(second, user_id=USER).plan.name == "the second"
    session_id = lab().list_results(second, user_id=USER)[0].session_id
    recall.button(key="experiment_delete").click().run()
    assert [each.experiment_id for each in lab().list_experiments(user_id=USER)] == [first]
    from lib.errors import NotFound

    with pytest.raises(NotFound):
        shared().store.get_session(session_id, user_id=USER)


def test_a_sweep_is_stopped_and_resumed(recall):
    show(recall, "Sweep")
    recall.text_input(key="sweep_distances").set_value("0-9")
    recall.number_input(key="sweep_repeats").set_value(5).run()
    recall.button(key="sweep_start").click().run()
    experiment_id = address(recall, "experiment")
    running = lab().find_running(experiment_id, user_id=USER)
    assert running is not None
    recall.run()
    recall.button(key="sweep_stop").click().run()
    assert running.wait(30)
    recall.run()
    assert "Stopped after " in words(recall)
    recall.button(key="sweep_resume").click().run()
    assert lab().get(experiment_id, user_id=USER).state is ExperimentState.RUNNING
    recall.run()
    recall.button(key="sweep_stop").click().run()


def test_an_experiment_of_somebody_else_is_not_found(recall):
    theirs = lab().start(Plan(name="theirs", team="market-desk", distances=(0,), windows=(1,)), user_id="bob")
    assert theirs.wait(60)
    recall.query_params["experiment"] = theirs.experiment_id
    show(recall, "Sweep")
    assert "no experiment" in recall.error[0].value
    assert "theirs" not in words(recall)


def test_an_alarm_is_raised_where_measured_and_predicted_context_differ(recall):
    settings_of_a_small_sweep(recall)
    experiment_id = measure(recall)
    result = lab().list_results(experiment_id, user_id=USER)[0]
    # Never seen in earnest: a stored result is changed by hand.
    from lib.storage.experiments import ExperimentStore

    store = ExperimentStore(shared().database.connector)
    store.add_result(experiment_id, 0, result.to_row() | {"predicted_in_context": not result.in_context})
    recall.run()
    assert recall.error[0].proto.title == "Alarm: prediction and measurement differ"
    assert "exactly what was predicted" not in words(recall)


def test_with_a_real_model_the_tokens_are_estimated_before_it_starts(recall, monkeypatch):
    from lib.ui.recall import sweep

    monkeypatch.setattr(sweep, "OFFLINE", "another")  # the offline model stands for one that costs something
    show(recall, "Sweep")
    assert "tokens** in all. An estimate" in words(recall)
    assert not lab().list_experiments(user_id=USER)


def test_no_tab_draws_more_than_a_browser_is_sent_at_once(recall):
    settings_of_a_small_sweep(recall)
    measure(recall)
    for tab in ("Demonstration", "Cases", "Rescues", "Sweep", "Side by side"):
        show(recall, tab)
        assert count(recall.main) + count(recall.sidebar) < MOST_ELEMENTS


def count(block: object) -> int:
    children = getattr(block, "children", None) or {}
    return 1 + sum(count(each) for each in children.values())


def kinds(block: object) -> list[str]:
    children = getattr(block, "children", None) or {}
    return [getattr(block, "type", ""), *(kind for each in children.values() for kind in kinds(each))]


def charts(app: AppTest) -> int:
    return sum("vega" in kind for kind in kinds(app.main))
