"""Will it remember? What the next question will carry, where its window begins, and for each message whether it is in.

All of it follows from the stored runs by Agno's rules as `lib.recall` states them. The runs on the page are enough; only a
window that reaches further back than the page reads more, and never more than the window holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from lib.errors import StorageError
from lib.models import find_input_limit
from lib.recall.horizon import Carried, count_carried
from lib.recall.reasons import Reason, describe_reason
from lib.recall.window import HistoryRules, PredictedContext, next_context, place_runs
from lib.records import RunRecord
from lib.ui.chat import Chat
from lib.ui.frame import PageFrame
from lib.ui.words import count_in_words

IN = "In: the next question is given this."
MEMBERS_OWN = (
    "The leader is given the task and the result, not what the member did in between: that is the member's own."
)
_CUT_IN_THE_WINDOW = (Reason.MESSAGE_LIMIT, Reason.ORPHAN_TOOL_RESULT, Reason.TOOL_CALL_FILTERED)
_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the next question of a session is given."""

    context: PredictedContext
    window: int
    first_run_id: str | None  # where the window begins; None: no run is in it
    live_run_ids: tuple[str, ...] = ()
    limit: int | None = None  # what the model takes in, in tokens

    @property
    def carried(self) -> Carried:
        """Runs, messages and about how many tokens."""
        return count_carried(self.context)

    @property
    def sentence(self) -> str:
        """What the next question carries, in one line."""
        carried = self.carried
        if not carried.runs:
            off = "its window holds no runs" if self.window == 0 else "no run of this session is remembered"
            line = f"carries no history: {off}"
        else:
            counts = f"{count_in_words(carried.runs, 'run')}, {count_in_words(carried.messages, 'message')}"
            line = f"carries {counts}, about {carried.tokens:,} {'token' if carried.tokens == 1 else 'tokens'}"
            share = carried.share_of(self.limit)
            if share is not None:
                line += f", {_share_in_words(share)} of what the model takes in"
        return f"{line}; what is running now is not counted yet" if self.live_run_ids else line

    def explain_runs(self) -> Mapping[str, str]:
        """Return for each run whether its messages are in, and why not, in a sentence."""
        told = {place.run_id: _say(place.reason) for place in self.context.runs}
        return told | {run_id: _say(Reason.RUN_LIVE) for run_id in self.live_run_ids}

    def explain_messages(self) -> Mapping[str, str]:
        """Return the same for those messages that are not in although their run is."""
        return {
            absent.message_id: _say(absent.reason)
            for absent in self.context.absent
            if absent.reason in _CUT_IN_THE_WINDOW
        }


def read_memory(chat: Chat) -> Memory | None:
    """Return what the next question carries under the window chosen on the page; None where there is nothing to say."""
    if chat.session is None or chat.team is None or not chat.readable:
        return None
    window = int(st.session_state.get("history_window", chat.page.settings.num_history_runs))
    rules = chat.team.history_rules(window)
    try:
        runs = _reach(chat.page, chat.session.session_id, chat.runs, rules, older=chat.older_runs)
    except StorageError:
        return None  # the page says itself that the database cannot be read
    return to_memory(
        runs,
        rules,
        live_run_ids=chat.live_run_ids,
        limit=find_input_limit(chat.team.model or chat.page.settings.chat_model),
    )


def to_memory(
    runs: Sequence[RunRecord], rules: HistoryRules, *, live_run_ids: Iterable[str] = (), limit: int | None = None
) -> Memory:
    """Return what the next question is given of `runs`, oldest first."""
    context = next_context(runs, rules)
    inside = context.window_run_ids
    return Memory(
        context=context,
        window=rules.num_history_runs or 0,
        first_run_id=inside[0] if inside else None,
        live_run_ids=tuple(live_run_ids),
        limit=limit,
    )


def draw_carried(memory: Memory | None) -> None:
    """Draw the quiet line over the composer."""
    if memory is not None and (memory.context.runs or memory.live_run_ids):
        with st.container(key="carried"):
            st.caption(f"The next question {memory.sentence}.")


def draw_window_mark(memory: Memory | None, run_id: str | None) -> None:
    """Draw, before the run with which the window begins, that the next question remembers from here; None: at the end."""
    if memory is None or memory.first_run_id != run_id or not memory.context.runs:
        return
    words = "the next question remembers from here" if run_id else "the next question remembers nothing of the above"
    with st.container(key="window_mark"):
        st.caption(words)


def draw_explanations(memory: Memory | None) -> None:
    """Let every message say, when it is pointed at, whether it is in, and why not."""
    if memory is not None:
        st.html(f"<style>{style_of(memory)}</style>")


def style_of(memory: Memory) -> str:
    """Return the style rules that show the explanations: one element for all messages, so that a page stays light.

    The words are this app's own; ids become class names as Streamlit makes them.
    """
    message = "[class*='st-key-message_']"
    rules = [
        _rule([f".st-key-{_to_class(f'run_{run_id}')} {message}" for run_id in run_ids], words)
        for words, run_ids in _by_words(memory.explain_runs()).items()
    ]
    # A member's words stand in its card; the second class wins over the run's rule by its weight.
    rules.append(_rule([f"[class*='st-key-run_'] [class*='st-key-tool_call_'] {message}"], MEMBERS_OWN))
    rules += [
        _rule([f"[class*='st-key-run_'] .st-key-{_to_class(f'message_{each}')}{message}" for each in ids], words)
        for words, ids in _by_words(memory.explain_messages()).items()
    ]
    return "\n".join(rule for rule in rules if rule)


def _reach(
    page: PageFrame, session_id: str, runs: tuple[RunRecord, ...], rules: HistoryRules, *, older: bool
) -> tuple[RunRecord, ...]:
    """Return the runs on the page, and before them as many more as the window reaches."""
    cursor: str | None = None
    while older and sum(place.in_window for place in place_runs(runs, rules)) < (rules.num_history_runs or 0):
        if cursor is None:  # the page's own runs are read once more, for the place where they begin
            runs = ()
        found = page.roundtable.store.list_runs(session_id, user_id=page.user_id, limit=_PAGE, before=cursor)
        runs, cursor = (*found.items, *runs), found.next_cursor
        older = cursor is not None
    return runs


def _by_words(explained: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, words in explained.items():
        found.setdefault(words, []).append(key)
    return found


def _rule(selectors: Iterable[str], words: str) -> str:
    listed = ",".join(f"{selector}:hover::after" for selector in selectors)
    return f'{listed}{{content:"{words}"}}' if listed else ""


def _to_class(key: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_-]", "-", key.strip())


def _say(reason: Reason | None) -> str:
    return IN if reason is None else f"Not in. {describe_reason(reason)}"


def _share_in_words(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"about {share:.0%}".replace("%", " %")
