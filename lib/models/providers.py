"""The model that a setting names: the offline model, or one of Agno's by `provider:model-id`.

What cannot work is said before the first question: a wrong form, an unknown provider, a missing package, a missing key.
Keys are read, handed to Agno and never put into a message.
"""

from __future__ import annotations

import inspect
import os
import re
from difflib import get_close_matches
from typing import Final

from agno.models.base import Model
from agno.models.utils import MODEL_PROVIDER_CLASSES, get_model
from dotenv import dotenv_values

from lib.errors import ModelUnavailable
from lib.models.offline import OfflineModel
from lib.settings import ENV_FILE, Settings

OFFLINE: Final = "offline"
EXAMPLE: Final = "openai-chat:gpt-4o-mini"

TIMEOUT_S: Final = 120.0
"""How long a provider may be silent, also between two words of a stream."""

MAX_RETRIES: Final = 3
"""How often a request is sent again after 429, 5xx or a refused connection, before its first word; Retry-After is honoured."""

KEY_VARIABLES: Final[dict[str, tuple[str, ...]]] = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "azure-openai": ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
    "cerebras": ("CEREBRAS_API_KEY",),
    "cohere": ("CO_API_KEY",),
    "dashscope": ("DASHSCOPE_API_KEY", "QWEN_API_KEY"),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "huggingface": ("HF_TOKEN",),
    "meta": ("LLAMA_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "nvidia": ("NVIDIA_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openai-chat": ("OPENAI_API_KEY",),
    "openai-responses": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "perplexity": ("PERPLEXITY_API_KEY",),
    "together": ("TOGETHER_API_KEY",),
}
"""The variables in which Agno's class looks for its key; any one of them will do. Providers that take other credentials as
well (Google, AWS, xAI) and local ones are left out: nothing is claimed about them."""

_BASE_URL_VARIABLE: Final = {
    "openai": "OPENAI_BASE_URL",
    "openai-chat": "OPENAI_BASE_URL",
    "openai-responses": "OPENAI_BASE_URL",
}
_PIP_INSTALL = re.compile(r"pip install [^`'\"\n]+")


def build_model(spec: str, *, settings: Settings) -> Model:
    """Return a fresh model for `spec`.

    Raises ModelUnavailable with the command or variable that mends it.
    """
    spec = spec.strip()
    if spec.lower() == OFFLINE:
        return OfflineModel(token_delay_s=settings.offline_token_delay)
    provider = _provider(spec)
    model = _construct(spec)
    _hand_over_key(model, provider, spec)
    _make_patient(model)
    return model


def check_model(spec: str, *, settings: Settings) -> None:
    """Raise ModelUnavailable, with the remedy, where `spec` could not answer a question. Nothing is sent anywhere."""
    build_model(spec, settings=settings)


async def close_model(model: Model) -> None:
    """Close the connections that `model` holds, in the event loop in which it ran; a model without any is left alone.

    Agno keeps a client per model and closes none; a model is made for each run, so each run would leave its sockets open.
    """
    for name in ("async_client", "client"):
        client = getattr(model, name, None)
        close = getattr(client, "close", None)
        if callable(close):
            setattr(model, name, None)
            closing = close()
            if inspect.isawaitable(closing):
                await closing


def describe_model(spec: str) -> str:
    """Return what to call the model on a page: `offline model`, or `provider:model-id`."""
    spec = spec.strip()
    return "offline model" if spec.lower() == OFFLINE else spec


def _provider(spec: str) -> str:
    provider, _, model_id = (part.strip() for part in spec.partition(":"))
    if not provider or not model_id:
        raise ModelUnavailable(
            f"The model {spec!r} has no form that is known. "
            f"Set CHAT_MODEL to {OFFLINE!r}, or to provider:model-id, for example {EXAMPLE}."
        )
    return provider.lower()


def _construct(spec: str) -> Model:
    try:
        model = get_model(spec)
    except ImportError as error:
        raise ModelUnavailable(_missing_package(spec, error)) from error
    except ValueError as error:
        provider = spec.partition(":")[0].strip().lower()
        similar = get_close_matches(provider, MODEL_PROVIDER_CLASSES, n=3)
        hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
        raise ModelUnavailable(
            f"The model {spec!r} names a provider that Agno does not know: {provider!r}.{hint} "
            f"The form is provider:model-id, for example {EXAMPLE}."
        ) from error
    except Exception as error:
        # Some of Agno's classes ask for their credentials when they are made, each with an error type of its own.
        # Its words are passed on only where they name a variable, for they could hold anything.
        named = re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", str(error))
        hint = f"Set {' and '.join(dict.fromkeys(named))}" if named else "Check the provider's settings"
        raise ModelUnavailable(f"The model {spec} cannot be made. {hint}, and start the app again.") from error
    if model is None:
        raise ModelUnavailable(f"The model {spec!r} names nothing. Set CHAT_MODEL to {OFFLINE!r} or to {EXAMPLE}.")
    return model


def _missing_package(spec: str, error: ImportError) -> str:
    command = _PIP_INSTALL.search(str(error))
    if command:
        remedy = command[0].strip().rstrip(".")
    else:
        cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
        remedy = f"pip install {(cause.name or spec.partition(':')[0]).split('.')[0]}"
    return f"The model {spec} needs a package that is not installed. Run: {remedy}"


def _hand_over_key(model: Model, provider: str, spec: str) -> None:
    """Give the model a key and address that only `.env` holds; raise where a key is needed and there is none."""
    names = KEY_VARIABLES.get(provider, ())
    if names and not getattr(model, "api_key", None) and not any(os.environ.get(name) for name in names):
        from_file = next((value for name in names if (value := _from_env_file(name))), None)
        if from_file is None:
            raise ModelUnavailable(
                f"The model {spec} needs a key, and {' or '.join(names)} is not set. "
                f"Set {names[0]} in the environment or in .env, and start the app again."
            )
        if hasattr(model, "api_key"):
            model.api_key = from_file
    variable = _BASE_URL_VARIABLE.get(provider)
    if (
        variable
        and not os.environ.get(variable)
        and (address := _from_env_file(variable))
        and hasattr(model, "base_url")
    ):
        model.base_url = address


def _from_env_file(name: str) -> str | None:
    return dotenv_values(ENV_FILE).get(name) if ENV_FILE.is_file() else None


def _make_patient(model: Model) -> None:
    """Set retries and a time limit where the model's own client has them and nobody set them.

    Agno's own `retries` stay off: they would repeat a stream that broke, and the words already shown with it.
    """
    if hasattr(model, "max_retries") and model.max_retries is None:
        model.max_retries = MAX_RETRIES
        if hasattr(model, "timeout") and model.timeout is None:
            model.timeout = TIMEOUT_S
