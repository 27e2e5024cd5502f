"""Lambda's side of the Runtime API, played by the test itself, strictly and over a real socket."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START = ROOT / "layers/nightmail/nightmail/runtime/start"
ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
PREFIX = "/2018-06-01/runtime"
_PATIENCE_SECONDS = 30


@dataclass
class Posted:
    """What the client posted; of a stream, what came before the body, which `chunks` reads."""

    path: str
    headers: dict[str, str]
    content: bytes
    source: BufferedReader
    trailers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def prelude(self) -> Any:
        """The first chunk of a streamed answer, without the eight zero bytes that end it."""
        assert self.headers["lambda-runtime-function-response-mode"] == "streaming"
        assert self.headers["content-type"] == (
            "application/vnd.awslambda.http-integration-response"
        )
        head, delimiter, rest = next(self.chunks()).partition(bytes(8))
        assert (delimiter, rest) == (bytes(8), b"")
        return json.loads(head)

    def chunks(self) -> Iterator[bytes]:
        """The chunks that are still to come, each as soon as it is there; then the trailers are set."""
        while size := int(_line(self.source), 16):
            chunk = self.source.read(size)
            assert self.source.read(2) == b"\r\n"
            yield chunk
        self.trailers = dict(_headers(self.source))
        announced = self.headers["trailer"].lower().replace(" ", "").split(",")
        assert set(self.trailers) <= set(announced)

    def failure(self) -> Any:
        """The error that the trailers tell of."""
        described = base64.b64decode(self.trailers["lambda-runtime-function-error-body"])
        return json.loads(described)


class RuntimeDouble:
    """Serves one client. Whatever it asks out of turn fails the test."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(_PATIENCE_SECONDS)
        self._connection: socket.socket | None = None
        self._source: BufferedReader | None = None
        self.connections = 0
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"

    def hand_over(self, event: Any, *, seconds: float = 60, **headers: str) -> None:
        """Wait until the client asks for an event, and give it one. `trace_id=` is Lambda-Runtime-Trace-Id."""
        content = event if isinstance(event, bytes) else json.dumps(event).encode()
        given = {
            "Aws-Request-Id": ID,
            "Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            **{name.replace("_", "-").title(): value for name, value in headers.items()},
        }
        asked = self._receive("GET")
        assert asked.path == f"{PREFIX}/invocation/next"
        lines = [f"Lambda-Runtime-{name}: {value}" for name, value in given.items()]
        self._reply("200 OK", lines, content)

    def posted(self) -> Posted:
        """What the client posts next."""
        return self._receive("POST")

    def accept(self) -> None:
        """Take what was posted."""
        self._reply("202 Accepted", [], b'{"status":"OK"}')

    def refuse(self) -> None:
        self._reply("413 Payload Too Large", [], b"{}")

    def answer(self, event: Any, *, seconds: float = 60, **headers: str) -> Posted:
        """One invocation that ends in one piece: what was posted, which is taken."""
        self.hand_over(event, seconds=seconds, **headers)
        posted = self.posted()
        self.accept()
        return posted

    def hang_up(self) -> None:
        if self._connection and self._source:
            self._source.close()
            self._connection.close()
        self._connection = None

    def close(self) -> None:
        self.hang_up()
        self._server.close()

    def _receive(self, method: str) -> Posted:
        source = self._open()
        line = _line(source)
        if not line:  # the client has closed the connection, and opens another
            self.hang_up()
            source = self._open()
            line = _line(source)
        asked, path, version = line.split(" ")
        assert (asked, version) == (method, "HTTP/1.1")
        headers = dict(_headers(source))
        assert headers["host"] == self.address
        is_chunked = headers.get("transfer-encoding") == "chunked"
        assert not (is_chunked and "content-length" in headers)
        content = b"" if is_chunked else source.read(int(headers.get("content-length", 0)))
        return Posted(path, headers, content, source)

    def _reply(self, status: str, lines: list[str], content: bytes) -> None:
        assert self._connection
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *lines, "", ""]
        self._connection.sendall("\r\n".join(head).encode() + content)

    def _open(self) -> BufferedReader:
        if self._connection is None or self._source is None:
            self._connection, _ = self._server.accept()
            self._connection.settimeout(_PATIENCE_SECONDS)
            self._source = self._connection.makefile("rb")
            self.connections += 1
        return self._source


def start(
    double: RuntimeDouble, handler: str, code: Path, **environment: str
) -> subprocess.Popen[bytes]:
    """A function's process, started as Lambda starts one that has a wrapper."""
    return subprocess.Popen(
        [str(START), sys.executable, "-s", "/var/runtime/bootstrap.py"],
        env={
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": double.address,
            "AWS_LAMBDA_FUNCTION_NAME": "stack-chat",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream-1",
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "_HANDLER": handler,
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _line(source: BufferedReader) -> str:
    return source.readline().decode().removesuffix("\r\n")


def _headers(source: BufferedReader) -> Iterator[tuple[str, str]]:
    while line := _line(source):
        name, _, value = line.partition(": ")
        yield name.lower(), value
