"""What is wrong in a config though its shape is right, and what in it has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from nightmail.config.document import ConfigDocument, unknown_keys
from nightmail.config.model_names import STAR, match_pattern, split_model
from nightmail.config.references import is_reference


def problems_of(document: ConfigDocument) -> Iterator[str]:
    """One line for each: the key's path, and what is wrong."""
    yield from _model_problems(document)
    yield from _alias_problems(document)


def warnings_of(document: ConfigDocument) -> Iterator[str]:
    """One line for each: the key's path, and why it is named."""
    for path in unknown_keys(document):
        yield f"{path}: nothing acts on this key; it is ignored."
    yield from _written_keys(document)


def _model_problems(document: ConfigDocument) -> Iterator[str]:
    for number, entry in enumerate(document.model_list):
        path = f"model_list[{number}].litellm_params"
        params = entry.litellm_params
        stars = params.model.count(STAR)
        if stars and stars != entry.model_name.count(STAR):
            yield f"{path}.model: it needs as many * as model_name has, or none."
        if not split_model(params.model, params.custom_llm_provider) and params.model != STAR:
            yield (
                f"{path}.model: '{params.model}' names no provider; write it as provider/model, "
                "such as openai/gpt-4o, or add custom_llm_provider."
            )
        if params.api_base and params.base_url:
            yield f"{path}.base_url: api_base is given too, and means the same; keep one."
        if params.timeout and params.request_timeout:
            yield f"{path}.request_timeout: timeout is given too, and means the same; keep one."


def _alias_problems(document: ConfigDocument) -> Iterator[str]:
    names = {entry.model_name for entry in document.model_list}
    for alias, target in document.router_settings.model_group_alias.items():
        is_known = any(match_pattern(name, target.model) is not None for name in names)
        if STAR in target.model or not is_known:
            path = f"router_settings.model_group_alias.{alias}"
            yield f"{path}: there is no model '{target.model}' in model_list."


def _written_keys(document: ConfigDocument) -> Iterator[str]:
    advice = "a key is written out here; put it into the stack's secret"
    for number, entry in enumerate(document.model_list):
        secret = entry.litellm_params.api_key
        if secret and not is_reference(secret.get_secret_value()):
            path = f"model_list[{number}].litellm_params.api_key"
            yield f"{path}: {advice} and write os.environ/NAME."
    master = document.general_settings.master_key
    if master and not is_reference(master.get_secret_value()):
        yield f"general_settings.master_key: {advice} as master_key."
