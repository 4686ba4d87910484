"""The answers a reader has had on their screen, noted as read: on the chat page the newest, on the replay page the one shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lib.errors import StorageError
from lib.records import RunRecord

if TYPE_CHECKING:
    from lib.ui.frame import PageFrame


def note_read(page: PageFrame, runs: Iterable[RunRecord]) -> None:
    """Note that the newest of `runs` (oldest first) that has ended is on the reader's screen; asked once a tab and run."""
    ended = [run for run in runs if not run.status.live]
    if not ended or page.tab.read_run_id == ended[-1].run_id:
        return
    try:
        page.roundtable.database.read_marks.note_read(ended[-1].run_id, user_id=page.user_id)
    except StorageError:
        return  # reading goes on; it is noted when the page is drawn again
    page.tab.read_run_id = ended[-1].run_id
