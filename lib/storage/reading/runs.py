"""Stored rows -> runs with their member runs: `to_run_record`, `to_run_records`.

What was said and in which order comes from the stored messages; when, and whose a member's run is, from the stored
events, through the translator and the projection that the live view uses. So a run looks the same live and read back.
Where one of the two is missing the other stands in, and a note says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lib.records import ErrorKind, RunRecord, RunStatus, SavedState, Tokens
from lib.replay.projection import RunProjection
from lib.storage.delegating import to_tasks
from lib.storage.event_values import to_error_kind, to_model_name
from lib.storage.reading.agno_words import find_stop_reason, list_stop_reasons, without_filled_message
from lib.storage.reading.cut_words import with_cut_words
from lib.storage.reading.direct_answers import with_direct_answers
from lib.storage.reading.links import link_delegations
from lib.storage.reading.loose import to_list, to_mapping, to_number, to_optional_text, to_text, to_time
from lib.storage.reading.messages import to_images, to_messages, to_tokens
from lib.storage.reading.regenerated import find_taken_over, replaced_run_id
from lib.storage.reading.second_models import is_introduction, with_second_model, with_unasked_marked
from lib.storage.reading.segments import build_segments
from lib.storage.reading.stored import StoredRun
from lib.storage.translation import EventTranslator

Live = Collection[str] | Mapping[str, RunStatus]
"""Ids of the runs that are alive now; as a mapping also whether each is waiting or running."""

INTERRUPTED = "The program ended while this run was going on; its answer was not saved."

MAX_DEPTH = 40
"""Member runs nested deeper than this are listed under the deepest run that is shown."""


def to_run_record(
    row: Mapping[str, Any], member_rows: Sequence[Mapping[str, Any]] = (), *, live_run_ids: Live = frozenset()
) -> RunRecord:
    """Return one run with all member runs under it. Never raises: what cannot be read is said in `notes`."""
    root = StoredRun.from_row(row)
    return _RunReader([root, *map(StoredRun.from_row, member_rows)], live_run_ids).read(root)


def to_run_records(rows: Iterable[Mapping[str, Any]], *, live_run_ids: Live = frozenset()) -> tuple[RunRecord, ...]:
    """Return the runs of a session, top-level runs with their member runs under them, in the order of the rows.

    No row is lost: member runs whose parent is missing, and runs that name each other as parent, come as runs of their
    own, with a note.
    """
    return _read_all([StoredRun.from_row(row) for row in rows], live_run_ids)


def to_question(run_data: Any) -> str:
    """Return what a run was asked, out of its JSON; no text where nothing tells."""
    return _question(StoredRun.from_data(to_mapping(run_data)))


def to_run_records_of_columns(rows: Iterable[Mapping[str, Any]]) -> tuple[RunRecord, ...]:
    """Return the runs of a session as rows without their bodies tell of them: nothing was asked or said in them."""
    stored = [StoredRun(row=row, data={}) for row in rows]
    return _read_all(stored, frozenset())


def _read_all(stored: Sequence[StoredRun], live_run_ids: Live) -> tuple[RunRecord, ...]:
    reader = _RunReader(stored, live_run_ids)
    known = {run.run_id for run in stored}
    records = [reader.read(run) for run in stored if run.parent_run_id is None]
    for run in stored:  # what no top-level run led to
        if run.run_id in reader.seen:
            continue
        if run.parent_run_id in reader.seen:
            run.notes.append(f"It stands under {run.parent_run_id!r}, deeper than is shown nested.")
        elif run.parent_run_id not in known:
            run.notes.append(f"A member's run whose leader's run {run.parent_run_id!r} is not stored.")
        else:
            run.notes.append("This run and its parent name each other as parent.")
        records.append(reader.read(run))
    return tuple(records)


class _RunReader:
    """Builds records out of stored runs that refer to each other."""

    def __init__(self, stored: Iterable[StoredRun], live_run_ids: Live) -> None:
        self._live = live_run_ids
        self._stored: dict[str, StoredRun] = {}
        self._children: dict[str, list[str]] = {}
        self._stop_reasons: dict[str, str] = {}
        self.seen: set[str] = set()
        queue = list(stored)
        for run in queue:  # grows while it is walked: rows first, so that a row wins over a copy inside another run
            if run.run_id in self._stored:
                known = self._stored[run.run_id]
                if run.row and known is not run:
                    known.notes.append("There are two rows with this run id; the first is shown.")
                continue
            self._stored[run.run_id] = run
            if run.parent_run_id is not None:
                self._children.setdefault(run.parent_run_id, []).append(run.run_id)
            self._stop_reasons.update(list_stop_reasons(run))
            queue.extend(run.embedded())

    def read(self, stored: StoredRun) -> RunRecord:
        """Return the record of a stored run and of all that is under it."""
        projected = {run.run_id: run for run in _project(stored).walk()}
        return self._build(stored, projected, depth=0)

    def _build(self, stored: StoredRun, projected: dict[str, RunRecord], *, depth: int) -> RunRecord:
        self.seen.add(stored.run_id)
        if stored.run_id not in projected or (depth and stored.events):
            projected.update({run.run_id: run for run in _project(stored).walk()})
        told = projected.get(stored.run_id)
        taken_over_ids = find_taken_over(stored, self._stored.get(replaced_run_id(stored) or ""))
        record = _to_record(stored, told, self._live, taken_over_ids)
        record = replace(record, stop_reason=find_stop_reason(stored, record.status, self._stop_reasons))
        members = self._members(stored, told, projected, depth=depth)
        segments, note = build_segments(stored, record, told)
        segments, by_whom = with_second_model(stored, record, segments)
        segments = link_delegations(segments, members, told)
        segments = with_direct_answers(stored, record, segments)
        segments, filled_note = without_filled_message(stored, record, segments)
        segments, cut_note = with_cut_words(stored, record, segments)
        notes = (*record.notes, *(said for said in (note, by_whom, filled_note, cut_note) if said))
        return replace(record, segments=segments, member_runs=members, notes=notes)

    def _members(
        self, stored: StoredRun, told: RunRecord | None, projected: dict[str, RunRecord], *, depth: int
    ) -> tuple[RunRecord, ...]:
        """Return the member runs in the order in which they began, those without a row of their own among them."""
        told_members = {run.run_id: run for run in told.member_runs} if told else {}
        children = [run_id for run_id in self._children.get(stored.run_id, ()) if run_id not in self.seen]
        order = [*told_members, *(run_id for run_id in children if run_id not in told_members)]
        members: list[RunRecord] = []
        for run_id in order:
            child = self._stored.get(run_id)
            if child is None:
                self.seen.add(run_id)
                members.append(_recovered(told_members[run_id], stored))
            elif run_id in self.seen:
                continue
            elif depth < MAX_DEPTH:
                members.append(self._build(child, projected, depth=depth + 1))
        return tuple(members)


def _project(stored: StoredRun) -> RunRecord:
    """Return what the stored events alone tell of a run and its members."""
    projection = RunProjection(
        RunRecord(
            run_id=stored.run_id,
            parent_run_id=stored.parent_run_id,
            session_id=to_text(stored.get("session_id")),
            user_id=to_optional_text(stored.get("user_id")),
            kind=stored.kind,
            component_id=stored.component_id,
            component_name=stored.component_name,
            status=stored.status,
            question="",
        )
    )
    translator = EventTranslator(tasks=to_tasks(stored.data.get("session_state")))
    unreadable = 0
    for event in stored.events:
        try:
            for told in translator.translate(event if isinstance(event, Mapping) else {}):
                projection.apply(told)
        except (AttributeError, LookupError, TypeError, ValueError):  # fields of a type no Agno version writes
            unreadable += 1
    if unreadable:
        stored.notes.append(f"{unreadable} of its stored events could not be read; see the raw row.")
    return projection.snapshot()


def _recovered(told: RunRecord, parent: StoredRun) -> RunRecord:
    """Return a member run that Agno did not store (a member that fails while streaming leaves no row, agno-facts F12)."""
    return replace(
        told,
        session_id=to_text(parent.get("session_id")),
        user_id=to_optional_text(parent.get("user_id")),
        saved=SavedState.STORED,
        notes=(
            *told.notes,
            "This member's run has no row of its own; it is rebuilt from the events of its leader's run.",
        ),
    )


def _to_record(stored: StoredRun, told: RunRecord | None, live: Live, taken_over_ids: Collection[str]) -> RunRecord:
    """Return the run without its segments and members."""
    data = stored.data
    status, saved, notes = _status(stored, live)
    started_at, ended_at, duration_s = _times(stored, told)
    tokens = to_tokens(data.get("metrics"))
    messages = to_messages(
        data.get("messages"), run_id=stored.run_id, injected_ids=stored.injected_ids, taken_over_ids=taken_over_ids
    )
    messages = with_unasked_marked(stored, messages)
    error, error_kind = _error(stored, told, status)
    asked = next((message for message in messages if message.role == "user" and message.own), None)
    return RunRecord(
        run_id=stored.run_id,
        session_id=to_text(stored.get("session_id")),
        user_id=to_optional_text(stored.get("user_id")),
        kind=stored.kind,
        component_id=stored.component_id,
        component_name=stored.component_name,
        status=status,
        question=_question(stored),
        question_message_id=asked.message_id if asked else None,
        parent_run_id=stored.parent_run_id,
        messages=messages,
        images=to_images(to_mapping(data.get("input")).get("images")),
        error=error,
        error_kind=error_kind,
        started_at=started_at,
        ended_at=None if status.live else ended_at,
        duration_s=duration_s,
        exact_times=bool(started_at and started_at.microsecond),
        tokens=tokens if tokens != Tokens() else (told.tokens if told else tokens),
        model=to_model_name(data.get("model_provider"), data.get("model")) or (told.model if told else None),
        settings=to_mapping(stored.roundtable.get("settings")),
        run_index=stored.run_index,
        saved=saved,
        notes=(*stored.notes, *notes),
        raw={**stored.row, "run_data": data} if stored.row else data,
    )


def _times(stored: StoredRun, told: RunRecord | None) -> tuple[datetime | None, datetime | None, float | None]:
    """Return start, end and duration: from what our engine noted, else from the events, else from Agno's whole seconds."""
    started_at = to_time(stored.roundtable.get("started_at"))
    ended_at = to_time(stored.roundtable.get("ended_at"))
    if started_at and ended_at:
        return started_at, ended_at, max((ended_at - started_at).total_seconds(), 0.0)
    started_at = (told.started_at if told and _is_known(told.started_at) else None) or to_time(stored.get("created_at"))
    ended_at = told.ended_at if told and _is_known(told.ended_at) else None
    if started_at and stored.was_paused:
        # Agno's duration counts neither the wait nor what was before it.
        written = (to_time(to_mapping(item).get("created_at")) for item in to_list(stored.data.get("messages")))
        ended_at = max(started_at, ended_at or max((at for at in written if at), default=started_at))
        return started_at, ended_at, (ended_at - started_at).total_seconds()
    duration_s = to_number(to_mapping(stored.data.get("metrics")).get("duration"))
    if (
        started_at
        and duration_s is not None
        and (ended_at is None or (started_at.microsecond and not ended_at.microsecond))
    ):
        # Agno stamps the end of a run with a whole second, which can lie before an exact start.
        ended_at = started_at + timedelta(seconds=min(max(duration_s, 0.0), 1e9))
        if not started_at.microsecond:
            ended_at = ended_at.replace(microsecond=0)
    return started_at, ended_at, duration_s


def _is_known(at: datetime | None) -> bool:
    """Whether an event carried a time; without one the translator says 1970."""
    return at is not None and at.timestamp() > 0


def _status(stored: StoredRun, live: Live) -> tuple[RunStatus, SavedState, list[str]]:
    """Return where the run stands. Our own marker row says ERROR until the run is saved (agno-facts 5.6)."""
    if stored.run_id in live:
        now = live[stored.run_id] if isinstance(live, Mapping) else RunStatus.RUNNING
        return now, SavedState.LIVE, []
    if stored.roundtable.get("marker") is True:
        return RunStatus.INTERRUPTED, SavedState.STORED, []
    status = stored.status
    if status is RunStatus.UNKNOWN:
        return status, SavedState.STORED, [f"Its stored status {stored.stored_status!r} is not known here."]
    if status.live and is_introduction(stored):
        return RunStatus.COMPLETED, SavedState.STORED, []
    if status.live:
        return (
            status,
            SavedState.STORED,
            ["Stored as unfinished by another program; whether it still runs is not known."],
        )
    return status, SavedState.STORED, []


def _question(stored: StoredRun) -> str:
    """Return what was asked: the run's input, else its own user message."""
    given = stored.data.get("input")
    content = given.get("input_content") if isinstance(given, Mapping) else given
    if isinstance(content, list) and content and all(isinstance(item, Mapping) and "role" in item for item in content):
        asked = [item for item in content if item.get("role") == "user" and item.get("from_history") is not True]
        return to_text((asked or content)[-1].get("content"))
    if isinstance(content, Mapping) and "role" in content:
        return to_text(content.get("content"))
    if content is not None:
        return to_text(content)
    for message in to_messages(stored.data.get("messages"), injected_ids=stored.injected_ids):
        if message.role == "user" and message.own:
            return message.content
    return ""


def _error(stored: StoredRun, told: RunRecord | None, status: RunStatus) -> tuple[str | None, ErrorKind | None]:
    """Return the reason of a failed run, and its kind where our engine told it: from its error event, else its content."""
    if status is RunStatus.INTERRUPTED:
        return INTERRUPTED, None
    if status is not RunStatus.FAILED:
        return None, None
    if stated := to_optional_text(stored.roundtable.get("error")):
        return stated, to_error_kind(stored.roundtable.get("error_kind")) or ErrorKind.OTHER
    if told and told.error:
        return told.error, told.error_kind
    return to_optional_text(stored.data.get("content")), None
