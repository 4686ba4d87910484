"""The replay page, driven by AppTest over stored sessions of the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from lib.errors import DatabaseUnavailable
from lib.roundtable import Roundtable
from tests.services.ports import wait_until

ROOT = Path(__file__).parents[2]
BOTH = "What is the weather in Paris and the price of ACME?"
QUESTIONS = (
    "Remember: the secret word is bird",
    BOTH,
    "[fail tool] What is the weather in London?",
    "What is 2 and 2?",
)
VIEWS = ("conversation", "steps", "timeline", "delegation", "context", "raw", "findings", "compare")


def ask(roundtable: Roundtable, *questions: str, user_id: str = "analyst", window: int = 3) -> tuple[str, list[str]]:
    """Return the session and the runs of some questions."""
    session_id, run_ids = None, []
    for question in questions:
        handle = roundtable.engine.start(
            question, user_id=user_id, team="market-desk", session_id=session_id, window=window
        )
        handle.wait(30)
        session_id = handle.session_id
        run_ids.append(handle.run_id)
    assert session_id is not None
    return session_id, run_ids


def replay(session_id: str, **address: str) -> AppTest:
    """Return the replay page as an address opens it."""
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    page.switch_page("pages/replay.py")
    page.query_params["session"] = session_id
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    """Return all that the page says, as it reads."""
    parts = [element.value for element in (*page.markdown, *page.caption, *page.subheader, *page.code)]
    return "\n".join(parts).replace("\\", "")


def at(page: AppTest, name: str) -> str | None:
    value = page.query_params.get(name)
    return value[0] if isinstance(value, list) else value


def change_run(roundtable: Roundtable, run_id: str, **columns: object) -> None:
    """Change a stored run behind the app's back, as damage or another program would."""
    changed = ", ".join(f"{name} = :{name}" for name in columns)
    with roundtable.database.engine.begin() as connection:
        connection.execute(
            text(f"UPDATE agno_runs SET {changed} WHERE run_id = :run_id"), {**columns, "run_id": run_id}
        )


def test_a_session_opens_at_its_newest_run_with_a_line_that_says_what_it_is(roundtable):
    session_id, _ = ask(roundtable, *QUESTIONS[:2])
    page = replay(session_id)
    assert "4 runs" not in words(page)
    assert "analyst · 2 runs" in words(page)
    assert "window 3 · offline model" in words(page)
    assert [tab.label for tab in page.tabs][:3] == ["Conversation", "Steps", "Timeline"]
    assert page.chat_message[-1].markdown


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_by_its_address_and_names_the_question_it_answers(roundtable, view):
    session_id, run_ids = ask(roundtable, *QUESTIONS)
    page = replay(session_id, run=run_ids[1], view=view)
    assert not page.error
    assert BOTH in words(page)
    assert any(caption.value.endswith("?") for caption in page.caption)
    assert (at(page, "view"), at(page, "run")) == (view, run_ids[1])


@pytest.mark.parametrize("kind", ["another user's", "guessed", "malformed"])
@pytest.mark.parametrize("what", ["session", "run"])
def test_what_is_not_yours_is_one_clear_box_and_nothing_else(roundtable, kind, what):
    own, _ = ask(roundtable, "hello")
    theirs, their_runs = ask(roundtable, "my own secret", user_id="bob")
    bad = {"another user's": theirs if what == "session" else their_runs[0], "guessed": "0b0d", "malformed": "'%00;--"}[
        kind
    ]
    page = replay(bad) if what == "session" else replay(own, run=bad)
    assert [box.value.replace("\\", "") for box in page.error] == [
        f"There is no {what} {bad!r} among yours. It may have been deleted."
    ]
    assert "my own secret" not in words(page)
    assert not page.tabs


def test_a_view_or_step_that_does_not_exist_is_not_an_error(roundtable):
    session_id, _ = ask(roundtable, "hello")
    assert not replay(session_id, view="nonsense", step="abc").error
    page = replay(session_id, view="steps", step="999")
    assert "This run has no step 999" in words(page)


def test_switching_views_keeps_run_and_step(roundtable):
    session_id, run_ids = ask(roundtable, *QUESTIONS)
    page = replay(session_id, run=run_ids[1], view="steps", step="5")
    next(button for button in page.button if button.key == "step_context_5").click().run()
    assert (at(page, "view"), at(page, "run"), at(page, "step")) == ("context", run_ids[1], "5")
    assert page.selectbox(key=f"context_request_{run_ids[1]}").value == 2  # the leader has two, then Weather


def test_the_neighbouring_runs_are_one_click_away_and_begin_without_a_step(roundtable):
    session_id, run_ids = ask(roundtable, *QUESTIONS)
    page = replay(session_id, run=run_ids[1], view="steps", step="5")
    page.button(key="next_run").click().run()
    assert (at(page, "run"), at(page, "step"), at(page, "view")) == (run_ids[2], None, "steps")
    page.button(key="previous_run").click().run()
    page.button(key="previous_run").click().run()
    assert at(page, "run") == run_ids[0]
    assert page.button(key="previous_run").disabled


def test_steps_are_nested_in_order_and_can_be_filtered_and_walked(roundtable):
    session_id, run_ids = ask(roundtable, BOTH)
    page = replay(session_id, run=run_ids[0], view="steps")
    said = words(page)
    places = [said.index(part) for part in ("question", "delegation", "get_weather", "get_price")]
    assert places == sorted(places)
    total = next(caption.value for caption in page.caption if caption.value.endswith(" steps"))
    page.text_input(key="step_search").set_value("get_price").run()
    assert f"1 of {total}" in words(page)
    page.button(key="next_step").click().run()
    assert at(page, "step") is not None
    page.text_input(key="step_search").set_value("").run()
    page.multiselect(key="step_kinds").set_value(["tool_call"]).run()
    assert f"2 of {total}" in words(page)


def test_context_shows_what_was_given_beside_what_was_not_with_reasons(roundtable):
    session_id, run_ids = ask(roundtable, *QUESTIONS, window=1)
    page = replay(session_id, run=run_ids[3], view="context")
    said = words(page) + "\n".join(expander.label.replace("\\", "") for expander in page.expander)
    assert "Given" in said
    assert "Not given" in said
    assert "outside the history window · run 1" in said
    assert "a member's own message · run 2" in said
    assert "from run 3" in "\n".join(element.proto.text for element in page.get("progress"))
    page.text_input(key="absent_search").set_value("bird").run()
    left = [expander.label for expander in page.expander if "secret word" in expander.label]
    assert len(left) == 2


def test_hand_overs_say_what_the_member_lacked(roundtable):
    session_id, run_ids = ask(roundtable, "Remember: the secret word is bird", BOTH)
    page = replay(session_id, run=run_ids[1], view="context")
    page.session_state["context_show"] = "Hand-overs"
    page.run()
    assert "The member lacked" in words(page)
    assert any("secret word is bird" in expander.label for expander in page.expander)


def test_a_healthy_session_has_no_findings_and_a_polluted_one_has_them_with_a_way_to_the_run(roundtable):
    healthy, _ = ask(roundtable, *QUESTIONS[:2])
    page = replay(healthy, view="findings")
    assert "Findings (0)" in [tab.label for tab in page.tabs]
    assert "Nothing found" in page.success[0].value
    polluted, run_ids = ask(roundtable, *QUESTIONS[:2])
    change_run(roundtable, run_ids[0], user_id="mallory")
    page = replay(polluted, view="findings")
    assert "foreign_user" in words(page)
    assert "'mallory'" in words(page)
    page.button(key="open_finding_0").click().run()
    assert (at(page, "run"), at(page, "view")) == (run_ids[0], "steps")


def test_a_long_session_opens_without_its_findings_and_they_come_by_themselves(roundtable, monkeypatch):
    monkeypatch.setattr("lib.ui.replay.opened.READ_AT_ONCE", 2)
    session_id, run_ids = ask(roundtable, *QUESTIONS, BOTH)
    change_run(roundtable, run_ids[0], user_id="mallory")
    page = replay(session_id, view="findings")
    assert "Findings" in [tab.label for tab in page.tabs]
    assert "foreign_user" in words(page), "the columns tell at once"
    assert "needless_delegation" not in words(page)
    wait_until(lambda: "Findings (3)" in [tab.label for tab in page.run().tabs], timeout_s=20, what="the findings")
    assert "needless_delegation" in words(page)
    assert "Findings (3)" in [tab.label for tab in replay(session_id, view="steps").tabs], (
        "what was read is not read again"
    )


def test_findings_that_cannot_be_looked_for_say_why_and_are_looked_for_again(roundtable, monkeypatch):
    session_id, _ = ask(roundtable, *QUESTIONS[:2])

    def fail(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("Cannot reach the database. Is it running?")

    with monkeypatch.context() as broken:
        broken.setattr("lib.storage.run_findings.find_for_session", fail)
        page = replay(session_id, view="findings")
    assert "Cannot reach the database" in page.error[0].value
    page.button(key="findings_again").click().run()
    assert "Findings (0)" in [tab.label for tab in page.tabs]


def test_the_context_of_a_long_session_is_looked_through_when_it_is_asked_for(roundtable, monkeypatch):
    monkeypatch.setattr("lib.ui.replay.opened.READ_AT_ONCE", 2)
    session_id, run_ids = ask(roundtable, *QUESTIONS)
    page = replay(session_id, run=run_ids[3], view="context")
    page.button(key="context_everything").click().run()
    assert not page.error


def test_two_runs_are_compared_side_by_side(roundtable):
    session_id, run_ids = ask(roundtable, BOTH, "[fail tool] What is the weather in London?")
    page = replay(session_id, run=run_ids[1], view="compare")
    assert "differences: question, delegation, arguments, result" in words(page)
    assert len(page.table) == 2
    page.number_input[0].set_value(2).run()
    assert "This is the run on screen" in words(page)
    page.session_state["compare_what"] = "Two sessions"
    page.run()
    assert "There is no other session" in words(page)


def test_two_sessions_are_compared_question_by_question_and_each_pair_in_full(roundtable):
    one, run_ids = ask(roundtable, "Remember: the secret word is bird", BOTH, "What is the secret word?")
    other, _ = ask(roundtable, "Remember: the secret word is fish", "What is the secret word?", BOTH)
    page = replay(one, run=run_ids[0], view="compare")
    page.session_state["compare_what"] = "Two sessions"
    page.run()
    page.selectbox(key="compare_session_False").set_value(other).run()
    assert "2 questions asked in both" in words(page)
    assert "1 only in this session, 1 only in the other" in words(page)
    table = page.table[0].value
    secret = table[table["Question"].str.contains("secret word?", regex=False)].iloc[0]
    assert "bird" in secret["This session"]
    assert "fish" in secret["Other session"]
    assert secret["Different"].startswith("answer, context")
    assert len(page.table) == 2, "the differences of one pair"


def test_the_address_says_what_is_compared_and_opens_it_again(roundtable):
    one, runs_of_one = ask(roundtable, "Remember: the secret word is bird", BOTH, "What is the secret word?")
    other, runs_of_other = ask(roundtable, "Remember: the secret word is fish", "What is the secret word?", BOTH)
    page = replay(one, run=runs_of_one[2], view="compare")
    page.number_input[0].set_value(1).run()
    assert (at(page, "with"), at(page, "with_run")) == (None, runs_of_one[0])
    again = replay(one, run=runs_of_one[2], view="compare", with_run=runs_of_one[0])
    assert again.number_input[0].value == 1
    assert again.table[0].value.equals(page.table[0].value)

    page.selectbox(key="compare_session_True").set_value(other).run()
    page.number_input[0].set_value(2).run()
    assert (at(page, "with"), at(page, "with_run")) == (other, runs_of_other[1])
    again = replay(one, run=runs_of_one[2], view="compare", **{"with": other, "with_run": runs_of_other[1]})
    assert again.table[0].value.equals(page.table[0].value)
    assert "Run 2 of the other session" in again.table[0].value.columns

    page.session_state["compare_what"] = "Two sessions"
    page.run()
    page.selectbox(key="compare_session_False").set_value(other).run()
    assert (at(page, "with"), at(page, "with_run")) == (other, None)
    assert "2 questions asked in both" in words(replay(one, view="compare", **{"with": other}))


def test_a_comparison_with_what_is_not_there_says_so(roundtable):
    one, _ = ask(roundtable, "Remember: the secret word is bird")
    page = replay(one, view="compare", **{"with": "nobody has this one"})
    assert "There is no session" in "".join(element.value for element in page.error)


def test_a_comparison_whose_address_names_no_run_of_the_session_or_the_session_itself_says_so(roundtable):
    one, runs_of_one = ask(roundtable, BOTH, "Remember: the secret word is bird", "What is the secret word?")
    other, _ = ask(roundtable, BOTH)
    page = replay(one, run=runs_of_one[2], view="compare", with_run="gone")
    assert "The run gone of the address is none of this session" in words(page)
    page.selectbox(key="compare_session_True").set_value(other).run()
    assert "of the address" not in words(page), "it was said of the first"
    page = replay(one, run=runs_of_one[2], view="compare", **{"with": one})
    assert "names the session on screen itself" in words(page)
    assert not page.table
    page.selectbox(key="compare_session_False").set_value(other).run()
    assert "itself" not in words(page)
    assert page.table


def test_filters_and_choices_are_still_set_when_one_comes_back_to_a_view(roundtable):
    session_id, run_ids = ask(roundtable, BOTH)
    page = replay(session_id, run=run_ids[0], view="steps")
    page.text_input(key="step_search").set_value("get_price").run()
    page.multiselect(key="step_kinds").set_value(["tool_call"]).run()
    page.button(key="open_step_12").click().run()
    for view in ("Context", "Steps"):
        page.session_state["replay_view"] = view
        page.query_params["view"] = view.lower()
        page.run()
    assert page.text_input(key="step_search").value == "get_price"
    assert page.multiselect(key="step_kinds").value == ["tool_call"]
    assert at(page, "step") == "12"


def test_the_bars_of_the_timeline_are_a_list_too_that_leads_to_the_steps(roundtable):
    session_id, run_ids = ask(roundtable, BOTH, "[fail tool] What is the weather in London?")
    page = replay(session_id, run=run_ids[1], view="timeline")
    page.session_state["timeline_bars"] = True
    page.run()
    bars = [button for button in page.button if (button.key or "").startswith("timeline_bar_")]
    failed = next(button for button in bars if "failed" in button.label)
    assert "tool: get_weather" in failed.label.replace("\\", "")
    failed.click().run()
    assert (at(page, "view"), at(page, "run")) == ("steps", run_ids[1])
    assert at(page, "step") is not None


def test_raw_rows_are_shown_and_searched(roundtable):
    session_id, run_ids = ask(roundtable, BOTH)
    page = replay(session_id, run=run_ids[0], view="raw")
    assert json.loads(page.json[0].value)["run_id"] == run_ids[0]
    page.text_input(key="raw_search").set_value("get_weather").run()
    assert "run_data." in words(page)


DAMAGE = {
    "half a JSON": '{"messages": [{"role": "user", "content": "half',
    "no JSON": "\x1b[31mnot json",
    "a list": "[1, 2, 3]",
    "nothing": "",
    "nested": '{"messages": ' + '{"a":' * 3000 + "1" + "}" * 3000 + "}",
    "half an emoji": json.dumps(
        {
            "input": {"input_content": "half \ud83d"},
            "status": "COMPLETED",
            "content": "\ude00 half",
            "messages": [
                {"role": "user", "content": "half \ud83d", "id": "m1"},
                {
                    "role": "assistant",
                    "content": "\ude00",
                    "id": "m2",
                    "tool_calls": [
                        {"id": "c1", "function": {"name": "get_\ud83d", "arguments": '{"city": "\\ud83d"}'}}
                    ],
                },
                {"role": "tool", "content": "\ud83d", "id": "m3", "tool_call_id": "c1", "tool_name": "get_\ud83d"},
            ],
        }
    ),
    "script": json.dumps(
        {
            "input": {"input_content": "<script>alert(1)</script> ![x](https://evil.example/x.png) \x1b[2J $x$"},
            "status": "COMPLETED",
            "messages": [
                {"role": "user", "content": "<script>alert(1)</script>", "id": "m1"},
                {"role": 7},
                None,
                "text",
            ],
            "events": [{"event": "<img src=x onerror=alert(1)>"}, 5],
            "tools": "none",
        }
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("view", VIEWS)
def test_a_damaged_row_is_shown_as_far_as_can_be_in_every_view(roundtable, damage, view):
    session_id, run_ids = ask(roundtable, BOTH)
    change_run(roundtable, run_ids[0], run_data=DAMAGE[damage])
    page = replay(session_id, run=run_ids[0], view=view)
    assert not page.error
    assert [tab.label.partition(" ")[0].lower() for tab in page.tabs] == list(VIEWS)
    assert any(caption.value.endswith("?") for caption in page.caption)


@pytest.mark.parametrize("view", VIEWS)
def test_a_run_of_thousands_of_tool_calls_never_draws_more_than_a_browser_bears(roundtable, view):
    session_id, run_ids = ask(roundtable, BOTH)
    data = dict(roundtable.store.get_run_row(run_ids[0], user_id="analyst")["run_data"])
    calls = [
        {"id": f"c{number}", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
        for number in range(3000)
    ]
    data["messages"] = [
        {"id": "m0", "role": "user", "content": BOTH},
        {"id": "m1", "role": "assistant", "content": "x" * 2_000_000, "tool_calls": calls},
        *(
            {
                "id": f"t{number}",
                "role": "tool",
                "content": "14 °C",
                "tool_call_id": f"c{number}",
                "tool_name": "get_weather",
            }
            for number in range(3000)
        ),
        {"id": "m2", "role": "assistant", "content": "done"},
    ]
    change_run(roundtable, run_ids[0], run_data=json.dumps(data))
    page = replay(session_id, run=run_ids[0], view=view)
    assert not page.error
    assert len(list(page.main)) < 400
    assert sum(len(code.value) for code in page.code) < 3_000_000


def test_runs_that_name_each_other_as_parent_are_shown(roundtable):
    session_id, run_ids = ask(roundtable, "hello", "hello again")
    change_run(roundtable, run_ids[0], parent_run_id=run_ids[1])
    change_run(roundtable, run_ids[1], parent_run_id=run_ids[0])
    page = replay(session_id)
    assert not page.error
    assert "name each other as parent" in words(page)


def test_a_run_goes_on_in_the_replay_page_as_the_stored_question(roundtable):
    handle = roundtable.engine.start("[slow 20s] tell me", user_id="analyst", team="market-desk")
    page = replay(handle.session_id)
    assert not page.error
    assert "[slow 20s] tell me" in words(page)
    roundtable.engine.stop(handle.run_id, user_id="analyst")
    handle.wait(20)


def test_play_back_shows_the_run_as_it_came_about(roundtable):
    session_id, run_ids = ask(roundtable, "[slow 2s] What is the weather in Paris?")
    page = replay(session_id, run=run_ids[0])
    page.toggle(key=f"play_back_{run_ids[0]}").set_value(True).run()
    begun = words(page)
    assert "cloudy" not in begun
    page.slider[0].set_value(page.slider[0].max).run()
    assert "cloudy" in words(page)


def test_play_back_goes_on_as_fast_as_is_chosen(roundtable):
    session_id, run_ids = ask(roundtable, "[slow 2s] What is the weather in Paris?")
    page = replay(session_id, run=run_ids[0])
    page.toggle(key=f"play_back_{run_ids[0]}").set_value(True).run()
    came: dict[float, float] = {}
    for speed in (0.5, 2.0):
        page.session_state[f"playback_at_{run_ids[0]}"] = 0.0
        page.session_state[f"playback_playing_{run_ids[0]}"] = True
        page.session_state[f"playback_speed_{run_ids[0]}"] = speed
        page.run()
        came[speed] = float(str(page.slider[0].value))
    assert came[2.0] == pytest.approx(4 * came[0.5], abs=0.02)
    assert came[0.5] > 0


def test_a_long_text_is_cut_until_all_of_it_is_asked_for(roundtable):
    session_id, run_ids = ask(roundtable, "[long 400] Tell me")
    page = replay(session_id, run=run_ids[0], view="steps")
    (more,) = (button for button in page.button if button.label.startswith("Show all"))
    before = max(len(block.value) for block in page.code)
    more.click().run()
    assert max(len(block.value) for block in page.code) > 2 * before
    assert any(button.label == "Show less" for button in page.button)


def test_what_changed_in_the_system_prompt_since_the_run_before_is_marked(roundtable):
    session_id, run_ids = ask(roundtable, "hello", "hello again")
    stored = roundtable.store.get_run(run_ids[1], user_id="analyst").raw["run_data"]
    prompt = next(message for message in stored["messages"] if message["role"] == "system")
    prompt["content"] += "\nAnswer in rhymes."
    change_run(roundtable, run_ids[1], run_data=json.dumps(stored))
    page = replay(session_id, run=run_ids[1], view="context")
    page.session_state["context_prompt"] = True
    page.run()
    assert "1 line changed since run 1" in "".join(expander.label for expander in page.expander)
    (drawn,) = (block for block in page.code if block.language == "diff")
    assert [line for line in drawn.value.splitlines() if not line.startswith("  ")] == ["+ Answer in rhymes."]


def test_no_session_in_the_address_offers_the_latest_ones(roundtable):
    session_id, _ = ask(roundtable, "hello")
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    page.switch_page("pages/replay.py")
    page.run()
    page.button(key=f"replay_session_{session_id}").click().run()
    assert at(page, "session") == session_id
    assert page.tabs
