"""What all browser tabs of one process share: settings, database, catalogue, engine."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import streamlit as st

from lib.settings import Settings, load_settings

if TYPE_CHECKING:
    from lib.roundtable import Roundtable


@st.cache_resource(show_spinner=False)
def shared_settings() -> Settings:
    """Return the settings, read once a process. Raises SettingsError, and tries again on the next page."""
    return load_settings()


@st.cache_resource(show_spinner="Opening Roundtable")
def shared_roundtable() -> Roundtable:
    """Return the one Roundtable of this process. Raises what opening it raises, and tries again on the next page."""
    # Agno takes seconds to import: here, the first visitor sees what is being waited for.
    from lib.roundtable import open_roundtable

    roundtable = open_roundtable(shared_settings())
    # Streamlit may collect garbage after every script run, under the interpreter's lock: keep what was imported out of it.
    gc.collect()
    gc.freeze()
    return roundtable
