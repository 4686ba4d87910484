"""The sequence diagram tells who asked whom and who answered when: in the order of time, or that it is not stored."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agno.team import Team
from agno.workflow import Parallel, Step, Workflow

from lib.replay.sequence import SequenceDiagram, write_sequence_diagram
from tests.replay.plain_agno import PlainAgno, ask


def run_at_once(agno: PlainAgno, team: Team) -> None:
    """Ask a team whose members work at the same time."""

    async def follow() -> None:
        async for event in team.arun(
            "The question?", stream=True, stream_events=True, session_id="s1", user_id="ann", run_id="r1"
        ):
            agno.events.append(event)

    asyncio.run(follow())


def build_two(agno: PlainAgno, **options: Any) -> Team:
    """Return a team whose leader asks both members in one turn; the second answers sooner."""
    members = [
        agno.build_member("long " * 30, member_id="slow"),
        agno.build_member("short", member_id="fast"),
    ]
    both = ("", [ask("slow", "dig"), ask("fast", "look")])
    return agno.build_team(both, "Done.", members=members, **options)


def arrows(agno: PlainAgno, **options: Any) -> list[str]:
    """Return the lines of the diagram behind the names, with these in place of Mermaid's own."""
    replay = agno.replay()
    (run,) = replay.runs
    diagram = write_sequence_diagram(run, replay.events(run.run_id), **options).splitlines()
    aliases = dict(line.removeprefix("    participant ").split(" as ") for line in diagram if "participant" in line)
    told = []
    for line in diagram:
        if line.startswith("    ") and not line.startswith(("    actor", "    participant")):
            for alias, name in aliases.items():
                line = line.replace(alias, name)
            told.append(line.strip()[:40].strip())
    return told


def test_members_at_work_at_once_are_both_asked_before_the_first_answers(agno: PlainAgno) -> None:
    run_at_once(agno, build_two(agno))
    assert [line.split(": ")[0] for line in arrows(agno)] == [
        "user->>+Desk",
        "Desk->>+Slow",
        "Desk->>+Fast",
        "Fast-->>-Desk",
        "Slow-->>-Desk",
        "Desk-->>-user",
    ]


def test_members_at_work_one_by_one_are_drawn_so(agno: PlainAgno) -> None:
    agno.run(build_two(agno))
    told = [line.split(": ")[0] for line in arrows(agno)]
    assert told[1:5] == ["Desk->>+Slow", "Slow-->>-Desk", "Desk->>+Fast", "Fast-->>-Desk"]


def test_an_order_that_is_not_stored_is_said_to_be_unknown(agno: PlainAgno) -> None:
    run_at_once(agno, build_two(agno, store_events=False))
    told = [line.split(": ")[0] for line in arrows(agno)]
    assert told == [
        "user->>+Desk",
        "par the order is not stored",
        "Desk->>+Slow",
        "Slow-->>-Desk",
        "and the order is not stored",
        "Desk->>+Fast",
        "Fast-->>-Desk",
        "end",
        "Desk-->>-user",
    ]


def test_turns_follow_each_other_without_events_too(agno: PlainAgno) -> None:
    member = agno.build_member("one", "two")
    agno.run(
        agno.build_team(
            ("", [ask("m", "first")]), ("", [ask("m", "second")]), "Done.", members=[member], store_events=False
        )
    )
    assert arrows(agno)[1:5] == ["Desk->>+M: first", "M-->>-Desk: one", "Desk->>+M: second", "M-->>-Desk: two"]


def test_times_that_lie_apart_tell_the_order(agno: PlainAgno) -> None:
    run_at_once(agno, build_two(agno, store_events=False))
    rows = agno.rows()
    for row in rows:
        if row["agent_id"] == "slow":
            row["run_data"]["created_at"] = row["created_at"] = row["created_at"] + 10
    replay = agno.replay()
    replay = type(replay)(type(replay.session)(row=replay.session.row, run_rows=rows))
    diagram = write_sequence_diagram(replay.runs[0], replay.events("r1"))
    assert "par " not in diagram
    assert diagram.index(": look") < diagram.index(": dig")


def test_a_cut_diagram_closes_what_is_open(agno: PlainAgno) -> None:
    run_at_once(agno, build_two(agno, store_events=False))
    replay = agno.replay()
    diagram = SequenceDiagram(replay.runs[0])
    assert diagram.arrows == 6
    assert diagram.write(limit=2).splitlines()[-1] == "    end"
    assert "Fast" not in diagram.write(limit=2)
    assert diagram.write(limit=6) == diagram.write()


def test_a_delegation_that_agno_refused_has_no_answer_of_a_member(agno: PlainAgno) -> None:
    agno.run(agno.build_team(("", [ask("ghost", "haunt")]), "Done."))
    told = arrows(agno)
    assert told[1] == "Desk-xghost: haunt"
    assert told[2].startswith("Note over Desk,ghost: Member")
    (run,) = agno.replay().runs
    assert " as ghost" in write_sequence_diagram(run, limit=60)


@pytest.mark.parametrize("stored_events", [True, False])
def test_the_steps_of_a_workflow_are_drawn(agno: PlainAgno, stored_events: bool) -> None:
    def step(name: str) -> Any:  # Agno's own type of what stands in `Parallel` leaves steps out
        return Step(name=name, agent=agno.build_member(name, member_id=name))

    team = agno.build_team(("", [ask("m", "look")]), "Team done.", id="team", name="Team")
    flow = Workflow(
        id="flow",
        name="Flow",
        db=agno.db,
        store_events=stored_events,
        telemetry=False,
        steps=[step("a"), Parallel(step("b"), step("c"), name="both"), Step(name="t", team=team)],
    )
    for _ in flow.run("The question?", session_id="s1", user_id="ann", stream=True, stream_events=True):
        pass
    told = [line.split(": ")[0] for line in arrows(agno)]
    assert told[:3] == ["user->>+Flow", "Flow->>+A", "A-->>-Flow"]
    assert told[-5:] == ["Flow->>+Team", "Team->>+M", "M-->>-Team", "Team-->>-Flow", "Flow-->>-user"]
    between = told[3:-5]
    assert {"Flow->>+B", "B-->>-Flow", "Flow->>+C", "C-->>-Flow"} <= set(between)
    assert ("par the order is not stored" in between) is not stored_events
