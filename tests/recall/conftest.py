"""Keeps Agno's log quiet: random settings make it warn thousands of times."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _quiet_agno() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("agno", "agno-team", "agno-workflow")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    yield
    for logger, was in zip(loggers, before, strict=True):
        logger.disabled = was
