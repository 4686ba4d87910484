"""The findings view: what an engineer should know about the session, each with its evidence and the run to look at."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from lib.replay.findings import Finding, FindingKind
from lib.ui.notices import draw_notice, to_notice
from lib.ui.replay.finding_searches import Search
from lib.ui.replay.opened import OpenedReplay
from lib.ui.replay.place import View, open_run
from lib.ui.replay.texts import draw_text
from lib.ui.tab import open_tab
from lib.ui.words import count_in_words

MOST = 40
POLL_S = 0.5
"""Between two looks at a search that goes on."""
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
    """Draw the findings of the whole session; while they are looked for, those that the columns of its runs tell."""
    search = opened.search
    if search.error is not None:
        draw_notice(to_notice(search.error))
        st.button("Look again", key="findings_again", icon=":material/refresh:", on_click=opened.forget_search)
        return
    found = search.found
    if found is None:
        st.fragment(_draw_progress, run_every=POLL_S)(search)
        found = opened.list_column_findings()
    elif not found:
        where = f"{count_in_words(search.runs, 'run')} looked through: owners, order, delegations, results, events."
        st.success(f"Nothing found. {where}", icon=":material/check_circle:")
    _draw_list(opened, found)


def watch_search(search: Search) -> None:
    """Rerun the page when the findings are known, so that the tab says how many there are. A fragment."""
    search.asked_at = time.monotonic()
    if search.over.is_set() and not open_tab().being_written:
        st.rerun()


def _draw_progress(search: Search) -> None:
    share = min(search.looked / search.runs, 1.0) if search.runs else 1.0
    st.progress(share, text=f"Looked through {search.looked:,} of {count_in_words(search.runs, 'run')}.")
    watch_search(search)


def _draw_list(opened: OpenedReplay, found: Sequence[Finding]) -> None:
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
