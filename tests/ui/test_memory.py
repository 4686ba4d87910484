"""What the chat page says the next question carries is what the model is then in fact given."""

from __future__ import annotations

import json
import random

import pytest
from sqlalchemy import text

from lib.models import find_input_limit
from lib.recall.reasons import Reason
from lib.recall.window import HistoryRules
from lib.records import RunRecord, RunStatus, SessionKind
from lib.roundtable import Roundtable
from lib.ui.memory import IN, Memory, style_of, to_memory

USER, TEAM = "ann", "market-desk"
QUESTIONS = (
    "Remember: the secret word is bird",
    "What is the weather in Paris and the price of ACME?",
    "Hello there.",
    "[fail model] What is the weather in Paris?",
    "[fail member] What is the weather in Paris?",
    "[slow 20s] Hello, stop me.",
    "Repeat that.",
)


def ask(here: Roundtable, session_id: str, question: str, window: int) -> RunRecord:
    handle = here.engine.start(question, user_id=USER, team=TEAM, session_id=session_id, window=window)
    if "slow" in question:
        for event in handle.events(timeout=20):
            if type(event).__name__ == "TextSaid" or handle.snapshot().answer:
                break
        here.engine.stop(handle.run_id, user_id=USER)
    handle.wait(30)
    return here.store.get_run(handle.run_id, user_id=USER)


def memory_of(here: Roundtable, session_id: str, window: int) -> Memory:
    runs = here.store.list_runs(session_id, user_id=USER, limit=50).items if session_id in known(here) else ()
    return to_memory(runs, here.catalogue.get(TEAM).history_rules(window))


def known(here: Roundtable) -> set[str]:
    return {session.session_id for session in here.store.list_sessions(user_id=USER).items}


def assert_is_given(memory: Memory, run: RunRecord) -> None:
    """The run, asked under this memory, was given exactly the messages that the page said are in."""
    given = [message for message in run.messages if message.from_history]
    assert [message.message_id for message in given] == [message.message_id for message in memory.context.messages]
    assert [message.content for message in given] == [message.content for message in memory.context.messages]
    assert memory.carried.messages == len(given)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_to_be_in_is_what_the_next_question_is_given(roundtable: Roundtable, seed: int) -> None:
    chance = random.Random(seed)
    questions = [*QUESTIONS, *chance.choices(QUESTIONS[:3], k=3)]
    chance.shuffle(questions)
    for question in questions:
        window = chance.choice((0, 1, 2, 3, 5, 20))
        memory = memory_of(roundtable, "s", window)
        run = ask(roundtable, "s", question, window)
        if run.status is RunStatus.COMPLETED:
            assert_is_given(memory, run)
    statuses = {run.status for run in roundtable.store.list_runs("s", user_id=USER, limit=50).items}
    assert {RunStatus.COMPLETED, RunStatus.STOPPED, RunStatus.FAILED} <= statuses


@pytest.mark.parametrize("window", [0, 1, 2, 3, 20])
def test_stopped_failed_and_replaced_runs_are_not_in_and_say_why(settings, window: int) -> None:
    from lib.roundtable import open_roundtable

    here = open_roundtable(settings)
    try:
        first = ask(here, "s", QUESTIONS[0], 3)
        delegating = ask(here, "s", QUESTIONS[1], 3)
        stopped = ask(here, "s", QUESTIONS[5], 3)
        failed = ask(here, "s", QUESTIONS[3], 3)
        replaced = ask(here, "s", "Hello, replace me.", 3)
        set_status(here, replaced.run_id, "REGENERATED")
        memory = memory_of(here, "s", window)
        told = memory.explain_runs()
        assert "stopped" in told[stopped.run_id]
        assert "failed" in told[failed.run_id]
        assert "Replaced" in told[replaced.run_id]
        assert told[delegating.run_id] == (
            IN if window >= 1 else "Not in. No history is given: it is switched off, or the window holds no runs."
        )
        assert told[first.run_id].startswith("In" if window >= 2 else "Not in")
        assert not memory.explain_messages(), (
            "copies of earlier messages are stored with each run; the originals are in"
        )
        members = {message.message_id for run in delegating.member_runs for message in run.messages}
        assert members
        assert not members & {message.message_id for message in memory.context.messages}
        assert all(each.reason is Reason.MEMBER_MESSAGE for each in memory.context.absent if each.message_id in members)
        assert_is_given(memory, ask(here, "s", "What is the secret word?", window))
    finally:
        here.close()


def test_the_line_says_how_much_in_words(settings) -> None:
    from lib.roundtable import open_roundtable

    here = open_roundtable(settings)
    try:
        for question in QUESTIONS[:2]:
            ask(here, "s", question, 3)
        runs = here.store.list_runs("s", user_id=USER).items
        rules = here.catalogue.get(TEAM).history_rules(3)
        whole = to_memory(runs, rules)
        assert (
            whole.sentence == f"carries 2 runs, {whole.carried.messages} messages, about {whole.carried.tokens} tokens"
        )
        one = to_memory(runs, here.catalogue.get(TEAM).history_rules(1))
        assert one.sentence.startswith("carries 1 run, ")
        none = to_memory(runs, here.catalogue.get(TEAM).history_rules(0))
        assert none.sentence == "carries no history: its window holds no runs"
        assert none.first_run_id is None
        limited = to_memory(runs, rules, limit=find_input_limit("openai-chat:gpt-4o-mini"))
        assert limited.sentence.endswith("less than 1 % of what the model takes in")
        assert "not counted yet" in to_memory(runs, rules, live_run_ids=["x"]).sentence
    finally:
        here.close()


def test_a_limit_is_told_of_known_models_only() -> None:
    assert find_input_limit("openai-chat:gpt-4o-mini") == 128_000
    assert find_input_limit("openai:gpt-4.1-nano") == 1_047_576
    assert find_input_limit("openrouter:anthropic/claude-3-5-sonnet") == 200_000
    assert find_input_limit("openai:gpt-4") is None
    assert find_input_limit("offline") is None


def test_ids_become_class_names_that_can_break_nothing(settings) -> None:
    run = RunRecord(
        run_id='a}b"</style><b>', session_id="s", user_id="u", kind=SessionKind.TEAM, component_id=TEAM, component_name="",
        status=RunStatus.COMPLETED, question="q",
    )  # fmt: skip
    style = style_of(to_memory([run], HistoryRules()))
    assert "<" not in style
    assert ".st-key-run_a-b---style--b- " in style


def set_status(here: Roundtable, run_id: str, status: str) -> None:
    """Write a status as Agno does when it regenerates: in the column and in the run itself."""
    with here.database.engine.begin() as connection:
        data = connection.execute(
            text("SELECT run_data FROM agno_runs WHERE run_id = :id"), {"id": run_id}
        ).scalar_one()
        data = json.loads(data) if isinstance(data, str) else data
        data = data if isinstance(data, dict) else json.loads(data)
        connection.execute(
            text("UPDATE agno_runs SET status = :status, run_data = :data WHERE run_id = :id"),
            {"status": status, "data": json.dumps(data | {"status": status}), "id": run_id},
        )
