"""A provider that answers by a script, within the process: each call gets the next answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import httpx

Answer = httpx.Response | type[httpx.RequestError]


@dataclass
class Script:
    """`requests` are those that came, read to their ends."""

    answers: Sequence[Answer]
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers[len(self.requests) - 1]
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("broken", request=request)


class Torn(httpx.SyncByteStream):
    """A body whose connection breaks off behind it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content
        raise httpx.RemoteProtocolError("broken off")
