"""What every HTTP function shares: routing, who asks, errors, `x-request-id`."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from nightmail.api.wire import error_body, error_response, internal_error_response, json_response
from nightmail.errors import GatewayError, InvalidRequest, TooLarge
from nightmail.lines import is_too_deep
from nightmail.telemetry import logger

PREFIXES = ["/openai/v1", "/v1"]
_NAMED = ("batch_id", "file_id", "upload_id", "model_id")  # what the routes of the template name


class Api(APIGatewayRestResolver):
    """A resolver whose errors are OpenAI's, and which knows the caller."""

    def __init__(self) -> None:
        super().__init__(strip_prefixes=list(PREFIXES))
        self.exception_handler(GatewayError)(_refuse)
        self.exception_handler(Exception)(_crash)
        self.not_found(self._unknown_route)

    @property
    def owner(self) -> str:
        """The key's owner, as the authorizer found it."""
        return str(self.current_event.request_context.authorizer["owner"])

    @property
    def request_id(self) -> str:
        return str(self.current_event.request_context.request_id)

    def header(self, name: str) -> str:
        """A header of the request, by its name in lower case; several of a name are one list."""
        values: list[str] = self.current_event.multi_value_headers.get(name) or []
        return ", ".join(values)

    def base(self, route: str) -> str:
        """Where the API lies: its stage, or what a domain of one's own is mapped to."""
        return str(self.current_event.request_context.path).removesuffix(route)

    def body(self) -> bytes:
        """The request's bytes, which arrive as base64 where API Gateway takes their type for binary.

        Raises InvalidRequest where they are no base64.
        """
        body = self.current_event.body or ""
        if not self.current_event.is_base64_encoded:
            return body.encode()
        try:
            return base64.b64decode(body)
        except ValueError as error:
            raise InvalidRequest("The body of your request could not be read.") from error

    def json_object(self) -> dict[str, Any]:
        """The request's body. Raises InvalidRequest where it is no JSON object."""
        return _json_object(self.body())

    def prompts(self, most_bytes: int) -> dict[str, Any]:
        """The body of a request that calls models. Raises as `json_object`, and TooLarge."""
        content = self.body()
        if len(content) > most_bytes:
            raise TooLarge(
                f"Your request has {len(content)} bytes; one request takes up to {most_bytes}. Send more "
                "prompts as a batch: POST /files, or /uploads for a big file, then POST /batches."
            )
        return _json_object(content)

    def answer(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Resolve one event of API Gateway."""
        request_id = event["requestContext"]["requestId"]
        named = event.get("pathParameters") or {}
        logger.append_keys(request_id=request_id, **{name: named.get(name) for name in _NAMED})
        result: dict[str, Any] = self.resolve(event, context)
        result["multiValueHeaders"]["x-request-id"] = [request_id]
        return result

    def _unknown_route(self, _error: NotFoundError) -> Response[str]:
        event = self.current_event
        message = f"Invalid URL ({event.http_method} {event.path})"
        return json_response(error_body(message, "invalid_request_error", None, None), 404)


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except ValueError as error:
        raise InvalidRequest("The body of your request is not valid JSON.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body of your request has to be a JSON object.")
    if is_too_deep(content, body):
        raise InvalidRequest("The body of your request is nested too deeply.")
    return body


def _refuse(error: GatewayError) -> Response[str]:
    logger.info("refused", extra={"error": type(error).__name__, "reason": error.message})
    return error_response(error)


def _crash(error: Exception) -> Response[str]:
    logger.exception("crashed", exc_info=error)
    return internal_error_response()
