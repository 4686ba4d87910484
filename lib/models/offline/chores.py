"""Chores: what Agno and the app ask a model for besides answers: a title, a session summary, user memories."""

from __future__ import annotations

import json
import re
from typing import Any

from lib.models.offline.context import Context
from lib.models.offline.directions import without_directions
from lib.models.offline.facts import Fact, facts_in, newest_of_each
from lib.models.offline.reply import Call, Reply
from lib.models.offline.words import STOP_WORDS, as_sentence, capitalized, words

MAX_TITLE_WORDS = 5
SUMMARY_QUESTIONS = 3

_TITLE_REQUEST = re.compile(
    r"\b(?:title|name)\b.{0,80}\b(?:at most|maximum|max\.?|up to|no more than|not more than)\b.{0,20}\bwords\b",
    re.IGNORECASE | re.DOTALL,
)
_USER_LINES = re.compile(
    r"^\s*(?:user|human|question)\s*:\s*(.*?)(?=^\s*(?:user|human|question|assistant|answer|system|tool|model|developer|team session name|session name)\s*:|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_CONVERSATION = re.compile(r"<conversation>(.*)</conversation>", re.DOTALL)
_EXISTING = re.compile(r"^ID: (?P<id>.+)\nMemory: (?P<memory>.+)$", re.MULTILINE)


def do_chore(context: Context, response_format: Any) -> Reply | None:
    """Return the reply to a chore, or None where the request is a question."""
    if context.offers("add_memory", "update_memory"):
        return _keep_memories(context)
    if context.tools:
        return None
    if _CONVERSATION.search(context.system) and ("ummary" in context.system or response_format is not None):
        return Reply(_summary(context.system))
    if _TITLE_REQUEST.search(context.system) or _TITLE_REQUEST.search(context.question):
        return Reply(_title(context))
    return None


def _title(context: Context) -> str:
    """Return at most five words of the first question in the conversation that has any to offer."""
    user_texts = [
        text
        for at, message in enumerate(context.messages)
        if message.role == "user"
        for text in [_plain(message.content)]
    ]
    joined = "\n".join(user_texts)
    lines = _USER_LINES.findall(joined) or _USER_LINES.findall(context.system)
    candidates = lines or [_TITLE_REQUEST.sub("", text) for text in user_texts]
    for candidate in candidates:
        telling = [word for word in words(without_directions(candidate)) if word.casefold() not in STOP_WORDS]
        telling = [word for word in telling if word.casefold() not in ("remember", "please", "hello", "hi", "hey")]
        if telling:
            return capitalized(" ".join(re.sub(r"['’]s$", "", word) for word in telling[:MAX_TITLE_WORDS]))
    return "New conversation"


def _summary(system: str) -> str:
    """Return Agno's summary form: the facts the user told, else what was asked."""
    match = _CONVERSATION.search(system)
    said = [without_directions(text).strip() for text in _USER_LINES.findall(match[1] if match else "")]
    facts = newest_of_each(fact for text in said for fact in facts_in(text, told=True))
    if facts:
        summary = " ".join(as_sentence(capitalized(fact.statement)) for fact in facts)
    elif said:
        summary = "The user asked: " + " ".join(said[-SUMMARY_QUESTIONS:])
    else:
        summary = "Nothing was said."
    topics = [" ".join(words(fact.statement)[:MAX_TITLE_WORDS]) for fact in facts]
    return json.dumps({"summary": summary, "topics": topics}, ensure_ascii=False)


def _keep_memories(context: Context) -> Reply:
    """Return the memory calls for the facts that the user's messages tell; a changed fact replaces the old one."""
    if context.results:
        return Reply("The memories are up to date.")
    told: list[Fact] = []
    for message in context.messages:
        if message.role == "user":
            told += facts_in(without_directions(_plain(message.content)), told=True)
    existing = [(match["id"].strip(), match["memory"].strip()) for match in _EXISTING.finditer(context.system)]
    known = {memory: facts_in(f"remember: {memory}", told=True) for _, memory in existing}
    calls = []
    for fact in newest_of_each(told):
        statement = as_sentence(capitalized(fact.statement))
        if any(memory.rstrip(".").casefold() == fact.statement.casefold() for memory in known):
            continue
        same = next(
            (held for held, memory in existing if any(old.subject == fact.subject for old in known[memory])), None
        )
        if same is not None and context.offers("update_memory"):
            calls.append(Call("update_memory", {"memory_id": same, "memory": statement}))
        elif context.offers("add_memory"):
            calls.append(Call("add_memory", {"memory": statement}))
    return Reply(calls=tuple(calls)) if calls else Reply("There is nothing to remember in these messages.")


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else "" if content is None else json.dumps(content, default=str)
