"""One stored run before it is a record: its columns, its JSON, and what was wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lib.records import RunStatus, SessionKind
from lib.storage.reading.loose import parse_json, to_int, to_list, to_mapping, to_optional_text, to_text

_STATUS = {
    "COMPLETED": RunStatus.COMPLETED,
    "CANCELLED": RunStatus.STOPPED,
    "ERROR": RunStatus.FAILED,
    "PAUSED": RunStatus.PAUSED,
    "REGENERATED": RunStatus.REGENERATED,
    "RUNNING": RunStatus.RUNNING,
    "PENDING": RunStatus.WAITING,
}
_KINDS = {kind.value: kind for kind in SessionKind}


def to_session_kind(row: Mapping[str, Any]) -> SessionKind:
    """Return whose session a row is; where it does not say, by the id that is set, as Agno does."""
    stored = to_text(row.get("session_type"))
    if stored in _KINDS:
        return _KINDS[stored]
    told = (SessionKind.AGENT, SessionKind.TEAM, SessionKind.WORKFLOW)
    return next((kind for kind in told if row.get(f"{kind}_id")), SessionKind.AGENT)


@dataclass(slots=True)
class StoredRun:
    """A row of `agno_runs`, or a run that is kept inside another one."""

    row: Mapping[str, Any]
    data: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> StoredRun:
        """Read a row of `agno_runs`; `run_data` may be text, bytes or parsed, and may be damaged."""
        data, note = parse_json(row.get("run_data"))
        stored = cls(row=row, data=data if isinstance(data, Mapping) else {})
        if note:
            stored.notes.append(note)
        elif not isinstance(data, Mapping):
            stored.notes.append("The row holds no run that can be read; see the raw row.")
        for name in ("run_id", "session_id", "user_id", "status", "parent_run_id"):
            column, kept = row.get(name), stored.data.get(name)
            if column is not None and kept is not None and str(column) != str(kept):
                followed = "the run" if name == "status" else "the row"  # as Agno does when it builds a history
                stored.notes.append(f"The row says {name} {column!r}, the run in it {kept!r}; {followed} is followed.")
        stored._note_odd_lists()
        return stored

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> StoredRun:
        """Read a run that has no row of its own: one that is kept inside another."""
        stored = cls(row={}, data=data)
        stored._note_odd_lists()
        return stored

    def _note_odd_lists(self) -> None:
        """Note what has no shape that any Agno version writes, and so is in no view but the raw one."""
        for name in ("messages", "tools", "events"):
            if self.data.get(name) and not to_list(self.data.get(name)):
                self.notes.append(f"Its stored {name} are no list that can be read; only the raw row shows them.")

    def get(self, name: str) -> Any:
        """Return a column, else the same name in the JSON."""
        value = self.row.get(name)
        return self.data.get(name) if value is None else value

    @property
    def run_id(self) -> str:
        """The id of the run; no text where none was stored."""
        return to_text(self.get("run_id"))

    @property
    def parent_run_id(self) -> str | None:
        """The run it stands under."""
        return to_optional_text(self.get("parent_run_id"))

    @property
    def kind(self) -> SessionKind:
        """Whose run it is; by `run_type`, else by the id that is set."""
        run_type = to_text(self.row.get("run_type"))
        if run_type in ("team", "agent", "workflow"):
            return SessionKind(run_type)
        if self.get("workflow_id"):
            return SessionKind.WORKFLOW
        return SessionKind.TEAM if self.get("team_id") and not self.get("agent_id") else SessionKind.AGENT

    @property
    def component_id(self) -> str:
        """The team, agent or workflow."""
        return to_text(self.get(f"{self.kind}_id") or self.get("agent_id") or self.get("team_id"))

    @property
    def component_name(self) -> str:
        """Its name, else its id."""
        return to_text(self.get(f"{self.kind}_name")) or self.component_id

    @property
    def run_index(self) -> int | None:
        """The place in the session that Agno reads it back at."""
        return to_int(self.row.get("run_index"))

    @property
    def status(self) -> RunStatus:
        """Agno's status in our words; UNKNOWN for one this version does not know."""
        return _STATUS.get(self.stored_status.upper().removeprefix("RUNSTATUS."), RunStatus.UNKNOWN)

    @property
    def stored_status(self) -> str:
        """The status as it is stored, in the run before the row: Agno's history goes by the run."""
        return to_text(self.data.get("status") or self.row.get("status"))

    @property
    def events(self) -> list[Any]:
        """The stored events, unread."""
        return to_list(self.data.get("events"))

    @property
    def was_paused(self) -> bool:
        """Whether the run waited for a person; a leader whose member waited keeps no requirement of it."""
        return bool(to_list(self.data.get("requirements"))) or self.reported("RunPaused")

    def events_named(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the stored events of a name, a team's or an agent's, of this run and of those under it."""
        for event in self.events:
            if isinstance(event, Mapping) and event.get("event") in (name, f"Team{name}"):
                yield event

    def reported(self, name: str) -> bool:
        """Whether an event of this name is stored of this very run."""
        return any(event.get("run_id") == self.run_id for event in self.events_named(name))

    @property
    def injected_ids(self) -> frozenset[str]:
        """Ids of the messages that were given and not said in this run; Agno stores them among the run's own.

        A team or agent may put some before every question, and a program may ask with a list of messages, of which the
        last that a person said is the question.
        """
        always = (to_text(to_mapping(item).get("id")) for item in to_list(self.data.get("additional_input")))
        return frozenset(message_id for message_id in (*always, *self._asked_with()) if message_id)

    def _asked_with(self) -> list[str]:
        """Return the ids of the messages of an input that is a list of messages, but for the question."""
        given = to_mapping(self.data.get("input")).get("input_content")
        wanted = [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
        found: list[Mapping[str, Any]] = []
        for item in to_list(self.data.get("messages")):
            message = to_mapping(item)
            if len(found) < len(wanted) and message.get("from_history") is not True:
                found += [message] if _is_same(message, wanted[len(found)]) else []
        question = next((message for message in reversed(found) if message.get("role") == "user"), None)
        return [to_text(message.get("id")) for message in found if message is not question]

    @property
    def roundtable(self) -> Mapping[str, Any]:
        """What our own engine wrote beside the run."""
        return to_mapping(to_mapping(self.data.get("metadata")).get("roundtable"))

    def embedded(self) -> list[StoredRun]:
        """Return the runs kept inside this one: member responses, a workflow's executors, completed events."""
        kept = [*to_list(self.data.get("member_responses")), *to_list(self.data.get("step_executor_runs"))]
        for event in self.events:
            if isinstance(event, Mapping):
                kept += to_list(event.get("member_responses"))
        runs = [StoredRun.from_data(item) for item in kept if isinstance(item, Mapping)]
        return [run for run in runs if run.run_id]


def _is_same(message: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether a stored message is the one that was given: by its id, which a message given as a dictionary lacks."""
    if given.get("id"):
        return message.get("id") == given.get("id")
    return message.get("role") == given.get("role") and message.get("content") == given.get("content")
