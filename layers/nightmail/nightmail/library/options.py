"""The arguments of a call: what the library acts on, and what goes to the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from nightmail.library.failures import bad_request
from nightmail.library.objects import Batch

Messages = list[Any]
Entry = Mapping[str, Any]
OnProgress = Callable[[Batch], object]

# LiteLLM's names of what belongs to Bedrock's models.
AWS_REGION, AWS_ENDPOINT = "aws_region_name", "aws_bedrock_runtime_endpoint"
AWS = frozenset(
    {"aws_access_key_id", "aws_secret_access_key", "aws_session_token", AWS_REGION, AWS_ENDPOINT}
)
BASE_URL = "NIGHTMAIL_BASE_URL"
API_KEY = "NIGHTMAIL_API_KEY"
# What LiteLLM keeps books with: it says nothing about the request.
BOOKKEEPING = frozenset(
    {"cache", "caching", "deployment_id", "id", "input_cost_per_token", "litellm_call_id"}
    | {"litellm_logging_obj", "litellm_metadata", "logger_fn", "no-log", "output_cost_per_token"}
    | {"model_info", "order", "tags", "verbose", "weight"}
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a call says about how it is made.

    `base_url` names a gateway, `api_base` a provider's server; `timeout` is in seconds, and one try's.
    `aws` is for models of Bedrock alone, by the names in `AWS`.
    """

    custom_llm_provider: str | None = None
    api_key: str | None = None
    api_base: str | None = None
    base_url: str | None = None
    organization: str | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    aws: Mapping[str, str] = field(default_factory=dict, repr=False)
    max_retries: int | None = None
    timeout: float | None = None
    deployments: Sequence[Entry] | None = None
    model_list: Sequence[Entry] | None = None
    return_exceptions: bool = True
    on_progress: OnProgress | None = None

    @property
    def gateway(self) -> str | None:
        """The URL of the gateway that the call goes through; None where it goes to providers itself."""
        if self.base_url:
            return self.base_url
        is_direct = self.api_base or AWS_ENDPOINT in self.aws
        if is_direct or self.deployments is not None or self.model_list is not None:
            return None
        return os.environ.get(BASE_URL)


def through_a_gateway(what: str) -> str:
    """The way out of what a provider has not, as a sentence."""
    return f"Through a Nightmail gateway {what}: set {BASE_URL} and {API_KEY}."


_NAMES = frozenset(option.name for option in fields(Options)) - {"aws"}


def read_options(given: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The options among the arguments, and the body that the others are. Raises BadRequestError.

    What is None was not given. A parameter that nobody knows goes into the body, as those of
    `extra_body` do.
    """
    known = {name: value for name, value in given.items() if value is not None}
    extra = known.pop("extra_body", {})
    headers = {**known.pop("headers", {}), **known.pop("extra_headers", {})}
    own = {name: known.pop(name) for name in _NAMES if name in known}
    aws = {name: known.pop(name) for name in AWS if name in known}
    body = {name: value for name, value in known.items() if name not in BOOKKEEPING} | extra
    seconds = body.pop("request_timeout", None)
    options = Options(**{"timeout": seconds, **own, "headers": headers, "aws": aws})
    _check(options)
    return options, body


def placed(order: Sequence[str], values: Sequence[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was `given` by name, with the `values` that were given by their place in `order`.

    Raises TypeError, as Python does, where they are too many or one comes twice.
    """
    if len(values) > len(order):
        raise TypeError(f"Too many positional arguments: after '{order[-1]}' they need names.")
    by_place = dict(zip(order, values, strict=False))
    if twice := by_place.keys() & given.keys():
        raise TypeError(f"Got several values for the argument '{min(twice)}'.")
    return {**by_place, **given}


def _check(options: Options) -> None:
    if options.timeout is not None and not isinstance(options.timeout, int | float):
        raise bad_request("Invalid type for 'timeout': expected seconds, as a number.", "timeout")
    if not all(isinstance(value, str) for value in options.headers.values()):
        raise bad_request("Invalid type for 'headers': expected texts.", "headers")
    for name in ("api_base", "deployments", "model_list"):
        if options.base_url and getattr(options, name) is not None:
            raise bad_request(
                f"base_url names a gateway, whose config says who is asked: leave {name} out, or "
                "base_url.",
                name,
            )
