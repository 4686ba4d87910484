"""Sessions share nothing, however many run at once; forks and deletions hold while runs go on."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.errors import RunRefused, SessionNotFound
from lib.records import Reader, SessionFilter, SessionKind, SessionState
from lib.roundtable import open_roundtable

WORDS = ("bird", "stone", "river", "candle", "ladder", "pepper")
TEAMS = ("market-desk", "trip-desk")


def ask(roundtable, question, *, session_id=None, team="market-desk", user_id="ann"):
    handle = roundtable.engine.start(question, user_id=user_id, team=team, session_id=session_id)
    return handle.wait(60)


def test_many_sessions_of_one_team_and_of_two_at_once_share_nothing(roundtable):
    def talk(place):
        team, user_id, session_id = TEAMS[place % 2], f"user-{place % 3}", f"apart-{place}"
        for question in (f"Remember: the secret word is {WORDS[place]}", "What is the weather in Paris?"):
            ask(roundtable, question, session_id=session_id, team=team, user_id=user_id)
        return ask(roundtable, "What is the secret word?", session_id=session_id, team=team, user_id=user_id)

    with ThreadPoolExecutor(len(WORDS)) as pool:
        recalled = list(pool.map(talk, range(len(WORDS))))
    for place, run in enumerate(recalled):
        others = [word for word in WORDS if word != WORDS[place]]
        assert WORDS[place] in run.answer
        stored = roundtable.store.list_runs(f"apart-{place}", user_id=f"user-{place % 3}").items
        assert [one.component_id for one in stored] == [TEAMS[place % 2]] * 3
        seen = " ".join(message.content for one in stored for part in one.walk() for message in part.messages)
        assert WORDS[place] in seen
        assert not [word for word in others if word in seen]
    for user in range(3):
        mine = {one.session_id for one in roundtable.store.list_sessions(user_id=f"user-{user}").items}
        assert mine == {f"apart-{place}" for place in range(len(WORDS)) if place % 3 == user}


def test_a_run_without_a_session_id_gets_a_new_one_and_says_so(roundtable):
    first = roundtable.engine.start("Remember: the secret word is bird", user_id="ann", team="market-desk")
    first.wait(30)
    second = roundtable.engine.start("What is the secret word?", user_id="ann", team="market-desk")
    assert second.session_id and second.session_id != first.session_id
    assert "bird" not in second.wait(30).answer
    assert second.snapshot().session_id == second.session_id
    assert roundtable.store.get_run(second.run_id, user_id="ann").session_id == second.session_id


@pytest.mark.parametrize("kind", list(SessionKind))
def test_a_team_is_not_asked_in_a_session_of_another_team_agent_or_workflow(roundtable, kind):
    held = roundtable.store.create_session(user_id="ann", component_id="weather", kind=kind)
    with pytest.raises(RunRefused, match=f"held with the {kind} 'weather'"):
        roundtable.engine.start("hello", user_id="ann", team="market-desk", session_id=held.session_id)
    assert roundtable.store.list_runs(held.session_id, user_id="ann").items == ()
    assert not roundtable.engine.live(user_id="ann")


def test_only_the_users_that_are_named_exactly_read_as_admins(database_settings):
    settings = database_settings.model_copy(update={"admin_users": ("root",)})
    roundtable = open_roundtable(settings)
    try:
        assert roundtable.reader("root") == Reader(user_id="root", admin=True)
        assert not any(roundtable.reader(other).admin for other in ("Root", "root ", "roo", ""))
    finally:
        roundtable.close()


def test_a_fork_is_gone_on_with_from_where_it_was_taken(roundtable):
    ask(roundtable, "Remember: the secret word is bird", session_id="source")
    up_to = roundtable.store.list_runs("source", user_id="ann").items[-1].run_id
    ask(roundtable, "Remember: the secret word is stone", session_id="source")
    fork = roundtable.store.fork_session("source", user_id="ann", upto_run_id=up_to)
    assert "bird" in ask(roundtable, "What is the secret word?", session_id=fork.session_id).answer
    assert "stone" in ask(roundtable, "What is the secret word?", session_id="source").answer
    last = roundtable.store.list_runs(fork.session_id, user_id="ann").items[-1]
    first = roundtable.store.list_runs(fork.session_id, user_id="ann").items[0]
    history = [message for message in last.messages if message.from_history]
    assert history and {message.message_id for message in history} <= {one.message_id for one in first.messages}


def test_deleting_a_session_stops_its_live_run_and_it_does_not_come_back(roundtable):
    handle = roundtable.engine.start(
        "[slow 30s] Tell me about Paris", user_id="ann", team="market-desk", session_id="s"
    )
    store = roundtable.store
    deadline = time.monotonic() + 10
    while not handle.snapshot().segments and time.monotonic() < deadline:
        time.sleep(0.05)
    where = SessionFilter(state=SessionState.LIVE)
    assert [one.session_id for one in store.list_sessions(user_id="ann", where=where).items] == ["s"]
    assert store.describe_loss(["s"], user_id="ann").live_runs == 1
    began = time.monotonic()
    store.delete_session("s", user_id="ann")
    assert time.monotonic() - began < 8
    handle.wait(10)
    assert not handle.live
    assert store.list_sessions(user_id="ann").items == ()
    with pytest.raises(SessionNotFound):
        store.get_session("s", user_id="ann")
    with pytest.raises(SessionNotFound):
        ask(roundtable, "Again?", session_id="s")
    assert roundtable.database.queue.live(user_id="ann") == ()
