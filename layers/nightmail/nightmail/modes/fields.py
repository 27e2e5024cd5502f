"""The fields of a body that are ours: each is taken out of it, so that no provider sees it."""

from __future__ import annotations

from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.modes.asked import DEFAULT_CONCURRENCY, Terms
from nightmail.parameters import (
    DESTINATIONS,
    NO_DESTINATION,
    boolean,
    extensions,
    integer,
    mapping,
    number,
    wrong_type,
)
from nightmail.providers.direct import JsonObject

_SHORTEST_SECONDS = 0.001
_LONGEST_SECONDS = 86_400
_MOST_RETRIES = 100
_MOST_CONCURRENCY = 1000
_LONGEST_HEDGE = 600_000
_ANY = "*"  # LiteLLM's word for the fallbacks of every model

_OURS = frozenset(
    {
        "fallbacks",
        "fastest_response",
        "hedge_after_ms",
        "max_concurrency",
        "max_workers",
        "models",
        "num_retries",
        "request_timeout",
        "timeout",
    }
)
_SHARED = _OURS | {"custom_llm_provider", "model", "nightmail", "stream", "stream_options"}


def open_body(body: Any) -> JsonObject:
    """A copy of the body to take fields from. Raises InvalidRequest, also where it says where keys go."""
    if not isinstance(body, dict):
        raise InvalidRequest("The body of your request has to be a JSON object.")
    left = dict(body)
    refuse_credentials(left)
    check_drop_params(left)
    left.pop("custom_llm_provider", None)  # the config knows who the provider is
    extensions(left.pop("nightmail", None), known=())
    return left


def refuse_credentials(left: JsonObject, path: str = "") -> None:
    """Raises InvalidRequest for a field that says where a request goes, or with which key."""
    _refuse(DESTINATIONS, left, path, NO_DESTINATION)


def check_drop_params(left: JsonObject, path: str = "") -> None:
    """Raises InvalidRequest where `drop_params` is no boolean; it stays, for the adapters."""
    if left.get("drop_params") is not None:
        boolean(left["drop_params"], f"{path}drop_params")


def refuse_ours(left: JsonObject) -> None:
    """Raises InvalidRequest for a field of ours that nobody took."""
    _refuse(_OURS, left, "", "has no effect here")


def refuse_shared(left: JsonObject, path: str) -> None:
    """Raises InvalidRequest for what one of many prompts cannot have for itself."""
    _refuse(_SHARED, left, path, "belongs to the whole request, not to one prompt")


def _refuse(names: frozenset[str], left: JsonObject, path: str, reason: str) -> None:
    """A field that is null says nothing, and is taken out."""
    for name in sorted(names.intersection(left)):
        if left.pop(name) is not None:
            raise InvalidRequest(
                f"'{path}{name}' {reason}. Leave it out.",
                param=f"{path}{name}",
                code="unsupported_parameter",
            )


def take_flag(left: JsonObject, name: str) -> bool:
    """A boolean; what is not given is false."""
    value = left.pop(name, None)
    return value is not None and boolean(value, name)


def take_stream(left: JsonObject) -> bool:
    """Whether the answer is a stream; `stream_options` is looked at, and stays."""
    options = left.get("stream_options")
    if options is None:
        left.pop("stream_options", None)
    elif mapping(options, "stream_options").get("include_usage") is not None:
        boolean(options["include_usage"], "stream_options.include_usage")
    return take_flag(left, "stream")


def take_concurrency(left: JsonObject) -> int:
    """How many calls may be in flight; LiteLLM calls it `max_workers`."""
    given = {name: left.pop(name, None) for name in ("max_concurrency", "max_workers")}
    for name, value in given.items():
        if value is not None:
            return integer(value, name, 1, _MOST_CONCURRENCY)
    return DEFAULT_CONCURRENCY


def take_hedge(left: JsonObject) -> float | None:
    """Seconds."""
    value = left.pop("hedge_after_ms", None)
    return None if value is None else number(value, "hedge_after_ms", 0, _LONGEST_HEDGE) / 1000


def take_terms(left: JsonObject, model: str | None) -> Terms:
    """Time-out, retries and fallbacks.

    Where several models are asked (`model` is None) those of the config do not stand in for each
    other's failures: the others that were asked are there.
    """
    retries = left.pop("num_retries", None)
    fallbacks = left.pop("fallbacks", None)
    return Terms(
        _take_timeout(left),
        None if retries is None else integer(retries, "num_retries", 0, _MOST_RETRIES),
        _no_fallbacks(model) if fallbacks is None else _fallbacks(fallbacks, model),
    )


def _take_timeout(left: JsonObject) -> float | None:
    """LiteLLM has two names for it, and `timeout` wins."""
    given = {name: left.pop(name, None) for name in ("timeout", "request_timeout")}
    for name, value in given.items():
        if value is not None:
            return number(value, name, _SHORTEST_SECONDS, _LONGEST_SECONDS)
    return None


def _no_fallbacks(model: str | None) -> tuple[str, ...] | None:
    return () if model is None else None


def _fallbacks(value: Any, model: str | None) -> tuple[str, ...]:
    """Names, or LiteLLM's form: objects that name the fallbacks of each model."""
    if not isinstance(value, list):
        raise wrong_type(value, "fallbacks", "an array of models' names")
    found: list[str] = []
    for index, entry in enumerate(value):
        if isinstance(entry, str):
            found.append(entry)
        else:
            found += _fallbacks_of(entry, f"fallbacks[{index}]", model)
    return tuple(found)


def _fallbacks_of(entry: Any, path: str, model: str | None) -> list[str]:
    if model is None or not isinstance(entry, dict):
        raise wrong_type(entry, path, "a model's name")
    for name, names in entry.items():
        if not isinstance(names, list) or not all(isinstance(other, str) for other in names):
            raise InvalidRequest(
                f"Invalid '{path}': expected models' names, or objects such as "
                '{"gpt-4o": ["gpt-4o-mini"]} that name the fallbacks of a model.',
                param=f"{path}.{name[:64]}",
                code="invalid_value",
            )
    return [other for name in (model, _ANY) for other in entry.get(name, ())]
