"""A session's title from the model: made in the background after the first answer, in the place of the cut question.

The model is sent the question and the answer, and nothing else of the session. A failure keeps the title that is there;
one that somebody gave by hand, here or in another Agno app, is never replaced, also not when it was given meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import threading

from agno.models.message import Message
from agno.models.response import ModelResponse

from lib.errors import NotFound, RoundtableError
from lib.models import build_model, close_model
from lib.records import LAB_SESSION_PREFIX, RunRecord, RunStatus, Tokens
from lib.settings import Settings
from lib.storage import Database

logger = logging.getLogger(__name__)

MAX_WORDS = 6
MAX_LENGTH = 80
SENT_LENGTH = 2_000
"""So much of the question and of the answer is sent."""
MAX_RUNS = 3
"""Sessions with more runs keep their title: a model that gives none is not asked for ever."""
CLOSE_S = 2.0

_REQUEST = (
    f"Give the conversation a title of at most {MAX_WORDS} words, on one line, in its own language. "
    "Answer with the title alone, without quotes."
)
_LABEL = re.compile(r"^\s*(?:title|titel)\s*:\s*", re.IGNORECASE)
_QUOTES = "\"'`*#“”„«»‘’_ \t"


class TitleMaker:
    """Gives sessions titles, one after the other, in a thread of its own that starts when first needed."""

    def __init__(self, *, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._waiting: queue.SimpleQueue[RunRecord | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def consider(self, run: RunRecord) -> None:
        """Make a title for the session of a run that just ended, if it still has the one its question gave it."""
        if run.status is not RunStatus.COMPLETED or not run.answer or run.session_id.startswith(LAB_SESSION_PREFIX):
            return
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="roundtable-titles", daemon=True)
                self._thread.start()
        self._waiting.put(run)

    def close(self) -> None:
        """Take no more; wait briefly for the title that is being made."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join(CLOSE_S)

    def _work(self) -> None:
        while (run := self._waiting.get()) is not None and not self._closed:
            try:
                self._make(run)
            except RoundtableError as error:  # no database, no model: the first title stays
                logger.info("The session of run %s keeps its first title: %s", run.run_id, error)
            except Exception as error:  # noqa: BLE001 - whatever a provider raises; its words may hold chat text
                logger.warning("The session of run %s keeps its first title: %s", run.run_id, type(error).__name__)

    def _make(self, run: RunRecord) -> None:
        store, user_id = self._database.sessions, run.user_id or ""
        try:
            session = store.get_session(run.session_id, user_id=user_id)
        except NotFound:
            return
        if session.title_by != "question" or session.runs > MAX_RUNS:
            return
        title, tokens = self._ask(run)
        if self._closed:
            return
        store.set_model_title(run.session_id, title, user_id=user_id, tokens=tokens)

    def _ask(self, run: RunRecord) -> tuple[str | None, Tokens]:
        model = build_model(str(run.settings.get("model") or self._settings.chat_model), settings=self._settings)
        conversation = f"User: {run.question[:SENT_LENGTH]}\nAssistant: {run.answer[:SENT_LENGTH]}"
        messages = [Message(role="system", content=_REQUEST), Message(role="user", content=conversation)]
        try:
            response = model.response(messages=messages)
        finally:
            asyncio.run(close_model(model))
        return clean_title(response.content), _to_tokens(response)


def clean_title(said: object) -> str | None:
    """Return what a model said as a title of one line and at most six words; None where there is none in it."""
    if not isinstance(said, str):
        return None
    lines = [line for line in said.splitlines() if line.strip(_QUOTES)]
    if not lines:
        return None
    plain = "".join(char if char.isprintable() else " " for char in _LABEL.sub("", lines[0].strip(_QUOTES)))
    words = plain.strip(_QUOTES).rstrip(".:;,").split()
    title = " ".join(words[:MAX_WORDS]).rstrip(_QUOTES)
    return title[:MAX_LENGTH].rstrip() or None


def _to_tokens(response: ModelResponse) -> Tokens:
    usage = response.response_usage
    if usage is None:
        return Tokens()
    return Tokens(
        input=usage.input_tokens or None, output=usage.output_tokens or None, total=usage.total_tokens or None
    )
