"""What the tests of the pages share: the app, and a way to store beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from lib.roundtable import Roundtable, open_roundtable
from lib.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def roundtable(app_environment: Settings) -> Iterator[Roundtable]:
    """What the test itself asks and stores through, beside the app."""
    st.cache_resource.clear()
    opened = open_roundtable(app_environment)
    yield opened
    opened.close()
    st.cache_resource.clear()


@pytest.fixture
def app(roundtable: Roundtable) -> Iterator[AppTest]:
    """The app's entry point, before its first run."""
    from lib.ui.resources import shared_roundtable

    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    shared_roundtable().close()
