"""The proof on the command line: what one process stored, another one recalls.

    python -m lib.demo                 all of it, each step in a process of its own; exit status 0 when every step held
    python -m lib.demo set             tell the team a secret word
    python -m lib.demo recall          ask for it again, in this new process
    python -m lib.demo delegate        a question for two members, then `repeat` and `show` in new processes
    python -m lib.demo repeat          "repeat that": the answer again, without asking any member
    python -m lib.demo show            the session's chat history, every stored message, and its events counted by kind

The steps use the settings of the environment and one session (`--session`). Without DATABASE_URL the whole proof runs on
SQLite in a temporary folder and, where MariaDB's server program is installed, on a throwaway MariaDB as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from lib.errors import RoundtableError, SessionNotFound
from lib.records import DelegationSegment, MessageRecord, RunRecord, RunStatus, SavedState, ToolCallRecord, ToolSegment
from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings, load_settings
from lib.terminal import read_arguments

TEAM = "market-desk"
SECRET = "bird"
TELL = f"Remember: the secret word is {SECRET}"
ASK = "What is the secret word?"
TWO_MEMBERS = "What is the weather in Paris and the price of ACME?"
REPEAT = "repeat that"

WAIT_S = 120.0
INDENT = " " * 4


class Proof(NamedTuple):
    """What a step was to show, and whether it held."""

    claim: str
    held: bool


class Demo:
    """One session on the command line: asks, reads back what is stored, prints it."""

    def __init__(self, roundtable: Roundtable, *, session_id: str) -> None:
        self.roundtable = roundtable
        self.session_id = session_id
        self.user_id = roundtable.settings.local_user

    def ask(self, question: str, *, session_id: str | None = None) -> RunRecord:
        """Work a question to its end, and return the run as it was then read back from the database."""
        print(f"{INDENT}you:  {question}")
        handle = self.roundtable.engine.start(
            question, user_id=self.user_id, team=TEAM, session_id=session_id or self.session_id
        )
        ended = handle.wait(WAIT_S)
        if ended.saved is not SavedState.STORED:
            print(f"{INDENT}not stored: {ended.status} ({ended.error or ended.saved})")
            return ended
        stored = self.roundtable.store.get_run(handle.run_id, user_id=self.user_id)
        print(_in_full(f"{INDENT}team: ", stored.answer or stored.error or stored.status))
        return stored

    def runs(self) -> tuple[RunRecord, ...]:
        """Return every run of the session, oldest first; none where there is no such session yet."""
        found: tuple[RunRecord, ...] = ()
        before: str | None = None
        while True:
            try:
                page = self.roundtable.store.list_runs(self.session_id, user_id=self.user_id, before=before)
            except SessionNotFound:
                return ()
            found = (*page.items, *found)
            if page.next_cursor is None:
                return found
            before = page.next_cursor


def tell(demo: Demo) -> Iterator[Proof]:
    """Store the secret word."""
    run = demo.ask(TELL)
    yield Proof("the question and the answer are stored", _is_answered(run) and run.saved is SavedState.STORED)


def recall(demo: Demo) -> Iterator[Proof]:
    """Ask for the secret word, here and, for comparison, where it was never told."""
    run = demo.ask(ASK)
    yield Proof(f"the answer holds {SECRET!r}", _is_answered(run) and SECRET in run.answer.casefold())
    stranger = f"{demo.session_id}-{uuid4().hex[:8]}"
    other = demo.ask(ASK, session_id=stranger)
    yield Proof("a session that was never told does not know it", SECRET not in other.answer.casefold())
    demo.roundtable.store.delete_session(stranger, user_id=demo.user_id)


def delegate(demo: Demo) -> Iterator[Proof]:
    """Phase 1: a question for two members, each with its tools."""
    run = demo.ask(TWO_MEMBERS)
    for delegation in _delegations(run):
        tools = ", ".join(f"{call.tool_name}({_arguments(call)})" for call in _tool_calls(delegation)) or "no tool"
        print(f"{INDENT}      {delegation.member_id}: {tools}")
    for member_id in ("weather", "finance"):
        calls = [call for each in _delegations(run) if each.member_id == member_id for call in _tool_calls(each)]
        worked = any(call.result and not call.failed for call in calls)
        yield Proof(f"the leader asked {member_id!r}, whose tools answered", _is_answered(run) and worked)


def repeat(demo: Demo) -> Iterator[Proof]:
    """Phase 2, in a new process: the answer again, and no member asked."""
    before = demo.runs()
    run = demo.ask(REPEAT)
    asked = len(_delegations(run))
    yield Proof(f"it delegates zero times (it delegated {asked} times)", _is_answered(run) and asked == 0)
    answer = before[-1].answer if before else ""
    yield Proof("the answer is the one before", bool(answer) and answer.strip() in run.answer)


def show(demo: Demo) -> Iterator[Proof]:
    """Print the session as it is stored."""
    runs = demo.runs()
    print(f"\n{INDENT}Chat history of session {demo.session_id}")
    for run in runs:
        print(_in_full(f"{INDENT}  you:  ", run.question))
        print(_in_full(f"{INDENT}  team: ", run.answer or run.error or run.status))
    print(f"\n{INDENT}Full messages")
    for run in runs:
        _show_messages(run)
    print(f"\n{INDENT}Events by kind")
    total: Counter[str] = Counter()
    for run in runs:
        total += _count_events(demo, run)
    for kind, count in sorted(total.items()):
        print(f"{INDENT}  {count:4}  {kind}")
    everything = [message for run in runs for part in run.walk() for message in part.messages]
    roles = Counter(message.role for message in everything)
    print(f"{INDENT}  {sum(total.values()):4}  events, {len(everything)} messages ({_counted(roles)})")
    yield Proof("the session has runs with questions and answers", any(map(_is_answered, runs)))
    asked = [delegation for run in runs for delegation in _delegations(run)]
    told = [each for each in asked if each.run and any(message.role == "tool" for message in each.run.messages)]
    yield Proof(
        f"each of {len(asked)} delegations has its member's messages, tool messages too", len(told) == len(asked)
    )
    yield Proof("the events are stored", bool(total))


STEPS: dict[str, Callable[[Demo], Iterator[Proof]]] = {
    "set": tell,
    "recall": recall,
    "delegate": delegate,
    "repeat": repeat,
    "show": show,
}
FOLLOWED_BY = {"delegate": ("repeat", "show")}
"""Steps that go on in new processes."""


def run_step(step: str, *, session_id: str, settings: Settings) -> bool:
    """Run one step in this process and return whether everything it was to show held."""
    roundtable = open_roundtable(settings)
    try:
        print(f"\n  {step} · process {os.getpid()} · {roundtable.database.address}")
        proofs = list(STEPS[step](Demo(roundtable, session_id=session_id)))
    finally:
        roundtable.close()
    for proof in proofs:
        print(f"{INDENT}{'held    ' if proof.held else 'NOT HELD'}  {proof.claim}")
    return all(proof.held for proof in proofs)


def run_in_new_process(step: str, *, session_id: str, environment: dict[str, str] | None = None) -> bool:
    """Run a step, and those that follow it, in a process of its own."""
    sys.stdout.flush()
    command = [sys.executable, "-m", "lib.demo", step, "--session", session_id]
    home = Path(__file__).resolve().parent.parent
    return subprocess.run(command, cwd=home, env={**os.environ, **(environment or {})}, check=False).returncode == 0


def run_all(*, session_id: str, settings: Settings) -> bool:
    """Run the whole proof on the database of the settings, or else on throwaway ones, and return whether all held."""
    held = True
    with _databases(settings) as environments:
        for environment in environments:
            results = [
                run_in_new_process(step, session_id=session_id, environment=environment)
                for step in ("set", "recall", "delegate")
            ]
            held = held and all(results)
    print(f"\n{'Everything held.' if held else 'Not everything held: see NOT HELD above.'}")
    return held


@contextmanager
def _databases(settings: Settings) -> Iterator[list[dict[str, str]]]:
    """Give the environments to run in: that of the settings, or throwaway SQLite and MariaDB where none is set."""
    if "database_url" in settings.model_fields_set:
        yield [{}]
        return
    with tempfile.TemporaryDirectory(prefix="roundtable-demo-") as folder:
        folders = {"MEDIA_DIR": f"{folder}/media", "OUTBOX_DIR": f"{folder}/outbox"}
        environments = [{**folders, "DATABASE_URL": f"sqlite:///{folder}/demo.db"}]
        with _throwaway_mariadb() as url:
            yield environments if url is None else [*environments, {**folders, "DATABASE_URL": url}]


@contextmanager
def _throwaway_mariadb() -> Iterator[str | None]:
    """Start a MariaDB of our own, or give None where its server program is not installed."""
    if shutil.which("mariadbd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin") is None:
        print("\n  MariaDB's server program is not installed (Debian: mariadb-server): SQLite only.")
        yield None
        return
    from tests.services.mariadb import MariaDBServer

    server = MariaDBServer()
    try:
        server.start()
        yield server.url(server.create_database())
    finally:
        server.close()


def _is_answered(run: RunRecord) -> bool:
    return run.status is RunStatus.COMPLETED and bool(run.answer.strip())


def _delegations(run: RunRecord) -> list[DelegationSegment]:
    return [segment for segment in run.segments if isinstance(segment, DelegationSegment)]


def _tool_calls(delegation: DelegationSegment) -> list[ToolCallRecord]:
    segments = delegation.run.segments if delegation.run else ()
    return [segment.call for segment in segments if isinstance(segment, ToolSegment)]


def _arguments(call: ToolCallRecord) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())


def _count_events(demo: Demo, run: RunRecord) -> Counter[str]:
    row = demo.roundtable.store.get_run_row(run.run_id, user_id=demo.user_id)
    return Counter(str(event.get("event")) for event in row["run_data"].get("events") or ())


def _counted(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def _show_messages(run: RunRecord, depth: int = 1) -> None:
    margin = INDENT + "  " * depth
    print(f"{margin}{run.component_name} · run {run.run_id} · {run.status}")
    for message in run.messages:
        print(_in_full(f"{margin}  {_label(message):20} ", _said(message)))
    for member_run in run.member_runs:
        _show_messages(member_run, depth + 1)


def _label(message: MessageRecord) -> str:
    return f"{message.role}{' (history)' if message.from_history else ''}"


def _said(message: MessageRecord) -> str:
    requests = [f"{request.tool_name}({request.arguments})" for request in message.tool_requests]
    return "\n".join(part for part in (message.content, *requests) if part)


def _in_full(before: str, text: str) -> str:
    return before + text.strip().replace("\n", "\n" + " " * len(before))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof; the exit status is 0 when it held, 1 when it did not, 2 when it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m lib.demo", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("step", nargs="?", choices=(*STEPS, "all"), default="all", help="which step (default: all)")
    parser.add_argument("--session", "--session-id", dest="session_id", help="the session to use")
    chosen = read_arguments(parser, arguments)
    try:
        settings = load_settings()
        if chosen.step == "all":
            return 0 if run_all(session_id=chosen.session_id or f"demo-{uuid4().hex[:8]}", settings=settings) else 1
        session_id = chosen.session_id or "demo"
        held = run_step(chosen.step, session_id=session_id, settings=settings)
    except RoundtableError as error:
        print(f"{error}", file=sys.stderr)
        return 2
    following = FOLLOWED_BY.get(chosen.step, ())
    results = [run_in_new_process(step, session_id=session_id) for step in following]
    return 0 if held and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
