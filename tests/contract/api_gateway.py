"""What API Gateway does with the template's routes, in this process.

The rules are those of the Amazon API Gateway developer guide for REST APIs: Lambda proxy integration,
Lambda authorizers (not their cache), gateway responses, binary media types.
"""

from __future__ import annotations

import base64
import importlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests import template
from tests.template import Json, Route
from tests.unit.gateway import LambdaContext, read_stream

STAGE = "v1"
EVENT_BYTES = 6 * 1024 * 1024
_ARN = f"arn:aws:execute-api:us-east-1:123456789012:api/{STAGE}"
_LITERAL = re.compile("'(.*)'")
_CREATES = {("POST", "/batches"), ("POST", "/batches/{batch_id}/retry")}
_STATUS = {"DEFAULT_4XX": 400, "DEFAULT_5XX": 500}


@dataclass(frozen=True)
class Asked:
    """An HTTP request; `target` is path and query."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first of this name, or the empty string."""
        return next((value for given, value in self.headers if given.lower() == name), "")

    @property
    def path(self) -> str:
        """Without the stage."""
        return urlsplit(self.target).path.removeprefix(f"/{STAGE}")


@dataclass(frozen=True)
class Answered:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return next((value for given, value in self.headers if given == name), None)


@dataclass(frozen=True)
class Exchange:
    """A request and its answer; `route` is None where no route took it."""

    route: Route | None
    asked: Asked
    answered: Answered


class Refused(Exception):
    """API Gateway answers by itself, with this gateway response."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ApiGateway:
    """Answers requests; remembers every exchange.

    Functions run one at a time: each stands for a Lambda environment, which never runs two. What one waits
    for, the same thread may run meanwhile.
    """

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.on_batch: Callable[[str, str], object] = _nobody_waits
        self._turn = threading.RLock()
        self._routes = [(_pattern(route), route) for route in template.routes()]

    def answer(self, asked: Asked) -> Answered:
        """Send a request through authorizer and function."""
        request_id = str(uuid.uuid4())
        route, parameters = self._find(asked)
        try:
            answered = self._integrate(asked, route, parameters, request_id)
        except Refused as refusal:
            answered = _gateway_response(refusal, asked, request_id)
        self.exchanges.append(Exchange(route, asked, answered))
        return answered

    def invoke(self, folder: str, event: Json) -> Any:
        """Run the function in `functions/<folder>`; what it raises comes out."""
        handler = importlib.import_module(f"functions.{folder}.handler").handler
        with self._turn:
            return handler(event, LambdaContext())

    def _find(self, asked: Asked) -> tuple[Route | None, dict[str, str]]:
        for pattern, route in self._routes:
            match = pattern.fullmatch(asked.path)
            if match and route.method == asked.method:
                return route, match.groupdict()
        return None, {}

    def _integrate(
        self, asked: Asked, route: Route | None, parameters: dict[str, str], request_id: str
    ) -> Answered:
        if route is None:
            raise Refused("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")
        event = _proxy_event(asked, route, parameters, request_id)
        if route.needs_key:
            event["requestContext"]["authorizer"] = self._authorize(asked, event)
        if len(json.dumps(event)) > EVENT_BYTES:
            raise Refused("REQUEST_TOO_LARGE", "Request Too Long")
        result = self._proxy(route, event)
        self._tell(route, event, result)
        return _answered(result, asked.header("accept"))

    def _authorize(self, asked: Asked, event: Json) -> Json:
        if not asked.header("authorization"):
            raise Refused("UNAUTHORIZED", "Unauthorized")
        arn = f"{_ARN}/{asked.method}{asked.path}"
        request = {**event, "type": "REQUEST", "methodArn": arn}
        try:
            policy = self.invoke(template.folder_of(template.AUTHORIZER), request)
        except Exception as error:
            known = str(error) == "Unauthorized"
            kind = "UNAUTHORIZED" if known else "AUTHORIZER_FAILURE"
            raise Refused(kind, str(error)) from error
        if not _allows(policy["policyDocument"], arn):
            raise Refused("ACCESS_DENIED", "User is not authorized to access this resource")
        return {**policy["context"], "principalId": policy["principalId"]}

    def _proxy(self, route: Route, event: Json) -> Json:
        try:
            given = self.invoke(template.folder_of(route.function), event)
            if route.streams:
                return read_stream(given)
            if len(json.dumps(given)) <= EVENT_BYTES:
                return dict(given)
        except Exception as error:
            raise Refused("DEFAULT_5XX", "Internal server error") from error
        raise Refused("DEFAULT_5XX", "Internal server error")

    def _tell(self, route: Route, event: Json, result: Json) -> None:
        """On AWS the table's stream tells of a new batch."""
        if (route.method, route.path) in _CREATES and result["statusCode"] == 200:
            owner = event["requestContext"]["authorizer"]["owner"]
            self.on_batch(owner, json.loads(result["body"])["id"])


def _nobody_waits(_owner: str, _batch_id: str) -> None:
    """Batches are created, and stay as they are."""


def gateway_responses() -> Json:
    """The template's gateway responses by type."""
    responses: Json = template.resources("AWS::Serverless::Api")[template.API]["GatewayResponses"]
    return responses


def binary_media_types() -> list[str]:
    """SAM writes a media type with ~1 for its slash."""
    types = template.resources("AWS::Serverless::Api")[template.API]["BinaryMediaTypes"]
    return [each.replace("~1", "/") for each in types]


def _pattern(route: Route) -> re.Pattern[str]:
    """A `{name+}` is greedy, a `{name}` is one segment."""
    greedy = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", route.path)
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", greedy))


def _proxy_event(
    asked: Asked, route: Route, parameters: dict[str, str], request_id: str
) -> dict[str, Any]:
    query = parse_qs(urlsplit(asked.target).query, keep_blank_values=True)
    is_binary = _is_binary(asked.header("content-type"))
    body = base64.b64encode(asked.body) if is_binary else asked.body
    return {
        "resource": route.path,
        "path": asked.path,
        "httpMethod": asked.method,
        "headers": dict(asked.headers),
        "multiValueHeaders": {
            name: [value for other, value in asked.headers if other == name]
            for name, _ in asked.headers
        },
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": request_id,
            "resourcePath": route.path,
            "httpMethod": asked.method,
            "path": f"/{STAGE}{asked.path}",
            "stage": STAGE,
            "identity": {"sourceIp": "127.0.0.1"},
        },
        "body": body.decode(errors="replace") or None,
        "isBase64Encoded": is_binary,
    }


def _is_binary(media_types: str) -> bool:
    """Only the first of several counts, without its parameters."""
    first = re.split("[,;]", media_types, maxsplit=1)[0]
    return first.strip() in binary_media_types()


def _allows(policy: Json, arn: str) -> bool:
    return any(
        statement["Effect"] == "Allow" and fnmatchcase(arn, statement["Resource"])
        for statement in policy["Statement"]
    )


def _answered(result: Json, accept: str) -> Answered:
    """Base64 becomes bytes for a client that first of all accepts a binary type, and for no other."""
    body = (result.get("body") or "").encode()
    if result.get("isBase64Encoded") and _is_binary(accept):
        body = base64.b64decode(body)
    return Answered(result["statusCode"], list(_headers(result)), body)


def _headers(result: Json) -> Iterator[tuple[str, str]]:
    for name, values in (result.get("multiValueHeaders") or {}).items():
        yield from ((name.lower(), value) for value in values)
    for name, value in (result.get("headers") or {}).items():
        yield name.lower(), value


def _gateway_response(refusal: Refused, asked: Asked, request_id: str) -> Answered:
    """The response of this type, or else the default of its family."""
    responses = gateway_responses()
    family = "DEFAULT_5XX" if refusal.kind == "AUTHORIZER_FAILURE" else "DEFAULT_4XX"
    response = responses.get(refusal.kind) or responses[family]
    values = {
        "context.requestId": request_id,
        "context.httpMethod": asked.method,
        "context.path": f"/{STAGE}{asked.path}",
        "context.error.messageString": json.dumps(str(refusal)),
    }
    body = response["ResponseTemplates"]["application/json"]
    for name, value in values.items():
        body = body.replace(f"${name}", value)
    given = response["ResponseParameters"]["Headers"].items()
    headers = [(name, _LITERAL.sub(r"\1", values.get(value, value))) for name, value in given]
    status = response.get("StatusCode", _STATUS[family])
    return Answered(status, [*headers, ("content-type", "application/json")], body.encode())
