"""The rules: from one request's context to one reply. Order is meaning: the first rule that applies decides."""

from __future__ import annotations

import json
import re
from typing import Any

from lib.models.offline.chores import do_chore
from lib.models.offline.context import DELEGATE_ALL, DELEGATE_ONE, HISTORY_TOOLS, Context, ToolResult
from lib.models.offline.delegation import delegations, passed_on
from lib.models.offline.facts import (
    DONT_KNOW,
    Fact,
    answer_question,
    asks_for_a_fact,
    asks_for_own_fact,
    split_told,
)
from lib.models.offline.pictures import describe_images
from lib.models.offline.reply import Call, Reply
from lib.models.offline.tool_calls import SERVICE_TOOLS, tool_calls
from lib.models.offline.topics import topic_of
from lib.models.offline.words import as_sentence, words

WHAT_I_AM = "I am the offline model: fixed rules, no language understanding."
NOTHING_TO_REPEAT = "There is nothing to repeat: no earlier answer is in the messages I was given."

MEMORY_TOOL = "update_user_memory"

_REPEAT = re.compile(
    r"\b(?:repeat (?:that|it|this|yourself|again|please|the last|your last|your answer|the answer)|say (?:that|it) again"
    r"|once more,? please)\b|^\W*(?:please )?repeat\W*$",
    re.IGNORECASE,
)
_ABOUT_A_PICTURE = re.compile(r"\b(?:image|picture|photo|screenshot|drawing)s?\b", re.IGNORECASE)
_LONGEST_REPEAT_REQUEST = 9


def decide(context: Context, response_format: Any = None) -> Reply:
    """Return the reply to a request. It depends on the context and on nothing else."""
    chore = do_chore(context, response_format)
    if chore is not None:
        return chore
    order = passed_on(context, context.question)
    if order and not context.results:
        return Reply(calls=order)
    told, rest = split_told(context.question)
    if order or not told:
        return _answer(context, context.question)
    memory = context.offers(MEMORY_TOOL)
    if memory is not None and not context.results:
        return Reply(calls=(Call(MEMORY_TOOL, {"task": f"Remember: {'; '.join(fact.statement for fact in told)}"}),))
    further = _answer(context, rest) if words(rest) or context.images else Reply(helpless=True)
    if further.calls:
        return further
    noted = _noted(told)
    return Reply(noted if further.helpless else f"{noted}\n\n{further.text}")


def _answer(context: Context, question: str) -> Reply:
    done = [
        result for result in context.results if result.tool_name not in SERVICE_TOOLS - {DELEGATE_ONE, DELEGATE_ALL}
    ]
    if done:
        return Reply(_with_images(context, _from_results(context, done)))
    if _REPEAT.search(question) and len(words(question)) <= _LONGEST_REPEAT_REQUEST:
        return Reply(context.last_answer or NOTHING_TO_REPEAT)
    remembered = _recalled(context, question)
    if remembered is not None:
        return remembered
    calls = delegations(context, question) or tool_calls(context, question)
    if calls:
        return Reply(calls=calls)
    if context.images:
        return Reply(describe_images(context.images))
    if _ABOUT_A_PICTURE.search(question) and context.earlier_images:
        return Reply(describe_images(context.earlier_images))
    if asks_for_a_fact(question) and topic_of(question) is None:
        return _look_up(context) or Reply(DONT_KNOW)
    return Reply(_help(context, question), helpless=True)


def _recalled(context: Context, question: str) -> Reply | None:
    """Return the answer a message holds: what a user told goes before delegation, what was only reported does not."""
    if not asks_for_a_fact(question) or context.images:
        return None
    told = answer_question(question, [fact for fact in context.facts if fact.told])
    if told is not None:
        # The newest statement counts, also one that an answer or a tool result made later.
        return Reply(answer_question(question, context.facts) or told)
    if topic_of(question) is not None and not asks_for_own_fact(question):
        return None
    if not (delegations(context, question) or tool_calls(context, question)) or asks_for_own_fact(question):
        answer = answer_question(question, context.facts)
        if answer is not None:
            return Reply(answer)
    if asks_for_own_fact(question) and not (topic_of(question) and _could_ask(context, question)):
        return _look_up(context) or Reply(DONT_KNOW)
    return None


def _could_ask(context: Context, question: str) -> bool:
    topic = topic_of(question)
    return (
        topic is not None
        and bool(topic.entities(question))
        and bool(delegations(context, question) or tool_calls(context, question))
    )


def _look_up(context: Context) -> Reply | None:
    """Return a call of the chat-history tool, where one is offered and was not called for this question yet."""
    tool = context.offers(*HISTORY_TOOLS)
    if tool is None or any(result.tool_name in HISTORY_TOOLS for result in context.results):
        return None
    return Reply(calls=(Call(tool.name, {}),))


def _noted(told: list[Fact]) -> str:
    return as_sentence(f"Noted: {'; '.join(fact.statement for fact in told)}")


def _from_results(context: Context, results: list[ToolResult]) -> str:
    """Return one answer made from what members or tools returned."""
    if any(result.tool_name in (DELEGATE_ONE, DELEGATE_ALL) for result in results):
        names = {member.member_id: member.name or member.member_id for member in context.members}
        parts = [_reported(result, names) for result in results]
        return parts[0] if len(parts) == 1 else "\n\n".join(parts)
    return " ".join(_said(result) for result in results)


def _reported(result: ToolResult, names: dict[str, str]) -> str:
    member_id = str(result.arguments.get("member_id", ""))
    who = names.get(member_id) or member_id or "The members"
    if result.failed:
        return as_sentence(f"{who} failed: {result.text or 'no reason was given'}")
    if not result.text:
        return f"{who} returned nothing, so that part of the answer is missing."
    return f"{who} reports: {as_sentence(result.text)}"


def _said(result: ToolResult) -> str:
    if result.failed:
        return as_sentence(f"The tool {result.tool_name} failed: {result.text or 'no reason was given'}")
    if not result.text:
        return f"The tool {result.tool_name} returned nothing."
    return as_sentence(_in_words(result.text))


def _in_words(text: str) -> str:
    """Return a tool's result as words: an object's fields are named, anything else is left as it is."""
    try:
        data = json.loads(text) if text[:1] == "{" else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or not data:
        return text
    fields = (
        f"{str(name).replace('_', ' ')} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in data.items()
    )
    return ", ".join(fields)


def _with_images(context: Context, text: str) -> str:
    leads = context.offers(DELEGATE_ONE, DELEGATE_ALL) is not None
    return f"{describe_images(context.images)}\n\n{text}" if context.images and leads else text


def _help(context: Context, question: str) -> str:
    """Return what this model is and what it could do here."""
    topic = topic_of(question)
    if topic is not None and (context.members or context.tools):
        return f"{WHAT_I_AM} For a question about {topic.name} I need the name of a {topic.entity}."
    if context.members:
        names = ", ".join(member.name or member.member_id for member in context.members)
        return (
            f'{WHAT_I_AM} I can hand questions to {names}, note a fact ("Remember: ..."), '
            "answer what is in the messages I was given, and repeat my last answer."
        )
    tools = ", ".join(tool.name for tool in context.tools if tool.name not in SERVICE_TOOLS)
    can = f"call {tools}, note a fact" if tools else "note a fact"
    return f'{WHAT_I_AM} I can {can} ("Remember: ..."), answer what is in the messages I was given, and repeat my last answer.'
