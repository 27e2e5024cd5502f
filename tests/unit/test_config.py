"""What a config.yaml says, and how it says that it is wrong."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail import providers
from nightmail.config.__main__ import main
from nightmail.config.gateway import GatewayConfig, parse_config, referenced_names
from nightmail.errors import InvalidConfig, NotFound
from nightmail.provider_names import SERVED
from nightmail.providers.registry import card_of

ROOT = Path(__file__).parents[2]
KEY = "sk-written-out-here"


def config_of(*params: str, name: str = "m", rest: str = "") -> GatewayConfig:
    """A config whose entries are all called `name`, each with the given flow of litellm_params."""
    entries = "".join(f"- model_name: '{name}'\n  litellm_params: {{{each}}}\n" for each in params)
    return parse_config(f"model_list:\n{entries}{rest}")


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(InvalidConfig) as caught:
        parse_config(text)
    assert KEY not in str(caught.value)
    return caught.value.message.splitlines()


def test_an_entry_becomes_a_deployment_whose_key_is_a_reference() -> None:
    config = config_of(
        "model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, organization: org-1, timeout: 60"
    )
    (deployment,) = config.deployments("m")
    assert deployment.model_dump(exclude_defaults=True) == {
        "name": "m",
        "provider": "openai",
        "model": "gpt-4o",
        "api_key": "os.environ/OPENAI_API_KEY",
        "organization": "org-1",
        "timeout_seconds": 60,
    }
    assert config.warnings == ()


def test_entries_of_one_name_are_all_its_deployments() -> None:
    config = config_of("model: openai/a", "model: azure/b")
    assert [found.provider for found in config.deployments("m")] == ["openai", "azure"]


def test_base_url_and_request_timeout_are_other_names_of_api_base_and_timeout() -> None:
    config = config_of("model: openai/a, base_url: 'https://host/v1', request_timeout: 1.5")
    (deployment,) = config.deployments("m")
    assert deployment.api_base == "https://host/v1"
    assert deployment.timeout_seconds == 2


@pytest.mark.parametrize(
    ("rest", "seconds"),
    [
        ("litellm_settings: {request_timeout: 5}\nrouter_settings: {timeout: 7}", 7),
        ("litellm_settings: {request_timeout: 5}", 5),
        ("litellm_settings:\nrouter_settings:\n", None),
    ],
)
def test_a_timeout_of_the_settings_is_for_entries_without_one(
    rest: str, seconds: float | None
) -> None:
    config = config_of("model: openai/a", "model: openai/b, timeout: 9", rest=rest)
    assert [found.timeout_seconds for found in config.deployments("m")] == [seconds, 9]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("o3-mini", "openai"),
        ("text-embedding-3-small", "openai"),
        ("ft:gpt-4o-mini:acme::1", "openai"),
        ("gpt-3.5-turbo", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("claude-2", "anthropic"),
        ("claude-instant-1.2", "anthropic"),
        ("command-nightly", "cohere"),
        ("command-r-plus", "cohere"),
        ("embed-english-v3.0", "cohere"),
        ("embed-v4.0", "cohere"),
    ],
)
def test_a_well_known_name_needs_no_provider(model: str, provider: str) -> None:
    (deployment,) = config_of(f"model: '{model}'").deployments("m")
    assert (deployment.provider, deployment.model) == (provider, model)


def test_a_given_provider_leaves_the_slashes_of_a_name_alone() -> None:
    config = config_of(
        "model: meta-llama/Llama-3, custom_llm_provider: openai",
        "model: openai/meta-llama/Llama-3, custom_llm_provider: openai",
        "model: openai/meta-llama/Llama-3",
    )
    assert {found.model for found in config.deployments("m")} == {"meta-llama/Llama-3"}


OWN_KEYS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "cohere": "COHERE_API_KEY",
    "groq": "GROQ_API_KEY",
    "together_ai": "TOGETHERAI_API_KEY",
    "fireworks_ai": "FIREWORKS_AI_API_KEY",
    "xai": "XAI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "mistral": "MISTRAL_API_KEY",
}


@pytest.mark.parametrize(("provider", "name"), OWN_KEYS.items())
def test_a_provider_itself_falls_back_on_its_own_key(provider: str, name: str) -> None:
    config = config_of(f"model: {provider}/x")
    assert config.deployments("m")[0].api_key == f"os.environ/{name}"
    assert referenced_names(config) == [name]


@pytest.mark.parametrize("provider", [*OWN_KEYS, "hosted_vllm"])
def test_no_providers_own_key_ever_goes_to_another_host(provider: str) -> None:
    config = config_of(f"model: {provider}/x, api_base: 'http://localhost/v1'")
    assert config.deployments("m")[0].api_key is None


def test_limits_and_lanes_become_the_deployments() -> None:
    config = config_of(
        "model: openai/a, rpm: 60, tpm: 9000, max_parallel_requests: 4, num_retries: 0, "
        "stream_timeout: 2.5, drop_params: true, batch: direct, batch_enabled: true"
    )
    (deployment,) = config.deployments("m")
    assert deployment.model_dump(exclude={"name", "provider", "model"}, exclude_defaults=True) == {
        "api_key": "os.environ/OPENAI_API_KEY",
        "rpm": 60,
        "tpm": 9000,
        "max_parallel_requests": 4,
        "num_retries": 0,
        "stream_timeout_seconds": 3,
        "drop_params": True,
        "lane": "direct",
        "batch_enabled": True,
    }
    assert config.warnings == ()


def test_jobs_are_counted_for_bedrock_alone() -> None:
    config = config_of("model: bedrock/a, max_batch_jobs: 10")
    (deployment,) = config.deployments("m")
    assert deployment.max_batch_jobs == 10
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("params", "warning"),
    [
        ("model: openai/a, max_batch_jobs: 10", "max_batch_jobs: only bedrock has this, and not"),
        ("model: groq/a, api_version: 2024-10-21", "api_version: only azure has this, and not"),
        ("model: groq/a, aws_region_name: eu-west-1", "aws_region_name: only bedrock has this"),
        ("model: cohere/a, organization: org-1", "organization: cohere has none"),
        ("model: groq/a, organization: org-1", ""),
        ("model: azure/a, api_version: 2024-10-21", ""),
        (
            "model: bedrock/us-west-2/a, aws_region_name: eu-west-1",
            "aws_region_name: eu-west-1 is called, not the us-west-2 of the model's name",
        ),
        ("model: bedrock/us-west-2/a, aws_region_name: us-west-2", ""),
        ("model: bedrock/us-west-2/a, aws_region_name: os.environ/REGION", ""),
        ("model: bedrock/a, aws_region_name: eu-west-1", ""),
        ("model: hosted_vllm/a", "api_base: hosted_vllm is a server of your own: say where"),
        ("model: a, custom_llm_provider: openai_like", "api_base: openai_like is a server of your"),
        ("model: hosted_vllm/a, api_base: http://host:8000", ""),
        ("model: ollama/a", ""),
    ],
)
def test_what_a_provider_does_not_read_or_misses_is_named(params: str, warning: str) -> None:
    told = config_of(params).warnings
    assert [each.startswith(f"{PARAMS}.{warning}") for each in told] == [True] * bool(warning)


@pytest.mark.parametrize(
    ("params", "missing"),
    [
        ("aws_access_key_id: os.environ/I", ["aws_secret_access_key"]),
        ("aws_secret_access_key: os.environ/S", ["aws_access_key_id"]),
        ("aws_session_token: os.environ/T", ["aws_access_key_id", "aws_secret_access_key"]),
    ],
)
def test_half_of_aws_credentials_is_refused_by_the_name_of_the_other(
    params: str, missing: list[str]
) -> None:
    found = problems(
        f"model_list: [{{model_name: m, litellm_params: {{model: bedrock/a, {params}}}}}]"
    )
    assert [problem.partition(": ")[0] for problem in found] == [
        f"{PARAMS}.{name}" for name in missing
    ]


@pytest.mark.parametrize(
    ("params", "is_warned"),
    [
        ("model: fireworks_ai/llama", True),
        ("model: fireworks_ai/accounts/fireworks/models/llama", True),
        ("model: fireworks_ai/accounts/mine/models/llama", False),
        ("model: fireworks_ai/llama, organization: mine", False),
        ("model: fireworks_ai/*", False),
        ("model: bedrock/a", False),
        ("model: bedrock/a, api_key: os.environ/KEY", True),
        (
            "model: bedrock/a, aws_access_key_id: os.environ/I, aws_secret_access_key: os.environ/S",
            True,
        ),
        ("model: bedrock/a, api_base: 'https://elsewhere'", True),
        ("model: bedrock/a, api_base: os.environ/BASE", False),
        ("model: openai/a", False),
    ],
)
def test_batches_that_nobody_could_start_are_warned_of_where_they_alone_are_wanted(
    params: str, is_warned: bool
) -> None:
    name = "x*" if "*" in params else "m"
    assert config_of(params, name=name).warnings == ()
    warnings = config_of(f"{params}, batch: native", name=name).warnings
    assert [each.startswith(f"{PARAMS}.batch: ") for each in warnings] == [True] * is_warned


def test_a_provider_without_batches_is_warned_of_where_they_alone_are_wanted() -> None:
    cards = {name: card for name in SERVED if (card := card_of(name))}
    told = {name: config_of(f"model: {name}/m, batch: native").warnings for name in cards}
    assert {name for name in cards if "has no batch API here" in " ".join(told[name])} == {
        name for name, card in cards.items() if card.format is None
    }


def test_what_a_request_may_hold_is_the_deployments_default() -> None:
    config = config_of("model: openai/a, temperature: 0, stop: [END], order: 1, stream: true")
    (deployment,) = config.deployments("m")
    assert deployment.defaults == {"temperature": 0, "stop": ["END"]}
    named = [warning.partition(":")[0] for warning in config.warnings]
    assert named == [f"{PARAMS}.order", f"{PARAMS}.stream"]


@pytest.mark.parametrize(
    "entry",
    [
        "litellm_params: {model: gpt-4o, batch: native, batch_enabled: true}",
        "litellm_params: {model: gpt-4o}, batch: native, batch_enabled: true",
        "litellm_params: {model: gpt-4o}, model_info: {batch: native, batch_enabled: true}",
        "litellm_params: {model: gpt-4o, batch: native}, batch: direct, batch_enabled: true",
    ],
)
def test_the_lane_may_be_chosen_in_any_of_three_places(entry: str) -> None:
    config = parse_config(f"model_list: [{{model_name: m, {entry}}}]")
    (deployment,) = config.deployments("m")
    assert (deployment.lane, deployment.batch_enabled) == ("native", True)
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("rest", "retries"),
    [
        ("", None),
        ("litellm_settings: {num_retries: 5}", 5),
        ("litellm_settings: {num_retries: 5}\nrouter_settings: {num_retries: 0}", 0),
    ],
)
def test_retries_of_the_settings_are_for_entries_without_any(
    rest: str, retries: int | None
) -> None:
    config = config_of("model: openai/a", "model: openai/b, max_retries: 7", rest=rest)
    assert [found.num_retries for found in config.deployments("m")] == [retries, 7]


def test_an_entry_may_refuse_what_the_settings_drop() -> None:
    config = config_of(
        "model: openai/a",
        "model: openai/b, drop_params: false",
        rest="litellm_settings: {drop_params: true}",
    )
    assert [found.drop_params for found in config.deployments("m")] == [True, False]


FALLBACKS = """
model_list:
- {model_name: a, litellm_params: {model: openai/a}}
- {model_name: b, litellm_params: {model: openai/b}}
- {model_name: openai/*, litellm_params: {model: openai/*}}
litellm_settings: {fallbacks: [{a: [openai/x]}, {b: [a]}]}
router_settings:
  model_group_alias: {other: a}
  fallbacks: [{a: [b, other, a]}, {"*": [a]}]
"""


@pytest.mark.parametrize(
    ("name", "fallbacks"),
    [("a", ["b", "other"]), ("other", ["b", "a"]), ("b", ["a"]), ("openai/y", ["a"])],
)
def test_fallbacks_are_told_in_order(name: str, fallbacks: list[str]) -> None:
    config = parse_config(FALLBACKS)
    assert config.fallbacks(name) == fallbacks
    assert config.warnings == ()


def test_without_fallbacks_there_are_none() -> None:
    assert config_of("model: openai/a").fallbacks("m") == []


def test_a_written_key_is_spoken_of_by_a_digest_and_warned_about() -> None:
    config = config_of(f"model: openai/a, api_key: {KEY}", "model: openai/a, api_key: sk-other")
    first, second = config.deployments("m")
    assert first.api_key
    assert first.api_key.startswith("config/m#")
    assert first.api_key != second.api_key
    assert config.key_written_as(first.api_key) == KEY
    assert KEY not in repr(config) + first.model_dump_json() + "".join(config.warnings)
    assert config.warnings[0].startswith("model_list[0].litellm_params.api_key: ")


def test_a_wildcard_takes_names_and_fills_its_star() -> None:
    config = config_of("model: openai/*", name="openai/*")
    (deployment,) = config.deployments("openai/org/gpt-5")
    assert (deployment.name, deployment.model) == ("openai/org/gpt-5", "org/gpt-5")


def test_a_wildcard_may_lead_to_one_model() -> None:
    (deployment,) = config_of("model: openai/gpt-4o", name="any-*").deployments("any-thing")
    assert deployment.model == "gpt-4o"


def test_stars_are_filled_one_after_another() -> None:
    config = config_of("model: 'openai/*-v1-*'", name="*/fast/*")
    (deployment,) = config.deployments("ab/fast/c")
    assert deployment.model == "ab-v1-c"


def test_a_lone_star_takes_every_name_whose_provider_is_known() -> None:
    config = config_of("model: '*'", name="*")
    assert config.deployments("groq/llama")[0].provider == "groq"
    assert config.deployments("gpt-5")[0].provider == "openai"
    with pytest.raises(NotFound):
        config.deployments("nobody-knows")


def test_a_full_name_goes_before_a_pattern_and_a_long_pattern_before_a_short_one() -> None:
    entries = {"*": "openai/last", "openai/*": "openai/second", "openai/a": "openai/first"}
    config = parse_config(
        "model_list:\n"
        + "".join(
            f"- {{model_name: '{name}', litellm_params: {{model: {model}}}}}\n"
            for name, model in entries.items()
        )
    )
    asked = ["openai/a", "openai/b", "c"]
    assert [config.deployments(name)[0].model for name in asked] == ["first", "second", "last"]


@pytest.mark.parametrize("name", ["", "n", "M", "m ", "openai/*", "m" * 10_000, "\ud800"])
def test_an_unknown_name_is_openais_404(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        config_of("model: openai/a").deployments(name)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert len(caught.value.message) < 400


def test_a_star_takes_no_list_of_names() -> None:
    config = config_of("model: openai/gpt-*", name="gpt-*")

    assert config.deployments("gpt-4o")
    with pytest.raises(NotFound):
        config.deployments("gpt-4o, claude-haiku-4-5")


def test_an_empty_pattern_match_is_no_model() -> None:
    config = config_of("model: '*', custom_llm_provider: openai", name="openai/*")
    with pytest.raises(NotFound):
        config.deployments("openai/")


def test_a_config_without_models_says_what_to_do_when_it_is_used() -> None:
    with pytest.raises(NotFound, match=r"does not exist .* put a config.yaml"):
        parse_config("").deployments("gpt-4o")


ALIASES = """
router_settings:
  model_group_alias: {default: m, secret: {model: m, hidden: true}}
"""


def test_an_alias_is_another_name_and_a_hidden_one_is_not_listed() -> None:
    config = config_of("model: openai/a", rest=ALIASES)
    assert config.deployments("default")[0].name == "default"
    assert config.deployments("secret")[0].model == "a"
    assert config.model_names() == ["m", "default"]
    assert config.warnings == ()


@pytest.mark.parametrize("name", ["gpt-4o", "openai/gpt-4o", "batch"])
def test_a_hint_chooses_the_entry_that_serves_the_model_asked_for(name: str) -> None:
    config = parse_config("""
model_list:
- {model_name: gpt-4o, litellm_params: {model: openai/gpt-4o, api_key: os.environ/A}}
- {model_name: batch, litellm_params: {model: openai/gpt-4o, api_key: os.environ/B}}
""")
    (deployment,) = config.deployments(name, "batch")
    assert (deployment.name, deployment.api_key) == (name, "os.environ/B")


@pytest.mark.parametrize("hint", ["other", "unknown", ""])
def test_a_hint_never_changes_the_model(hint: str) -> None:
    config = parse_config("""
model_list:
- {model_name: mine, litellm_params: {model: openai/mine}}
- {model_name: other, litellm_params: {model: openai/other}}
""")
    assert config.deployments("mine", hint)[0].model == "mine"


def test_an_azure_resource_is_named_by_the_entry_or_by_its_usual_names() -> None:
    config = config_of(
        "model: azure/mine",
        'model: azure/mine, api_base: "https://mine.openai.azure.com", api_version: 2024-10-21',
        "model: azure/mine, api_version: os.environ/VERSION",
    )
    usual, dated, referred = config.deployments("m")
    assert (usual.api_base, usual.api_version) == ("os.environ/AZURE_API_BASE", None)
    assert (dated.api_base, dated.api_version) == ("https://mine.openai.azure.com", "2024-10-21")
    assert {each.api_key for each in (usual, dated, referred)} == {"os.environ/AZURE_API_KEY"}
    assert sorted(set(referenced_names(config))) == ["AZURE_API_BASE", "AZURE_API_KEY", "VERSION"]
    assert config.warnings == ()


def test_every_key_that_nothing_acts_on_is_named() -> None:
    config = parse_config("""
model_list:
- model_name: gpt-4o-batch
  litellm_params: {model: gpt-4o, temperature: 0, order: 10, rate: 1}
  model_info: {mode: batch}
  order: 1
litellm_settings: {callbacks: [x]}
router_settings: {routing_strategy: simple-shuffle, model_group_alias: {a: {model: gpt-4o-batch, x: 1}}}
general_settings: {database_url: os.environ/DB}
files_settings: [{custom_llm_provider: openai}]
""")
    assert sorted(warning.partition(":")[0] for warning in config.warnings) == [
        "files_settings",
        "general_settings.database_url",
        "litellm_settings.callbacks",
        "model_list[0].litellm_params.order",
        "model_list[0].litellm_params.rate",
        "model_list[0].model_info.mode",
        "model_list[0].order",
        "router_settings.model_group_alias.a.x",
        "router_settings.routing_strategy",
    ]


def test_referenced_names_are_those_that_something_acts_on() -> None:
    config = config_of(
        "model: openai/a, api_key: os.environ/ONE, organization: os.environ/TWO",
        "model: openai/b, api_base: os.environ/BASE, order: os.environ/IGNORED",
        "model: openai/c",
        rest="general_settings: {master_key: os.environ/MASTER}",
    )
    assert sorted(referenced_names(config)) == ["BASE", "MASTER", "ONE", "OPENAI_API_KEY", "TWO"]


def test_a_master_key_may_be_written_out_but_is_warned_about() -> None:
    config = parse_config("general_settings: {master_key: sk-1234}")
    assert config.master_key == "sk-1234"
    assert config.warnings[0].startswith("general_settings.master_key: ")
    assert "sk-1234" not in repr(config) + config.warnings[0]


def test_environment_variables_may_be_numbers() -> None:
    config = parse_config("environment_variables: {PORT: 4000, NAME: x}")
    assert config.environment_variables == {"PORT": "4000", "NAME": "x"}


def test_yaml_merge_keys_and_anchors_work() -> None:
    config = parse_config("""
model_list:
- {model_name: a, litellm_params: &same {model: openai/a, api_key: os.environ/A}}
- {model_name: b, litellm_params: {<<: *same, model: openai/b}}
""")
    assert config.deployments("b")[0].api_key == "os.environ/A"
    assert config.deployments("b")[0].model == "b"


PARAMS = "model_list[0].litellm_params"


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ("", f"{PARAMS}.model"),
        ("model: 4", f"{PARAMS}.model"),
        ("model: ''", f"{PARAMS}.model"),
        ("model: no-provider", f"{PARAMS}.model"),
        ("model: /x", f"{PARAMS}.model"),
        ("model: openai/", f"{PARAMS}.model"),
        ("model: openai/*", f"{PARAMS}.model"),
        ("model: os.environ/MODEL", f"{PARAMS}.model"),
        ("model: openai/a, api_key: [1]", f"{PARAMS}.api_key"),
        ("model: openai/a, api_key: ''", f"{PARAMS}.api_key"),
        ("model: openai/a, api_key: 'os.environ/'", f"{PARAMS}.api_key"),
        ("model: openai/a, api_key: 'os.environ/A B'", f"{PARAMS}.api_key"),
        (f'model: openai/a, api_key: "{KEY}\\n"', f"{PARAMS}.api_key"),
        ("model: openai/a, api_base: host/v1", f"{PARAMS}.api_base"),
        ("model: openai/a, api_base: 'http://[::1'", f"{PARAMS}.api_base"),
        (f"model: openai/a, api_base: 'https://u:{KEY}@host'", f"{PARAMS}.api_base"),
        (f"model: openai/a, base_url: 'https://host?key={KEY}'", f"{PARAMS}.base_url"),
        ("model: openai/a, base_url: 'http://a', api_base: 'http://b'", f"{PARAMS}.base_url"),
        ("model: openai/a, timeout: 0", f"{PARAMS}.timeout"),
        ("model: openai/a, timeout: .nan", f"{PARAMS}.timeout"),
        ("model: openai/a, timeout: .inf", f"{PARAMS}.timeout"),
        ("model: openai/a, timeout: true", f"{PARAMS}.timeout"),
        ("model: openai/a, timeout: '60'", f"{PARAMS}.timeout"),
        (f"model: openai/a, timeout: 1{'0' * 400}", f"{PARAMS}.timeout"),
        ("model: openai/a, timeout: 1, request_timeout: 2", f"{PARAMS}.request_timeout"),
        ("model: openai/a, model: openai/b", f"{PARAMS}.model"),
        ("model: openai/a, num_retries: 1, max_retries: 2", f"{PARAMS}.max_retries"),
        ("model: openai/a, num_retries: -1", f"{PARAMS}.num_retries"),
        ("model: openai/a, num_retries: 1.5", f"{PARAMS}.num_retries"),
        ("model: openai/a, max_retries: 1000000", f"{PARAMS}.max_retries"),
        ("model: openai/a, rpm: -1", f"{PARAMS}.rpm"),
        ("model: openai/a, rpm: 0", f"{PARAMS}.rpm"),
        ("model: openai/a, tpm: '9'", f"{PARAMS}.tpm"),
        ("model: openai/a, max_parallel_requests: true", f"{PARAMS}.max_parallel_requests"),
        ("model: openai/a, stream_timeout: -1", f"{PARAMS}.stream_timeout"),
        ("model: openai/a, drop_params: 1", f"{PARAMS}.drop_params"),
        ("model: openai/a, batch: cheap", f"{PARAMS}.batch"),
        ("model: openai/a, batch_enabled: 'yes'", f"{PARAMS}.batch_enabled"),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_path(params: str, path: str) -> None:
    (problem,) = problems(f"model_list:\n- model_name: m\n  litellm_params: {{{params}}}")
    assert problem.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("model_list: {}", "model_list"),
        ("model_list: [1]", "model_list[0]"),
        ("model_list: [{litellm_params: {model: openai/a}}]", "model_list[0].model_name"),
        ("model_list: [{model_name: a}]", "model_list[0].litellm_params"),
        ("litellm_settings: []", "litellm_settings"),
        ("general_settings: {master_key: 1234}", "general_settings.master_key"),
        ("router_settings: {model_group_alias: {a: 1}}", "router_settings.model_group_alias.a"),
        ("router_settings: {model_group_alias: {a: b}}", "router_settings.model_group_alias.a"),
        ("router_settings: {fallbacks: {a: [b]}}", "router_settings.fallbacks"),
        ("router_settings: {fallbacks: [{'*': b}]}", "router_settings.fallbacks[0].*"),
        ("router_settings: {fallbacks: [{'*': [b]}]}", "router_settings.fallbacks[0].*"),
        ("litellm_settings: {fallbacks: [{b: []}]}", "litellm_settings.fallbacks[0].b"),
        ("litellm_settings: {num_retries: -1}", "litellm_settings.num_retries"),
        ("router_settings: {num_retries: x}", "router_settings.num_retries"),
        ("litellm_settings: {drop_params: 0}", "litellm_settings.drop_params"),
        ("environment_variables: {A: [x]}", "environment_variables.A"),
        ("environment_variables: {A: os.environ/B}", "environment_variables.A"),
        ("general_settings: {1: x}", "general_settings"),
        ("a: &a [*a]", "a[0]"),
        ("model_list:\nx: 1\nmodel_list:\n", "model_list"),
    ],
)
def test_a_wrong_section_is_refused_with_its_path(text: str, path: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith(f"{path}: ")


def test_all_wrong_keys_are_named_at_once() -> None:
    found = problems("model_list: [{model_name: 1, litellm_params: {}}]")
    assert [problem.partition(":")[0] for problem in found] == [
        "model_list[0].model_name",
        "model_list[0].litellm_params.model",
    ]


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "just words",
        "a: [",
        "a: b: c",
        "\x00",
        "a: !!python/object:os.system {}",
        "a: !!int x",
        "a: !!timestamp x",
        "a: !!bool x",
        "a: *nowhere",
        "--- 1\n--- 2",
        b"a: \xff\xfe",
        "\ud800",
        "a: " + "9" * 5000,
        "[" * 100_000,
        "- " * 100_000,
        "{? " * 1000,
        "x" * (1024 * 1024 + 1),
        BOMB,
        BOMB.replace("[x]", "{x: y}").replace("[*", "{<<: [*").replace("]\n", "]}\n"),
        "? [a]\n: b",
    ],
)
def test_what_is_no_config_is_refused_and_never_a_crash(text: str | bytes) -> None:
    assert problems(text)


@given(st.text(alphabet="ab:*&<>[]{}!|#?- \n'\"\\0\t\x00\ud800é", max_size=80))
def test_no_text_raises_anything_but_invalid_config(text: str) -> None:
    try:
        parse_config(text)
    except InvalidConfig as error:
        assert error.message  # noqa: PT017 - most texts are refused, and a few are not


@pytest.mark.parametrize("path", ["local/config.yaml", "examples/config.yaml"])
def test_the_configs_of_this_repository_are_valid_without_a_warning(path: str) -> None:
    config = parse_config((ROOT / path).read_bytes())
    assert config.warnings == ()
    assert {config.provider_of(name) for name in config.model_names()} <= SERVED


def test_the_command_prints_warnings_and_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: [{model_name: m, litellm_params: {model: gpt-4o, order: 1}}]")
    assert main([str(path)]) == 0
    printed = capsys.readouterr().out
    assert "warning: model_list[0].litellm_params.order" in printed
    assert "needs OPENAI_API_KEY in the secret" in printed
    assert printed.endswith("is valid and names 1 model.\n")


def test_the_command_counts_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    entry = "{model_name: %s, litellm_params: {model: gpt-4o}}"
    path.write_text(f"model_list: [{entry % 'a'}, {entry % 'b'}]")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out.endswith("is valid and names 2 models.\n")


def test_the_command_fails_with_the_path_of_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("model_list: [{model_name: m, litellm_params: {model: x}}]")
    assert main([str(path)]) == 1
    assert "model_list[0].litellm_params.model: " in capsys.readouterr().err


def test_the_command_fails_without_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_a_provider_that_is_not_served_is_named_in_a_warning() -> None:
    config = parse_config(
        "model_list: [{model_name: flash, litellm_params: {model: vertex_ai/gemini-2.5-flash}}]"
    )

    (warning,) = config.warnings
    assert warning.startswith("model_list[0].litellm_params.model: 'vertex_ai' is no provider")
    assert "openai, openai_like" in warning


def test_a_config_without_models_is_warned_of() -> None:
    (warning,) = parse_config("").warnings

    assert warning.startswith("model_list: it names no model")


def test_every_provider_that_has_an_adapter_is_served() -> None:
    (folder,) = map(Path, providers.__path__)
    folders = [card.parent.name for card in folder.glob("*/card.py")]
    cards = [import_module(f"nightmail.providers.{name}.card").CARD for name in folders]
    assert {name: card_of(name) for card in cards for name in card.names} == {
        name: card for card in cards for name in card.names
    }
