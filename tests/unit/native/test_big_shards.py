"""A shard of the most bytes that its provider takes goes out as a stream, never whole in memory."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from nightmail.providers.base import ShardInput
from nightmail.providers.registry import open_provider

from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.native.cases import TAG, NativeSamples

MEBIBYTE = 1024 * 1024
LINE = b'{"x":"' + b"y" * 1015 + b'"}\n'
BLOCK = LINE * 1024


class Counter:
    """A server that keeps no more of a request than its size, and answers with an id."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        self.sizes: list[int] = []

    def serve(self) -> None:
        """Until nobody can connect any more."""
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        head, _, begun = head.partition(b"\r\n\r\n")
        names = (line.lower().partition(b": ") for line in head.split(b"\r\n"))
        size = next(int(value) for name, _, value in names if name == b"content-length")
        left, piece = size - len(begun), bytearray(MEBIBYTE)
        while left > 0:
            received = connection.recv_into(piece)
            assert received, "the body is shorter than was said"
            left -= received
        assert left == 0, "the body is longer than was said"
        self.sizes.append(size)
        connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"id":"i"}')


@contextmanager
def counting() -> Iterator[Counter]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        counter = Counter(listening)
        thread = Thread(target=counter.serve)
        thread.start()
        try:
            yield counter
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_the_biggest_shard_is_streamed(samples: NativeSamples) -> None:
    blocks = samples.format().limits.bytes // len(BLOCK)
    size = blocks * len(BLOCK)
    assert size > 90 * MEBIBYTE
    content = ShardInput(lambda: (BLOCK for _ in range(blocks)), size, blocks * 1024)
    with counting() as counter:
        provider = open_provider(samples.deployment(api_base=counter.url), KEY)
        tracemalloc.start()
        try:
            assert provider.submit(provider.prepare(content, TAG), content, CHAT, TAG) == "i"
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert max(counter.sizes) > size - 1000
    assert peak < 16 * MEBIBYTE
