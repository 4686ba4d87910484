"""Why a run failed, in one sentence a person can act on: no traceback, no key, no SQL."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from agno.exceptions import redact_secrets

from lib.records import ErrorKind

MAX_DETAIL = 300
"""Letters of a provider's own words that are shown."""

_KINDS = {
    "model_authentication_error": ErrorKind.KEY,
    "model_rate_limit_error": ErrorKind.RATE,
    "context_window_exceeded_error": ErrorKind.LENGTH,
    "model_provider_error": ErrorKind.MODEL,
    "input_check_error": ErrorKind.QUESTION_CHECK,
    "output_check_error": ErrorKind.ANSWER_CHECK,
    "APIConnectionError": ErrorKind.UNREACHABLE,
    "TimeoutError": ErrorKind.TIMEOUT,
}
_OPENINGS = {
    ErrorKind.KEY: "The model's provider did not accept the key, or none is set",
    ErrorKind.RATE: "The model's provider takes no more requests for now; try again in a moment",
    ErrorKind.LENGTH: "The question and the history together are longer than the model can read",
    ErrorKind.MODEL: "The model failed",
    ErrorKind.QUESTION_CHECK: "A check of the team refused the question",
    ErrorKind.ANSWER_CHECK: "A check of the team refused the answer",
    ErrorKind.UNREACHABLE: "The model could not be reached",
    ErrorKind.TIMEOUT: "The model did not answer in time",
    ErrorKind.OTHER: "The run failed",
}


class Reason(NamedTuple):
    """Why a run failed: what kind of failure, and one whole sentence."""

    kind: ErrorKind
    sentence: str


NO_END = Reason(ErrorKind.OTHER, "The run ended without an answer or an error.")


def to_reason(error_type: str | None, said: str, *, error_id: str | None = None) -> Reason:
    """Return the reason for an error as Agno reports it: its kind in our words, then the provider's own words."""
    kind = _KINDS.get(error_id or "") or _KINDS.get(error_type or "") or ErrorKind.OTHER
    opening = _OPENINGS[kind]
    detail = _first_words(said)
    return Reason(kind, f"{opening}: {detail}" if detail else f"{opening}.")


def _first_words(said: str) -> str:
    """Return what a provider said, as one short line without secrets."""
    words = redact_secrets(_message_in(said))
    words = words.split("Traceback (most recent call last)")[0]
    words = re.sub(r"\s+", " ", words).strip()
    return words if len(words) <= MAX_DETAIL else words[: MAX_DETAIL - 1].rstrip() + "…"


def _message_in(said: str) -> str:
    """Return the message inside an error body in JSON, as providers send them, else the words as they are."""
    try:
        body = json.loads(said)
    except ValueError:
        return said
    if isinstance(body, dict):
        error = body.get("error", body)
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            return str(error["message"])
    return said
