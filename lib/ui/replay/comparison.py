"""The comparison: the run on screen with another run, or the session with another session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from lib.errors import RoundtableError
from lib.records import RunRecord
from lib.replay.comparison import Change, Difference, compare_contexts, compare_runs, compare_sessions
from lib.ui.notices import draw_notice, to_notice
from lib.ui.replay.opened import OpenedReplay, open_overviews
from lib.ui.replay.texts import draw_table, line
from lib.ui.words import count_in_words

MOST_RUNS = 100
"""Runs of a session that are compared: the newest."""
WORDS = {
    Difference.QUESTION: "question",
    Difference.STATUS: "status",
    Difference.DELEGATION: "delegation",
    Difference.TOOL_CALL: "tool call",
    Difference.ARGUMENTS: "arguments",
    Difference.RESULT: "result",
    Difference.ANSWER: "answer",
    Difference.CONTEXT: "context",
    Difference.DURATION: "time",
    Difference.TOKENS: "tokens",
}
_NONE = ":gray[not there]"


def draw_comparison(opened: OpenedReplay) -> None:
    """Draw what is chosen to be compared, and the differences."""
    other: OpenedReplay | None = None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare_choice"):
        what = st.segmented_control(
            "Compare", ["Two runs", "Two sessions"], default="Two runs", key="compare_what", required=True
        )
        sessions = what == "Two sessions"
        other = _open_other(opened, _choose_session(opened, with_own=not sessions))
        if other is not None and not sessions:
            other = _choose_run(opened, other)
    if other is not None and sessions:
        _draw_sessions(opened, other)
    elif other is not None:
        _draw_runs(opened, other)


def _choose_session(opened: OpenedReplay, *, with_own: bool = False) -> str | None:
    page, own = opened.page, opened.summary.session_id
    found = page.roundtable.store.list_sessions(user_id=page.user_id, limit=100).items
    names = {summary.session_id: " ".join(summary.name.split())[:60] for summary in found if summary.session_id != own}
    if with_own:
        names = {own: "this session", **names}
    if not names:
        st.caption("There is no other session to compare with.")
        return None
    return st.selectbox(
        "With session" if not with_own else "With a run of",
        list(names),
        key=f"compare_session_{with_own}",
        format_func=lambda session_id: names.get(session_id, session_id),
        width=300,
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
    """Return the other side at the run that is chosen; to begin with the run before."""
    before = opened.position - 1 if other.overview is opened.overview and opened.position else other.position
    number = st.number_input(
        "Run",
        min_value=1,
        max_value=len(other.heads),
        value=before + 1,
        key=f"compare_run_{other.summary.session_id}_{opened.position}_{len(other.heads)}",
        width=140,
    )
    return replace(other, position=int(number) - 1)


def _draw_runs(opened: OpenedReplay, other: OpenedReplay) -> None:
    ours = other.overview is opened.overview
    left, right = f"Run {opened.position + 1}", f"Run {other.position + 1}{'' if ours else ' of the other session'}"
    near, far = opened.near(), other.near()
    changes = [
        *compare_runs(opened.run, other.run),
        *compare_contexts(
            near.requests(near.get_run(opened.head.run_id)), far.requests(far.get_run(other.head.run_id))
        ),
    ]
    with st.container(key="compare_heads"):
        draw_table(
            [
                {"": left, "Question": line(opened.run.question, 160), "Answer": line(opened.run.answer, 200)},
                {"": right, "Question": line(other.run.question, 160), "Answer": line(other.run.answer, 200)},
            ]
        )
    if not changes:
        st.success("No difference.", icon=":material/check_circle:")
        return
    st.caption(count_in_words(len(changes), "difference"))
    draw_table([_row(change, left, right) for change in changes])


def _row(change: Change, left: str, right: str) -> dict[str, str]:
    return {
        "Of": line(change.agent_id or "unknown", 30),
        "What": WORDS[change.kind],
        left: _NONE if change.left is None else line(change.left, 240),
        right if right != left else f"{right} ": _NONE if change.right is None else line(change.right, 240),
    }


def _draw_sessions(opened: OpenedReplay, other: OpenedReplay) -> None:
    ours, theirs = _newest(opened), _newest(other)
    if len(opened.heads) > MOST_RUNS or len(other.heads) > MOST_RUNS:
        st.caption(f":material/info: The newest {MOST_RUNS} runs of each session are compared.")
    numbers = {head.run_id: number for side in (opened, other) for number, head in enumerate(side.heads, start=1)}
    rows = []
    for pair in compare_sessions(ours, theirs):
        question = (pair.left or pair.right or ours[0]).question
        differs = sorted({WORDS[change.kind] for change in pair.changes})
        rows.append(
            {
                "Question": line(question, 120),
                "This session": _of(pair.left, numbers),
                "Other session": _of(pair.right, numbers),
                "Different": ", ".join(differs)
                if differs
                else ("" if pair.left and pair.right else "only on one side"),
            }
        )
    draw_table(rows, limit=200)


def _newest(opened: OpenedReplay) -> Sequence[RunRecord]:
    ids = [head.run_id for head in opened.heads[-MOST_RUNS:]]
    return opened.read(ids).runs if ids else ()


def _of(run: RunRecord | None, numbers: dict[str, int]) -> str:
    return f"run {numbers.get(run.run_id, '?')}: {line(run.answer, 120)}" if run else _NONE
