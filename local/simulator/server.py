"""The simulator on a real socket: in this process, or in a thread of a test's."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local.simulator.app import create_app
from local.simulator.bedrock.buckets import Buckets
from local.simulator.client import SimulatorClient


class OpenProtocol(HttpToolsProtocol):
    """Shows an application its connection, to close it or to see that it is closed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "connection": transport}


def create_server(
    host: str, port: int, log_file: Path | None = None, buckets: Buckets | None = None
) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(log_file, buckets),
        host=host,
        port=port,
        http=OpenProtocol,
        log_level="warning",
        access_log=False,
        # Calls that are on hold have nobody left to release them.
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextmanager
def running_simulator(buckets: Buckets | None = None) -> Iterator[SimulatorClient]:
    """A simulator on a free port of the loopback address, for as long as the block lasts.

    `buckets` take the place of S3.
    """
    # asyncio sends without delay only on sockets that name their protocol.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        host, port = listener.getsockname()[:2]
        server = create_server(host, port, buckets=buckets)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            with SimulatorClient(f"http://{host}:{port}") as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()
