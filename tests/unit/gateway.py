"""What API Gateway hands to a function, and what it makes of the answer."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from nightmail.runtime.streamed import StreamedAnswer

Handler = Callable[[dict[str, Any], Any], dict[str, Any] | StreamedAnswer]


def proxy_event(
    method: str,
    path: str,
    *,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    owner: str = "admin",
    path_parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An event of a REST API's proxy integration; a body of bytes arrives base64-encoded, as a binary one does."""
    given = dict(headers or {})
    asked = dict(query or {})
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": asked or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in asked.items()} or None,
        "pathParameters": dict(path_parameters) if path_parameters else None,
        "stageVariables": None,
        "requestContext": {
            "requestId": "req_0123456789abcdef0123456789abcdef",
            "authorizer": {"principalId": owner, "owner": owner},
            "httpMethod": method,
            "path": f"/v1{path}",
            "stage": "v1",
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


@dataclass(frozen=True)
class Answer:
    """A function's answer; header names are in lower case."""

    status: int
    headers: dict[str, str]
    content: bytes
    is_base64: bool

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)

    @property
    def error(self) -> dict[str, Any]:
        """What lies in OpenAI's envelope."""
        found: dict[str, Any] = self.json["error"]
        return found


def read_stream(answer: StreamedAnswer) -> dict[str, Any]:
    """A streamed answer, read to its end, as one of a proxy integration in one piece."""
    return {
        "statusCode": answer.status,
        "multiValueHeaders": answer.headers,
        "body": b"".join(answer.body).decode(),
    }


def ask(handler: Handler, event: dict[str, Any], *, remaining_milliseconds: int = 29_000) -> Answer:
    """Run a function on an event of `proxy_event`; its time-out is as far away as is told."""
    given = handler(event, LambdaContext(remaining_milliseconds=remaining_milliseconds))
    answer = read_stream(given) if isinstance(given, StreamedAnswer) else given
    body: str = answer["body"] or ""
    is_base64 = bool(answer.get("isBase64Encoded"))
    return Answer(
        status=answer["statusCode"],
        headers={
            name.lower(): values[0]
            for name, values in answer["multiValueHeaders"].items()
            if values
        },
        content=base64.b64decode(body) if is_base64 else body.encode(),
        is_base64=is_base64,
    )


@dataclass
class LambdaContext:
    """What the functions read of AWS's context object."""

    function_name: str = "function"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    remaining_milliseconds: int = 900_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_milliseconds
