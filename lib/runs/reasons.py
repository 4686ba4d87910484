"""Why a run failed, in one sentence a person can act on: no traceback, no key, no SQL."""

from __future__ import annotations

import json
import re

from agno.exceptions import redact_secrets

MAX_DETAIL = 300
"""Letters of a provider's own words that are shown."""

_OPENINGS = {
    "model_authentication_error": "The model's provider did not accept the key, or none is set",
    "model_rate_limit_error": "The model's provider takes no more requests for now; try again in a moment",
    "context_window_exceeded_error": "The question and the history together are longer than the model can read",
    "model_provider_error": "The model failed",
    "input_check_error": "A check of the team refused the question",
    "output_check_error": "A check of the team refused the answer",
    "APIConnectionError": "The model could not be reached",
    "TimeoutError": "The model did not answer in time",
}


def to_reason(error_type: str | None, said: str, *, error_id: str | None = None) -> str:
    """Return one sentence for an error as Agno reports it: its kind in our words, then the provider's own words."""
    opening = _OPENINGS.get(error_id or "") or _OPENINGS.get(error_type or "") or "The run failed"
    detail = _first_words(said)
    return f"{opening}: {detail}" if detail else f"{opening}."


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
