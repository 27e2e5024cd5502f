"""What adapters of batch APIs over HTTP have in common: everything but their provider's own words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any
from uuid import uuid4

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import Cursor, NumberOf, Phase, Progress, Result, ShardInput
from nightmail.providers.http import error_of
from nightmail.providers.native_http import ErrorReader, NativeClient
from nightmail.providers.native_results import Found, Reading, read_results


class HttpResults(ABC):
    """The results of one deployment's batches. `http` has its base URL and sends `key`; the rest is
    NativeClient's.
    """

    def __init__(
        self,
        deployment: Deployment,
        http: httpx.Client,
        key: str | None,
        *,
        identity: str = "id",
        read_error: ErrorReader = error_of,
    ) -> None:
        self._name = deployment.provider
        self._key = key
        self._api = NativeClient(self._name, http, key, identity=identity, read_error=read_error)

    @abstractmethod
    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        """An output's bytes from offset `start` on."""

    @abstractmethod
    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        """What one line of an output tells, or None for garbage."""

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        """What is in the outputs from `cursor` on."""
        reading = Reading(self._name, self._key, public_model, number_of)
        read = partial(self._outcome, reading=reading)
        return read_results(output_ids, cursor, self._download, read)


class HttpBatches(HttpResults):
    """One deployment's batches: half a BatchProvider."""

    @abstractmethod
    def poll(self, provider_batch_id: str) -> Progress:
        """How far it is."""

    @abstractmethod
    def _cancel_path(self, provider_batch_id: str) -> str:
        """Where a POST asks it to stop."""

    def cancel(self, provider_batch_id: str) -> None:
        """Ask it to stop; one that has ended already is no error."""
        self._api.cancel(
            self._cancel_path(provider_batch_id),
            has_ended=lambda: self._has_ended(provider_batch_id),
        )

    def _has_ended(self, provider_batch_id: str) -> bool:
        return self.poll(provider_batch_id).phase is Phase.ENDED


def in_one_body(head: bytes, content: ShardInput, foot: bytes) -> dict[str, Any]:
    """What httpx takes to send a shard's lines as an array between `head` and `foot`, with its length."""
    size = len(head) + content.size - 1 + len(foot)
    headers = {"content-type": "application/json", "content-length": str(size)}
    return {"content": _array(head, content, foot), "headers": headers}


def _array(head: bytes, content: ShardInput, foot: bytes) -> Iterator[bytes]:
    """JSON has no newline within a line, and the last one has none behind."""
    yield head
    left = content.size - 1
    for chunk in content.read():
        yield chunk[:left].replace(b"\n", b",")
        left -= len(chunk)
    yield foot


def in_form(fields: Mapping[str, str], filename: str, content: ShardInput) -> dict[str, Any]:
    """What httpx takes to upload a shard's lines as the `file` of a multipart form (RFC 7578), with its
    length: some servers refuse chunked uploads.
    """
    boundary = uuid4().hex
    begin = f"--{boundary}\r\nContent-Disposition: form-data; name="
    told = "".join(f'{begin}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    told += f'{begin}"file"; filename="{filename}"\r\nContent-Type: application/jsonl\r\n\r\n'
    head, foot = told.encode(), f"\r\n--{boundary}--\r\n".encode()
    headers = {
        "content-type": f"multipart/form-data; boundary={boundary}",
        "content-length": str(len(head) + content.size + len(foot)),
    }
    return {"content": chain([head], content.read(), [foot]), "headers": headers}
