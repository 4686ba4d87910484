"""Tool calls: which offered tools a question is for, and their arguments filled in from its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lib.models.offline.context import DELEGATE_ALL, DELEGATE_ONE, HISTORY_TOOLS, Context, Tool
from lib.models.offline.directions import Directions
from lib.models.offline.entities import CURRENCIES, companies, named_after, places, tickers
from lib.models.offline.reply import Call
from lib.models.offline.topics import clauses, overlap, topic_of, with_there_resolved
from lib.models.offline.words import content_stems, numbers

SERVICE_TOOLS = frozenset(
    {DELEGATE_ONE, DELEGATE_ALL, *HISTORY_TOOLS, "get_member_information", "update_user_memory", "add_memory"}
    | {
        "update_memory",
        "delete_memory",
        "clear_memory",
        "search_past_sessions",
        "read_past_session",
        "add_to_knowledge",
    }
    | {"update_session_state", "get_tool_call_history", "create_task", "execute_task", "mark_all_complete"}
)
"""Tools that Agno adds for its own purposes; the rules name those they use."""

_PLACE = re.compile(r"cit(?:y|ies)|locat|place|town|country|region|where|destination|origin|area", re.IGNORECASE)
_COMPANY = re.compile(r"ticker|symbol|stock|share|compan|equity|firm", re.IGNORECASE)
_FREE_TEXT = re.compile(
    r"query|question|text|task|topic|message|input|prompt|search|keyword|content|request", re.IGNORECASE
)
_CURRENCY = re.compile(r"currenc|base|quote", re.IGNORECASE)
_COMPARING = re.compile(r"\b(?:compar\w*|against|versus|vs|than|between|better|worse)\b", re.IGNORECASE)
_START = re.compile(r"origin|start|from|source|depart|base", re.IGNORECASE)
_END = re.compile(r"destination|^to$|to_|_to|target|arriv|end|quote", re.IGNORECASE)


def tool_calls(context: Context, question: str) -> tuple[Call, ...]:
    """Return the calls that `question` needs, all for one assistant message; none where no tool fits."""
    tools = [tool for tool in context.tools if tool.name not in SERVICE_TOOLS]
    if not tools or not (question or context.directions.force_a_call):
        return ()
    calls: list[Call] = []
    present: Tool | None = None
    for clause in _clauses(question, tools):
        tool = _tool_for(clause, question, tools)
        if tool is None and present is not None and (places(clause) or tickers(clause)):
            tool = present  # "... in Paris and London": the second place asks the same again
        call = None if tool is None else _filled(tool, clause, question)
        if call is not None and call not in calls:
            present = tool
            calls.append(call)
    if not calls and context.directions.fail_tool:
        calls = [_filled(tools[0], question, question, force=True) or Call(tools[0].name, {})]
    return tuple(_failing(call, context.directions) for call in calls)


def _clauses(question: str, tools: list[Tool]) -> list[str]:
    """Return the clauses, or the question whole where one tool takes several of its entities at once."""
    parts = [with_there_resolved(clause, question) for clause in clauses(question)]
    if len(parts) > 1 and _COMPARING.search(question):
        whole = _tool_for(question, question, tools)
        if whole is not None and len(_kinds(whole)) > 1:
            return [question]
    return parts


def _tool_for(clause: str, question: str, tools: list[Tool]) -> Tool | None:
    """Return the best tool: by words shared with its name and description, by topic, by how many entities it takes."""
    best: tuple[float, Tool] | None = None
    for tool in tools:
        score = _score(clause, question, tool)
        if score > 0 and (best is None or score > best[0]):
            best = (score, tool)
    return None if best is None else best[1]


def _score(clause: str, question: str, tool: Tool) -> float:
    name = tool.name.replace("_", " ")
    about = f"{name} {tool.description.split('Args:')[0]}"
    score = 3.0 * overlap(clause, name) + overlap(clause, about)
    topic = topic_of(clause)
    if topic is not None and set(content_stems(about)) & (topic.kept_by | topic.words):
        score += 1
        kinds = _kinds(tool)
        if topic.entity in kinds or not kinds:
            score += 1
        named = len(topic.entities(clause) or topic.entities(question))
        if len(kinds) > named:
            return 0  # it could not be filled
        if len(kinds) > 1:
            score += 2 if _COMPARING.search(clause) else -2  # two shares, and a tool that takes two
    return score


def _kinds(tool: Tool) -> list[str]:
    """Return what kind of entity each required parameter takes."""
    found = []
    for name in tool.required:
        if _PLACE.search(name):
            found.append("place")
        elif _COMPANY.search(name):
            found.append("company")
    return found


def _filled(tool: Tool, clause: str, question: str, *, force: bool = False) -> Call | None:
    """Return the call with every argument the words give; None where a required one is missing."""
    filling = _Filling(clause, question)
    arguments: dict[str, Any] = {}
    for name, schema in tool.parameters.items():
        required = name in tool.required
        value = filling.value(name, schema, required=required)
        if value is None and required:
            if not force:
                return None
            value = clause or "anything"
        if value is not None:
            arguments[name] = value
    return Call(tool.name, arguments)


class _Filling:
    """Gives out the entities and numbers of a text, each to one parameter."""

    def __init__(self, clause: str, question: str) -> None:
        self.clause, self.question = clause, question
        self.places = places(clause) or places(question)
        self.companies = companies(clause) or companies(question)
        self.numbers = numbers(clause) or numbers(question)
        self.currencies: list[str] = [word for word in re.findall(r"\b[A-Z]{3}\b", question) if word in CURRENCIES]

    def value(self, name: str, schema: Mapping[str, Any], *, required: bool) -> Any:
        """Return the parameter's value, or None where the words give none."""
        if "enum" in schema:
            return self._choice(schema["enum"], required=required)
        match schema.get("type"):
            case "integer" | "number" as kind:
                return self._number(kind, required=required)
            case "boolean":
                return bool(set(content_stems(name)) & set(content_stems(self.clause))) if required else None
            case "array":
                item = self._text(name, schema, required=required)
                return None if item is None else [item]
            case "object":
                return {} if required else None
            case _:
                return self._text(name, schema, required=required)

    def _choice(self, options: Any, *, required: bool) -> Any:
        texts = [option for option in options if isinstance(option, str)]
        said = next((option for option in texts if option.casefold() in self.clause.casefold()), None)
        return said if said is not None or not required or not options else options[0]

    def _number(self, kind: str, *, required: bool) -> float | int | None:
        value = self.numbers.pop(0) if self.numbers else (1.0 if required else None)
        return int(value) if value is not None and kind == "integer" else value

    def _text(self, name: str, schema: Mapping[str, Any], *, required: bool) -> str | None:
        if _CURRENCY.search(name) and self.currencies:
            return _take(self.currencies)
        if _PLACE.search(name):
            return self._place(name)
        if _COMPANY.search(name):
            return _take(self.companies)
        if not required:
            return None
        if _FREE_TEXT.search(name):
            return self.clause
        return self._place(name) or _take(self.companies) or self.clause or None

    def _place(self, name: str) -> str | None:
        for pattern, prepositions in ((_START, ("from",)), (_END, ("to", "into"))):
            if pattern.search(name):
                found = named_after(self.question, prepositions)
                if found is not None:
                    if found in self.places:
                        self.places.remove(found)
                    return found
        return _take(self.places)


def _take(items: list[str]) -> str | None:
    return items.pop(0) if items else None


def _failing(call: Call, directions: Directions) -> Call:
    """Return the call with `[fail tool]` in its first text argument, where the question asks for it."""
    if not directions.fail_tool:
        return call
    name = next((name for name, value in call.arguments.items() if isinstance(value, str)), "direction")
    said = str(call.arguments.get(name, ""))
    return Call(call.tool_name, {**call.arguments, name: f"{said} [fail tool]".strip()})
