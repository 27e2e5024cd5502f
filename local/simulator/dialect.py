"""What a provider's protocol is to the rest of the simulator. Dialects are pure: they send nothing."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from mmap import mmap
from typing import Any, NamedTuple, Protocol

from local.simulator.billing import Tokens
from local.simulator.errors import ApiError
from local.simulator.markers import How

Json = dict[str, Any]
Headers = Mapping[bytes, bytes]
# The body of a call: in memory, or in a file where it may be large.
Content = bytes | mmap


EVENT_STREAM = "text/event-stream"


class Event(NamedTuple):
    """A piece of a stream, as bytes. A token is what a reader waits for: text or a tool's argument."""

    content: bytes
    is_token: bool = False


class RawRequest(NamedTuple):
    """A call as it arrived; `target` is its path with what stands before it, and the query."""

    method: str
    target: str
    headers: Headers
    content: Content


class Dialect(Protocol):
    @property
    def paths(self) -> Container[str]:
        """Where a model answers directly, without prefix and version."""

    stream_type: str
    """The media type of a stream."""

    batches: Mapping[str, Callable[[Content], str | None]]
    """Where a POST brings a whole batch, and what tells the model of its first request."""

    def key_of(self, headers: Headers) -> str:
        """The key of a call, or nothing."""

    def read(self, path: str, body: Json) -> Json:
        """A request with what its path tells of it, where that names the model."""

    def check(self, path: str, headers: Headers, body: Json) -> None:
        """Raises ApiError, as the provider would, for what is wrong with a request."""

    def prompt_of(self, body: Json) -> list[str]:
        """The texts of a prompt in order; the last one may hold markers."""

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        """The answer to a request that was checked."""

    def tokens(self, answer: Json) -> Tokens:
        """What an answer is billed for."""

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:
        """The answer as a stream. Raises ApiError where this endpoint has none."""

    def typical(self, status: int) -> ApiError:
        """The error that this provider typically sends with a status."""

    def check_signature(self, request: RawRequest) -> None:
        """Raises ApiError for a signature that is not the request's own."""

    def key_missing(self) -> ApiError: ...

    def key_refused(self, ending: str) -> ApiError: ...
    def model_not_found(self, model: str) -> ApiError: ...

    def envelope(self, error: ApiError, request_id: str) -> Json:
        """What the body of an error's answer says."""

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        """What a stream says that fails after its status was sent."""

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:
        """What every answer carries."""


class UnsignedDialect:
    """What most dialects have in common: nobody signs, and a call's path tells nothing of it."""

    batches: Mapping[str, Callable[[Content], str | None]] = {}
    stream_type = EVENT_STREAM

    def read(self, path: str, body: Json) -> Json:  # noqa: ARG002
        return body

    def check_signature(self, request: RawRequest) -> None:
        """There is none."""
