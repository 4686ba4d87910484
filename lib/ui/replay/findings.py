"""The findings view: what an engineer should know about the session, each with its evidence and the run to look at."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from lib.replay.findings import Finding, FindingKind
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import View, open_run
from lib.ui.replay.texts import draw_text
from lib.ui.words import count_in_words

MOST = 40
TITLES: Mapping[FindingKind, str] = MappingProxyType(
    {
        FindingKind.FOREIGN_USER: "A run of another user is in this session",
        FindingKind.FOREIGN_AGENT: "A run of another team or agent is in this session",
        FindingKind.DUPLICATE_ORDER: "The place of a run in the session is missing or taken twice",
        FindingKind.ORPHAN_MEMBER_RUN: "A member's run without its leader's run",
        FindingKind.HIDDEN_MEMBER_FAILURE: "A member failed, and the run says completed",
        FindingKind.REPEATED_DELEGATION: "The same task was given twice",
        FindingKind.NEEDLESS_DELEGATION: "Delegated, though the answer was in the history",
        FindingKind.IGNORED_MEMBER_RESULT: "The answer uses nothing of a member's result",
        FindingKind.FORGOTTEN_QUESTION: "A stopped question is forgotten",
        FindingKind.OVERWRITTEN_TITLE: "Title or state was overwritten",
        FindingKind.ORDER_DISAGREES: "The stored order is not the order in time",
        FindingKind.EVENTS_DISAGREE: "Events and messages disagree",
    }
)


def draw_findings(opened: OpenedReplay) -> None:
    """Draw the findings of the whole session."""
    found, everything = _find(opened)
    if not everything:
        st.caption(
            f":material/info: Looked through the columns of all {len(opened.heads):,} runs and through all that is stored "
            "of this run and those around it."
        )
        st.button(
            f"Look through all {len(opened.heads):,} runs",
            key="findings_everything",
            type="tertiary",
            icon=":material/manage_search:",
            on_click=_look_through_all,
            args=(_whole_key(opened),),
        )
    if not found:
        where = (
            f"{count_in_words(len(opened.heads), 'run')} looked through: owners, order, delegations, results, events."
        )
        st.success(f"Nothing found. {where}" if everything else "Nothing found so far.", icon=":material/check_circle:")
        return
    numbers = {head.run_id: number for number, head in enumerate(opened.heads, start=1)}
    pages = -(-len(found) // MOST)
    page = min(st.pagination(pages, key=f"findings_page_{pages}"), pages) if pages > 1 else 1
    for place, finding in list(enumerate(found))[(page - 1) * MOST : page * MOST]:
        with st.container(border=True, key=f"finding_{place}_{finding.kind}", gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                st.markdown(
                    f":orange[:material/flag:] **{TITLES[finding.kind]}** :gray[{finding.kind}]", width="content"
                )
                if finding.run_id is not None:
                    top = opened.overview.tops.get(finding.run_id, finding.run_id)
                    st.button(
                        f"Open run {numbers[top]}" if top in numbers else "Open run",
                        key=f"open_finding_{place}",
                        type="tertiary",
                        icon=":material/arrow_forward:",
                        on_click=open_run,
                        args=(finding.run_id, View.STEPS),
                    )
            draw_text(finding.evidence, f"finding_{place}")


def _find(opened: OpenedReplay) -> tuple[tuple[Finding, ...], bool]:
    """Return the findings and whether the whole session was looked through; a long one is when it is asked for."""
    known = opened.find_findings()
    if known is not None:
        return known, True
    if st.session_state.get(_whole_key(opened)):
        with st.spinner(f"Reading all {len(opened.heads):,} runs"):
            opened.list_findings()
        st.rerun()  # the tab above says how many there are
    return opened.list_near_findings(), False


def _whole_key(opened: OpenedReplay) -> str:
    return f"findings_whole_{opened.summary.session_id}"


def _look_through_all(key: str) -> None:
    st.session_state[key] = True
