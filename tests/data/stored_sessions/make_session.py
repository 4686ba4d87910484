"""A session as plain Agno stores it, made with whatever version of Agno is installed: no part of this app is used.

    python make_session.py FILE.db

Each `agno-*.json` beside this script holds the rows that one version wrote (`dump` below). To make one again: a virtual
environment with `agno==VERSION 'sqlalchemy[asyncio]<2.1'`, then this script.
"""

import asyncio
import inspect
import json
import os
import sqlite3
import sys
from dataclasses import dataclass

os.environ["AGNO_TELEMETRY"] = "false"

from agno.agent import Agent
from agno.db.sqlite import SqliteDb
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.team import Team


@dataclass
class FixedModel(Model):
    """Decides from the words of the newest user message."""

    id: str = "fixed"
    name: str = "Fixed"
    provider: str = "Fixed"
    task_name: str = "task"

    def decide(self, messages, tools):
        place = max(i for i, m in enumerate(messages) if m.role == "user")
        asked = str(messages[place].content)
        results = [str(m.content) for m in messages[place + 1 :] if m.role == "tool"]
        names = {tool["function"]["name"] for tool in tools or []}
        if results:
            return "Answer: " + " ".join(results), []
        if "delegate_task_to_member" in names:
            calls = []
            for member_id, task in (
                ("weather", "weather in Paris"),
                ("finance", "price of ACME"),
                ("sub", "weather in Rome"),
            ):
                if member_id in asked:
                    arguments = {"member_id": member_id, self.task_name: task}
                    if self.task_name == "task_description":
                        arguments["expected_output"] = "one sentence"
                    calls.append(("delegate_task_to_member", arguments))
            return ("Let me ask. " if calls else "Hello to you. "), calls
        for name, arguments in (("get_weather", {"city": "Paris"}), ("get_price", {"ticker": "ACME"})):
            if name in names:
                return "", [(name, arguments)]
        return "Done. ", []

    def both(self, kwargs):
        text, calls = self.decide(kwargs["messages"], kwargs.get("tools"))
        requests = [
            {
                "id": f"call-{id(self)}-{len(kwargs['messages'])}-{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(calls)
        ]
        return text, requests

    def invoke(self, *args, **kwargs):
        text, calls = self.both(kwargs)
        return ModelResponse(role="assistant", content=text or None, tool_calls=calls)

    async def ainvoke(self, *args, **kwargs):
        return self.invoke(*args, **kwargs)

    def invoke_stream(self, *args, **kwargs):
        text, calls = self.both(kwargs)
        for word in text.split():
            yield ModelResponse(role="assistant", content=word + " ")
        if calls:
            yield ModelResponse(role="assistant", tool_calls=calls)

    async def ainvoke_stream(self, *args, **kwargs):
        for response in self.invoke_stream(*args, **kwargs):
            await asyncio.sleep(0)
            yield response

    def _parse_provider_response(self, response, **kwargs):
        return response

    def _parse_provider_response_delta(self, response):
        return response

    parse_provider_response = _parse_provider_response
    parse_provider_response_delta = _parse_provider_response_delta


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def get_price(ticker: str) -> str:
    """Price of a share."""
    return f"42 for {ticker}"


def known(callee, **options):
    """Keep the options that this version of Agno takes."""
    return {name: value for name, value in options.items() if name in inspect.signature(callee).parameters}


def build(db, task_name):
    """Return a team of two members and a nested team."""
    weather = Agent(id="weather", name="Weather", model=FixedModel(), tools=[get_weather])
    finance = Agent(id="finance", name="Finance", model=FixedModel(), tools=[get_price])
    deep = Agent(id="weather", name="Weather", model=FixedModel(), tools=[get_weather])
    nested = Team(id="sub", name="Sub", model=FixedModel(task_name=task_name), members=[deep])
    options = known(
        Team.__init__, store_member_responses=True, store_history_messages=True, store_events=True, telemetry=False
    )
    return Team(
        id="desk",
        name="Desk",
        model=FixedModel(task_name=task_name),
        members=[weather, finance, nested],
        db=db,
        add_history_to_context=True,
        num_history_runs=2,
        **options,
    )


def main(path, task_name):
    """Fill a new database."""
    team = build(SqliteDb(db_file=path), task_name)
    run_options = set(inspect.signature(Team.run).parameters) | set(
        inspect.signature(getattr(Team, "_run", Team.run)).parameters
    )
    streaming = {"stream_events": True} if "stream_events" in run_options else {"stream_intermediate_steps": True}
    ids = {"session_id": "s1", "user_id": "ann"}
    for question in ("hello", "weather please", "weather and finance please", "sub please"):
        for _ in team.run(question, stream=True, **streaming, **ids):
            pass

    async def ask():
        async for _ in team.arun("weather and finance again", stream=True, **streaming, **ids):
            pass

    if task_name == "task":  # 2.0's asynchronous delegation takes other arguments
        asyncio.run(ask())
    team.run("finance please", **ids)


def dump(path):
    """Print the rows as JSON, columns as they are stored."""
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {
            name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")]
            for name in ("agno_sessions", "agno_runs")
            if name in names
        }
    print(json.dumps(tables))


if __name__ == "__main__":
    if sys.argv[1] == "dump":
        dump(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "task")
