"""The delegation view: who asked whom, as a sequence and as a table."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from lib.replay.delegations import Delegation
from lib.replay.sequence import SequenceDiagram
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.texts import draw_table, line
from lib.ui.words import count_in_words, seconds_in_words

MOST_ARROWS = 60
TALL = 16
"""Arrows from which on the names stand below the diagram too."""
TEXT_LENGTH = 48
"""Characters of what an arrow says, on two lines: the table has all of it, and the letters stay readable."""
COLUMN_PX = 135
"""Width of one participant on the screen; a diagram of many scrolls sideways, so that it can still be read."""
_LAYOUT = '%%{{init: {{"sequence": {{"wrap": true, "width": 125, "actorMargin": 40, "mirrorActors": {mirror}}}}}}}%%\n'


def draw_delegations(opened: OpenedReplay) -> None:
    """Draw the delegations of the run on screen."""
    run = opened.run
    delegations = opened.replay.delegations(run)
    if not delegations and run.member_runs:
        st.caption("No delegation is stored in this run; the diagram has the runs under it.")
    elif not delegations:
        st.caption("Nobody was asked in this run: the one who was asked answered.")
    sequence = SequenceDiagram(run, opened.replay.events(run.run_id), text_length=TEXT_LENGTH)
    drawn, total = min(sequence.arrows, MOST_ARROWS), sequence.arrows
    if drawn < total:
        st.caption(
            f":material/info: The first {drawn} of {total:,} arrows are drawn. The table and the steps have all."
        )
    diagram = sequence.write(limit=MOST_ARROWS)
    width = COLUMN_PX * (1 + diagram.count("    participant "))
    with st.container(key="sequence_diagram"):
        st.html(f"<style>.st-key-sequence_diagram img {{ width: {width}px; max-width: none; }}</style>")
        st.mermaid_chart(
            _LAYOUT.format(mirror="true" if drawn > TALL else "false") + diagram,
            width="content",
            alt=f"Who asked whom, in order: {count_in_words(len(delegations), 'delegation')}. The table below tells the same.",
        )
    names = {part.component_id: part.component_name for part in run.walk()}
    draw_table([_row(item, names) for item in delegations])


def _row(item: Delegation, names: Mapping[str, str]) -> dict[str, str]:
    used = {True: "used", False: ":orange[not used]", None: "cannot be told"}[item.result_used]
    remarks = [":red[failed]" if item.failed else "", ":orange[the same task again]" if item.repeated else ""]
    total = item.tokens.total
    leader = line(names.get(item.leader_id) or item.leader_id, 30)
    return {
        "Who asked whom": f"{leader} → {line(item.member_name, 30)}",
        "Task": line(item.task, 160),
        "Asked": "once" if item.times_asked == 1 else f"{item.times_asked} times",
        "Cost": " · ".join(
            [
                seconds_in_words(item.duration_s) or "time not stored",
                f"{total:,} tokens" if total is not None else "tokens not reported",
            ]
        ),
        "Result": ", ".join(word for word in (used, *remarks) if word),
    }
