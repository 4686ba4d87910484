"""Asks a question in a process of its own: `python -m tests.runs.other_process '{"session_id": ..., "seconds": 2}'`."""

from __future__ import annotations

import json
import sys

from lib.events import TextAdded
from lib.settings import load_settings
from lib.storage import open_database
from tests.runs.scripted import build_desk, build_engine, say


def main() -> None:
    """Say "answering" when the answer has begun, and end with the run."""
    what = json.loads(sys.argv[1])
    settings = load_settings()
    database = open_database(settings)
    engine = build_engine(database, settings, build_desk(say("First words.", float(what["seconds"]), "Last words.")))
    handle = engine.start(
        "Asked elsewhere?", user_id="ada", team="desk", session_id=what["session_id"], run_id=what["run_id"]
    )
    words = (event for event in handle.events() if isinstance(event, TextAdded))
    next(words)
    next(words)
    sys.stdout.write("answering\n")
    sys.stdout.flush()
    handle.wait(60)
    engine.close()
    database.close()


if __name__ == "__main__":
    main()
