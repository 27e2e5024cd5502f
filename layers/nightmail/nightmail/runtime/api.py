"""The Runtime API: invocations come from it, and answers go to it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import base64
import json
import select
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage
from typing import NamedTuple

from nightmail.runtime.faults import Failure

_VERSION = "/2018-06-01/runtime"
_JSON = "application/json"
_MODE = "Lambda-Runtime-Function-Response-Mode"
_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"
_CAUSE = "Lambda-Runtime-Function-XRay-Error-Cause"
_MOST_CAUSE_BYTES = 1024 * 1024
_HTTP_STREAM = "application/vnd.awslambda.http-integration-response"
_DELIMITER = bytes(8)


class RuntimeApiError(Exception):
    """The Runtime API is gone, or did not take what it was told."""


class Invocation(NamedTuple):
    """One event, and the headers that came with it."""

    headers: HTTPMessage
    body: bytes

    @property
    def id(self) -> str:
        return str(self.headers["Lambda-Runtime-Aws-Request-Id"])


class RuntimeApi:
    """One connection that is kept. Methods raise RuntimeApiError."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(address)

    def next(self) -> Invocation:
        """Wait for an event."""
        self._begin("GET", "/invocation/next", {})
        return self._reply("/invocation/next")

    def answer(self, invocation_id: str, content: bytes) -> None:
        """JSON, in one piece."""
        self._post(f"/invocation/{invocation_id}/response", content, {"Content-Type": _JSON})

    def fail(self, invocation_id: str, failure: Failure) -> None:
        """Tell that there is no answer."""
        cause = json.dumps(failure.cause())
        headers = {_CAUSE: cause} if len(cause) < _MOST_CAUSE_BYTES else {}
        self._post_failure(f"/invocation/{invocation_id}/error", failure, invocation_id, headers)

    def fail_start(self, failure: Failure) -> None:
        """Tell that the function can't be run."""
        self._post_failure("/init/error", failure, "", {})

    def stream(
        self, invocation_id: str, status: int, headers: Mapping[str, object]
    ) -> ResponseStream:
        """Begin an answer for API Gateway, which takes JSON, eight zero bytes and the body.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
        """
        path = f"/invocation/{invocation_id}/response"
        about = {
            "Content-Type": _HTTP_STREAM,
            _MODE: "streaming",
            "Transfer-Encoding": "chunked",
            "Trailer": f"{_ERROR_TYPE}, {_ERROR_BODY}",
        }
        self._begin("POST", path, about)
        stream = ResponseStream(self, invocation_id, path)
        head = json.dumps({"statusCode": status, "multiValueHeaders": headers})
        stream.write(head.encode() + _DELIMITER)
        return stream

    def send(self, content: bytes) -> None:
        """The next bytes of a request that has begun."""
        try:
            self._connection.send(content)
        except OSError as error:
            raise self._broken(str(error)) from error

    def finish(self, path: str) -> None:
        """Take the reply to a request that has been sent."""
        self._reply(path)

    def close(self) -> None:
        """Let go of the connection, and so of what has begun on it; the next request opens another."""
        self._connection.close()

    def _post_failure(
        self, path: str, failure: Failure, invocation_id: str, headers: dict[str, str]
    ) -> None:
        content = json.dumps(failure.described(invocation_id)).encode()
        about = {"Content-Type": _JSON, _ERROR_TYPE: failure.kind, **headers}
        self._post(path, content, about)

    def _post(self, path: str, content: bytes, headers: dict[str, str]) -> None:
        self._begin("POST", path, {**headers, "Content-Length": str(len(content))})
        self.send(content)
        self._reply(path)

    def _begin(self, method: str, path: str, headers: dict[str, str]) -> None:
        if _is_stale(self._connection):
            self._connection.close()
        try:
            self._connection.putrequest(method, _VERSION + path, skip_accept_encoding=True)
            for name, value in headers.items():
                self._connection.putheader(name, value)
            self._connection.endheaders()
        except (OSError, HTTPException) as error:
            raise self._broken(str(error)) from error

    def _reply(self, path: str) -> Invocation:
        try:
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            raise self._broken(str(error)) from error
        if response.status not in {200, 202}:
            raise self._broken(f"{path} was answered with {response.status}: {content.decode()}")
        return Invocation(response.headers, content)

    def _broken(self, reason: str) -> RuntimeApiError:
        self.close()
        return RuntimeApiError(f"The Lambda Runtime API could not be spoken to: {reason}")


class ResponseStream:
    """A response under way, in chunks (RFC 9112, section 7.1), each sent at once."""

    def __init__(self, api: RuntimeApi, invocation_id: str, path: str) -> None:
        self._api = api
        self._id = invocation_id
        self._path = path

    def write(self, piece: bytes) -> None:
        if piece:  # an empty chunk is the last one
            self._api.send(b"%x\r\n%b\r\n" % (len(piece), piece))

    def end(self) -> None:
        """Everything has been written."""
        self._api.send(b"0\r\n\r\n")
        self._api.finish(self._path)

    def fail(self, failure: Failure) -> None:
        """Nothing follows, and what was written is not all.

        https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
        """
        described = json.dumps(failure.described(self._id)).encode()
        trailers = {_ERROR_TYPE: failure.kind, _ERROR_BODY: base64.b64encode(described).decode()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
        self._api.send(f"0\r\n{lines}\r\n".encode())
        self._api.finish(self._path)


def _is_stale(connection: HTTPConnection) -> bool:
    """Whether the other side has closed it meanwhile: nothing else is to be read between requests."""
    if connection.sock is None:
        return False
    readable, _, _ = select.select([connection.sock], [], [], 0)
    return bool(readable)
