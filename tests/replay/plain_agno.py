"""Plain Agno over a SQLite file: models that say what they are told to, every event as a program gets it, and the
session read back.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.team import Team

from lib.events import RunEvent
from lib.records import DelegationSegment, RunRecord, RunStatus, SessionKind, TextSegment
from lib.replay.projection import RunProjection
from lib.replay.steps import Step, StepKind
from lib.storage.replaying import Replay
from lib.storage.stored_sessions import StoredSession
from lib.storage.translation import EventTranslator

Answer = str | tuple[str, list[tuple[str, dict[str, Any]]]] | Exception
"""What a model says: words, words and calls, or what it fails with."""

ids = count()


@dataclass
class ListedModel(Model):
    """Gives its answers one after the other."""

    id: str = "listed"
    name: str = "Listed"
    provider: str = "tests"
    answers: list[Answer] = field(default_factory=list)
    call_id: str | None = None  # the id of every call; None: each has its own

    def _next(self) -> tuple[str, list[dict[str, Any]]]:
        answer = self.answers.pop(0) if self.answers else "Nothing more to say."
        if isinstance(answer, Exception):
            raise answer
        words, calls = (answer, []) if isinstance(answer, str) else answer
        return words, [
            {
                "id": self.call_id or f"call-{next(ids)}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for name, arguments in calls
        ]

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        words, calls = self._next()
        return ModelResponse(role="assistant", content=words or None, tool_calls=calls)

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        return self.invoke(*args, **kwargs)

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        words, calls = self._next()
        for word in words.split():
            yield ModelResponse(role="assistant", content=f"{word} ")
        if calls:
            yield ModelResponse(role="assistant", tool_calls=calls)

    async def ainvoke_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ModelResponse]:
        for response in self.invoke_stream(*args, **kwargs):
            await asyncio.sleep(0)
            yield response

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


def ask(member_id: str, task: str) -> tuple[str, dict[str, Any]]:
    """Return the call that gives a member a task."""
    return "delegate_task_to_member", {"member_id": member_id, "task": task}


class PlainAgno:
    """One session of a team or an agent that stores its events."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.db = SqliteDb(db_file=str(self.file))
        self.events: list[Any] = []  # as they came, words included

    def build_agent(self, *answers: Answer, call_id: str | None = None, **options: Any) -> Agent:
        model = ListedModel(answers=list(answers), call_id=call_id)
        return Agent(**{"id": "desk", "name": "Desk", "model": model, "db": self.db, **_OPTIONS, **options})

    def build_member(self, *answers: Answer, member_id: str = "m", call_id: str | None = None, **options: Any) -> Agent:
        model = ListedModel(answers=list(answers), call_id=call_id)
        return Agent(
            id=member_id, name=member_id.title(), model=model, telemetry=False, delay_between_retries=0, **options
        )

    def build_team(self, *answers: Answer, call_id: str | None = None, **options: Any) -> Team:
        model = ListedModel(answers=list(answers), call_id=call_id)
        options.setdefault("members", [self.build_member()])
        return Team(**{"id": "desk", "name": "Desk", "model": model, "db": self.db, **_OPTIONS, **options})

    def run(
        self, asked: Agent | Team, question: Any = "The question?", *, stream: bool = True, run_id: str = "r1"
    ) -> None:
        options: dict[str, Any] = {"session_id": "s1", "user_id": "ann", "run_id": run_id}
        if stream:
            self.events += asked.run(question, stream=True, stream_events=True, **options)
        else:
            asked.run(question, **options)

    def settle(self, asked: Agent | Team, *, stream: bool = True, agree: bool = True, run_id: str = "r1") -> None:
        """Decide on all that a paused run waits for, and let it go on."""
        paused: Any = asked.get_run_output(run_id=run_id, session_id="s1")
        for requirement in paused.requirements:
            (requirement.confirm if agree else requirement.reject)()
        options: dict[str, Any] = {"session_id": "s1", "user_id": "ann", "requirements": paused.requirements}
        continued: Any = asked.continue_run
        if stream:
            self.events += continued(run_id=run_id, stream=True, stream_events=True, **options)
        else:
            continued(run_id=run_id, **options)

    def regenerate(self, asked: Agent | Team, *, stream: bool = True, run_id: str = "r1") -> None:
        """Answer a question again, in place of its first answer."""
        continued: Any = asked.continue_run
        options = {"run_id": run_id, "session_id": "s1", "user_id": "ann", "regenerate": True}
        if stream:
            self.events += continued(stream=True, stream_events=True, **options)
        else:
            continued(**options)

    def rows(self) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute("SELECT * FROM agno_runs ORDER BY run_index, created_at").fetchall()
        return [dict(row) | {"run_data": json.loads(row["run_data"])} for row in found]

    def replay(self) -> Replay:
        """Return the session as it is read back."""
        return Replay(
            StoredSession(row={"session_id": "s1", "user_id": "ann", "session_type": "team"}, run_rows=self.rows())
        )

    def close(self) -> None:
        self.db.close()


_OPTIONS = {"telemetry": False, "store_events": True, "delay_between_retries": 0}


def watch(events: Sequence[Any], run: RunRecord) -> RunRecord:
    """Return a run as somebody sees it who follows it live."""
    projection = RunProjection(
        RunRecord(
            run_id=run.run_id,
            session_id=run.session_id,
            user_id=run.user_id,
            kind=SessionKind.TEAM,
            component_id=run.component_id,
            component_name=run.component_name,
            status=RunStatus.RUNNING,
            question=run.question,
        )
    )
    for event in translate(events):
        projection.apply(event)
    return projection.snapshot()


def translate(events: Sequence[Any]) -> list[RunEvent]:
    """Return Agno's events as ours; those that came once more on their way up are the same objects."""
    translator = EventTranslator()
    seen = {id(event): event for event in events}
    return [told for event in seen.values() for told in translator.translate(event)]


def seen_in(run: RunRecord) -> list[Any]:
    """Return what is shown of a run's words and calls, with the runs of its members inside."""
    shown: list[Any] = []
    for part in run.segments:
        if isinstance(part, TextSegment):
            shown.append(part.text.strip())
        elif isinstance(part, DelegationSegment):
            shown.append((part.member_id, part.task, seen_in(part.run) if part.run else None))
        else:
            shown.append((part.call.tool_name, dict(part.call.arguments), part.call.given_up))
    return shown


def in_words(steps: Sequence[Step]) -> list[str]:
    """Return steps as short lines, a member's set in."""
    return ["  " * step.depth + _line(step) for step in steps]


def _line(step: Step) -> str:
    match step.kind:
        case StepKind.MODEL_REQUEST:
            return f"request {step.request}" if step.request else "request of a failed attempt"
        case StepKind.TOOL_CALL:
            said = " ".join(map(str, (step.arguments or {}).values()))
            return f"{step.tool_name}({said}) -> {step.result}"
        case StepKind.DELEGATION:
            return f"asks {step.member_id}: {step.text} -> {(step.result or '').strip()}"
        case StepKind.MEMBER_RUN:
            return f"run of {step.member_id}"
        case StepKind.PAUSED:
            return f"paused: {step.text}"
        case StepKind.EVENT:
            return str(step.text)
        case _:
            return " ".join(filter(None, (str(step.kind), (step.text or "").strip())))
