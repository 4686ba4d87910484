"""A hand-over: what the leader knew when it delegated, what the member was told, and what it lacked."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lib.records import MessageRecord
from lib.replay.delegations import HandOver
from lib.ui.replay.texts import draw_text, line
from lib.ui.words import count_in_words

MOST = 40
MOST_MESSAGES = 30


def draw_hand_overs(hand_overs: Sequence[HandOver]) -> None:
    """Draw the hand-overs of a run, one at a time."""

    def label(place: int) -> str:
        delegation = hand_overs[place].delegation
        name = (delegation.run.component_name if delegation.run else "") or delegation.member_id
        return f"{place + 1}. {name}: {' '.join(delegation.task.split())[:60]}"

    chosen = st.selectbox(
        "Hand-over", range(len(hand_overs)), key=f"hand_over_{len(hand_overs)}", format_func=label, width=420
    )
    hand_over = hand_overs[chosen or 0]
    knew, told, lacked = st.columns(3, gap="medium")
    with knew:
        _draw_messages("The leader knew", hand_over.leader_knew, "knew", "No request of the leader's is stored.")
    with told:
        _draw_messages("The member was told", hand_over.member_was_told, "told", "Only the task is stored.")
        if not hand_over.member_was_told:
            draw_text(hand_over.delegation.task, f"task_{chosen}")
    with lacked:
        _draw_messages("The member lacked", hand_over.member_lacked, "lacked", "Nothing of what the leader knew.")


def _draw_messages(title: str, messages: Sequence[MessageRecord], key: str, empty: str) -> None:
    st.markdown(f"##### {title} :gray[· {count_in_words(len(messages), 'message')}]")
    if not messages:
        st.caption(empty)
    for place, message in enumerate(messages[-MOST_MESSAGES:]):
        said = message.content.strip() or "asks for " + ", ".join(asked.tool_name for asked in message.tool_requests)
        with st.expander(
            f"**{line(message.role, 20)}** {line(said.partition(chr(10))[0], 80)}",
            key=f"{key}_{place}_{message.message_id}",
            type="compact",
            on_change="rerun",
        ) as body:
            if body.open:
                draw_text(said, f"{key}_{place}_{message.message_id}")
    if len(messages) > MOST_MESSAGES:
        st.caption(f"The last {MOST_MESSAGES} of {len(messages)} messages.")
