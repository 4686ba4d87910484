"""What all browser tabs of one process share: settings, database, catalogue, engine."""

from __future__ import annotations

import gc

import streamlit as st

from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings, load_settings


@st.cache_resource(show_spinner=False)
def shared_settings() -> Settings:
    """Return the settings, read once a process. Raises SettingsError, and tries again on the next page."""
    return load_settings()


@st.cache_resource(show_spinner=False)
def shared_roundtable() -> Roundtable:
    """Return the one Roundtable of this process. Raises what opening it raises, and tries again on the next page."""
    roundtable = open_roundtable(shared_settings())
    # Streamlit may collect garbage after every script run, under the interpreter's lock: keep what was imported out of it.
    gc.collect()
    gc.freeze()
    return roundtable
