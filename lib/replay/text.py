"""The views as text for a terminal. Whatever was stored is shown, and nothing of it reaches the terminal as a command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from lib.records import RunRecord, SessionSummary, Tokens
from lib.replay.absences import Absence
from lib.replay.contexts import ModelRequest
from lib.replay.delegations import Delegation
from lib.replay.findings import Finding
from lib.replay.steps import Step, StepKind
from lib.replay.timeline import BarKind, Lane, Timeline
from lib.terminal import escape_controls

LONGEST_TEXT = 2000
"""Characters of one text that are printed; `--json` gives all of it."""

_WIDTH = 48
_MARKS = {
    BarKind.RUN: "·",
    BarKind.PAUSE: "=",
    BarKind.DELEGATION: "-",
    BarKind.TOOL_CALL: "o",
    BarKind.MODEL_REQUEST: "#",
}


def write_head(session: SessionSummary, notes: Iterable[str] = ()) -> Iterator[str]:
    """Yield what the session is, and what could not be read of its own row."""
    yield _line(f"Session {session.session_id}: {session.name}")
    yield _line(
        f"  of {session.user_id or 'nobody'}, with {session.kind} {session.component_id or '?'}, {session.runs} runs"
    )
    for note in notes:
        yield _line(f"  note on the session: {note}")


def write_run_head(run: RunRecord) -> Iterator[str]:
    """Yield one line on the run, and its notes."""
    precision = "" if run.exact_times else " (whole seconds)"
    yield ""
    yield _line(f"Run {run.run_id} of {run.component_name}, {run.status}, begun {_moment(run.started_at)}{precision}")
    yield from write_notes(run)


def write_notes(run: RunRecord) -> Iterator[str]:
    """Yield what could not be read or is inferred of a run and of the runs under it."""
    for part in run.walk():
        for note in part.notes:
            yield _line(f"  note on run {part.run_id}: {note}")


def write_steps(steps: Iterable[Step]) -> Iterator[str]:
    """Yield the steps, members indented."""
    for step in steps:
        indent = "  " * (step.depth + 1)
        took = "" if step.duration_s is None else f"  [{step.duration_s:.3g} s]"
        yield from _indented(f"{step.agent_name}: {_step_text(step)}{took}", indent)


def _step_text(step: Step) -> str:
    match step.kind:
        case StepKind.MODEL_REQUEST:
            unnumbered = "of an attempt that failed" if step.failed else "whose answer is not stored"
            number = f"{step.request or unnumbered}{_token_text(step.tokens)}"
            return f"model request {number}"
        case StepKind.TOOL_CALL:
            outcome = "failed" if step.failed else "gave"
            return f"tool {step.tool_name}({_arguments(step.arguments)}) {outcome} {_short(step.result or 'nothing stored')}"
        case StepKind.DELEGATION:
            return f"asks {step.member_id}: {_short(step.text or '')}"
        case StepKind.MEMBER_RUN:
            return f"run of {step.member_id}, asked by no stored call"
        case StepKind.EVENT:
            return f"event {step.text}: {_short(json.dumps(step.raw, ensure_ascii=False, default=str))}"
        case StepKind.PAUSED:
            waits = "waits" if step.ended_at is None else "waited"
            return f"paused, {waits} for {_short(step.text or 'a person')}"
        case StepKind.RETRIED:
            return "begins anew: the attempt before failed"
        case StepKind.TEXT if step.draft:
            return f"draft for a second model: {_short(step.text or '')}"
        case StepKind.STOPPED if step.text:
            return f"stopped: {_short(step.text)}"
        case StepKind.STOPPED | StepKind.CONTINUED:
            return str(step.kind)
        case _:
            return f"{step.kind}: {_short(step.text or '')}"


def write_timeline(timeline: Timeline) -> Iterator[str]:
    """Yield the lanes as bars of signs."""
    yield _line(f"  {timeline.total_s:.6g} s in all, times are {timeline.precision}")
    yield "  # model request, o tool call, - waiting for a member, = waiting for a person, · idle in a run"
    width = max([len(lane.name) for lane in timeline.lanes] or [0])
    for lane in timeline.lanes:
        busy = f"busy {lane.busy_s:.3g} s, waiting {lane.waiting_s:.3g} s, idle {lane.idle_s:.3g} s"
        yield _line(
            f"  {lane.name:{min(width, 24)}} |{_signs(lane, timeline.total_s)}| {busy}{_token_text(lane.tokens)}"
        )


def _signs(lane: Lane, total_s: float) -> str:
    signs = [" "] * _WIDTH
    for kind, mark in _MARKS.items():
        for bar in lane.bars:
            if bar.kind is kind:
                start = int(bar.start_s / total_s * _WIDTH) if total_s else 0
                end = int(bar.end_s / total_s * _WIDTH) if total_s else 0
                for place in range(min(start, _WIDTH - 1), min(max(end, start + 1), _WIDTH)):
                    signs[place] = mark
    return "".join(signs)


def write_delegations(delegations: Sequence[Delegation], diagram: str, *, runs_under: int = 0) -> Iterator[str]:
    """Yield the table of delegations and the Mermaid text of the sequence, which has `runs_under` the run in any case."""
    if not delegations:
        yield "  no delegation is stored; the sequence has the runs under it" if runs_under else "  nobody was asked"
    for item in delegations:
        took = "" if item.duration_s is None else f", {item.duration_s:.3g} s"
        used = {True: ", result used", False: ", result not used", None: ""}[item.result_used]
        again = ", the same task again" if item.repeated else ""
        failed = ", failed" if item.failed else ""
        yield from _indented(
            f"{item.leader_id} asks {item.member_id} ({item.times_asked}x{took}{used}{again}{failed}): {_short(item.task)}",
            "  ",
        )
        yield from _indented(_short(item.result or "nothing stored"), "    ")
    yield ""
    yield from _indented(diagram, "  ")


def write_requests(requests: Iterable[ModelRequest]) -> Iterator[str]:
    """Yield what each model request was given and what was absent."""
    for request in requests:
        yield _line(
            f"  Request {request.number} of {request.run.component_name} ({request.source}){_token_text(request.tokens)}"
        )
        if request.doubt:
            yield _line(f"    {request.doubt}")
        for given in request.messages:
            origin = f" from run {given.origin_run_id}" if given.message.from_history else ""
            new = "+" if given.new else " "
            calls = "".join(
                f" -> {asked.tool_name}({_short(asked.arguments, 200)})" for asked in given.message.tool_requests
            )
            yield from _indented(
                f"{new} {given.share:4.0%} {given.message.role}{origin}: {_short(given.text, 300)}{calls}",
                "    ",
            )
            if given.note:
                yield _line(f"           {given.note}")
        later = [absent for absent in request.absent if absent.reason is Absence.LATER]
        for absent in request.absent:
            if absent.reason is not Absence.LATER:
                reasons = " or ".join((absent.reason, *absent.or_else))
                told = f"absent, {reasons}: {absent.message.role}: {_short(absent.message.content, 100)}"
                yield from _indented(told, "    ")
        if later:
            yield f"    absent, later: {len(later)} messages of later runs"


def write_findings(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the findings, or that there are none."""
    if not findings:
        yield "  No findings."
    for found in findings:
        yield from _indented(f"{found.kind} (run {found.run_id or '-'}): {_short(found.evidence)}", "  ")


def _indented(text: str, indent: str) -> Iterator[str]:
    first, *others = escape_controls(text).split("\n")
    yield indent + first
    for line in others:
        yield f"{indent}  {line}"


def _line(text: str) -> str:
    return escape_controls(text.replace("\n", " "))


def _short(text: str, limit: int = LONGEST_TEXT) -> str:
    return text if len(text) <= limit else f"{text[:limit]} … ({len(text) - limit} more characters)"


def _arguments(arguments: Mapping[str, Any] | None) -> str:
    return _short(", ".join(f"{name}={value!r}" for name, value in (arguments or {}).items()))


def _token_text(tokens: Tokens) -> str:
    return "" if tokens == Tokens() else f", tokens {tokens.input} in, {tokens.output} out"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "at an unknown time"
