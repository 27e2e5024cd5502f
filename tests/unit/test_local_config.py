"""What the local cloud makes of a config.yaml before anything is started."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from local.cloud import DEFAULT_CONFIG
from local.provider_config import (
    ConfigRefused,
    Keys,
    ProviderConfig,
    bedrock_endpoints,
    simulated_bases,
)

KEYS = Keys(master="sk-master", second="sk-second")
MODEL = "model_list: [{model_name: m, litellm_params: {model: openai/m, api_key: %s}}]"


def a_config(folder: Path, text: str) -> ProviderConfig:
    file = folder / "my.yaml"
    file.write_text(text)
    return ProviderConfig.read(file)


def test_every_name_that_the_config_refers_to_is_found(tmp_path: Path) -> None:
    config = a_config(
        tmp_path,
        """
        model_list:
          - model_name: m
            litellm_params:
              {model: openai/m, api_key: os.environ/B_KEY, api_base: os.environ/A_BASE}
        general_settings: {master_key: os.environ/C_KEY}
        """,
    )

    assert config.names == ["A_BASE", "B_KEY", "C_KEY"]


def test_a_name_that_the_shell_does_not_set_is_missing(tmp_path: Path) -> None:
    config = a_config(tmp_path, MODEL % "os.environ/UNSET")

    assert config.missing({"OTHER": "x"}) == ["UNSET"]
    assert config.missing({"UNSET": ""}) == ["UNSET"]
    assert config.missing({"UNSET": "x"}) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("general_settings: {master_key: sk-1234}", "sk-1234"),
        ("general_settings: {master_key: os.environ/GATEWAY_KEY}", "sk-from-the-shell"),
        ("general_settings: {}", None),
        ("model_list: []", None),
    ],
)
def test_the_master_key_is_the_configs(tmp_path: Path, text: str, key: str | None) -> None:
    variables = {"GATEWAY_KEY": "sk-from-the-shell"}

    assert a_config(tmp_path, text).master_key(variables) == key


def test_the_secret_holds_the_keys_and_what_the_config_refers_to_and_nothing_else(
    tmp_path: Path,
) -> None:
    config = a_config(tmp_path, MODEL % "os.environ/PROVIDER_KEY")

    secret = json.loads(config.secret(KEYS, {"PROVIDER_KEY": "sk-p", "HOME": "/root"}))

    assert secret == {
        "PROVIDER_KEY": "sk-p",
        "master_key": "sk-master",
        "keys": {"second": hashlib.sha256(b"sk-second").hexdigest()},
    }


@pytest.mark.parametrize("own", ["sk-master", "sk-second"])
def test_the_gateways_own_key_is_refused_as_a_providers(tmp_path: Path, own: str) -> None:
    config = a_config(tmp_path, MODEL % "os.environ/OPENAI_API_KEY")

    with pytest.raises(ConfigRefused, match="OPENAI_API_KEY in this shell is the gateway's own"):
        config.secret(KEYS, {"OPENAI_API_KEY": own})


def test_the_gateways_own_key_is_refused_where_the_config_spells_it_out(tmp_path: Path) -> None:
    config = a_config(tmp_path, MODEL % "sk-master")

    with pytest.raises(ConfigRefused, match=r"model_list\[0\]\.litellm_params\.api_key"):
        config.secret(KEYS, {})


def test_the_name_of_the_master_key_itself_is_no_providers_key(tmp_path: Path) -> None:
    config = a_config(tmp_path, "general_settings: {master_key: os.environ/GATEWAY_KEY}")

    assert "GATEWAY_KEY" in config.secret(KEYS, {"GATEWAY_KEY": "sk-master"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- a", "mapping"),
        ("model_list: [{model_name: m}]", r"model_list\[0\]\.litellm_params"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigRefused, match=words):
        a_config(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefused, match="No such file"):
        ProviderConfig.read(tmp_path / "nowhere.yaml")


def test_the_default_config_needs_nothing_but_the_simulator() -> None:
    variables = {**simulated_bases("http://127.0.0.1:4010"), "NIGHTMAIL_SIMULATOR_KEY": "sk-s"}
    config = ProviderConfig.read(DEFAULT_CONFIG)

    assert config.missing(variables) == []
    assert config.config.warnings == ()


@pytest.mark.parametrize(
    ("model", "provider", "own", "path"),
    [
        ("gpt-4o-mini", "openai", "gpt-4o-mini", "/v1"),
        ("gpt-9", "openai", "gpt-9", "/v1"),
        ("claude-2", "anthropic", "claude-2", "/anthropic"),
        ("anthropic/claude-haiku-4-5", "anthropic", "claude-haiku-4-5", "/anthropic"),
        ("command-nightly", "cohere", "command-nightly", "/cohere"),
        ("embed-english-v3.0", "cohere", "embed-english-v3.0", "/cohere"),
        ("gemini-2.5-flash", "gemini", "gemini-2.5-flash", "/gemini"),
        ("gemini/gemini-embedding-001", "gemini", "gemini-embedding-001", "/gemini"),
        ("groq/llama-3.3-70b", "groq", "llama-3.3-70b", "/groq/v1"),
        ("openrouter/qwen/qwen3", "openrouter", "qwen/qwen3", "/openrouter/v1"),
    ],
)
def test_the_default_config_leads_every_provider_to_the_simulator(
    model: str, provider: str, own: str, path: str
) -> None:
    variables = simulated_bases("http://127.0.0.1:4010")
    (found,) = ProviderConfig.read(DEFAULT_CONFIG).config.deployments(model)

    assert (found.provider, found.model) == (provider, own)
    base = (found.api_base or "").removeprefix("os.environ/")
    assert variables[base] == f"http://127.0.0.1:4010{path}"


def test_bedrock_is_the_simulator_unless_the_shell_says_where_it_is() -> None:
    jobs, runtime = "AWS_ENDPOINT_URL_BEDROCK", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
    simulated = "http://127.0.0.1:4010/bedrock"
    real = "https://bedrock.us-east-1.amazonaws.com"
    assert bedrock_endpoints("http://127.0.0.1:4010", {}) == {jobs: simulated, runtime: simulated}
    told = bedrock_endpoints("http://127.0.0.1:4010", {jobs: real})
    assert told == {jobs: real, runtime: simulated}
