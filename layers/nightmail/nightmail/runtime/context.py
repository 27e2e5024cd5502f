"""The context object that a handler gets.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import Any

from nightmail.runtime.faults import Fault

_CLIENT_CONTEXT = ("custom", "env", "client")
_CLIENT = (
    "installation_id",
    "app_title",
    "app_version_name",
    "app_version_code",
    "app_package_name",
)


class LambdaContext:
    """Attributes as AWS names them; `headers` are those of the Runtime API's invocation, and `say`
    writes to the function's log.
    """

    def __init__(
        self,
        headers: HTTPMessage,
        say: Callable[[str], None],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Raises Fault where the invocation's client context or identity is no JSON object."""
        self.aws_request_id = str(headers["Lambda-Runtime-Aws-Request-Id"])
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
        self.function_name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = environment.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = environment.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.client_context = _client_context(headers.get("Lambda-Runtime-Client-Context"))
        self.identity = _identity(headers.get("Lambda-Runtime-Cognito-Identity"))
        self._say = say
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends the invocation; never negative."""
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Into the log as it is, whatever its format and its level."""
        self._say(str(message))


def _client_context(text: str | None) -> SimpleNamespace | None:
    if not text:
        return None
    context = _picked(_object(text, "Client Context"), _CLIENT_CONTEXT)
    if isinstance(context.client, dict):
        context.client = _picked(context.client, _CLIENT)
    return context


def _identity(text: str | None) -> SimpleNamespace:
    found = _object(text, "Cognito Identity") if text else {}
    return SimpleNamespace(
        cognito_identity_id=found.get("cognitoIdentityId"),
        cognito_identity_pool_id=found.get("cognitoIdentityPoolId"),
    )


def _picked(found: Mapping[str, Any], names: tuple[str, ...]) -> SimpleNamespace:
    return SimpleNamespace(**{name: found.get(name) for name in names})


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        message = f"Unable to parse {name} JSON: {error}"
        raise Fault("Runtime.LambdaContextUnmarshalError", message) from error
    if not isinstance(found, dict):
        raise Fault("Runtime.LambdaContextUnmarshalError", f"{name} is not a JSON object.")
    return found
