"""Why a stored message does not enter the next prompt, as a closed set and in words."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a run or a message is not given to the model."""

    HISTORY_OFF = "history_off"
    OUTSIDE_WINDOW = "outside_window"
    MESSAGE_LIMIT = "message_limit"
    ORPHAN_TOOL_RESULT = "orphan_tool_result"
    TOOL_CALL_FILTERED = "tool_call_filtered"
    SYSTEM_MESSAGE = "system_message"
    HISTORY_COPY = "history_copy"
    MEMBER_MESSAGE = "member_message"
    OTHER_COMPONENT = "other_component"
    RUN_CANCELLED = "run_cancelled"
    RUN_ERROR = "run_error"
    RUN_INTERRUPTED = "run_interrupted"
    RUN_PAUSED = "run_paused"
    RUN_REGENERATED = "run_regenerated"
    RUN_LIVE = "run_live"
    NOT_STORED = "not_stored"
    LATER = "later"


_SENTENCES = {
    Reason.HISTORY_OFF: "No history is given: it is switched off, or the window holds no runs.",
    Reason.OUTSIDE_WINDOW: "Older than the history window.",
    Reason.MESSAGE_LIMIT: "Older than the newest messages that the message limit lets in.",
    Reason.ORPHAN_TOOL_RESULT: "A tool result whose request fell out of the message limit: Agno drops it.",
    Reason.TOOL_CALL_FILTERED: "A tool call older than the newest ones that history may hold.",
    Reason.SYSTEM_MESSAGE: "The system message is written anew for every question.",
    Reason.HISTORY_COPY: "A stored copy of an earlier message: only the original counts.",
    Reason.MEMBER_MESSAGE: "Between the leader and a member: the leader's history holds only its own messages.",
    Reason.OTHER_COMPONENT: "Said to another team or member.",
    Reason.RUN_CANCELLED: "The run was stopped: neither its question nor its answer is remembered.",
    Reason.RUN_ERROR: "The run failed: neither its question nor its answer is remembered.",
    Reason.RUN_INTERRUPTED: "The app ended while this ran: neither its question nor its answer is remembered.",
    Reason.RUN_PAUSED: "The run is paused and not remembered until it is finished.",
    Reason.RUN_REGENERATED: "Replaced by a newer answer to the same question.",
    Reason.RUN_LIVE: "Not finished yet; it will be remembered when it completes.",
    Reason.NOT_STORED: "Not in the database yet.",
    Reason.LATER: "Happened later.",
}


def describe_reason(reason: Reason) -> str:
    """Return one sentence for `reason`, for a reader who does not know Agno."""
    return _SENTENCES[reason]
