"""Run the emulator, mended, and the front door before it, in this process until SIGTERM.

`python -m local.launcher --port 4566 --front-port 4000 --runtime .local/runtime`. A development
tool: it also listens to `/_nightmail/kill` (see local.chaos) and `/_nightmail/front`
(`PUT {"api_id": "..."}` tells which API the front door leads to).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from local import chaos

if TYPE_CHECKING:
    from local.front_door import FrontDoor, Receive, Send

ACCESS_KEY = "test"
REGION = "us-east-1"
CREDENTIAL = re.compile(r"Credential=(\w+)/\d+/[\w-]+/([\w-]+)/")


def environment(port: int) -> dict[str, str]:
    """What ministack reads when it is imported."""
    return {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        # Nothing here needs Docker, and the emulator looks for it at every start.
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "SFTP_ENABLED": "0",
    }


class Emulator:
    """The emulator's ASGI application, with the front door and the test hooks around it."""

    def __init__(self, emulator: Any, front_door: FrontDoor, front_port: int) -> None:
        self._emulator = emulator
        self._front_door = front_door
        self._front_port = front_port

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._emulator(scope, receive, send)
        elif scope["server"][1] == self._front_port:
            await self._front_door(scope, receive, send)
        elif scope["path"].startswith("/_nightmail/"):
            await self._steer(scope, receive, send)
        else:
            await self._serve_aws(scope, receive, send)

    async def _serve_aws(self, scope: Any, receive: Receive, send: Send) -> None:
        waiting = chaos.plan_for_call(*_call(scope))
        if waiting is None:
            await self._emulator(scope, receive, send)
            return
        plan, call = waiting
        if call.moment == "after":
            await self._emulator(scope, receive, _into_nothing)
        plan.fire()

    async def _steer(self, scope: Any, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, answer = self._steered(scope["method"], scope["path"], body)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    def _steered(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        match method, path:
            case "PUT", "/_nightmail/front":
                self._front_door.api_id = json.loads(body)["api_id"]
                return 200, {}
            case "POST", "/_nightmail/kill":
                return _place(body)
            case "DELETE", "/_nightmail/kill":
                chaos.forget()
                return 200, {}
            case "GET", "/_nightmail/kill":
                return 200, chaos.report()
        return 404, {"message": f"There is no {method} {path}"}


def _place(body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        order = chaos.Order.model_validate_json(body)
    except ValidationError as error:
        return 400, {"message": str(error)}
    chaos.place(order)
    return 200, chaos.report()


async def _into_nothing(message: Any) -> None:
    """Where the answer goes whose caller is dead."""


def _call(scope: Any) -> tuple[str, str]:
    """Who calls AWS, and what: the access key, and the operation as chaos.Call writes it."""
    headers = dict(scope["headers"])
    found = CREDENTIAL.search(headers.get(b"authorization", b"").decode("latin-1"))
    if found is None:
        return "", ""
    key, service = found.groups()
    target = headers.get(b"x-amz-target", b"").decode("latin-1").rpartition(".")[2]
    return key, f"{service} {target or scope['method'] + ' ' + scope['path']}"


async def _serve(application: Emulator, addresses: list[str]) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = addresses
    config.keep_alive_timeout = 75
    config.h11_max_incomplete_size = 64 * 1024
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(application, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.launcher")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--front-port", type=int, required=True)
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--also-bind", default=[], action="append", help="one more host")
    options = parser.parse_args()
    os.environ.update(environment(options.port))
    # ministack reads the environment when it is imported.
    from ministack.app import app
    from ministack.core import lambda_runtime

    from local import mends
    from local.front_door import FrontDoor

    mends.apply(sys.executable, os.path.abspath(options.runtime))
    application = Emulator(app, FrontDoor(), options.front_port)
    hosts = ["127.0.0.1", *options.also_bind]
    addresses = [f"{host}:{options.port}" for host in hosts]
    try:
        asyncio.run(_serve(application, [*addresses, f"127.0.0.1:{options.front_port}"]))
    finally:
        lambda_runtime.reset()


if __name__ == "__main__":
    main()
