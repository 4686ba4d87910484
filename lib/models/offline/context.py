"""The context: what one request to the offline model holds, read from its messages and the tools it offers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from agno.media import Image
from agno.models.message import Message

from lib.models.offline.directions import Directions, read_directions, without_directions
from lib.models.offline.facts import Fact, facts_in

HISTORY_TOOLS = ("get_chat_history", "read_chat_history")
DELEGATE_ONE = "delegate_task_to_member"
DELEGATE_ALL = "delegate_task_to_members"

_MEMBER = re.compile(
    r'^<member id="(?P<id>[^"\n]*)" name="(?P<name>[^"\n]*)"[^>\n]*>\n(?P<body>.*?)^</member>', re.MULTILINE | re.DOTALL
)
_TEAM_BLOCK = re.compile(r"<team>.*?</team>", re.DOTALL)
_ADDED_BLOCKS = re.compile(
    r"<(team_history_context|member_interaction_context|additional[ _]context|references|knowledge_base)>.*?</\1>",
    re.DOTALL,
)
_MEMORY_BLOCKS = re.compile(
    r"<(memories_from_previous_interactions|summary_of_previous_interactions|session_state)>(.*?)</\1>", re.DOTALL
)
_SPEAKER = re.compile(
    # Who speaks, as team histories write it, and for whom it is meant.
    r"^\s*(?:(?:user|human|input)\s*:\s*)?(?:(?:ask|tell)\s+(?:the\s+)?\w[\w -]{0,40}:\s*)?",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool the request offers."""

    name: str
    description: str
    parameters: Mapping[str, Mapping[str, Any]]  # name -> JSON schema, in order
    required: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member as Agno's system message lists it to a leader."""

    member_id: str
    name: str
    about: str  # role, description, tools and, for a team, its members


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came back for a call of the present question."""

    tool_name: str
    arguments: Mapping[str, Any]
    text: str
    failed: bool


@dataclass(frozen=True)
class Context:
    """One request, taken apart."""

    messages: Sequence[Message]
    tools: tuple[Tool, ...]

    @classmethod
    def read(cls, messages: Sequence[Message], tools: Sequence[Any] | None) -> Context:
        """Return the context of a request as Agno makes it: messages, and tools as JSON schemas."""
        return cls(messages, tuple(_to_tool(tool) for tool in tools or () if _is_function(tool)))

    @cached_property
    def position(self) -> int:
        """Where the newest user message stands; -1 without one."""
        return max((at for at, message in enumerate(self.messages) if message.role == "user"), default=-1)

    @cached_property
    def asked(self) -> str:
        """The newest user message without what Agno added to it, stage directions included."""
        text = text_of(self.messages[self.position]) if self.position >= 0 else ""
        return _ADDED_BLOCKS.sub(" ", text).strip()

    @cached_property
    def question(self) -> str:
        """The newest user message without stage directions."""
        return without_directions(self.asked)

    @cached_property
    def directions(self) -> Directions:
        """The stage directions of the newest user message; those of older messages are not obeyed."""
        return read_directions(self.asked)

    @cached_property
    def system(self) -> str:
        """The system message."""
        return "\n".join(text_of(message) for message in self.messages if message.role in ("system", "developer"))

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The members a leader can delegate to, as its system message lists them."""
        return tuple(
            Member(member_id=match["id"], name=match["name"], about=match["body"])
            for match in _MEMBER.finditer(self.system)
        )

    @cached_property
    def results(self) -> tuple[ToolResult, ...]:
        """The results of the tools called for the present question, in order."""
        arguments: dict[str, tuple[str, Mapping[str, Any]]] = {}
        found = []
        for message in self.messages[self.position + 1 :]:
            for call in message.tool_calls or ():
                function = call.get("function") or {}
                arguments[str(call.get("id"))] = (
                    str(function.get("name", "")),
                    _to_arguments(function.get("arguments")),
                )
            if message.role == "tool":
                name, given = arguments.get(str(message.tool_call_id), ("", {}))
                found.append(
                    ToolResult(
                        tool_name=message.tool_name or name,
                        arguments=given,
                        text=text_of(message).strip(),
                        failed=bool(message.tool_call_error),
                    )
                )
        return tuple(found)

    @cached_property
    def last_answer(self) -> str | None:
        """The last words an assistant message before the question holds."""
        for message in reversed(self.messages[: max(self.position, 0)]):
            if message.role == "assistant" and text_of(message).strip():
                return text_of(message).strip()
        return None

    @cached_property
    def facts(self) -> list[Fact]:
        """What the messages state, oldest first; the question's own statements come last."""
        found: list[Fact] = []
        for message in self.messages:
            text = without_directions(text_of(message))
            match message.role:
                case "system" | "developer":
                    found += _facts_of_system(text)
                case "user":
                    found += facts_in(_SPEAKER.sub("", text), told=True)
                case "tool":
                    found += _facts_of_result(text)
                case _:
                    found += facts_in(text, told=False)
        return found

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """The images attached to the newest user message."""
        return tuple(self.messages[self.position].images or ()) if self.position >= 0 else ()

    @cached_property
    def earlier_images(self) -> tuple[Image, ...]:
        """The images of the newest earlier message that has some."""
        for message in reversed(self.messages[: max(self.position, 0)]):
            if message.images:
                return tuple(message.images)
        return ()

    def offers(self, *names: str) -> Tool | None:
        """Return the first offered tool with one of the names."""
        return next((tool for tool in self.tools if tool.name in names), None)


def text_of(message: Message) -> str:
    """Return a message's words: its content as text, or the text parts of it."""
    content = message.content
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in content)


def _facts_of_system(text: str) -> list[Fact]:
    remembered = [block for _, block in _MEMORY_BLOCKS.findall(text)]
    rest = _MEMORY_BLOCKS.sub(" ", _TEAM_BLOCK.sub(" ", text))
    found = facts_in(rest, told=False)
    for block in remembered:
        found += facts_in(block, told=True)
    return found


def _facts_of_result(text: str) -> list[Fact]:
    found: list[Fact] = []
    for told, part in _parts_of_result(text):
        found += facts_in(without_directions(part), told=told)
    return found


def _parts_of_result(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the texts of a tool result; a chat history is read message by message."""
    try:
        data = json.loads(text) if text[:1] in "[{" else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, list):
        yield False, text
        return
    for item in data:
        if isinstance(item, dict) and isinstance(item.get("content"), str):
            yield item.get("role") == "user", item["content"]


def _is_function(tool: Any) -> bool:
    return (
        isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping) and bool(tool["function"].get("name"))
    )


def _to_tool(tool: Mapping[str, Any]) -> Tool:
    function = tool["function"]
    schema = function.get("parameters") or {}
    properties = schema.get("properties") or {}
    return Tool(
        name=str(function["name"]),
        description=str(function.get("description") or ""),
        parameters={str(name): value if isinstance(value, Mapping) else {} for name, value in properties.items()},
        required=tuple(schema.get("required") or ()),
    )


def _to_arguments(arguments: Any) -> Mapping[str, Any]:
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return {}
    return arguments if isinstance(arguments, Mapping) else {}
