"""A shard of the most bytes that its provider takes goes out as a stream, never whole in memory.

Some take gigabytes, of which the first tell enough.
"""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import httpx
from nightmail.providers.base import ShardInput

from tests.unit.adapters.cases import CHAT
from tests.unit.native.cases import TAG, NativeSamples
from tests.unit.native.table import those

MEBIBYTE = 1024 * 1024
LINE = b'{"x":"' + b"y" * 1015 + b'"}\n'
BLOCK = LINE * 1024
MOST = 256 * MEBIBYTE


class Counter:
    """A server that keeps no more of a request than its size, and gives one answer after the other:
    the last of them again and again.
    """

    def __init__(self, listening: socket.socket, answers: Sequence[httpx.Response]) -> None:
        self._listening = listening
        self._answers = answers
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
        size = next((int(value) for name, _, value in names if name == b"content-length"), 0)
        left, piece = size - len(begun), bytearray(MEBIBYTE)
        while left > 0:
            received = connection.recv_into(piece)
            assert received, "the body is shorter than was said"
            left -= received
        assert left == 0, "the body is longer than was said"
        answer = self._answers[min(len(self.sizes), len(self._answers) - 1)]
        self.sizes.append(size)
        head = b"".join(name + b": " + value + b"\r\n" for name, value in answer.headers.raw)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + answer.content)


@contextmanager
def counting(*answers: httpx.Response) -> Iterator[Counter]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        counter = Counter(listening, answers)
        thread = Thread(target=counter.serve)
        thread.start()
        try:
            yield counter
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@those(lambda samples: samples.uploads)
def test_the_biggest_shard_is_streamed(samples: NativeSamples) -> None:
    blocks = min(samples.format().limits.bytes, MOST) // len(BLOCK)
    size = blocks * len(BLOCK)
    assert size > 90 * MEBIBYTE
    content = ShardInput(lambda: (BLOCK for _ in range(blocks)), size, blocks * 1024)
    started = httpx.Response(200, json=samples.started("i"))
    with counting(*samples.preparing(), *samples.submitting(), started) as counter:
        provider = samples.opened(counter.url)
        tracemalloc.start()
        try:
            identity = provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert identity == samples.identity("i")
    assert sum(counter.sizes) > size - 1000
    assert peak < 16 * MEBIBYTE
