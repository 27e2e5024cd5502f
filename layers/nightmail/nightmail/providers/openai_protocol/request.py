"""Requests as a server that speaks OpenAI's protocol wants them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.openai_protocol.plain_request import make_plain
from nightmail.providers.openai_protocol.servers import Rules, Server
from nightmail.providers.request_parameters import check_endpoint, leave_out, with_defaults

_STREAM = ("stream", "stream_options")


def base_of(deployment: Deployment, server: Server) -> str:
    """The URL that a path such as `/chat/completions` is put behind. Raises InvalidRequest."""
    base = (deployment.api_base or server.base or "").rstrip("/")
    if not base:
        raise InvalidRequest(
            f"The model '{deployment.name}' cannot be used here: {deployment.provider} needs an "
            "api_base.",
            param="model",
            code="missing_api_base",
        )
    return f"{base}/v1" if server.is_under_v1 and not urlsplit(base).path else base


def model_of(deployment: Deployment, server: Server) -> str:
    """The model's name as its server knows it."""
    is_whole = "/" in deployment.model
    return deployment.model if is_whole else server.model_prefix + deployment.model


def to_request(
    endpoint: str,
    body: Mapping[str, Any],
    deployment: Deployment,
    server: Server,
    *,
    stream: bool,
) -> dict[str, Any]:
    """The request's JSON. Raises InvalidRequest for what the server has not."""
    rules = _rules(endpoint, server, deployment)
    parameters = with_defaults(body, deployment, endpoint)
    parameters["model"] = model_of(deployment, server)
    if stream:
        parameters["stream"] = True
    else:
        _remove(parameters, _STREAM)
    _remove(parameters, rules.ours)
    leave_out(parameters, rules.unsupported, deployment)
    _rename(parameters, rules.renamed)
    if not server.is_exact:
        make_plain(parameters)
    return parameters


def _rules(endpoint: str, server: Server, deployment: Deployment) -> Rules:
    check_endpoint(endpoint, server.endpoints, deployment)
    return server.endpoints[endpoint]


def _remove(parameters: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        parameters.pop(name, None)


def _rename(parameters: dict[str, Any], renamed: Mapping[str, str]) -> None:
    for name in [name for name in renamed if name in parameters]:
        parameters[renamed[name]] = parameters.pop(name)
