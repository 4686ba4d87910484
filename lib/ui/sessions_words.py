"""Sessions in words, the same in the sidebar, in the table and over a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from lib.errors import TeamUnavailable
from lib.records import Loss, RunStatus, SearchHit, SessionKind, SessionSummary
from lib.storage.identity import find_defect
from lib.ui.safe_markdown import plain_label
from lib.ui.words import count_in_words

if TYPE_CHECKING:
    from lib.teams.catalogue import TeamCatalogue

STATES = {
    RunStatus.WAITING: "waiting",
    RunStatus.RUNNING: "running",
    RunStatus.COMPLETED: "answered",
    RunStatus.STOPPED: "stopped",
    RunStatus.FAILED: "failed",
    RunStatus.INTERRUPTED: "interrupted",
    RunStatus.PAUSED: "paused",
    RunStatus.REGENERATED: "answered",
    RunStatus.UNKNOWN: "unknown",
}


def team_in_words(summary: SessionSummary, catalogue: TeamCatalogue) -> str:
    """Return the title of the team, or the name of the agent or workflow, a session is held with."""
    return component_in_words(summary.component_id, catalogue, summary.component_name)


def component_in_words(component_id: str, catalogue: TeamCatalogue, stored_name: str | None = None) -> str:
    """Return the title under which people know a team, agent or workflow."""
    titles = {entry.name: entry.title for entry in catalogue.entries}
    members = {member.member_id: member.name for entry in catalogue.entries for member in entry.all_members()}
    return titles.get(component_id) or members.get(component_id) or stored_name or component_id or "unknown"


def mark_in_words(summary: SessionSummary, catalogue: TeamCatalogue) -> str:
    """Return the mark of a session's row: two letters of its team, or the sign of a direct session or a workflow."""
    match summary.kind:
        case SessionKind.AGENT:
            return ":gray-badge[:material/person:]"
        case SessionKind.WORKFLOW:
            return ":gray-badge[:material/account_tree:]"
        case SessionKind.TEAM:
            words = team_in_words(summary, catalogue).replace("-", " ").replace("_", " ").split()
            letters = "".join(word[0] for word in words[:2]) if len(words) > 1 else "".join(words)[:2]
            return f":gray-badge[{plain_label(letters.upper())}]"


def state_in_words(summary: SessionSummary, *, unread: bool = False) -> str:
    """Return how a session's last run stands: "answered", "answered, unread", "running", "no question yet"."""
    state = STATES[summary.last_status] if summary.last_status else "no question yet"
    return f"{state}, unread" if unread else state


def reason_not_to_go_on(summary: SessionSummary, catalogue: TeamCatalogue, *, user_id: str) -> str | None:
    """Return why a session can be read here but not gone on with; None where it can."""
    if summary.user_id != user_id:
        owner = f"{summary.user_id!r}" if summary.user_id else "nobody: another program stored it without a user"
        return f"It belongs to {owner}. Only its owner can go on with it."
    name = team_in_words(summary, catalogue)
    match summary.kind:
        case SessionKind.AGENT:
            return f"It was held with the agent {name!r} directly, not with a team."
        case SessionKind.WORKFLOW:
            return f"It was made by the workflow {name!r}: a workflow is not asked in a chat."
        case SessionKind.TEAM:
            try:
                catalogue.get(summary.component_id)
            except TeamUnavailable:
                return (
                    f"It was held with {name!r}, which is not among this app's teams. Name it in CHAT_TEAMS to go on."
                )
    if defect := find_defect(summary.session_id):
        return f"Another program stored it under an id that this app gives to none: it {defect}. Fork it to go on."
    return None


def loss_in_words(loss: Loss) -> str:
    """Return what a deletion takes away: "2 sessions with 17 runs, 4 member runs and 1 image"; of a run, "1 run"."""
    parts = [
        count_in_words(loss.runs, "run"),
        *([count_in_words(loss.member_runs, "member run")] if loss.member_runs else ()),
        *([count_in_words(loss.images, "image")] if loss.images else ()),
        *([f"{count_in_words(loss.kept_writes, 'answer')} not stored yet"] if loss.kept_writes else ()),
        *(["the title made from its question"] if loss.title else ()),
    ]
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{count_in_words(loss.sessions, 'session')} with {listed}" if loss.sessions else listed


def hit_in_words(hit: SearchHit) -> str:
    """Return a hit in its sentence, the found words bold, as Markdown."""
    before, after = hit.before[-45:].lstrip(), hit.after[:60].rstrip()
    cut = "…" if len(before) < len(hit.before.lstrip()) else ""
    first = f"{cut}{plain_label(before, 90)}" + (" " if before[-1:].isspace() else "")
    rest = (" " if after[:1].isspace() else "") + plain_label(after, 90)
    return f"{first}**{plain_label(hit.hit, 90)}**{rest}"


def moment_in_words(moment: datetime, *, now: datetime | None = None) -> str:
    """Return when something was, as short as it is clear: "14:05", "Yesterday 14:05", "12 Mar", "12 Mar 2024"."""
    zone = browser_zone()
    here, today = moment.astimezone(zone), (now or datetime.now(UTC)).astimezone(zone)
    days = (today.date() - here.date()).days
    if days <= 0:
        return f"{here:%H:%M}"
    if days == 1:
        return f"Yesterday {here:%H:%M}"
    return f"{here.day} {here:%b}" if here.year == today.year else f"{here.day} {here:%b %Y}"


def by_day(
    summaries: Iterable[SessionSummary], *, now: datetime | None = None
) -> Iterator[tuple[str, list[SessionSummary]]]:
    """Yield sessions, the last used first, under "Today", "Yesterday", "Last week" and "Earlier"."""
    zone = browser_zone()
    today = (now or datetime.now(UTC)).astimezone(zone).date()
    heading, group = "", list[SessionSummary]()
    for summary in summaries:
        day = summary.updated_at.astimezone(zone).date()
        this = (
            "Today"
            if day >= today
            else "Yesterday"
            if day == today - timedelta(days=1)
            else "Last week"
            if day > today - timedelta(days=7)
            else "Earlier"
        )
        if this != heading and group:
            yield heading, group
            group = []
        heading = this
        group.append(summary)
    if group:
        yield heading, group


def browser_zone() -> tzinfo:
    """Return the time zone of the browser; UTC where it does not say."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
