"""The parts of the chat page: what it works on, header, history, empty state, composer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from lib.errors import ModelUnavailable, NotFound, RoundtableError, TeamUnavailable
from lib.models import check_model
from lib.records import RunRecord, SavedState, SessionSummary
from lib.storage.pictures import MAX_IMAGE_MB
from lib.ui.asking import ask, ask_again, ask_what_was_written
from lib.ui.attaching import IMAGE_TYPES
from lib.ui.delegations import Cards
from lib.ui.frame import PageFrame
from lib.ui.images import ImageSource
from lib.ui.notices import draw_notice, to_notice
from lib.ui.runs import RunDrawing, draw_run
from lib.ui.safe_markdown import plain_label, safe_markdown
from lib.ui.session_not_found import draw_not_found
from lib.ui.sessions_collection import draw_collection
from lib.ui.sessions_words import reason_not_to_go_on, team_in_words
from lib.ui.tab import REPLAY_PAGE, RUNS_A_PAGE, open_tab
from lib.ui.words import count_in_words

if TYPE_CHECKING:
    from lib.teams.catalogue import TeamEntry

FILLED_RUNS = 8
"""Newest runs whose closed cards are in the page already; cards of older runs are filled when they are opened."""
WINDOWS = (0, 1, 2, 3, 5, 10, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What the chat page shows: one session (None: a new one), its team and its newest runs."""

    page: PageFrame
    session: SessionSummary | None
    team: TeamEntry | None  # None: this app does not have the team the session was held with
    team_name: str
    runs: tuple[RunRecord, ...]
    older_runs: bool
    live_run_ids: tuple[str, ...]
    readable: bool = True  # False: the database did not answer

    @property
    def is_new(self) -> bool:
        """Whether nothing has been asked yet."""
        return self.readable and not self.runs and not self.live_run_ids

    def drawing(self) -> RunDrawing:
        """Return how runs are drawn here: with the members' names, and able to ask again."""
        names = {member.member_id: member.name for member in self.team.all_members()} if self.team else {}
        images = ImageSource(self.page.roundtable.store, self.page.user_id)
        return RunDrawing(cards=Cards(member_names=names), ask_again=ask_again, images=images, menu=True)


def open_chat(page: PageFrame) -> Chat:
    """Return what is to be shown; draws one clear box and stops the page where the session is not the user's to see."""
    tab, store, engine = page.tab, page.roundtable.store, page.roundtable.engine
    notice = tab.take_notice()
    if notice:
        draw_notice(notice)
    session: SessionSummary | None = None
    runs: tuple[RunRecord, ...] = ()
    older, readable = False, True
    live: tuple[str, ...] = ()
    if tab.session_id:
        session_id = tab.session_id
        live = tuple(handle.run_id for handle in engine.live_in_session(session_id, user_id=page.user_id))
        try:
            session = store.get_session(session_id, user_id=page.user_id)
            found = store.list_runs(session_id, user_id=page.user_id, limit=tab.runs_shown)
            runs, older = found.items, found.next_cursor is not None
        except NotFound as error:
            draw_not_found(page, session_id, error)
        except RoundtableError as error:
            draw_notice(to_notice(error))
            readable = False  # what is being written, and what is live, stays on the page
    name = session.component_id if session else _chosen_team(page)
    return Chat(
        page=page,
        session=session,
        team=_find_team(page, name),
        team_name=name,
        runs=tuple(_as_last_seen(page, run) for run in runs if run.run_id not in live),
        older_runs=older,
        live_run_ids=live,
        readable=readable,
    )


def draw_header(chat: Chat) -> None:
    """Draw the line over the conversation: team, window, and how much was said."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="chat_header"):
        if chat.session and _reason_not_to_ask(chat):  # nothing is asked here: there is nothing to choose
            name = team_in_words(chat.session, chat.page.roundtable.catalogue)
            st.markdown(f"**{plain_label(name, 80)}**", width="content")
        else:
            _draw_team_choice(chat)
            _draw_window_choice(chat)
        draw_collection(chat.page, chat.session)
        if chat.session and chat.session.runs:
            facts = [count_in_words(chat.session.runs, "run")]
            tokens = [run.total_tokens.total for run in chat.runs]
            if not chat.older_runs and not chat.live_run_ids and any(tokens):
                facts.append(count_in_words(sum(count or 0 for count in tokens), "token"))
            st.caption(plain_label(" · ".join(facts)), width="content")
            st.page_link(
                REPLAY_PAGE,
                label="Replay",
                icon=":material/history:",
                query_params={"session": chat.session.session_id},
            )
    for problem in chat.page.roundtable.catalogue.problems:
        st.warning(
            plain_label(f"{problem.source}: {problem.message}", 600),
            title="A team could not be loaded",
            icon=":material/group_off:",
        )


def draw_history(chat: Chat, *, mark: Callable[[str | None], None] = lambda run_id: None) -> None:
    """Draw the newest runs, oldest first, each as it was stored. `mark` is called before each and, with None, after all."""
    if chat.older_runs:
        st.button(
            "Load earlier",
            key="load_earlier",
            type="tertiary",
            icon=":material/expand_less:",
            width="stretch",
            on_click=_load_earlier,
        )
    filled = chat.drawing()
    lazy = replace(filled, cards=replace(filled.cards, lazy=True))
    for position, run in enumerate(chat.runs):
        mark(run.run_id)
        draw_run(run, filled if position >= len(chat.runs) - FILLED_RUNS else lazy)
    mark(None)


def draw_empty_state(chat: Chat) -> None:
    """Draw what can be asked here: the team's name, one sentence, its questions to click."""
    if chat.team is None:
        return
    st.header(plain_label(chat.team.title), anchor=False)
    st.markdown(safe_markdown(chat.team.description))
    with st.container(key="example_questions", gap="xsmall"):
        for position, question in enumerate(chat.team.questions):
            st.button(
                plain_label(question, 200),
                key=f"example_question_{position}",
                icon=":material/arrow_outward:",
                width="stretch",
                disabled=_model_problem(chat) is not None,
                on_click=ask,
                args=(question,),
            )


def draw_composer(chat: Chat) -> None:
    """Draw where the next question is written; where none can be asked, it says why."""
    reason = _reason_not_to_ask(chat)
    if reason:
        title = "You can read this session, not go on with it"
        st.info(plain_label(reason, 400), title=title, icon=":material/lock:")
        st.chat_input("This session can be read only", key="chat_input", disabled=True)
        return
    problem = _model_problem(chat)
    if problem:
        draw_notice(to_notice(problem))
    st.chat_input(
        f"Ask {chat.team.title if chat.team else chat.team_name}",
        key="chat_input",
        accept_file="multiple",
        file_type=IMAGE_TYPES,
        max_upload_size=MAX_IMAGE_MB,
        on_submit=ask_what_was_written,
        disabled=problem is not None,
    )


def _draw_team_choice(chat: Chat) -> None:
    names = [entry.name for entry in chat.page.roundtable.catalogue.entries]
    if chat.team_name not in names:
        names.append(chat.team_name)
    titles = {entry.name: entry.title for entry in chat.page.roundtable.catalogue.entries}
    if st.session_state.get("team_choice") != chat.team_name:
        st.session_state["team_choice"] = chat.team_name
    st.selectbox(
        "Team",
        names,
        key="team_choice",
        format_func=lambda name: titles.get(name, name),
        label_visibility="collapsed",
        width=156,
        on_change=_choose_team,
    )


def _draw_window_choice(chat: Chat) -> None:
    default = chat.page.settings.num_history_runs
    if chat.runs and isinstance(last := chat.runs[-1].settings.get("window"), int):
        default = last
    chosen = st.session_state.setdefault("history_window", default)
    st.selectbox(
        "History window",
        sorted({*WINDOWS, default, chosen}),
        key="history_window",
        format_func=_window_in_words,
        label_visibility="collapsed",
        width=190,
        help="How many of the latest runs of this session the team is shown with the next question.",
    )


def _window_in_words(runs: int) -> str:
    if runs == 0:
        return "window: no earlier run"
    return "window: last run" if runs == 1 else f"window: last {runs} runs"


def _choose_team() -> None:
    """Another team is another session: a session is held with one team."""
    tab = open_tab()
    tab.team = st.session_state["team_choice"]
    if tab.session_id:
        tab.select_session(None)


def _load_earlier() -> None:
    open_tab().runs_shown += RUNS_A_PAGE


def _chosen_team(page: PageFrame) -> str:
    entries = page.roundtable.catalogue.entries
    names = [entry.name for entry in entries]
    if page.tab.team in names:
        return page.tab.team or ""
    return names[0] if names else ""


def _find_team(page: PageFrame, name: str) -> TeamEntry | None:
    try:
        return page.roundtable.catalogue.get(name)
    except TeamUnavailable:
        return None


def _as_last_seen(page: PageFrame, run: RunRecord) -> RunRecord:
    """Return the run as this process saw it end where the database could not take it."""
    handle = page.roundtable.engine.find(run.run_id, user_id=page.user_id)
    if handle is None:
        return run
    seen = handle.snapshot()
    return seen if seen.saved is SavedState.KEPT_ON_DISK else run


def _reason_not_to_ask(chat: Chat) -> str | None:
    if chat.session is not None:
        return reason_not_to_go_on(chat.session, chat.page.roundtable.catalogue, user_id=chat.page.user_id)
    return None if chat.team else f"There is no team {chat.team_name!r} in this app. Name one in CHAT_TEAMS."


def _model_problem(chat: Chat) -> ModelUnavailable | None:
    """Return why the team could not answer; a team with a model of its own needs none from CHAT_MODEL."""
    if chat.team is not None and chat.team.model:
        return None
    settings = chat.page.settings
    try:
        check_model(settings.chat_model, settings=settings)
    except ModelUnavailable as error:
        return error
    return None
