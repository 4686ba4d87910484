"""The stored events of a run, as the events a watcher saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from lib.events import RunEvent, UnknownEvent
from lib.records import RunRecord
from lib.storage.delegating import to_tasks
from lib.storage.event_values import to_time
from lib.storage.reading.loose import to_list, to_text
from lib.storage.translation import EventTranslator


def to_run_events(run: RunRecord) -> tuple[RunEvent, ...]:
    """Return the events stored with a run and the runs under it, numbered in order; none where none were stored.

    Words are not among them: Agno does not store them as events, they stand in the messages.
    """
    events = list(_events_of(run, run.question))
    told = {event.run_id for event in events}
    for member_run in run.walk():  # members that keep their own events
        if member_run.run_id not in told:
            events.extend(_events_of(member_run, member_run.question))
    return tuple(replace(event, sequence=number) for number, event in enumerate(events))


def get_run_data(run: RunRecord) -> Mapping[str, Any]:
    """Return the stored JSON of a run, whether it came from a row, a blob or another run."""
    data = run.raw.get("run_data", run.raw)
    return data if isinstance(data, Mapping) else {}


def _events_of(run: RunRecord, question: str) -> Iterator[RunEvent]:
    data = get_run_data(run)
    translator = EventTranslator(question=question, tasks=to_tasks(data.get("session_state")))
    for stored in to_list(data.get("events")):
        event = stored if isinstance(stored, Mapping) else {"event": to_text(stored)}
        try:
            yield from list(translator.translate(event))
        except (AttributeError, LookupError, TypeError, ValueError):  # fields of a type no Agno version writes
            yield UnknownEvent(
                run_id=run.run_id, at=to_time(event.get("created_at")), name="unreadable event", raw=event
            )
