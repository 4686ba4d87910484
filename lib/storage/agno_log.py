"""Agno kept quiet: no telemetry, and its log lines through the app's own logger, without what people and models wrote."""

from __future__ import annotations

import logging
import os
import re

from agno.utils.log import configure_agno_logging

AGNO_LOGGER = "roundtable.agno"

_WHERE_VALUES_BEGIN = re.compile(r"[:\"'`{\[(=\n]|\s[-–]\s")
_LONGEST_HEAD = 80


class _HeadOnly(logging.Filter):
    """Keeps the beginning of Agno's sentences: what follows are error texts, arguments, SQL, chat."""

    def filter(self, record: logging.LogRecord) -> bool:
        head = _WHERE_VALUES_BEGIN.split(record.getMessage(), maxsplit=1)[0].strip()
        record.msg = f"Agno: {head[:_LONGEST_HEAD] or 'a message without words'}"
        record.args = ()
        if record.exc_info and record.exc_info[0] is not None:
            record.msg += f" ({record.exc_info[0].__name__})"
        record.exc_info = record.exc_text = None
        return True


_filter = _HeadOnly()


def quieten_agno() -> None:
    """Turn Agno's telemetry off and lead its log lines through `roundtable.agno`; safe to repeat."""
    os.environ["AGNO_TELEMETRY"] = "false"
    logger = logging.getLogger(AGNO_LOGGER)
    logger.addFilter(_filter)  # adding it twice adds it once
    configure_agno_logging(
        custom_default_logger=logger,
        custom_agent_logger=logger,
        custom_team_logger=logger,
        custom_workflow_logger=logger,
    )
