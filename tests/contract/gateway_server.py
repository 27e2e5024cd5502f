"""The API on a real socket, for clients that know nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.contract.api_gateway import ApiGateway, Asked


class GatewayServer(ThreadingHTTPServer):
    """Listens on a free port of the loopback address."""

    daemon_threads = True

    def __init__(self, gateway: ApiGateway) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.gateway = gateway

    @property
    def url(self) -> str:
        """What an OpenAI client takes for its `base_url` is `<url>/v1`."""
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(gateway: ApiGateway) -> Iterator[GatewayServer]:
    """A server in a thread of its own, for as long as the block lasts."""
    with GatewayServer(gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GatewayServer

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        asked = Asked(self.command, self.path, self.headers.items(), body)
        answered = self.server.gateway.answer(asked)
        self.send_response(answered.status)
        for name, value in answered.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(answered.body)))
        self.end_headers()
        self.wfile.write(answered.body)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Nothing: the exchanges are remembered."""
