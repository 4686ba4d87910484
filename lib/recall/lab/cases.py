"""The awkward cases of remembering, each shown on a session of its own and judged by what the model was in fact given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lib.recall.experiment import Fact
from lib.recall.lab.demonstration import Asked, Demonstration, Frame, count_delegations
from lib.recall.lab.measuring import given_history
from lib.records import MessageRecord, RunRecord, RunStatus

DELEGATED = "What is the weather in Paris and the price of ACME?"
MEMBERS_TASK = "What is the weather in Paris?"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseShown:
    """What a case came to."""

    frames: tuple[Frame, ...]  # the session before the question
    fact: Fact  # as it was planted last
    question: str
    run: RunRecord
    as_expected: bool
    verdict: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A case: what it is called, what is to be expected, and how it is shown."""

    name: str
    title: str
    sentence: str
    show: Callable[[Demonstration], CaseShown]


def show_updated(demonstration: Demonstration) -> CaseShown:
    """Plant a value, then another one for the same thing, and ask."""
    old = demonstration.fact.value
    demonstration.plant()
    demonstration.update(other_value(demonstration.fact))
    new, frames = demonstration.fact.value, demonstration.frames()
    asked = demonstration.ask_in_fork()
    if new in asked.values and old not in asked.values:
        verdict = f"Answered with {new!r}, the newer value; the old one stood in its context too."
    elif asked.values:
        verdict = f"Answered with {' and '.join(map(repr, asked.values))}."
    else:
        verdict = "Answered with neither value."
    return _shown(demonstration, frames, asked, as_expected=asked.values == (new,), verdict=verdict)


def show_never_said(demonstration: Demonstration) -> CaseShown:
    """Ask for something that nobody said."""
    demonstration.plant()
    frames = demonstration.frames()
    asked = demonstration.ask_never_said()
    invented = asked.answered or bool(asked.values)
    verdict = "It answers with something it was never told." if invented else "Nothing is made up: it does not know."
    return _shown(demonstration, frames, asked, as_expected=not invented and not asked.in_context, verdict=verdict)


def show_member_only(demonstration: Demonstration) -> CaseShown:
    """Let a member work, and look whether the leader's next prompt holds any message of its work."""
    heard = list_member_messages(demonstration.say(MEMBERS_TASK))
    frames = demonstration.frames()
    asked = demonstration.repeat_that()
    given = {message.message_id for message in given_history(asked.run)}
    leaked = [message for message in heard if message.message_id in given]
    verdict = (
        f"{len(leaked)} of the member's {len(heard)} messages reached the leader's prompt."
        if leaked
        else f"None of the member's {len(heard)} messages was in the leader's next prompt: only the result it handed over."
    )
    return _shown(
        demonstration,
        frames,
        asked,
        as_expected=bool(heard) and not leaked,
        verdict=verdict,
        details=tuple(_in_a_line(message) for message in heard),
    )


def show_stopped(demonstration: Demonstration) -> CaseShown:
    """Plant a fact in a run that is stopped, and ask."""
    run = demonstration.plant_and_stop()
    frames = demonstration.frames()
    asked = demonstration.ask_in_fork()
    if run.status is not RunStatus.STOPPED:
        return _shown(
            demonstration, frames, asked, as_expected=False, verdict="The run was over before it was stopped."
        )
    forgotten = not asked.in_context and not asked.answered
    verdict = (
        "Not remembered: of a stopped run neither question nor answer is given again."
        if forgotten
        else "The stopped run was remembered."
    )
    return _shown(demonstration, frames, asked, as_expected=forgotten, verdict=verdict)


def show_repeat(demonstration: Demonstration) -> CaseShown:
    """Ask something that is delegated, then say "repeat that": no member may be asked again."""
    first = demonstration.say(DELEGATED)
    frames = demonstration.frames()
    asked = demonstration.repeat_that()
    verdict = f"{count_delegations(first)} delegations the first time, {asked.delegations} now: " + (
        "the answer came from history." if not asked.delegations else "the members were asked again."
    )
    return _shown(demonstration, frames, asked, as_expected=not asked.delegations, verdict=verdict)


CASES = (
    Case(
        name="updated",
        title="An updated fact",
        sentence="Old and new value are both planted. Which one is answered?",
        show=show_updated,
    ),
    Case(
        name="never_said",
        title="Something never said",
        sentence="It should say that it does not know.",
        show=show_never_said,
    ),
    Case(
        name="member_only",
        title="What only a member heard",
        sentence="A member's own messages never enter the leader's prompt.",
        show=show_member_only,
    ),
    Case(
        name="stopped",
        title="A fact in a stopped run",
        sentence="The run is stored, and not remembered.",
        show=show_stopped,
    ),
    Case(
        name="repeat",
        title="“Repeat that”",
        sentence="The last answer again, from history: delegations must be zero.",
        show=show_repeat,
    ),
)


def other_value(fact: Fact) -> str:
    """Return another value for the same thing."""
    return "fish" if fact.value != "fish" else "bird"


def list_member_messages(run: RunRecord) -> tuple[MessageRecord, ...]:
    """Return what the members of a run were told, called, heard from tools and said; not their instructions."""
    return tuple(
        message
        for member_run in run.member_runs
        for part in member_run.walk()
        for message in part.messages
        if message.role != "system" and not message.from_history
    )


def _in_a_line(message: MessageRecord) -> str:
    calls = (f"{request.tool_name}({request.arguments})" for request in message.tool_requests)
    return f"{message.role}: {' '.join([message.content, *calls]).strip()}"


def _shown(
    demonstration: Demonstration,
    frames: tuple[Frame, ...],
    asked: Asked,
    *,
    as_expected: bool,
    verdict: str,
    details: tuple[str, ...] = (),
) -> CaseShown:
    if asked.run.status is not RunStatus.COMPLETED:
        as_expected, verdict = False, f"The question was not answered: {asked.run.error or asked.run.status}."
    return CaseShown(
        frames=frames,
        fact=demonstration.fact,
        question=asked.run.question,
        run=asked.run,
        as_expected=as_expected and asked.as_predicted,
        verdict=verdict if asked.as_predicted else f"{verdict} ALARM: it was given something else than predicted.",
        details=details,
    )
