"""A workflow's session as plain Agno stores it; beside it `workflow-*.json`, the rows that one version wrote.

    python -m tests.data.stored_sessions.make_workflow FILE.db
    python -m tests.data.stored_sessions.make_session dump FILE.db

The steps: an agent, then an agent and a plain function side by side, then a team that asks a member.
"""

import sys
from typing import Any

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.team import Team
from agno.workflow import Parallel, Step, Workflow
from agno.workflow.types import StepInput, StepOutput

from tests.data.stored_sessions.make_session import FixedModel, get_price, get_weather, known


def count_words(step_input: StepInput) -> StepOutput:
    """Count the words of what came before."""
    return StepOutput(content=f"{len(str(step_input.previous_step_content).split())} words")


def build(db):
    """Return the workflow."""
    weather = Agent(id="weather", name="Weather", model=FixedModel(), tools=[get_weather])
    finance = Agent(id="finance", name="Finance", model=FixedModel(), tools=[get_price])
    member = Agent(id="weather", name="Weather", model=FixedModel(), tools=[get_weather])
    options = known(Team.__init__, store_member_responses=True, store_events=True, telemetry=False)
    desk = Team(id="desk", name="Desk", model=FixedModel(), members=[member], **options)
    computing: Any = count_words  # Agno's types ask for more than its documentation
    price: Any = Step(name="price", agent=finance)
    count: Any = Step(name="count", executor=computing)
    steps: list[Any] = [
        Step(name="look", agent=weather),
        Parallel(price, count, name="both"),
        Step(name="ask the desk", team=desk),
    ]
    return Workflow(
        id="flow",
        name="Flow",
        db=db,
        steps=steps,
        **known(Workflow.__init__, store_events=True, telemetry=False),
    )


def main(path):
    """Fill a new database: one run that streams, one that does not."""
    workflow = build(SqliteDb(db_file=path))
    ids = {"session_id": "s1", "user_id": "ann"}
    streaming = known(Workflow.run, stream_events=True, stream_intermediate_steps=True)
    for _ in workflow.run("weather please", stream=True, **(streaming or {"stream_intermediate_steps": True}), **ids):
        pass
    workflow.run("weather again", **ids)


if __name__ == "__main__":
    main(sys.argv[1])
