"""What the readers of streamed chat answers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from nightmail.errors import ProviderError, ProviderGarbled
from nightmail.lines import is_too_deep
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.server_sent_events import Event, EventSplitter, Splitter


class StreamReader(ABC):
    """A ChunkReader: bytes become events, and these become chunks.

    However the bytes are cut, the chunks before an error come before it. A provider whose events are
    no server-sent ones brings a `splitter`.
    """

    def __init__(self, provider: str, key: str | None, splitter: Splitter | None = None) -> None:
        self.is_over = False
        self._provider = provider
        self._key = key
        self._splitter: Splitter = splitter or EventSplitter(provider)
        self._failure: ProviderError | None = None

    def feed(self, data: bytes) -> list[JsonObject]:
        """Raises a leaf of ProviderError where there is no chunk to come before it."""
        self._fail()
        chunks: list[JsonObject] = []
        try:
            for event in self._splitter.feed(data):
                if not self.is_over:
                    chunks += self._read(event)
        except ProviderError as error:
            self._failure = error
        if not chunks:
            self._fail()
        return chunks

    def close(self) -> list[JsonObject]:
        """Raises what is still to be raised, and ProviderGarbled where the answer has no end."""
        self._fail()
        if self.is_over:
            return []
        return self._broken_off()

    @abstractmethod
    def _read(self, event: Event) -> list[JsonObject]:
        """The chunks of one event. Raises what is wrong with it, a leaf of ProviderError."""

    def _broken_off(self) -> list[JsonObject]:
        """The last chunks of a stream that ends without a word of it."""
        raise self._garbled("with a stream that breaks off before its end")

    def _object(self, event: Event, body: Any) -> JsonObject:
        """`body`, the JSON of an event that has to be an object."""
        if not isinstance(body, dict) or is_too_deep(event.data, body):
            raise self._garbled("with an event that is not a JSON object")
        return body

    def _garbled(self, what: str) -> ProviderGarbled:
        return garbled(self._provider, what, 200)

    def _fail(self) -> None:
        if self._failure:
            raise self._failure
