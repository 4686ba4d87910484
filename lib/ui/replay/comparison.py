"""The comparison: the run on screen with another run, or the session with another session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import streamlit as st

from lib.errors import RoundtableError
from lib.records import RunRecord
from lib.replay.comparison import (
    Change,
    Difference,
    RunComparison,
    compare_contexts,
    compare_runs,
    compare_sessions,
    cut_to_difference,
)
from lib.ui.notices import draw_notice, to_notice
from lib.ui.replay.opened import OpenedReplay, open_overviews
from lib.ui.replay.place import Other
from lib.ui.replay.texts import draw_table, line
from lib.ui.safe_markdown import plain_label
from lib.ui.words import count_in_words, run_time_in_words, unlike

MOST_RUNS = 100
"""Runs of a session that are compared: the newest."""
TEXT_LENGTH = 240
"""Characters of a text that stand in a cell."""
WORDS: Mapping[Difference, str] = MappingProxyType(
    {
        Difference.QUESTION: "question",
        Difference.STATUS: "status",
        Difference.DELEGATION: "delegation",
        Difference.TOOL_CALL: "tool call",
        Difference.ORDER: "order",
        Difference.ARGUMENTS: "arguments",
        Difference.RESULT: "result",
        Difference.MEMBER_RUN: "member run",
        Difference.ANSWER: "answer",
        Difference.CONTEXT: "context",
        Difference.DURATION: "time",
        Difference.TOKENS: "tokens",
    }
)
_NONE = ":gray[not there]"


def draw_comparison(opened: OpenedReplay) -> None:
    """Draw what is chosen to be compared, and the differences; the address names it."""
    other: OpenedReplay | None = None
    linked = opened.place.other
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_choice"):
        what = st.segmented_control(
            "Compare",
            ["Two runs", "Two sessions"],
            default="Two sessions" if linked.whole_session else "Two runs",
            key="compare_what",
            required=True,
            persist_state="page",
        )
        sessions = what == "Two sessions"
        other = _open_other(opened, _choose_session(opened, with_own=not sessions))
        if other is not None and not sessions:
            other = _choose_run(opened, other)
    _say_what_is_not_there(opened, other)
    opened.place.write_other(_to_address(opened, other, sessions=sessions))
    if other is not None and sessions:
        _draw_sessions(opened, other)
    elif other is not None:
        _draw_runs(opened, other)


def _say_what_is_not_there(opened: OpenedReplay, other: OpenedReplay | None) -> None:
    """Say where the address names nothing that the run or the session on screen can be compared with."""
    linked, own = opened.place.other, opened.summary.session_id
    if other is None:
        if linked == Other(own):
            st.caption("The address names the session on screen itself. Choose another one.")
        return
    meant = opened.place.is_linked(opened.head.run_id) and other.summary.session_id == (linked.session_id or own)
    if meant and linked.run_id and linked.run_id not in [head.run_id for head in other.heads]:
        run = plain_label(linked.run_id, 60)
        st.caption(f":material/info: The run {run} of the address is none of this session's questions.")


def _to_address(opened: OpenedReplay, other: OpenedReplay | None, *, sessions: bool) -> Other:
    if other is None:
        return Other()
    own = other.overview is opened.overview
    return Other(None if own else other.summary.session_id, None if sessions else other.head.run_id)


def _choose_session(opened: OpenedReplay, *, with_own: bool = False) -> str | None:
    """Return the session to compare with: one of the newest, or any whose id is written in."""
    page, own = opened.page, opened.summary.session_id
    found = page.roundtable.store.list_sessions(user_id=page.user_id, limit=100).items
    names = {summary.session_id: " ".join(summary.name.split())[:60] for summary in found if summary.session_id != own}
    linked = opened.place.other.session_id
    if linked is not None and linked != own:
        names.setdefault(linked, linked)
    names = unlike({own: "this session", **names} if with_own else names)
    if not names:
        st.caption("There is no other session to compare with.")
        return None
    return st.selectbox(
        "With session" if not with_own else "With a run of",
        list(names),
        index=list(names).index(linked) if linked in names else None if linked else 0,
        key=f"compare_session_{with_own}",
        format_func=lambda session_id: names.get(session_id, session_id),
        accept_new_options=True,
        help="Choose one, or write the id of any session that you may read.",
        width=300,
        persist_state="page",
    )


def _open_other(opened: OpenedReplay, session_id: str | None) -> OpenedReplay | None:
    """Return the other side of the comparison; says why where there is none."""
    page, overview = opened.page, opened.overview
    if session_id is None:
        return None
    try:
        if session_id != opened.summary.session_id:
            overview = open_overviews(page).get_overview(session_id, user_id=page.identity.reader)
    except RoundtableError as error:
        draw_notice(to_notice(error))
        return None
    if not overview.heads:
        st.caption("That session has no run.")
        return None
    return OpenedReplay(page=page, place=opened.place, overview=overview, position=len(overview.heads) - 1)


def _choose_run(opened: OpenedReplay, other: OpenedReplay) -> OpenedReplay:
    """Return the other side at the run that is chosen; to begin with the one in the address, else the run before."""
    place, run_ids = opened.place, [head.run_id for head in other.heads]
    first = opened.position - 1 if other.overview is opened.overview and opened.position else other.position
    if place.other.run_id in run_ids and place.is_linked(opened.head.run_id):
        first = run_ids.index(place.other.run_id)
    number = st.number_input(
        "Run",
        min_value=1,
        max_value=len(other.heads),
        value=first + 1,
        key=f"compare_run_{other.summary.session_id}_{opened.position}_{len(other.heads)}",
        width=140,
        persist_state="page",
    )
    return replace(other, position=int(number) - 1)


# -- two runs ----------------------------------------------------------------------------------------------------------


def _draw_runs(opened: OpenedReplay, other: OpenedReplay) -> None:
    left, right = f"Run {opened.position + 1}", f"Run {other.position + 1}"
    if other.overview is not opened.overview:
        right += " of the other session"
    elif other.position == opened.position:
        st.caption("This is the run on screen. Choose another one.")
        return
    changes = _compare(opened, other)
    with st.container(key="compare_heads"):
        draw_table(_head_rows(opened.run, other.run, left, right))
    if not changes:
        st.success("No difference.", icon=":material/check_circle:")
        return
    st.caption(f"{count_in_words(len(changes), 'difference')}: {_kinds_in_words(changes)}")
    draw_table([_row(change, left, right) for change in changes])


def _compare(opened: OpenedReplay, other: OpenedReplay) -> list[Change]:
    near, far = opened.near(), other.near()
    return [
        *compare_runs(opened.run, other.run),
        *compare_contexts(
            near.requests(near.get_run(opened.head.run_id)), far.requests(far.get_run(other.head.run_id))
        ),
    ]


def _head_rows(mine: RunRecord, theirs: RunRecord, left: str, right: str) -> list[dict[str, str]]:
    """Return what stands above the differences: both runs side by side."""
    return [
        {"": "question", left: line(mine.question, 160), right: line(theirs.question, 160)},
        {"": "answer", left: _cell(mine.answer), right: _cell(theirs.answer)},
        {"": "end", left: _cost(mine), right: _cost(theirs)},
    ]


def _cost(run: RunRecord) -> str:
    total = run.total_tokens.total
    told = (str(run.status), run_time_in_words(run), count_in_words(total, "token") if total is not None else "")
    return " · ".join(part for part in told if part)


def _kinds_in_words(changes: Sequence[Change]) -> str:
    """Return which kinds of difference there are, in the order of `Difference`."""
    there = {change.kind for change in changes}
    return ", ".join(WORDS[kind] for kind in Difference if kind in there)


def _row(change: Change, left: str, right: str) -> dict[str, str]:
    mine, theirs = change.left, change.right
    if mine is not None and theirs is not None:
        mine, theirs = cut_to_difference(mine, theirs, TEXT_LENGTH)
    of = " · ".join(line(part, 40) for part in (change.agent_name or "unknown", change.about) if part)
    return {
        "What": f"**{WORDS[change.kind]}** :gray[{of}]",
        left: _cell(mine),
        right: _cell(theirs),
    }


def _cell(text: str | None) -> str:
    return _NONE if text is None else line(text, TEXT_LENGTH) or ":gray[nothing]"


# -- two sessions ------------------------------------------------------------------------------------------------------


def _draw_sessions(opened: OpenedReplay, other: OpenedReplay) -> None:
    if len(opened.heads) > MOST_RUNS or len(other.heads) > MOST_RUNS:
        st.caption(f":material/info: The newest {MOST_RUNS} runs of each session are compared.")
    ours, theirs = opened.newest(MOST_RUNS), other.newest(MOST_RUNS)
    numbers = {head.run_id: number for side in (opened, other) for number, head in enumerate(side.heads, start=1)}
    pairs = compare_sessions(ours.runs, theirs.runs)
    changed = {
        place: [*pair.changes, *compare_contexts(ours.requests(pair.left), theirs.requests(pair.right))]
        for place, pair in enumerate(pairs)
        if pair.left and pair.right
    }
    st.caption(_sum_in_words(pairs, changed))
    draw_table([_pair_row(pair, numbers, changed.get(place)) for place, pair in enumerate(pairs)], limit=200)
    both = [place for place, changes in changed.items() if changes]
    if both:
        _draw_pair(pairs, numbers, changed, both)


def _sum_in_words(pairs: Sequence[RunComparison], changed: Mapping[int, Sequence[Change]]) -> str:
    alike = sum(not changes for changes in changed.values())
    alone = sum(pair.right is None for pair in pairs), sum(pair.left is None for pair in pairs)
    asked = f"{count_in_words(len(changed), 'question')} asked in both, {alike} of them answered alike in everything"
    return f"{asked}; {alone[0]} only in this session, {alone[1]} only in the other."


def _pair_row(pair: RunComparison, numbers: Mapping[str, int], changes: Sequence[Change] | None) -> dict[str, str]:
    question = next(run.question for run in (pair.left, pair.right) if run)
    return {
        "Question": line(question, 120),
        "This session": _of(pair.left, numbers),
        "Other session": _of(pair.right, numbers),
        "Different": "only on one side" if changes is None else _kinds_in_words(changes) or "nothing",
    }


def _of(run: RunRecord | None, numbers: Mapping[str, int]) -> str:
    return f"**run {numbers.get(run.run_id, '?')}** {line(run.answer, 120)}" if run else _NONE


def _draw_pair(
    pairs: Sequence[RunComparison],
    numbers: Mapping[str, int],
    changed: Mapping[int, Sequence[Change]],
    both: Sequence[int],
) -> None:
    """Draw all differences of one question that was asked in both sessions."""

    def label(place: int) -> str:
        runs = [run for run in (pairs[place].left, pairs[place].right) if run]
        which = " and ".join(str(numbers.get(run.run_id, "?")) for run in runs)
        return f"Runs {which}: {' '.join(runs[0].question.split())[:60]}"

    chosen = st.selectbox(
        "Differences of", both, key=f"compare_pair_{len(pairs)}_{len(both)}", format_func=label, width=420
    )
    draw_table([_row(change, "This session", "Other session") for change in changed[chosen]])
