"""The model a setting names: what cannot work is said before the first question, with what mends it."""

from __future__ import annotations

import builtins
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from agno.models.openai import OpenAIChat
from agno.models.utils import MODEL_PROVIDER_CLASSES

from lib.errors import ModelUnavailable
from lib.models import OfflineModel, build_model, check_model, describe_model
from lib.models.providers import KEY_VARIABLES, MAX_RETRIES, TIMEOUT_S
from lib.settings import Settings


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_offline_needs_nothing_and_takes_its_pace_from_the_settings(settings: Settings) -> None:
    model = build_model(" Offline ", settings=settings.model_copy(update={"offline_token_delay": 0.5}))
    assert isinstance(model, OfflineModel)
    assert model.token_delay_s == 0.5
    check_model("offline", settings=settings)


def test_models_are_called_by_what_a_person_would_say() -> None:
    assert describe_model("offline") == "offline model"
    assert describe_model(" openai-chat:gpt-4o-mini") == "openai-chat:gpt-4o-mini"


@pytest.mark.parametrize("spec", ["gpt-4o", "openai/gpt-4o", "openai:", ":gpt", "", " : "])
def test_a_wrong_form_is_answered_with_the_form_and_an_example(spec: str, settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match="provider:model-id, for example openai-chat:gpt-4o-mini"):
        check_model(spec, settings=settings)


def test_an_unknown_provider_is_named_with_similar_ones(settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match=r"antropic.*Did you mean anthropic"):
        check_model("antropic:claude", settings=settings)


@pytest.mark.parametrize("provider", ["openai-chat", "openai", "OpenAI-Chat "])
def test_a_missing_key_is_named_before_the_first_question(provider: str, settings: Settings) -> None:
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY is not set"):
        check_model(f"{provider}:gpt-4o-mini", settings=settings)


def test_a_key_in_the_environment_is_enough(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0042")
    model = build_model("openai-chat:gpt-4o-mini", settings=settings)
    assert isinstance(model, OpenAIChat)
    assert (model.id, model.max_retries, model.timeout) == ("gpt-4o-mini", MAX_RETRIES, TIMEOUT_S)


def test_a_key_and_address_in_the_env_file_are_handed_over(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-file\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\n")
    model = build_model("openai-chat:gpt-4o-mini", settings=settings)
    assert isinstance(model, OpenAIChat)
    assert (model.api_key, model.base_url) == ("sk-file", "http://127.0.0.1:9/v1")


def test_a_missing_package_is_answered_with_the_command(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("anthropic") is not None:
        real_import = builtins.__import__

        def without_anthropic(name: str, *rest: Any, **more: Any) -> Any:
            if name.partition(".")[0] == "anthropic":
                raise ImportError("No module named 'anthropic'", name=name)
            return real_import(name, *rest, **more)

        monkeypatch.setattr(builtins, "__import__", without_anthropic)
    with pytest.raises(ModelUnavailable, match="pip install anthropic"):
        check_model("anthropic:claude-sonnet-4-5", settings=settings)


@pytest.mark.parametrize("provider", sorted(MODEL_PROVIDER_CLASSES))
def test_every_provider_of_agno_is_built_or_refused_with_a_remedy(provider: str, settings: Settings) -> None:
    refusal = ""
    try:
        check_model(f"{provider}:some-model", settings=settings)
    except ModelUnavailable as refused:
        refusal = str(refused)
    assert not refusal or any(remedy in refusal for remedy in ("pip install", "Set ", "Check "))


@pytest.mark.parametrize("provider", sorted(KEY_VARIABLES))
def test_the_key_variables_are_those_that_agnos_class_reads(provider: str) -> None:
    package = MODEL_PROVIDER_CLASSES[provider][0]
    root = importlib.util.find_spec("agno")
    assert root is not None
    assert root.submodule_search_locations
    folder = Path(root.submodule_search_locations[0], *package.split(".")[1:])
    source = "".join(file.read_text() for file in folder.glob("*.py"))
    assert all(f'"{name}"' in source for name in KEY_VARIABLES[provider])
