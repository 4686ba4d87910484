"""The tool calls that Agno answers by itself: a tool that does not exist, arguments that are no JSON, one call too many.

No event tells of them, they stand in the run's messages alone. Here they are found as soon as the run goes on, so that
a watcher sees them where they are read back.
"""

from __future__ import annotations

from collections.abc import Sequence

from agno.models.message import Message

from lib.records import ToolCallRecord
from lib.storage.reading.calls import to_unmade_call
from lib.storage.reading.messages import to_message, to_tool_requests


class RefusedCalls:
    """The calls of one run and of its member runs that were answered without being made; each is found once."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}  # how many messages belong to earlier requests, by run id
        self._known: dict[str, set[str]] = {}  # tool_call_ids of the newest request, made or found, by run id

    def find(
        self, run_id: str, messages: Sequence[Message], *, before: str | None = None, unanswered: bool = False
    ) -> list[ToolCallRecord]:
        """Return the refused calls of the run's newest request, in its order; those before a call that now begins.

        With `unanswered`, for a run that ends early, also those that were asked for and never made.
        """
        if run_id not in self._read:  # its model was not asked yet
            return []
        known = self._known.setdefault(run_id, set())
        new = messages[self._read[run_id] :]
        answers = {message.tool_call_id: message for message in new if message.role == "tool"}
        found = []
        for request in (request for message in new for request in to_tool_requests(message.tool_calls)):
            if request.tool_call_id == before:
                break
            answer = answers.get(request.tool_call_id)
            if request.tool_call_id in known or (answer is None and not unanswered):
                continue
            known.add(request.tool_call_id)
            found.append(to_unmade_call(request, to_message(answer.to_dict()) if answer else None))
        if before is not None:
            known.add(before)
        return found

    def ask_again(self, run_id: str, messages: Sequence[Message]) -> None:
        """Note that the run's model is asked with these messages: the calls in them are told."""
        self._read[run_id] = len(messages)
        self._known.pop(run_id, None)

    def forget(self, run_id: str) -> None:
        """Forget the run's messages: it begins anew."""
        self._read.pop(run_id, None)
        self._known.pop(run_id, None)
