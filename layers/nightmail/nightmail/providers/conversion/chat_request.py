"""A chat request on its way to a provider, and what becomes of a parameter that has no place there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self

from nightmail.deployment import Deployment
from nightmail.parameters import integer, mapping, one_of, required, wrong_type
from nightmail.providers.direct import JsonObject
from nightmail.providers.request_parameters import leave_out, unsupported_parameter, with_defaults

ONLY_JSON = "Answer with one JSON object and nothing else: no text around it, and no code fence."
"""What a model is told where its provider has no such mode."""
_MOST_TOKENS = 10_000_000
_FORMATS = ("text", "json_object", "json_schema")
_SCHEMA = "response_format.json_schema"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`given` are OpenAI's parameters without those that are null, which means the default there."""

    given: Mapping[str, Any]
    deployment: Deployment
    drop_params: bool

    @classmethod
    def open(
        cls, body: Mapping[str, Any], deployment: Deployment, supported: Collection[str]
    ) -> Self:
        """`body` with nothing in it but what the provider has some place for.

        Raises InvalidRequest naming another parameter, unless such are to be dropped.
        """
        given = with_defaults(body, deployment)
        drops = given.get("drop_params") is True or deployment.drop_params
        leave_out(given, given.keys() - supported, deployment)
        return cls(given, deployment, drops)

    def leave_out(self, param: str, why: str) -> None:
        """Raises InvalidRequest naming `param`, unless what the model has not is to be dropped.

        `why` is a sentence.
        """
        if not self.drop_params:
            raise unsupported_parameter(param, self.deployment, why)

    def token_limit(self) -> int | None:
        """How many tokens the model may write; None where the caller does not say."""
        for name in ("max_completion_tokens", "max_tokens"):
            if name in self.given:
                return integer(self.given[name], name, 1, _MOST_TOKENS)
        return None

    def stops(self) -> list[str]:
        """The texts at which the model is to stop."""
        stop = self.given.get("stop", [])
        texts = [stop] if isinstance(stop, str) else stop
        if not isinstance(texts, list) or not all(isinstance(entry, str) for entry in texts):
            raise wrong_type(stop, "stop", "a string or an array of strings")
        return texts

    def format(self) -> str:
        """How the model is held to JSON: `text` (it is not), `json_object` or `json_schema`."""
        if "response_format" not in self.given:
            return "text"
        wanted = mapping(self.given["response_format"], "response_format")
        kind = required(wanted, "type", "response_format.type")
        return one_of(kind, "response_format.type", _FORMATS)

    def described_schema(self) -> JsonObject:
        """The object around the JSON `schema` of a request whose format is `json_schema`."""
        described = mapping(
            required(self.given["response_format"], "json_schema", _SCHEMA), _SCHEMA
        )
        mapping(required(described, "schema", f"{_SCHEMA}.schema"), f"{_SCHEMA}.schema")
        return described
