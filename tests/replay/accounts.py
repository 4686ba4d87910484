"""Agno's history rules, told a second time over its own rows: what a run was given, and why each other message was not.

The truth that the ledger is held against. It shares no code with the app, knows the settings that were in force, and is
itself held against what the models were in fact given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]
Limits = Mapping[str, int]
Place = tuple[str, str]
"""A run and a message of it."""

SKIPPED = {
    "CANCELLED": "run_cancelled",
    "ERROR": "run_error",
    "PAUSED": "run_paused",
    "REGENERATED": "run_regenerated",
}
LIMIT_REASONS = {"outside_window", "message_limit", "tool_call_filtered"}


@dataclass
class Account:
    """What a run was given of earlier runs, and why it was not given the rest of what was there."""

    given: list[tuple[str, int]] = field(
        default_factory=list
    )  # each message, and how many tool calls it still asks for
    absent: dict[Place, str] = field(default_factory=dict)

    @property
    def given_ids(self) -> set[str]:
        """The messages that were given."""
        return {message_id for message_id, _ in self.given}


def account_for(rows: Iterable[Row], limits: Limits) -> Account:
    """Return the account of the next run of a session that holds these rows."""
    account = Account()
    counted: list[Row] = []
    for row in rows:
        account.absent |= dict.fromkeys(embedded_places(row["run_data"]), "member_message")
        if row["parent_run_id"] is not None:
            account.absent |= dict.fromkeys(own_places(row), "member_message")
        elif row["status"] in SKIPPED:
            account.absent |= dict.fromkeys(own_places(row), SKIPPED[row["status"]])
        else:
            counted.append(row)
    runs = limits.get("num_history_runs", None if "num_history_messages" in limits else 3)
    messages = limited(counted, runs, limits.get("num_history_messages"), account)
    keep = kept_calls([message for _, message in messages], limits.get("max_tool_calls_from_history"))
    for run_id, message in messages:
        calls = [call for call in message.get("tool_calls") or [] if call["id"] in keep]
        only_calls = bool(message.get("tool_calls")) and not message.get("content")
        if (message["role"] == "tool" and message["tool_call_id"] not in keep) or (only_calls and not calls):
            account.absent[(run_id, message["id"])] = "tool_call_filtered"
        else:
            account.given.append((message["id"], len(calls)))
    return account


def with_kept(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows and, before the row that keeps it, each member's run of which that copy alone is left."""
    rows = list(rows)
    known = {row["run_id"] for row in rows}
    for row in rows:
        for kept in row["run_data"].get("member_responses") or []:
            if kept["run_id"] not in known:
                yield {**row, "agent_id": None, "team_id": None, **kept, "run_data": kept}
        yield row


def account_for_member(rows: Iterable[Row], member: Limits, leader: Limits) -> Account:
    """Return the account of a member's next run: `rows` are its own, asked by whatever leader.

    It is given history only if it asks for it. Its own window counts, else the leader's (agno-facts 8.4).
    """
    account = Account()
    counted: list[Row] = []
    for row in rows:
        if row["status"] in SKIPPED:
            account.absent |= dict.fromkeys(own_places(row), SKIPPED[row["status"]])
        else:
            counted.append(row)
    runs: int | None = 0
    if member:
        of_member = member.get("num_history_runs", None if "num_history_messages" in member else 3)
        of_leader = leader.get("num_history_runs", None if "num_history_messages" in leader else 3)
        runs = of_member or of_leader
    messages = limited(counted, runs, member.get("num_history_messages"), account)
    account.given = [(message["id"], len(message.get("tool_calls") or [])) for _, message in messages]
    return account


def limited(
    counted: list[Row], runs: int | None, most: int | None, account: Account
) -> list[tuple[str, dict[str, Any]]]:
    """Return the messages that a window of runs and a message limit leave, with their runs; the rest goes to account."""
    if runs is not None:
        for row in counted[: max(len(counted) - runs, 0)]:
            account.absent |= dict.fromkeys(own_places(row), "outside_window")
        counted = counted[max(len(counted) - runs, 0) :]
    messages = [(row["run_id"], message) for row in counted for message in own_messages(row)]
    if most is None:
        return messages
    newest = messages[-most:] if most > 0 else []
    while newest and newest[0][1]["role"] == "tool":
        newest = newest[1:]
    cut = messages[: len(messages) - len(newest)]
    account.absent |= {(run_id, message["id"]): "message_limit" for run_id, message in cut}
    return newest


def kept_calls(messages: list[dict[str, Any]], most: int | None) -> set[str]:
    """Return the tool calls that a history may hold."""
    results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    if most is None or len(results) <= most:
        return {call["id"] for message in messages for call in message.get("tool_calls") or []} | set(results)
    return set(results[len(results) - most :])


def own_messages(row: Row) -> list[dict[str, Any]]:
    """Return what was said in a run itself."""
    return [m for m in row["run_data"].get("messages") or [] if not m.get("from_history") and m["role"] != "system"]


def own_places(row: Row) -> list[Place]:
    """Return where what was said in a run stands."""
    return [(row["run_id"], message["id"]) for message in own_messages(row)]


def embedded_places(run: dict[str, Any]) -> Iterator[Place]:
    """Yield what members of members said: they have no rows of their own."""
    for response in run.get("member_responses") or []:
        yield from ((response["run_id"], message["id"]) for message in own_messages({"run_data": response}))
        yield from embedded_places(response)


def stored_places(rows: Iterable[Row]) -> set[Place]:
    """Return every message that is stored, of runs and of their members.

    A new answer keeps what the members of its original said; where that was deleted, it is nobody's any more.
    """
    stored = list(rows)
    of_nobody = {
        place
        for row in stored
        for response in row["run_data"].get("member_responses") or []
        if response["parent_run_id"] not in {other["run_id"] for other in stored}
        for place in embedded_places({"member_responses": [response]})
    }
    own = {place for row in stored for place in own_places(row)}
    return own | {place for row in stored for place in embedded_places(row["run_data"])} - of_nobody


def every_limits() -> Iterator[Limits]:
    """Yield the settings a short session can have been held with."""
    for calls in ({}, *({"max_tool_calls_from_history": most} for most in range(12))):
        for runs in range(9):
            yield {"num_history_runs": runs} | calls
        for messages in range(50):
            yield {"num_history_messages": messages} | calls
