"""What a provider's protocol is to the rest of the simulator. Dialects are pure: they send nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from local.simulator.errors import ApiError
from local.simulator.markers import How

Json = dict[str, Any]
Headers = Mapping[bytes, bytes]


class Event(NamedTuple):
    """A piece of a stream, as bytes. A token is what a reader waits for: text or a tool's argument."""

    content: bytes
    is_token: bool = False


class Dialect(Protocol):
    paths: frozenset[str]
    """Where a model answers directly, without prefix and version."""

    def key_of(self, headers: Headers) -> str:
        """The key of a call, or nothing."""

    def check(self, path: str, headers: Headers, body: Json) -> None:
        """Raises ApiError, as the provider would, for what is wrong with a request."""

    def failure(self, path: str, body: Json, attempt: int) -> ApiError | None:
        """The failure that the prompt asks of its attempt, counted from 1."""

    def answer(self, path: str, body: Json, withheld: How | None) -> Json:
        """The answer to a request that was checked."""

    def events(self, path: str, body: Json, answer: Json) -> Iterator[Event]:
        """The answer as a stream. Raises ApiError where this endpoint has none."""

    def typical(self, status: int) -> ApiError:
        """The error that this provider typically sends with a status."""

    def key_missing(self) -> ApiError: ...

    def key_refused(self, ending: str) -> ApiError: ...

    def model_not_found(self, model: str) -> ApiError: ...

    def envelope(self, error: ApiError, request_id: str) -> Json:
        """What the body of an error's answer says."""

    def error_event(self, error: ApiError, request_id: str) -> bytes:
        """What a stream says that fails after its status was sent."""

    def headers(self, request_id: str, milliseconds: int) -> dict[str, str]:
        """What every answer carries."""
