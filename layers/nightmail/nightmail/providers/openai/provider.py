"""The native lane over HTTP: Files and Batches as OpenAI documents them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from uuid import uuid4

import httpx

from nightmail.usage import Usage
from nightmail.deployment import Deployment
from nightmail.errors import ProviderGarbled, ProviderUnavailable, ProviderUnclear
from nightmail.lines import Line, cut_lines
from nightmail.providers.base import Cursor, Limits, Progress, Result, Tag
from nightmail.providers.native_http import json_object, raise_for_status, transport_errors
from nightmail.providers.openai.convert import to_line, to_outcome, to_progress

_BASE = "https://api.openai.com/v1"
_PAGE = 100
# A look is short enough for a function of a minute to make two; what is sent takes the time it takes.
_LOOK = httpx.Timeout(20, connect=10)
# An answer with many embeddings is far longer than any request; a longer one counts as garbage.
MAX_RESULT_BYTES = 64 * 1024 * 1024
_CLOCK_SKEW_SECONDS = 600
# These prove that no request went out; 429 and 503 say that none was taken.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_NOT_TAKEN = frozenset({429, 503})


class OpenAIProvider:
    """One deployment's batches. `client` has the deployment's base URL and `key`."""

    limits = Limits(lines=50_000, bytes=200 * 1024 * 1024)

    def __init__(
        self, deployment: Deployment, client: httpx.Client, key: str | None = None
    ) -> None:
        self._name = deployment.provider
        self._model = deployment.model
        self._client = client
        self._key = key

    def to_line(self, line: Line) -> bytes:
        return to_line(line, self._model)

    def prepare(self, content: Iterable[bytes], size: int, tag: Tag) -> str:
        """Upload the input file, as a stream with a length: some servers refuse chunked uploads."""
        boundary = uuid4().hex
        head, foot = _form(boundary, f"{tag.batch_id}-{tag.shard}.jsonl")
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + size + len(foot)),
        }
        file = self._call("POST", "/files", content=_joined(head, content, foot), headers=headers)
        return self._id_of(file)

    def submit(self, prepared: str, endpoint: str, tag: Tag) -> str:
        request = {
            "input_file_id": prepared,
            "endpoint": endpoint,
            "completion_window": "24h",
            "metadata": _metadata(tag),
        }
        try:
            return self._id_of(self._call("POST", "/batches", json=request))
        except (ProviderUnavailable, ProviderGarbled) as error:
            if isinstance(error.__cause__, _NOT_SENT) or error.upstream_status in _NOT_TAKEN:
                raise
            raise ProviderUnclear(
                f"{self._name} may or may not have started the batch: {error.message}",
                provider=self._name,
                upstream_status=error.upstream_status,
            ) from error

    def find(self, prepared: str, tag: Tag, since: int) -> str | None:
        oldest, before = since - _CLOCK_SKEW_SECONDS, 0
        for batch in self._batches():
            made_at = batch.get("created_at")
            if isinstance(made_at, int) and made_at < oldest:
                if made_at < before:  # the list goes back in time: nothing newer comes
                    return None
                before = made_at
            elif _is_ours(batch, prepared, tag):
                return self._id_of(batch)
        return None

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._call("GET", f"/batches/{provider_batch_id}", timeout=_LOOK))

    def results(self, output_ids: list[str], public_model: str, cursor: Cursor) -> Iterator[Result]:
        for number in range(cursor.output, len(output_ids)):
            start = cursor.offset if number == cursor.output else 0
            chunks = self._content(output_ids[number], start)
            for raw in cut_lines(chunks, start, MAX_RESULT_BYTES):
                if raw.content is not None and not raw.content.strip():
                    continue
                found = to_outcome(raw.content or b"", self._name, public_model)
                outcome, usage = found or (None, Usage())
                yield Result(outcome, usage, Cursor(number, raw.end))

    def cancel(self, provider_batch_id: str) -> None:
        with transport_errors(self._name):
            response = self._client.post(f"/batches/{provider_batch_id}/cancel", timeout=_LOOK)
        if response.status_code != httpx.codes.CONFLICT:  # it has ended already
            raise_for_status(response, self._name, self._key)

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        with transport_errors(self._name):
            response = self._client.request(method, path, **request)
        return json_object(response, self._name, self._key)

    def _batches(self) -> Iterator[dict[str, Any]]:
        """The provider's batches, newest first."""
        query: dict[str, Any] = {"limit": _PAGE}
        while True:
            page = self._call("GET", "/batches", params=query, timeout=_LOOK)
            entries = [entry for entry in page.get("data") or [] if isinstance(entry, dict)]
            yield from entries
            if not page.get("has_more") or not entries:
                return
            query = {"limit": _PAGE, "after": self._id_of(entries[-1])}

    def _content(self, file_id: str, start: int) -> Iterator[bytes]:
        headers = {"range": f"bytes={start}-"} if start else {}
        with (
            transport_errors(self._name),
            self._client.stream(
                "GET", f"/files/{file_id}/content", headers=headers, follow_redirects=True
            ) as response,
        ):
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return
            if not response.is_success:
                response.read()
            raise_for_status(response, self._name, self._key)
            skip = start if response.status_code == httpx.codes.OK else 0
            for chunk in response.iter_bytes():
                if skip < len(chunk):
                    yield chunk[skip:]
                skip = max(0, skip - len(chunk))

    def _id_of(self, entry: dict[str, Any]) -> str:
        identity = entry.get("id")
        if not isinstance(identity, str) or not identity:
            raise ProviderGarbled(f"{self._name} answered without an id.", provider=self._name)
        return identity


def _metadata(tag: Tag) -> dict[str, str]:
    return {
        "nightmail_batch": tag.batch_id,
        "nightmail_shard": str(tag.shard),
        "nightmail_attempt": str(tag.attempt),
    }


def _is_ours(batch: dict[str, Any], prepared: str, tag: Tag) -> bool:
    """By its tag, or by its input file at a provider that keeps no metadata."""
    metadata = batch.get("metadata")
    if isinstance(metadata, dict) and metadata:
        return _metadata(tag).items() <= metadata.items()
    return batch.get("input_file_id") == prepared


def _form(boundary: str, filename: str) -> tuple[bytes, bytes]:
    """What stands before and behind the file in a multipart form (RFC 7578)."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


def _joined(head: bytes, content: Iterable[bytes], foot: bytes) -> Iterator[bytes]:
    yield head
    yield from content
    yield foot


@lru_cache(maxsize=32)
def open_client(deployment: Deployment, key: str | None) -> httpx.Client:
    """A client with the deployment's base URL, key and time-outs; its connections are kept."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    if deployment.organization:
        headers["openai-organization"] = deployment.organization
    timeout = httpx.Timeout(deployment.timeout_seconds or 120, connect=10)
    return httpx.Client(
        base_url=(deployment.api_base or _BASE).rstrip("/"),
        headers=headers,
        timeout=timeout,
        # A connection that is kept may be closed by the other side: an answer nobody can tell.
        limits=httpx.Limits(max_keepalive_connections=0),
    )
