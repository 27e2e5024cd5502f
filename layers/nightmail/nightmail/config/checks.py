"""What is wrong in a config though its shape is right, and what in it has no effect."""

from __future__ import annotations

from collections.abc import Iterator

from nightmail.config.document import ConfigDocument, LitellmParams, unknown_keys
from nightmail.config.model_names import STAR, match_pattern
from nightmail.config.provider_keys import half_credentials, warnings_of_entry
from nightmail.config.references import is_reference
from nightmail.provider_names import split_model

# Two names of one thing.
_SAME = (
    ("api_base", "base_url"),
    ("api_base", "aws_bedrock_runtime_endpoint"),
    ("timeout", "request_timeout"),
    ("num_retries", "max_retries"),
)


def problems_of(document: ConfigDocument) -> Iterator[str]:
    """One line for each: the key's path, and what is wrong."""
    yield from _model_problems(document)
    yield from _alias_problems(document)
    yield from _fallback_problems(document)


def warnings_of(document: ConfigDocument) -> Iterator[str]:
    """One line for each: the key's path, and why it is named."""
    for path in unknown_keys(document):
        yield f"{path}: nothing acts on this key; it is ignored."
    yield from _written_keys(document)
    yield from _unfit(document)
    yield from _weightless(document)
    if not document.model_list:
        yield "model_list: it names no model, so every request is refused."


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
        for name in half_credentials(params):
            yield f"{path}.{name}: it is missing; AWS credentials need both the id and the secret."
        yield from _twins(params, path)


def _unfit(document: ConfigDocument) -> Iterator[str]:
    for number, entry in enumerate(document.model_list):
        for name, reason in warnings_of_entry(entry):
            yield f"model_list[{number}].litellm_params.{name}: {reason}"


def _weightless(document: ConfigDocument) -> Iterator[str]:
    entries = document.model_list
    weighted = {entry.model_name for entry in entries if entry.litellm_params.weight}
    for number, entry in enumerate(entries):
        if entry.model_name in weighted and not entry.litellm_params.weight:
            yield (
                f"model_list[{number}].litellm_params.weight: another entry of '{entry.model_name}' "
                "has one, so this one gets no line of a batch; give it a weight too."
            )


def _twins(params: LitellmParams, path: str) -> Iterator[str]:
    for name, other in _SAME:
        if None not in (getattr(params, name), getattr(params, other)):
            yield f"{path}.{other}: {name} is given too, and means the same; keep one."


def _alias_problems(document: ConfigDocument) -> Iterator[str]:
    for alias, target in document.router_settings.model_group_alias.items():
        if not _is_listed(document, target.model):
            path = f"router_settings.model_group_alias.{alias}"
            yield f"{path}: there is no model '{target.model}' in model_list."


def _fallback_problems(document: ConfigDocument) -> Iterator[str]:
    aliases = document.router_settings.model_group_alias
    for section in ("router_settings", "litellm_settings"):
        for number, fallbacks in enumerate(getattr(document, section).fallbacks):
            for name, others in fallbacks.items():
                path = f"{section}.fallbacks[{number}].{name}"
                unknown = [each for each in (name, *others) if each not in aliases]
                for each in unknown:
                    if not (_is_listed(document, each) or each == name == STAR):
                        yield f"{path}: there is no model '{each}' in model_list."


def _is_listed(document: ConfigDocument, model: str) -> bool:
    """Whether a caller who asks for `model` gets an entry of model_list."""
    names = (entry.model_name for entry in document.model_list)
    return STAR not in model and any(match_pattern(name, model) is not None for name in names)


def _written_keys(document: ConfigDocument) -> Iterator[str]:
    advice = "a key is written out here; put it into the stack's secret"
    for number, entry in enumerate(document.model_list):
        for name, key in entry.litellm_params.secrets.items():
            if not is_reference(key):
                path = f"model_list[{number}].litellm_params.{name}"
                yield f"{path}: {advice} and write os.environ/NAME."
    master = document.general_settings.master_key
    if master and not is_reference(master.get_secret_value()):
        yield f"general_settings.master_key: {advice} as master_key."
