"""Agno's stored rows -> records: any session that Agno 2.x and 3.x wrote, without loss, and without ever raising."""

from lib.storage.reading.events import get_run_data, to_run_events
from lib.storage.reading.runs import (
    INTERRUPTED,
    to_question,
    to_run_record,
    to_run_records,
    to_run_records_of_columns,
)

__all__ = [
    "INTERRUPTED",
    "get_run_data",
    "to_question",
    "to_run_events",
    "to_run_record",
    "to_run_records",
    "to_run_records_of_columns",
]
