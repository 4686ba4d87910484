"""Which view draws what."""

from __future__ import annotations

from lib.ui.replay.comparison import draw_comparison
from lib.ui.replay.context import draw_context
from lib.ui.replay.conversation import draw_conversation
from lib.ui.replay.delegation import draw_delegations
from lib.ui.replay.findings import draw_findings
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import View
from lib.ui.replay.raw import draw_raw
from lib.ui.replay.steps import draw_steps
from lib.ui.replay.timeline import draw_timeline

_VIEWS = {
    View.CONVERSATION: draw_conversation,
    View.STEPS: draw_steps,
    View.TIMELINE: draw_timeline,
    View.DELEGATION: draw_delegations,
    View.CONTEXT: draw_context,
    View.RAW: draw_raw,
    View.FINDINGS: draw_findings,
    View.COMPARE: draw_comparison,
}


def draw_view(opened: OpenedReplay) -> None:
    """Draw the view that is open."""
    _VIEWS[opened.place.view](opened)
