"""Without a gateway: whose API a batch goes to and in which words, and what Bedrock is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nightmail
import pytest
from nightmail import (
    NightmailError,
    batch_completion_create,
    batch_completion_models,
    batch_completion_results,
    batch_completion_wait,
    completion,
    create_file,
    file_content,
)
from nightmail.library.options import Options
from nightmail.library.servers import home_of

from local.simulator.client import SimulatorClient

HI = [{"role": "user", "content": "Hi"}]
CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1:0"
BEDROCK = f"bedrock/{CLAUDE}"
KEYS: dict[str, Any] = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
REGION: dict[str, Any] = {"aws_region_name": "eu-west-1"}


def asking(*models: str) -> list[dict[str, Any]]:
    return [{"body": {"model": model, "messages": HI}} for model in models]


@pytest.fixture
def groq(provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch) -> SimulatorClient:
    monkeypatch.setenv("GROQ_API_KEY", "sk-groq-0123")
    monkeypatch.setenv("GROQ_API_BASE", provider_keys.base_of("groq"))
    return provider_keys


@pytest.fixture
def no_aws(provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch) -> SimulatorClient:
    """Nothing of this machine's own."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_REGION_NAME", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-environment")
    return provider_keys


def there(simulator: SimulatorClient) -> dict[str, Any]:
    return {**KEYS, **REGION, "aws_bedrock_runtime_endpoint": simulator.base_of("bedrock")}


# ---- batches


@pytest.mark.of("groq")
@pytest.mark.parametrize("named", [{}, {"custom_llm_provider": "groq"}])
def test_a_model_goes_out_by_its_providers_own_name(
    groq: SimulatorClient, named: dict[str, Any]
) -> None:
    asked = asking("groq/llama-3.3-70b-versatile", "groq/groq/compound")
    batch = batch_completion_create(requests=asked, **named)

    sent = file_content(batch.input_file_id or "", custom_llm_provider="groq").text.splitlines()
    models = [json.loads(line)["body"]["model"] for line in sent]
    assert models == ["llama-3.3-70b-versatile", "groq/compound"]


@pytest.mark.of("groq")
def test_a_batch_of_a_model_with_its_provider_before_it_has_a_cost(groq: SimulatorClient) -> None:
    of_groq: dict[str, Any] = {"custom_llm_provider": "groq"}
    made = batch_completion_create(requests=asking("groq/llama-3.3-70b-versatile"))
    batch = batch_completion_wait(made.id, **of_groq)

    assert batch.cost
    (outcome,) = batch_completion_results(batch.id, **of_groq)
    assert outcome.response


def test_a_file_has_its_models_own_names_and_is_else_as_it_was(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    plain = b'{"custom_id": "a",  "method":"POST","url":"/v1/chat/completions","body":{"model":"gpt-4o"}}\n'
    path = tmp_path / "lines.jsonl"
    path.write_bytes(plain + plain.replace(b'"gpt', b'"openai\\/gpt').rstrip())
    batch = batch_completion_create(path)

    first, second = file_content(batch.input_file_id or "").content.splitlines(keepends=True)
    assert first == plain
    assert json.loads(second) == json.loads(plain)


@pytest.mark.of("anthropic", "groq")
@pytest.mark.parametrize(
    "models", [("groq/x", "gpt-4o"), ("claude-haiku-4-5", "gpt-4o"), ("gpt-4o", "claude-haiku-4-5")]
)
@pytest.mark.parametrize("has_base", [False, True])
def test_two_providers_in_one_batch_are_refused_before_anything_is_sent(
    groq: SimulatorClient, models: tuple[str, str], has_base: Any
) -> None:
    base: dict[str, Any] = {"api_base": groq.base_url, "api_key": "k"} if has_base else {}
    with pytest.raises(nightmail.BadRequestError, match=f"Line 2 .*{models[1]}") as caught:
        batch_completion_create(requests=asking(*models), **base)

    assert caught.value.code == "mismatched_model"
    assert groq.calls() == []


@pytest.mark.of("anthropic")
def test_a_server_of_the_call_is_spoken_to_as_the_models_provider(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_BASE")
    base: dict[str, Any] = {"api_base": provider_keys.base_of("anthropic"), "api_key": "sk-1234"}
    batch = batch_completion_create(requests=asking("claude-haiku-4-5"), **base)

    assert batch_completion_wait(batch.id, **base).request_counts.completed == 1
    assert provider_keys.calls(provider="openai") == []


@pytest.mark.parametrize("model", ["mistral/m", "gemini-2.5-pro", "xai/grok-4", BEDROCK, "azure/m"])
@pytest.mark.parametrize("has_base", [False, True])
def test_a_provider_without_batches_here_is_refused_wherever_it_is(
    provider_keys: SimulatorClient, model: str, has_base: Any
) -> None:
    base: dict[str, Any] = {"api_base": provider_keys.base_url, "api_key": "k"} if has_base else {}
    with pytest.raises(nightmail.BadRequestError, match=r"anthropic has batches.*NIGHTMAIL_BASE"):
        batch_completion_create(requests=asking(model), **base)

    assert provider_keys.calls() == []


def test_a_name_with_a_slash_of_its_own_needs_its_provider(provider_keys: SimulatorClient) -> None:
    base: dict[str, Any] = {"api_base": provider_keys.base_url, "api_key": "sk-1234"}
    with pytest.raises(nightmail.BadRequestError, match="custom_llm_provider"):
        batch_completion_create(requests=asking("meta-llama/m"), **base)
    batch = batch_completion_create(
        requests=asking("meta-llama/m"), custom_llm_provider="openai_like", **base
    )
    assert batch.status


@pytest.mark.of("groq")
def test_a_file_for_groq_is_as_big_as_a_batch_there_may_be(groq: SimulatorClient) -> None:
    assert home_of(Options(custom_llm_provider="groq")).limits.file == 100_000_000


# ---- texts


@pytest.mark.parametrize("model", ["nosuch/m", "azure/m", "hosted_vllm/m", BEDROCK])
def test_an_error_speaks_of_no_gateway_and_no_config_that_is_not_there(
    no_aws: SimulatorClient, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("AZURE_API_KEY", "k")
    with pytest.raises(nightmail.BadRequestError) as caught:
        completion(model, HI)

    assert caught.value.llm_provider == model.partition("/")[0]
    for word in ("gateway", "config", "entry"):
        assert word not in caught.value.message


def test_files_for_anthropic_are_refused_with_what_takes_requests() -> None:
    with pytest.raises(nightmail.BadRequestError, match="batch_completion_create"):
        create_file(b"x", custom_llm_provider="anthropic")


# ---- Bedrock


@pytest.mark.of("bedrock")
def test_bedrock_takes_litellms_parameters(no_aws: SimulatorClient) -> None:
    answer = completion(BEDROCK, HI, **there(no_aws), aws_session_token="of-a-session")

    assert answer.choices[0].message.content
    (call,) = no_aws.calls(provider="bedrock")
    assert "aws_" not in json.dumps(call)


@pytest.mark.of("bedrock")
def test_bedrocks_credentials_are_told_apart(no_aws: SimulatorClient) -> None:
    """A deployment's adapter is kept, and must not be another's whose credentials differ."""
    wrong = {**there(no_aws), "aws_secret_access_key": "another"}

    assert completion(BEDROCK, HI, **there(no_aws)).choices
    with pytest.raises(NightmailError) as caught:
        completion(BEDROCK, HI, **wrong)
    assert caught.value.status_code == 403
    assert completion(BEDROCK, HI, **there(no_aws)).choices


@pytest.mark.of("bedrock")
def test_bedrock_races_with_what_its_entry_or_the_call_says(no_aws: SimulatorClient) -> None:
    no_aws.behave({"kind": "hold", "match": {"provider": "openai"}})
    deployments = [{"model": BEDROCK, **there(no_aws)}, {"model": "gpt-4o"}]

    assert batch_completion_models(deployments=deployments, messages=HI).model == BEDROCK
    models = ["gpt-4o", BEDROCK]
    assert batch_completion_models(models=models, messages=HI, **there(no_aws)).model == BEDROCK


@pytest.mark.of("bedrock")
def test_credentials_that_are_given_go_before_a_key_of_the_environment(
    no_aws: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another account would pay."""
    monkeypatch.setenv("BEDROCK_API_KEY", "of-the-environment")
    monkeypatch.setenv("BEDROCK_API_BASE", no_aws.base_of("bedrock"))
    entry = {"model": BEDROCK, **KEYS, **REGION, "aws_session_token": None}

    assert completion(BEDROCK, HI, **KEYS, **REGION).choices
    assert batch_completion_models(deployments=[entry], messages=HI).choices
    keys = [call["key"] for call in no_aws.calls(provider="bedrock")]
    assert keys == [KEYS["aws_access_key_id"][-4:]] * 2


def test_what_is_bedrocks_goes_to_nobody_else(provider_keys: SimulatorClient) -> None:
    assert completion("gpt-4o", HI, **there(provider_keys)).choices

    (call,) = provider_keys.calls()
    assert call["provider"] == "openai"
    assert "aws_" not in json.dumps(call)


@pytest.mark.of("bedrock")
@pytest.mark.parametrize("missing", sorted(KEYS))
def test_half_a_credential_is_refused_by_what_is_missing(
    no_aws: SimulatorClient, missing: str
) -> None:
    given: dict[str, Any] = {**there(no_aws)}
    del given[missing]
    with pytest.raises(nightmail.BadRequestError, match=f"{missing} is missing"):
        completion(BEDROCK, HI, **given)
    with pytest.raises(nightmail.BadRequestError, match="aws_region_name"):
        completion(BEDROCK, HI, **{**there(no_aws), "aws_region_name": 7})

    assert no_aws.calls() == []
