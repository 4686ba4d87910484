"""The views as plain JSON values: an interface that other programs read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from lib.records import RunRecord, SessionKind, Tokens
from lib.replay.absences import Absence, AbsentMessage
from lib.replay.contexts import ModelRequest
from lib.replay.delegations import Delegation
from lib.replay.findings import Finding
from lib.replay.steps import Step, StepKind
from lib.replay.timeline import Timeline


def export_steps(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return steps: kind, whose, when, and either their text or their tool call."""
    return [_export_step(step) for step in steps]


def _export_step(step: Step) -> dict[str, Any]:
    value: dict[str, Any] = {
        "step_id": step.step_id,
        "kind": str(step.kind),
        "run_id": step.run_id,
        "parent_run_id": step.parent_run_id,
        "agent_id": step.agent_id,
        "started_at": export_time(step.started_at),
        "ended_at": export_time(step.ended_at),
        "depth": step.depth,
    }
    match step.kind:
        case StepKind.TOOL_CALL | StepKind.DELEGATION:
            value |= {
                "tool_call_id": step.tool_call_id,
                "tool_name": step.tool_name,
                "arguments": dict(step.arguments or {}),
                "result": step.result,
                "failed": step.failed,
            }
        case StepKind.MODEL_REQUEST:
            value |= {"text": "", "request": step.request, "tokens": export_tokens(step.tokens)}
        case StepKind.EVENT:
            value |= {"text": step.text or "", "raw": dict(step.raw)}
        case _:
            value["text"] = step.text or ""
    if step.draft:
        value["draft"] = True
    if step.member_id is not None:
        value |= {"member_id": step.member_id, "member_run_id": step.member_run_id}
    return value


def export_requests(requests: Iterable[ModelRequest], *, later: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield model requests: exactly what each was given, and what was absent.

    Of the messages that were said later than a request only the first `later` are listed, where that is given; a request
    of which some are left out says how many as `later_left_out`.
    """
    for request in requests:
        listed, left_out = _within(request.absent, later)
        yield {
            "run_id": request.run.run_id,
            ("team_id" if request.run.kind is SessionKind.TEAM else "agent_id"): request.run.component_id,
            "request": request.number,
            "source": request.source,
            **({"doubt": request.doubt} if request.doubt else {}),
            "messages": [
                {
                    "message_id": given.message.message_id,
                    "role": given.message.role,
                    "content": given.text,
                    "from_history": given.message.from_history,
                    "origin_run_id": given.origin_run_id,
                    **({"note": given.note, "original": given.message.content} if given.note else {}),
                }
                for given in request.messages
            ],
            "absent": [
                {"message_id": absent.message.message_id, "run_id": absent.run_id, "reason": str(absent.reason)}
                | ({"or_else": [str(reason) for reason in absent.or_else]} if absent.or_else else {})
                for absent in listed
            ],
        } | ({"later_left_out": left_out} if left_out else {})


def _within(absent: Sequence[AbsentMessage], later: int | None) -> tuple[Sequence[AbsentMessage], int]:
    """Return absent messages with so many later ones at most, and how many were left out."""
    count = sum(item.reason is Absence.LATER for item in absent)
    if later is None or count <= later:
        return absent, 0
    listed: list[AbsentMessage] = []
    room = later
    for item in absent:
        if item.reason is not Absence.LATER or room > 0:
            listed.append(item)
            room -= item.reason is Absence.LATER
    return listed, count - later


def export_findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings: kind, run, evidence."""
    return [{"kind": str(found.kind), "run_id": found.run_id, "evidence": found.evidence} for found in findings]


def export_delegations(delegations: Iterable[Delegation]) -> list[dict[str, Any]]:
    """Return delegations: who was asked what, and what came of it."""
    return [
        {
            "run_id": item.run_id,
            "leader_id": item.leader_id,
            "tool_call_id": item.tool_call_id,
            "member_id": item.member_id,
            "member_run_id": item.member_run.run_id if item.member_run else None,
            "task": item.task,
            "result": item.result,
            "failed": item.failed,
            "repeated": item.repeated,
            "result_used": item.result_used,
            "duration_s": item.duration_s,
            "tokens": export_tokens(item.tokens),
        }
        for item in delegations
    ]


def export_timeline(run: RunRecord, timeline: Timeline) -> dict[str, Any]:
    """Return the lanes of a run."""
    return {
        "run_id": run.run_id,
        "started_at": export_time(timeline.started_at),
        "total_s": timeline.total_s,
        "precision": timeline.precision,
        "lanes": [
            {
                "agent_id": lane.agent_id,
                "name": lane.name,
                "total_s": lane.total_s,
                "busy_s": lane.busy_s,
                "waiting_s": lane.waiting_s,
                "idle_s": lane.idle_s,
                "tokens": export_tokens(lane.tokens),
                "bars": [
                    {
                        "kind": str(bar.kind),
                        "label": bar.label,
                        "run_id": bar.run_id,
                        "step_id": bar.step_id,
                        "start_s": bar.start_s,
                        "end_s": bar.end_s,
                        "ended": bar.ended,
                        "failed": bar.failed,
                    }
                    for bar in lane.bars
                ],
            }
            for lane in timeline.lanes
        ],
    }


def export_time(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return at.isoformat() if at else None


def export_tokens(tokens: Tokens) -> dict[str, int | None]:
    """Return token counts; None where the model reported none."""
    return {"input": tokens.input, "output": tokens.output, "total": tokens.total}
