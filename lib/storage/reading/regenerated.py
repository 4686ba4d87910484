"""What a run that answers anew took over from the run it replaces: Agno stores a first run's delegations with both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lib.storage.reading.loose import to_int, to_list, to_mapping, to_optional_text, to_text
from lib.storage.reading.stored import StoredRun

_SAID = ("assistant", "tool")


def replaced_run_id(stored: StoredRun) -> str | None:
    """Return the id of the run that a run answers anew."""
    return to_optional_text(stored.data.get("regenerated_from") or stored.data.get("forked_from_run_id"))


def find_taken_over(stored: StoredRun, source: StoredRun | None) -> frozenset[str]:
    """Return the ids of the messages of a run that were said in the run it replaces, its question left out.

    Where that run is not at hand, the run's own events tell how many answers are its own; else what is older than it.
    """
    if replaced_run_id(stored) is None:
        return frozenset()
    said = [message for message in _messages(stored) if message.get("role") in _SAID]
    if source is not None:
        there = {to_text(message.get("id")) for message in _messages(source)}
        return frozenset(message_id for message in said if (message_id := to_text(message.get("id"))) in there)
    own_answers = _count_requests(stored)
    if own_answers:
        answers = [place for place, message in enumerate(said) if message.get("role") == "assistant"]
        older = said[: answers[-own_answers]] if len(answers) > own_answers else []
    else:
        began = to_int(stored.get("created_at")) or 0
        older = [message for message in said if (to_int(message.get("created_at")) or began) < began]
    return frozenset(to_text(message.get("id")) for message in older) - {""}


def _messages(stored: StoredRun) -> Iterator[Mapping[str, object]]:
    """Yield the messages that a run was not given as history."""
    for item in to_list(stored.data.get("messages")):
        message = to_mapping(item)
        if message.get("from_history") is not True:
            yield message


def _count_requests(stored: StoredRun) -> int:
    """Return how many requests a run's own model answered, by its events; 0 where none are stored."""
    names = ("ModelRequestCompleted", "TeamModelRequestCompleted")
    events = (to_mapping(event) for event in stored.events)
    return sum(event.get("event") in names and event.get("run_id") == stored.run_id for event in events)
