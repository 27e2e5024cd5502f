"""API Gateway keeps what the template says, and refuses what AWS refuses.

From the API's OpenAPI body ministack reads paths and authorizers only; a broken function's error
text reaches the caller; nothing is too big or too slow, and nothing is streamed. Here binary media
types, gateway responses and time-outs of the body count, API Gateway's own refusals are told by
gateway responses, and a function behind response streaming has to write such a stream: the front door
passes it on as it is written, and in one piece where the function writes it so.

Replaces: services.apigateway_v1.handle_execute, _import_rest_api, _import_operation,
_build_lambda_event_v1, _invoke_lambda_proxy_v1, _lambda_proxy_response, _gateway_error_response,
_gateway_response_for_type. Uses: _GatewayError, _put_gateway_response, _gateway_response_family,
_rest_apis, _resources.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import asyncio
import contextvars
from http.client import BAD_GATEWAY, INTERNAL_SERVER_ERROR
from typing import Any

from ministack.services import apigateway_v1 as gateway

from local.mends.lambda_limits import REQUEST_LIMIT, event_size
from local.mends.response_stream import (
    LiveStream,
    as_buffered,
    is_streamed,
    listener,
    read_stream,
)

DEFAULT_TIMEOUT_MILLIS = 29_000
PROXY_ANSWER = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}

_line: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("line", default=("", ""))
_streams: contextvars.ContextVar[bool] = contextvars.ContextVar("streams", default=False)
_is_live: contextvars.ContextVar[bool] = contextvars.ContextVar("is_live", default=False)

_handle_execute = gateway.handle_execute
_import_rest_api = gateway._import_rest_api
_import_operation = gateway._import_operation
_build_event = gateway._build_lambda_event_v1
_invoke_proxy = gateway._invoke_lambda_proxy_v1
_render_error = gateway._gateway_error_response
_response_for_type = gateway._gateway_response_for_type


class RefusedByGateway(Exception):
    """API Gateway answers by itself, through a gateway response."""

    def __init__(self, response_type: str, message: str) -> None:
        super().__init__(message)
        self.error = gateway._GatewayError(response_type, message)


def _import_api(spec: dict[str, Any], base_data: dict[str, Any] | None = None) -> str:
    api_id: str = _import_rest_api(spec, base_data)
    types = spec.get("x-amazon-apigateway-binary-media-types") or []
    known = gateway._rest_apis[api_id].get("binaryMediaTypes") or []
    # A media type is written with ~1 for its slash wherever it is part of a JSON pointer.
    decoded = [media_type.replace("~1", "/") for media_type in [*known, *types]]
    gateway._rest_apis[api_id]["binaryMediaTypes"] = sorted(set(decoded))
    responses = spec.get("x-amazon-apigateway-gateway-responses") or {}
    for response_type, response in responses.items():
        gateway._put_gateway_response(api_id, response_type, _without_empty(response))
    return api_id


def _without_empty(response: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in response.items() if value not in (None, {}, "")}


def _import_method(
    api_id: str, resource_id: str, method: str, operation: dict[str, Any] | None, *rest: Any
) -> None:
    _import_operation(api_id, resource_id, method, operation, *rest)
    written = (operation or {}).get("x-amazon-apigateway-integration") or {}
    methods = gateway._resources[api_id][resource_id]["resourceMethods"]
    kept = methods[method].get("methodIntegration")
    if kept is not None and "timeoutInMillis" in written:
        kept["timeoutInMillis"] = written["timeoutInMillis"]


def _event(*args: Any, **kwargs: Any) -> dict[str, Any]:
    event: dict[str, Any] = _build_event(*args, **kwargs)
    event.pop("version", None)  # HTTP APIs say it, REST APIs do not
    headers = event["headers"] or {}
    event["requestContext"]["domainName"] = headers.get("host", "")
    if event_size(event) > REQUEST_LIMIT:
        raise RefusedByGateway("REQUEST_TOO_LARGE", "Request Too Long")
    return event


async def _invoke(integration: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    seconds = int(integration.get("timeoutInMillis") or DEFAULT_TIMEOUT_MILLIS) / 1000
    stream = LiveStream(asyncio.get_running_loop().time() + seconds)
    _streams.set(is_streamed(integration))
    listener.set(stream if _streams.get() and _is_live.get() else None)
    integration = as_buffered(integration) if _streams.get() else integration
    call = asyncio.create_task(_invoke_proxy(integration, *args, **kwargs))
    call.add_done_callback(lambda done: stream.end(is_whole=done.exception() is None))
    await asyncio.wait({call, stream.head}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if call.done():
        return _outcome(call)
    if stream.head.done():
        return *_begun(stream.head.result()), stream
    # The function goes on, as on AWS; nobody waits for what it says.
    return gateway._GatewayError("INTEGRATION_TIMEOUT", "Endpoint request timed out")


def _outcome(call: asyncio.Task[Any]) -> Any:
    try:
        return call.result()
    except RefusedByGateway as refusal:
        return refusal.error


def _begun(head: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Status and headers of a stream."""
    headers = {"content-type": "application/json"}
    for name in ("headers", "multiValueHeaders"):
        headers |= {key.lower(): value for key, value in (head.get(name) or {}).items()}
    return int(head["statusCode"]), headers


def _proxy_answer(result: dict[str, Any]) -> tuple[dict[str, Any], None]:
    """A function's answer, if it is one that API Gateway takes."""
    if result.get("throttle"):
        raise RefusedByGateway("DEFAULT_5XX", "Internal server error")
    answer = read_stream(result.get("body")) if _streams.get() else result.get("body")
    if result.get("error") or not _is_proxy_answer(answer):
        refusal = RefusedByGateway("DEFAULT_5XX", "Internal server error")
        refusal.error.status = BAD_GATEWAY
        raise refusal
    assert isinstance(answer, dict)
    return {
        **answer,
        "statusCode": int(answer["statusCode"]),
        "body": answer.get("body") or "",
    }, None


def _is_proxy_answer(answer: Any) -> bool:
    if not isinstance(answer, dict) or not set(answer) <= PROXY_ANSWER:
        return False
    is_text = isinstance(answer.get("body"), str | None)
    return is_text and str(answer.get("statusCode", "")).isdecimal()


async def _execute(
    api_id: str, stage: str, method: str, path: str, *rest: Any
) -> tuple[int, dict[str, Any], Any]:
    _line.set((method, f"/{stage}{path}"))
    answer: tuple[int, dict[str, Any], Any] = await _handle_execute(
        api_id, stage, method, path, *rest
    )
    return answer


async def execute_live(*request: Any) -> tuple[int, dict[str, Any], Any]:
    """As `handle_execute`, for somebody who takes a LiveStream for the body."""
    _is_live.set(True)
    answer: tuple[int, dict[str, Any], Any] = await gateway.handle_execute(*request)
    return answer


def _gateway_error(error: Any, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    status, headers, body = _render_error(error, request)
    method, path = _line.get()
    for variable, value in (("$context.httpMethod", method), ("$context.path", path)):
        body = body.replace(variable.encode(), value.encode())
    if status == INTERNAL_SERVER_ERROR:
        status = getattr(error, "status", status)
    return status, headers, body


def _inherited_response(customized: dict[str, Any], response_type: str) -> dict[str, Any]:
    """A default's status is also that of the types it stands for, as AWS documents."""
    response: dict[str, Any] = _response_for_type(customized, response_type)
    family = customized.get(gateway._gateway_response_family(response_type)) or {}
    if response_type not in customized and family.get("statusCode"):
        response["statusCode"] = family["statusCode"]
    return response


def refuse_too_large(
    api_id: str, stage: str, method: str, path: str, headers: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    """Answer for API Gateway when it does not even take the request."""
    _line.set((method, f"/{stage}{path}"))
    error = gateway._GatewayError("REQUEST_TOO_LARGE", "Request Too Long")
    request = {
        "api_id": api_id,
        "stage_name": stage,
        "stage": gateway.stages_for_api(api_id)[stage],
        "headers": headers,
        "query_params": {},
        "path_params": {},
        "resource_path": "",
        "request_id": gateway.new_uuid(),
    }
    with gateway.request_scope(*gateway.find_api_scope(api_id)):
        return _gateway_error(error, request)


def apply() -> None:
    gateway.handle_execute = _execute
    gateway._import_rest_api = _import_api
    gateway._import_operation = _import_method
    gateway._build_lambda_event_v1 = _event
    gateway._invoke_lambda_proxy_v1 = _invoke
    gateway._lambda_proxy_response = _proxy_answer
    gateway._gateway_error_response = _gateway_error
    gateway._gateway_response_for_type = _inherited_response
