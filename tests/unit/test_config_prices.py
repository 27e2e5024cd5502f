"""Prices, weights and Nightmail's own settings in a config.yaml."""

from __future__ import annotations

from decimal import Decimal

import pytest
from nightmail.config.gateway import GatewayConfig, parse_config
from nightmail.deployment import Deployment
from nightmail.errors import InvalidConfig
from nightmail.prices.own import PRICE_KEYS

PARAMS = "model_list[0].litellm_params"


def config_of(params: str, name: str = "m") -> GatewayConfig:
    """A config of one entry, with the given flow of litellm_params."""
    return parse_config(f"model_list: [{{model_name: '{name}', litellm_params: {{{params}}}}}]")


def problem_in(text: str) -> str:
    with pytest.raises(InvalidConfig) as caught:
        parse_config(text)
    (problem,) = caught.value.message.splitlines()
    return problem


def test_prices_are_kept_as_they_are_written() -> None:
    config = config_of(
        "model: openai/a, input_cost_per_token: 0.0000025, output_cost_per_token: 1e-5, weight: 0.3, "
        "cache_read_input_token_cost: '1.25e-06', input_cost_per_token_batches: 0"
    )
    (deployment,) = config.deployments("m")
    assert deployment.weight == Decimal("0.3")
    assert deployment.prices == {
        "input_cost_per_token": Decimal("0.0000025"),
        "output_cost_per_token": Decimal("0.00001"),
        "cache_read_input_token_cost": Decimal("0.00000125"),
        "input_cost_per_token_batches": 0,
    }
    assert Deployment.model_validate_json(deployment.model_dump_json()) == deployment
    assert config.warnings == ()


def test_prices_may_stand_in_model_info_and_those_of_litellm_params_go_first() -> None:
    config = parse_config(
        "model_list: [{model_name: m, litellm_params: {model: openai/a, input_cost_per_token: 1}, "
        "model_info: {input_cost_per_token: 0.2, output_cost_per_token: 0.3, base_model: openai/b}}]"
    )
    (deployment,) = config.deployments("m")
    assert deployment.prices == {
        "input_cost_per_token": 1,
        "output_cost_per_token": Decimal("0.3"),
    }
    assert deployment.base_model == "openai/b"
    assert config.warnings == ()


@pytest.mark.parametrize("key", PRICE_KEYS)
def test_every_price_that_counts_is_a_key_of_the_config(key: str) -> None:
    (deployment,) = config_of(f"model: openai/a, {key}: 1").deployments("m")
    assert deployment.prices == {key: 1}


def test_a_wildcard_fills_the_stars_of_the_base_model() -> None:
    config = config_of("model: openai/our-*, base_model: openai/*", "*")
    assert config.deployments("gpt-4o")[0].base_model == "openai/gpt-4o"


@pytest.mark.parametrize(
    "price",
    ["-1", "-1e-6", "free", "''", "$1", "true", "[1]", ".nan", "nan", ".inf", "-.inf", "infinity"],
)
@pytest.mark.parametrize("place", ["litellm_params", "model_info"])
def test_what_is_no_price_refuses_the_config(place: str, price: str) -> None:
    sections = {"litellm_params": "model: openai/a", "model_info": "batch: auto"}
    sections[place] += f", output_cost_per_token: {price}"
    entry = ", ".join(f"{name}: {{{keys}}}" for name, keys in sections.items())
    problem = problem_in(f"model_list: [{{model_name: m, {entry}}}]")
    path, _, reason = problem.partition(": ")
    assert path == f"model_list[0].{place}.output_cost_per_token"
    assert "number" in reason or reason == "input should be greater than or equal to 0"


@pytest.mark.parametrize("price", ["sNaN", "os.environ/PRICE", "2026-11-21", "1e999999", "1e-31"])
def test_whatever_else_is_no_price_refuses_the_config(price: str) -> None:
    problem = problem_in(
        "model_list: [{model_name: m, litellm_params: {model: openai/a, "
        f"input_cost_per_token: {price}}}}}]"
    )
    assert problem.startswith(f"{PARAMS}.input_cost_per_token: ")


def test_a_price_that_can_only_be_meant_for_a_million_tokens_is_refused() -> None:
    problem = problem_in(
        "model_list: [{model_name: m, litellm_params: {model: openai/a, input_cost_per_token: 2.5}}]"
    )
    assert problem.endswith("a price is for one token: 2.5 dollars for a million are 2.5e-6")


@pytest.mark.parametrize("weight", ["0", "-1", "heavy", "true", ".nan", "1e-10", "1e10"])
def test_a_weight_is_a_positive_number(weight: str) -> None:
    problem = problem_in(
        f"model_list: [{{model_name: m, litellm_params: {{model: openai/a, weight: {weight}}}}}]"
    )
    assert problem.startswith(f"{PARAMS}.weight: ")


def test_an_entry_without_a_weight_beside_one_with_a_weight_is_warned_about() -> None:
    config = parse_config("""
model_list:
- {model_name: m, litellm_params: {model: openai/a, weight: 2}}
- {model_name: m, litellm_params: {model: openai/b}}
- {model_name: other, litellm_params: {model: openai/b}}
""")
    (warning,) = config.warnings
    assert warning.startswith("model_list[1].litellm_params.weight: another entry of 'm' has one")


def test_a_file_may_be_mixed_and_expires_unless_the_settings_say_otherwise() -> None:
    for text in ("", "nightmail_settings:"):
        config = parse_config(text)
        assert (config.strict, config.on_deadline) == (False, "expire")
    config = parse_config("nightmail_settings: {strict: true, on_deadline: finish_direct}")
    assert (config.strict, config.on_deadline) == (True, "finish_direct")


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ("{strict: 'yes'}", "nightmail_settings.strict"),
        ("{strict: 1}", "nightmail_settings.strict"),
        ("{on_deadline: wait}", "nightmail_settings.on_deadline"),
        ("{on_deadline: true}", "nightmail_settings.on_deadline"),
        ("[]", "nightmail_settings"),
    ],
)
def test_wrong_settings_are_refused_with_their_path(settings: str, path: str) -> None:
    problem = problem_in(f"nightmail_settings: {settings}")
    assert problem.startswith(f"{path}: ")


def test_an_unknown_setting_is_named() -> None:
    config = parse_config("nightmail_settings: {on_dedline: expire}")
    assert config.warnings[0].startswith("nightmail_settings.on_dedline: nothing acts on this key")
