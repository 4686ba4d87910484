"""Where the stored events of a run tell another story than its messages.

Only what both must tell is held against each other: events that begin after a pause lack what was before it, a failed
attempt has no messages, and calls that Agno refuses by itself have no events.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lib.events import (
    DelegationEnded,
    DelegationStarted,
    RunContinued,
    RunEnded,
    RunEvent,
    RunRetried,
    RunStarted,
    ToolEnded,
    ToolStarted,
)
from lib.records import RunRecord, RunStatus, TextSegment
from lib.replay.findings import Finding, FindingKind, finding_of
from lib.replay.session_history import replaced_by


@dataclass(slots=True)
class _Told:
    """What the events tell of one run."""

    whole: bool = False  # from its beginning
    status: RunStatus | None = None
    calls: Counter[str] = field(default_factory=Counter)
    results: dict[str, list[str | None]] = field(default_factory=lambda: defaultdict(list))

    def take(self, event: RunEvent) -> None:
        match event:
            case RunStarted():
                self.whole = True
            case RunRetried():
                self.calls.clear()
                self.results.clear()
            case RunContinued():
                self.status = None
            case RunEnded(status=status):
                self.status = status
            case ToolStarted(call=call) | DelegationStarted(call=call):
                self.calls[call.tool_call_id] += 1
            case ToolEnded(call=call) | DelegationEnded(call=call):
                self.results[call.tool_call_id].append(call.result)
            case _:
                pass


def list_event_findings(run: RunRecord, events: Sequence[RunEvent]) -> Iterator[Finding]:
    """Yield where the events and the messages of a run, or of one under it, disagree."""
    told: dict[str, _Told] = defaultdict(_Told)
    for event in events:
        told[event.run_id].take(event)
    for part in run.walk():
        if part.run_id not in told:
            continue
        status = told[part.run_id].status or part.status
        if part.status in (RunStatus.COMPLETED, RunStatus.FAILED) and status is not part.status:
            yield finding_of(
                FindingKind.EVENTS_DISAGREE, part, f"Its events say {status}, what is stored says {part.status}."
            )
        if part.status is RunStatus.COMPLETED and replaced_by(part) is None:
            yield from _calls_against_messages(part, told[part.run_id])


def _calls_against_messages(run: RunRecord, told: _Told) -> Iterator[Finding]:
    own = [message for message in run.messages if not message.from_history]
    asked = {request.tool_call_id for message in own for request in message.tool_requests}
    made = {*told.calls, *told.results}
    if not asked or not made:
        return  # tool messages or tool events were not stored
    untold = asked - made - _refused(run) if told.whole else set()
    for names, what in ((made - asked, "the messages lack"), (untold, "the events lack")):
        if names:
            yield finding_of(FindingKind.EVENTS_DISAGREE, run, f"Tool calls that {what}: {', '.join(sorted(names))}.")
    results = {call_id: iter(given) for call_id, given in told.results.items()}
    for message in own:
        if message.role != "tool" or message.tool_call_id not in results:
            continue
        result = next(results[message.tool_call_id], None)
        if result and message.content and result.strip() != message.content.strip():
            yield finding_of(
                FindingKind.EVENTS_DISAGREE,
                run,
                f"The result of {message.tool_call_id} is {result!r} by the events and {message.content!r} by the messages.",
            )


def _refused(run: RunRecord) -> set[str]:
    """Return the ids of the calls that were never made: they failed, and took no time."""
    calls = (segment.call for segment in run.segments if not isinstance(segment, TextSegment))
    return {call.tool_call_id for call in calls if call.failed and call.started_at is None and call.ended_at is None}
