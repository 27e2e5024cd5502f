"""What a request asks of a provider that has not everything that OpenAI has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.errors import InvalidRequest

_DROP = "drop_params"
_EMBEDDING_ONLY = frozenset({"dimensions", "encoding_format"})
# Which of chat's parameters other endpoints have too (OpenAI's API reference).
_TAKEN: Mapping[str, frozenset[str]] = {
    EMBEDDINGS: _EMBEDDING_ONLY | {"user"},
    COMPLETIONS: frozenset(
        {"frequency_penalty", "logit_bias", "max_tokens", "n", "presence_penalty", "seed", "stop"}
        | {"temperature", "top_p", "user"}
    ),
    RESPONSES: frozenset(
        {"metadata", "parallel_tool_calls", "prompt_cache_key", "safety_identifier"}
        | {"service_tier", "store", "temperature", "top_logprobs", "top_p", "user"}
    ),
}
# Two names of one thing, and OpenAI refuses both at once.
_LENGTHS = frozenset({"max_tokens", "max_completion_tokens"})
# OpenAI's own defaults (chat completions, request body): who asks for them asks for nothing.
_ASKS_NOTHING: Mapping[str, Any] = {
    "frequency_penalty": 0,
    "function_call": "auto",
    "functions": [],
    "logit_bias": {},
    "logprobs": False,
    "metadata": {},
    "modalities": ["text"],
    "n": 1,
    "parallel_tool_calls": True,
    "presence_penalty": 0,
    "response_format": {"type": "text"},
    "service_tier": "auto",
    "store": False,
    "temperature": 1,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1,
    "verbosity": "medium",
}


def with_defaults(
    body: Mapping[str, Any], deployment: Deployment, endpoint: str = CHAT
) -> dict[str, Any]:
    """The request's parameters, and those of the deployment's own that the endpoint has.

    One of null is left out: it means the provider's default, and not every provider takes it.
    """
    if not deployment.defaults:
        return _given(body)
    has_length = not _LENGTHS.isdisjoint(body)
    defaults = {
        name: value
        for name, value in deployment.defaults.items()
        if _takes(endpoint, name) and not (has_length and name in _LENGTHS)
    }
    return _given({**defaults, **body})


def _given(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _takes(endpoint: str, name: str) -> bool:
    if endpoint == CHAT:
        return name not in _EMBEDDING_ONLY
    return name in _TAKEN.get(endpoint, ())


def leave_out(
    parameters: dict[str, Any], unsupported: Collection[str], deployment: Deployment
) -> None:
    """Take what the provider has not out of `parameters`.

    Raises InvalidRequest naming the first one that asks for something, unless the deployment or the
    request has `drop_params`.
    """
    drops = parameters.pop(_DROP, None) is True or deployment.drop_params
    for name in [name for name in parameters if name in unsupported]:
        value = parameters.pop(name)
        if not drops and value != _ASKS_NOTHING.get(name):
            raise unsupported_parameter(name, deployment)


def check_endpoint(endpoint: str, endpoints: Collection[str], deployment: Deployment) -> None:
    """Raises InvalidRequest where `endpoint` is none of the `endpoints` that the deployment has."""
    if endpoint in endpoints:
        return
    raise InvalidRequest(
        f"The model '{deployment.name}' cannot be used with {endpoint}: "
        f"{deployment.provider} has it for {', '.join(endpoints)}.",
        param="model",
        code="unsupported_endpoint",
    )


def unsupported_parameter(
    param: str, deployment: Deployment, why: str | None = None
) -> InvalidRequest:
    """`param` is the dotted path of what the provider has not; `why` a sentence of its own."""
    reason = why or f"{deployment.provider} has no such parameter."
    return InvalidRequest(
        f"Unsupported parameter: '{param}' is not supported with the model '{deployment.name}': "
        f"{reason} Leave it out, or set drop_params.",
        param=param,
        code="unsupported_parameter",
    )
