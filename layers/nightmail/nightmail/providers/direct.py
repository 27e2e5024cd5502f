"""What an adapter of the direct lane is: it writes requests and reads answers, and sends nothing.

Everything here is pure. The engine sends, waits, tries again and gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nightmail.deployment import Deployment

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a provider is sent: a POST of `content`, which is JSON.

    `sign` makes headers that go with the others and hold for minutes only: it is called when the
    request goes out, which may be long after it was written. It raises a leaf of ConfigError.
    """

    url: str
    headers: Mapping[str, str]
    content: bytes
    sign: Callable[[], Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a provider answered, whole. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class ChunkReader(Protocol):
    """Turns the bytes of one streamed answer into OpenAI's chunks."""

    is_over: bool
    """The answer is whole: what may come behind it is no part of it, nor is the connection's end."""

    def feed(self, data: bytes) -> list[JsonObject]:
        """The `chat.completion.chunk` objects that `data` completes, `model` being the public name.

        Raises a leaf of ProviderError for an error in mid-stream, ProviderGarbled for what is no
        stream: at the next feed, be it of nothing, where chunks came before it.
        """

    def close(self) -> list[JsonObject]:
        """The last chunks, where no more bytes come.

        Raises what `feed` has still to raise, and ProviderGarbled where the answer was not at its end.
        """


class DirectProvider(Protocol):
    """One deployment's ordinary endpoints, in OpenAI's words on our side."""

    name: str
    """The provider, as errors call it."""

    endpoints: frozenset[str]
    """Those it has, as OpenAI writes them: `/v1/chat/completions`."""

    def request(
        self, endpoint: str, body: Mapping[str, Any], *, stream: bool = False
    ) -> HttpRequest:
        """OpenAI's request as the provider's; the body's own `model` is replaced.

        Raises InvalidRequest naming a parameter that it has not (or leaves it out, with the deployment's
        or the body's `drop_params`), and for an endpoint that it has not.
        """

    def answer(self, endpoint: str, body: Mapping[str, Any], answer: HttpAnswer) -> JsonObject:
        """The provider's answer as OpenAI's; `body` is the request's, `model` the public name.

        `nightmail` in it tells the provider and its own name of the model. Raises the leaf of
        ProviderError that fits: for a status, for an error in a 200, for what is not its protocol.
        """

    def reader(self, body: Mapping[str, Any]) -> ChunkReader:
        """For one streamed chat answer of status 200.

        The usage comes in a last chunk without choices, where `stream_options.include_usage` asks.
        """


DirectOf = Callable[[Deployment], DirectProvider]
"""Makes the direct lane of a deployment. Raises CredentialMissing, or InvalidRequest."""
