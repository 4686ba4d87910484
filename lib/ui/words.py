"""Numbers and states in words, the same on every page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from lib.records import DelegationSegment, RunRecord, RunStatus, TextSegment, ToolCallRecord, ToolSegment


def seconds_in_words(seconds: float | None, *, whole: bool = False) -> str:
    """Return "4 ms", "1.3 s", "42 s" or "2 min 05 s"; `whole` leaves the fractions out, for a time that still grows."""
    if seconds is None:
        return ""
    seconds = max(float(int(seconds)) if whole else seconds, 0.0)
    if whole and seconds < 9.95:
        return f"{seconds:.0f} s"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def count_in_words(count: int, noun: str) -> str:
    """Return "1 run", "17 runs" or "8.1k tokens"."""
    shown = str(count) if count < 1000 else f"{count / 1000:.1f}k".replace(".0k", "k")
    return f"{shown} {noun}" if count == 1 else f"{shown} {noun}s"


def bytes_in_words(count: int) -> str:
    """Return "640 bytes", "12 kB" or "2.1 MB"."""
    if count < 1000:
        return count_in_words(count, "byte")
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"


def unlike(names: Mapping[str, str]) -> dict[str, str]:
    """Return names by key, those that are alike told apart: Streamlit takes equal labels of a choice for one option."""
    alike = Counter(names.values())
    return {key: f"{name} · {key[-6:]}" if alike[name] > 1 else name for key, name in names.items()}


def elapsed_s(start: datetime | None, end: datetime | None = None) -> float | None:
    """Return the seconds from `start` to `end`, or to now while there is no end."""
    if start is None:
        return None
    return ((end or datetime.now(UTC)) - start).total_seconds()


def run_time_in_words(run: RunRecord) -> str:
    """Return how long the run took; whole-second times are marked as such."""
    if run.duration_s is None:
        return ""
    return seconds_in_words(run.duration_s) if run.exact_times else f"about {round(run.duration_s)} s"


def end_in_words(run: RunRecord) -> str:
    """Return how a run ended where that is not an answer, with what it means; an empty text for an answered run."""
    match run.status:
        case RunStatus.WAITING:
            return "Waiting for the question before it."
        case RunStatus.STOPPED if run.stop_reason:
            return f"Stopped: {run.stop_reason.rstrip('.')}. This question is not part of what the team remembers."
        case RunStatus.STOPPED:
            return "Stopped by you. This question is not part of what the team remembers."
        case RunStatus.FAILED:
            return _failure_in_words(run)
        case RunStatus.INTERRUPTED:
            return "Interrupted: the app stopped while this was running."
        case RunStatus.PAUSED:
            return "Paused: the run waits for something this page cannot give."
        case RunStatus.REGENERATED:
            return "Replaced by a newer answer to the same question."
        case RunStatus.UNKNOWN:
            return "It was stored with a status this version does not know."
        case RunStatus.COMPLETED if not run.segments:
            return "The model gave no answer."
        case RunStatus.RUNNING | RunStatus.COMPLETED:
            return ""


def _failure_in_words(run: RunRecord) -> str:
    reason = (run.error or "no reason was recorded").strip().rstrip(".")
    # The engine's reasons are sentences that say who failed; a provider's or another app's own words need an opening.
    return f"{reason}." if run.error and run.error_kind else f"The model failed: {reason}."


def place_in_words(address: str) -> str:
    """Return where a database is: "SQLite data/roundtable.db" or "db.example.org:3306/roundtable", without the account."""
    scheme, _, rest = address.partition("://")
    if scheme.startswith("sqlite"):
        return f"SQLite {rest.removeprefix('/')}"
    return rest.rpartition("@")[2]


def signature_in_words(call: ToolCallRecord, limit: int = 120) -> str:
    """Return the call as it would be written: `get_weather(city="Paris")`."""
    arguments = ", ".join(f"{name}={_value_in_words(value)}" for name, value in call.arguments.items())
    text = f"{call.tool_name}({arguments})"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def activity_in_words(run: RunRecord, member_names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return what a live run is doing now: "Finance, get_price" or "thinking"."""
    doing: list[str] = []
    for segment in run.segments:
        match segment:
            case DelegationSegment(call=call, member_id=member_id, run=member_run) if call.ended_at is None:
                name = member_run.component_name if member_run else member_names.get(member_id, member_id)
                inner = activity_in_words(member_run, member_names) if member_run else "thinking"
                doing.append(name if inner == "thinking" else f"{name}, {inner}")
            case ToolSegment(call=call) if call.ended_at is None and call.result is None:
                doing.append(call.tool_name)
            case _:
                pass
    if doing:
        return " · ".join(doing)
    return "writing" if run.segments and isinstance(run.segments[-1], TextSegment) else "thinking"


def _value_in_words(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
