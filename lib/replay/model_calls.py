"""When a model was asked and when it had answered, by the events of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from lib.events import ModelEnded, ModelStarted, RunEvent, RunRetried, UnknownEvent
from lib.records import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One request to a model, as its events tell it."""

    started_at: datetime
    ended_at: datetime | None = None  # None: it never answered
    first_token_s: float | None = None
    tokens: Tokens = Tokens()
    place: int = 0  # of its start among the events
    given_up: bool = False  # of an attempt that failed; the run began anew after it
    failed: bool = False  # it is not told to have answered before the run began anew


def list_model_calls(events: Iterable[RunEvent]) -> dict[str, list[ModelCall]]:
    """Return the model calls of each run, in order."""
    calls: dict[str, list[ModelCall]] = {}
    for place, event in enumerate(events):
        match event:
            case ModelStarted():
                calls.setdefault(event.run_id, []).append(ModelCall(started_at=event.at, place=place))
            case ModelEnded() if calls.get(event.run_id):
                last = calls[event.run_id][-1]
                calls[event.run_id][-1] = replace(
                    last, ended_at=event.at, first_token_s=event.first_token_s, tokens=event.tokens
                )
            case RunRetried():
                calls[event.run_id] = [_given_up(call, event.at) for call in calls.get(event.run_id, ())]
            case _:
                pass
    return calls


def list_compressions(events: Iterable[RunEvent]) -> dict[str, list[int]]:
    """Return for each run the numbers of the requests before which Agno compressed tool results."""
    asked: Counter[str] = Counter()
    found: dict[str, list[int]] = {}
    for event in events:
        match event:
            case ModelStarted():
                asked[event.run_id] += 1
            case RunRetried():
                asked[event.run_id] = 0
                found.pop(event.run_id, None)
            case UnknownEvent() if event.name.removeprefix("Team") == "CompressionCompleted":
                found.setdefault(event.run_id, []).append(asked[event.run_id] + 1)
            case _:
                pass
    return found


def _given_up(call: ModelCall, at: datetime) -> ModelCall:
    """Return a call of an attempt that failed; what went on then had ended by the next attempt."""
    if call.ended_at is not None:
        return replace(call, given_up=True)
    return replace(call, given_up=True, failed=True, ended_at=at)
