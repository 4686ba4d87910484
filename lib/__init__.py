"""Roundtable's library: the front door, and the map of the layers.

A module imports only from lines below its own, never sideways between parts (tests/test_architecture.py keeps it):

    app.py, command lines (lib.demo, lib.replay, lib.recall, lib.sessions)
    pages
    lib.ui                            the only part that knows Streamlit
    lib.recall.lab                    experiments on recall, run through the engine
    lib.roundtable                    puts the parts together: open_roundtable()
    lib.runs                          the run engine: start, watch, stop
    lib.teams, lib.models             the catalogue of teams; the model a setting names
    lib.storage                       engine, safe adapters, session store; the only part that knows SQLAlchemy
    lib.replay, lib.recall, lib.settings    pure reading of records; Agno's history rules; one typed Settings
    lib.events                        what happens in a run
    lib.records, lib.errors           the values that are shown, and what can go wrong
    lib.terminal                      what the command lines share

Agno is known from lib.storage up to lib.runs only. Importing `lib` imports none of the above: the names below are loaded
when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
"""Stored with every run; see CHANGELOG.md."""

_HOME = {
    "Settings": "lib.settings",
    "load_settings": "lib.settings",
    "Roundtable": "lib.roundtable",
    "open_roundtable": "lib.roundtable",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - sorted() gives the list that is meant


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
