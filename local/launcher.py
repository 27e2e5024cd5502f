"""Run the emulator, mended, and the front door before it, in this process until SIGTERM.

`local.emulator` starts it, with the environment that ministack reads when it is imported. A
development tool: it also listens to `/_nightmail/kill` (see local.chaos), to `/_nightmail/slow` (see
local.slowness), to `/_nightmail/counts` (see local.counting), to `PUT /_nightmail/front` `{"api_id": "..."}`, which says where the front door leads
to, and to `POST /_nightmail/initialise` `{"function": "..."}`, which starts a function's process and
tells why it does not start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app
from ministack.core import lambda_runtime as workers
from pydantic import ValidationError

from local import chaos, counting, mends, slowness
from local.emulator import CONTAINER_GATEWAY
from local.front_door import FrontDoor, Receive, Send
from local.mends.lambda_worker import initialise

CREDENTIAL = re.compile(r"Credential=(\w+)/\d+/[\w-]+/([\w-]+)/")


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
        key, call = _call(scope)
        counting.count_call(key, call, scope)
        await slowness.wait(key, call)
        waiting = chaos.plan_for_call(key, call)
        if waiting is None:
            await self._emulator(_as_if_encrypted(scope), receive, send)
            return
        plan, order = waiting
        if order.moment == "after":
            await self._emulator(_as_if_encrypted(scope), receive, _into_nothing)
        plan.fire()

    async def _steer(self, scope: Any, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        status, answer = await self._steered(scope["method"], scope["path"], body)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def _steered(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        match method, path:
            case "PUT", "/_nightmail/front":
                self._front_door.api_id = json.loads(body)["api_id"]
                return 200, {}
            case "POST", "/_nightmail/initialise":
                name = json.loads(body)["function"]
                return 200, {"error": await asyncio.to_thread(initialise, name)}
        asked = f"{method} {path}"
        if asked not in _WISHES:
            return 404, {"message": f"There is no {asked}"}
        try:
            return 200, _WISHES[asked](body) or {}
        except ValidationError as error:
            return 400, {"message": str(error)}


_WISHES: dict[str, Callable[[bytes], dict[str, Any] | None]] = {
    "POST /_nightmail/kill": lambda body: chaos.place(chaos.Order.model_validate_json(body)),
    "GET /_nightmail/kill": lambda _: chaos.report(),
    "DELETE /_nightmail/kill": lambda _: chaos.forget(),
    "POST /_nightmail/slow": lambda body: slowness.add(slowness.Slowness.model_validate_json(body)),
    "DELETE /_nightmail/slow": lambda _: slowness.forget(),
    "GET /_nightmail/counts": lambda _: counting.report(),
    "DELETE /_nightmail/counts": lambda _: counting.forget(),
}
"""What tests ask for, by method and path. Raises ValidationError."""


def _as_if_encrypted(scope: Any) -> Any:
    """Policies that demand TLS hold here: the loopback address stands in for it."""
    return {**scope, "headers": [*scope["headers"], (b"x-forwarded-proto", b"https")]}


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
    config = Config()
    config.bind = addresses
    config.keep_alive_timeout = 75
    config.h11_max_incomplete_size = 64 * 1024
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(application, config, shutdown_trigger=stop.wait)


def _hosts() -> list[str]:
    """The loopback address, and the one that containers see where Docker is there."""
    with socket.socket() as probe:
        try:
            probe.bind((CONTAINER_GATEWAY, 0))
        except OSError:
            return ["127.0.0.1"]
    return ["127.0.0.1", CONTAINER_GATEWAY]


def _keep_function_log(file: Path) -> None:
    logger = logging.getLogger("functions")
    logger.propagate = False
    handler = logging.FileHandler(file, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.launcher")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--front-port", type=int, required=True)
    parser.add_argument("--runtime", type=Path, required=True)
    parser.add_argument("--function-log", type=Path, required=True)
    options = parser.parse_args()
    _keep_function_log(options.function_log)
    mends.apply(sys.executable, str(options.runtime.resolve()))
    counting.apply()
    application = Emulator(app, FrontDoor(), options.front_port)
    addresses = [f"{host}:{options.port}" for host in _hosts()]
    try:
        asyncio.run(_serve(application, [*addresses, f"127.0.0.1:{options.front_port}"]))
    finally:
        workers.reset()


if __name__ == "__main__":
    main()
