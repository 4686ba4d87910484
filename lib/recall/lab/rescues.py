"""What brings a forgotten fact back, one rescue at a time; injected history beside kept history; the price of all events.

Each is the same team with one setting changed, run through an engine of its own on a session of the lab. What the model
was given is read from the stored run, its system message included, since that is where summaries and memories go.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.recall.experiment import FILLERS, Fact
from lib.recall.judging import holds_value
from lib.recall.lab.measuring import Asker, in_messages
from lib.recall.lab.varying import varied
from lib.records import LAB_SESSION_PREFIX, MessageRecord, RunRecord
from lib.roundtable import Roundtable
from lib.storage.experiments import COLLECTION, prepare_memories


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A team with one setting changed: what it is called, what it does, and the Agno settings."""

    name: str
    sentence: str
    settings: Mapping[str, Any]

    def change(self, team: Any) -> None:
        """Set the settings on a team that was built for one run."""
        for name, value in self.settings.items():
            setattr(team, name, value)


PLAIN = Variant(name="no rescue", sentence="The history window alone.", settings={})
RESCUES = (
    Variant(
        name="session summary",
        sentence="After each run the session is summed up; the summary stands in the system message.",
        settings={"enable_session_summaries": True, "add_session_summary_to_context": True},
    ),
    Variant(
        name="chat history tool",
        sentence="The leader has a tool that reads the whole chat history.",
        settings={"read_chat_history": True},
    ),
    Variant(
        name="user memory",
        sentence="What is learned about the user is kept beside the sessions and stands in the system message.",
        settings={"update_memory_on_run": True, "add_memories_to_context": True},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one variant did with a fact that lies outside the window."""

    variant: Variant
    run: RunRecord
    given: tuple[MessageRecord, ...]  # all the model was given with its first request
    in_history: bool  # the window held it
    brought_back: bool  # a summary, memory, injected message or tool result held it
    answered: bool


def show_rescue(
    roundtable: Roundtable, variant: Variant, fact: Fact, *, user_id: str, team: str = "market-desk", window: int = 1,
    model: str | None = None,
) -> Shown:  # fmt: skip
    """Plant a fact, let it fall out of the window, and ask for it, with the variant on from the first run."""
    prepare_memories(roundtable.database)
    with varied(roundtable, variant.change) as changed:
        asker = Asker(roundtable=changed, user_id=user_id, team=team, model=model)
        session_id = _new_session(changed, asker)
        asker.ask(fact.planting, session_id=session_id, window=window)
        for number in range(window + 1):
            asker.ask(FILLERS[number], session_id=session_id, window=window)
        return _to_shown(variant, asker.ask(fact.question, session_id=session_id, window=window), fact)


def show_injection(
    roundtable: Roundtable, fact: Fact, *, user_id: str, team: str = "market-desk", model: str | None = None
) -> tuple[Shown, Shown]:
    """Give the same two messages once as `additional_input` and once as kept history; return both, in that order."""
    answer = f"Noted: {fact.text}."
    messages = [{"role": "user", "content": fact.planting}, {"role": "assistant", "content": answer}]
    injected = Variant(
        name="additional_input",
        sentence="The messages are put into every prompt by hand; nothing has to be stored.",
        settings={"additional_input": messages, "add_history_to_context": False},
    )
    kept = Variant(
        name="add_history_to_context",
        sentence="The messages come from the stored runs of the session.",
        settings={},
    )
    shown = []
    for variant in (injected, kept):
        with varied(roundtable, variant.change) as changed:
            asker = Asker(roundtable=changed, user_id=user_id, team=team, model=model)
            session_id = _new_session(changed, asker)
            if variant is kept:
                asker.ask(fact.planting, session_id=session_id, window=1)
            shown.append(_to_shown(variant, asker.ask(fact.question, session_id=session_id, window=1), fact))
    return shown[0], shown[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCost:
    """What one answer stores of its events."""

    events: Mapping[str, int]  # how many of each kind
    events_bytes: int
    run_bytes: int  # the whole stored run

    @property
    def count(self) -> int:
        """How many events are stored."""
        return sum(self.events.values())


def compare_event_cost(
    roundtable: Roundtable, question: str, *, user_id: str, team: str = "market-desk", model: str | None = None
) -> tuple[EventCost, EventCost]:
    """Ask once with the app's list of skipped events and once with nothing skipped; return both costs, in that order."""
    costs = []
    changes: tuple[dict[str, Any], ...] = ({}, {"events_to_skip": []})
    for settings in changes:
        variant = Variant(name="events", sentence="", settings=settings)
        with varied(roundtable, variant.change) as changed:
            asker = Asker(roundtable=changed, user_id=user_id, team=team, model=model)
            run = asker.ask(question, session_id=_new_session(changed, asker), window=0)
            costs.append(_to_cost(changed.store.get_run_row(run.run_id, user_id=user_id)))
    return costs[0], costs[1]


def _new_session(roundtable: Roundtable, asker: Asker) -> str:
    session_id = f"{LAB_SESSION_PREFIX}show-{uuid.uuid4().hex[:16]}"
    roundtable.store.create_session(
        user_id=asker.user_id, component_id=asker.team, session_id=session_id, collection=COLLECTION
    )
    return session_id


def _to_shown(variant: Variant, run: RunRecord, fact: Fact) -> Shown:
    asked = max(at for at, message in enumerate(run.messages) if message.role == "user" and not message.from_history)
    given = run.messages[: asked + 1]
    # What a tool read for it counts too; the words of the answer do not.
    brought = [*given[:-1], *(message for message in run.messages[asked:] if message.role == "tool")]
    return Shown(
        variant=variant,
        run=run,
        given=given,
        in_history=in_messages((message for message in given if message.from_history), fact),
        brought_back=in_messages((message for message in brought if not message.from_history), fact),
        answered=holds_value(run.answer, fact.value),
    )


def _to_cost(row: Mapping[str, Any]) -> EventCost:
    data = row["run_data"]
    events = data.get("events") or []
    return EventCost(
        events=Counter(event.get("event", "") for event in events),
        events_bytes=len(json.dumps(events).encode()) if events else 0,
        run_bytes=len(json.dumps(data).encode()),
    )
