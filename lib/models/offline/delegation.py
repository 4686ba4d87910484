"""Delegation: which members a question is for, and the task each is given."""

from __future__ import annotations

import re

from lib.models.offline.context import DELEGATE_ALL, DELEGATE_ONE, Context, Member
from lib.models.offline.entities import names, tickers
from lib.models.offline.facts import asks_for_a_fact
from lib.models.offline.reply import Call
from lib.models.offline.topics import TOPICS, clauses, keeps, overlap, topic_of, with_there_resolved
from lib.models.offline.words import content_stems, numbers


def passed_on(context: Context, question: str) -> tuple[Call, ...]:
    """Return the delegation that `Ask <member>: <words>` orders: the words as they are, for that member alone.

    It goes before everything else, so that what a member knows can be asked although the leader knows it too.
    """
    if not context.offers(DELEGATE_ONE):
        return ()
    for member in context.members:
        for name in filter(None, (member.member_id, member.name)):
            order = re.match(rf"(?is)\s*(?:ask|tell)\s+(?:the\s+)?{re.escape(name)}\s*:\s*(?P<task>\S.*)$", question)
            if order:
                task = " ".join((order["task"].strip(), *context.directions.for_members))
                return (Call(DELEGATE_ONE, {"member_id": member.member_id, "task": task}),)
    return ()


def delegations(context: Context, question: str) -> tuple[Call, ...]:
    """Return the delegations that `question` needs, all for one assistant message; none where no member fits."""
    handed_on = " ".join(context.directions.for_members)
    if context.offers(DELEGATE_ALL):
        task = f"{question} {handed_on}".strip()
        return (Call(DELEGATE_ALL, {"task": task}),) if task else ()
    if not context.offers(DELEGATE_ONE) or not context.members:
        return ()
    tasks = _tasks(question, context.members)
    if not tasks and context.directions.force_a_call:
        tasks = {context.members[0].member_id: question}
    return tuple(
        Call(DELEGATE_ONE, {"member_id": member_id, "task": f"{task} {handed_on}".strip()})
        for member_id, task in tasks.items()
    )


def _tasks(question: str, members: tuple[Member, ...]) -> dict[str, str]:
    """Return member id -> task. A clause that is nobody's goes with the one before it, or else with the next."""
    parts = [with_there_resolved(clause, question) for clause in clauses(question)]
    chosen = [_members_for(part, question, members) for part in parts]
    first = next((ids for ids in chosen if ids), ())
    if not first:
        return {}
    together: dict[str, list[str]] = {}
    present = first
    for part, ids in zip(parts, chosen, strict=True):
        present = ids or present
        for member_id in present:
            together.setdefault(member_id, []).append(part)
    if len(together) == 1:
        return dict.fromkeys(together, question)
    return {member_id: " and ".join(taken) for member_id, taken in together.items()}


def _members_for(clause: str, question: str, members: tuple[Member, ...]) -> tuple[str, ...]:
    addressed = tuple(member.member_id for member in members if _addresses(clause, member))
    if addressed:
        return addressed
    topic = topic_of(clause)
    if topic is not None:
        able = [member for member in members if keeps(_described(member), topic)]
        if able and (topic.entities(clause) or topic.entities(question)):
            named = [member for member in able if keeps(f"{member.member_id} {member.name}", topic)]
            return ((named or able)[0].member_id,)
        if able:
            return ()
    return _by_role(clause, members)


def _by_role(clause: str, members: tuple[Member, ...]) -> tuple[str, ...]:
    """Return the member whose description shares most words with the clause."""
    scored = [(overlap(clause, _described(member)), -at, member.member_id) for at, member in enumerate(members)]
    score, _, member_id = max(scored)
    telling = score > 1 or bool(names(clause) or tickers(clause) or numbers(clause)) or not asks_for_a_fact(clause)
    return (member_id,) if score and telling else ()


def _addresses(clause: str, member: Member) -> bool:
    """Return whether the clause speaks of the member by name: `ask Weather ...`, or a name that is no topic."""
    for name in filter(None, {member.member_id, member.name}):
        if re.search(rf"(?:\b(?:ask|tell|let|have|consult)\s+(?:the\s+)?|@){re.escape(name)}\b", clause, re.IGNORECASE):
            return True
        is_topic = any(set(content_stems(name)) & (topic.words | topic.kept_by) for topic in TOPICS)
        if not is_topic and re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", clause) and name[:1].isupper():
            return True
    return False


def _described(member: Member) -> str:
    return f"{member.member_id} {member.name} {member.about}"
