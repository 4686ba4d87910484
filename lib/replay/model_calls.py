"""When a model was asked and when it had answered, by the events of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from lib.events import ModelEnded, ModelStarted, RunEvent
from lib.records import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """One request to a model, as its events tell it."""

    started_at: datetime
    ended_at: datetime | None = None  # None: it never answered
    first_token_s: float | None = None
    tokens: Tokens = Tokens()


def list_model_calls(events: Iterable[RunEvent]) -> dict[str, list[ModelCall]]:
    """Return the model calls of each run, in order."""
    calls: dict[str, list[ModelCall]] = {}
    for event in events:
        match event:
            case ModelStarted():
                calls.setdefault(event.run_id, []).append(ModelCall(started_at=event.at))
            case ModelEnded() if calls.get(event.run_id):
                last = calls[event.run_id][-1]
                calls[event.run_id][-1] = replace(
                    last, ended_at=event.at, first_token_s=event.first_token_s, tokens=event.tokens
                )
            case _:
                pass
    return calls
