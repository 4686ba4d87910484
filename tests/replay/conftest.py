"""Fixtures of the replay's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replay.plain_agno import PlainAgno


@pytest.fixture
def agno(tmp_path: Path) -> Iterator[PlainAgno]:
    """Plain Agno over a file of its own."""
    plain = PlainAgno(tmp_path / "agno.db")
    yield plain
    plain.close()
