"""A chat request on its way to Bedrock, and what becomes of a parameter that has no place there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nightmail.deployment import Deployment
from nightmail.errors import InvalidRequest
from nightmail.providers.request_parameters import unsupported_parameter


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`given` are OpenAI's parameters without those that are null, which means the default there."""

    given: Mapping[str, Any]
    deployment: Deployment
    drop_params: bool

    def leave_out(self, param: str, why: str) -> None:
        """Raises InvalidRequest naming `param`, unless what the model has not is to be dropped.

        `why` is a sentence.
        """
        if not self.drop_params:
            raise unsupported_parameter(param, self.deployment, why)


def invalid(param: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {what}", param=param, code="invalid_value")
