"""The native lane over HTTP: Files and Batches as OpenAI documents them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import (
    Cursor,
    Intent,
    NumberOf,
    Phase,
    Progress,
    Result,
    ShardInput,
    Tag,
)
from nightmail.providers.direct import JsonObject
from nightmail.providers.native_http import NativeClient, made_since, open_client
from nightmail.providers.native_results import Reading, read_results
from nightmail.providers.openai.convert import to_outcome, to_progress
from nightmail.providers.openai.request import base_of


class OpenAIProvider:
    """One deployment's batches. `http` has the deployment's base URL and sends `key`."""

    is_tagged = True

    def __init__(self, deployment: Deployment, http: httpx.Client, key: str | None) -> None:
        self._name = deployment.provider
        self._key = key
        self._api = NativeClient(deployment.provider, http, key)

    def prepare(self, content: ShardInput, tag: Tag) -> str:
        """Upload the input file, as a stream with a length: some servers refuse chunked uploads."""
        boundary = uuid4().hex
        head, foot = _form(boundary, f"{tag.batch_id}-{tag.shard}.jsonl")
        headers = {
            "content-type": f"multipart/form-data; boundary={boundary}",
            "content-length": str(len(head) + content.size + len(foot)),
        }
        form = _joined(head, content, foot)
        return self._api.id_of(self._api.send("POST", "/files", content=form, headers=headers))

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - it is uploaded
        request = {
            "input_file_id": prepared,
            "endpoint": endpoint,
            "completion_window": "24h",
            "metadata": _metadata(tag),
        }
        return self._api.start("/batches", json=request)

    def find(self, intent: Intent) -> list[str]:
        listed = made_since(intent.since, self._api.list("/batches", after="after"), _made_at)
        ours = (self._api.id_of(batch) for batch in listed if _is_ours(batch, intent))
        found = next(ours, None)
        return [found] if found else []

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._api.look(f"/batches/{provider_batch_id}"))

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        reading = Reading(self._name, self._key, public_model, number_of)
        read = partial(to_outcome, reading=reading)
        return read_results(output_ids, cursor, self._download, read)

    def cancel(self, provider_batch_id: str) -> None:
        self._api.cancel(
            f"/batches/{provider_batch_id}/cancel",
            has_ended=lambda: self.poll(provider_batch_id).phase is Phase.ENDED,
        )

    def _download(self, file_id: str, start: int) -> Iterator[bytes]:
        return self._api.download(f"/files/{file_id}/content", start, follow_redirects=True)


def open_openai(deployment: Deployment, key: str | None) -> OpenAIProvider:
    """With a client whose connections are the deployment's."""
    headers = [("authorization", f"Bearer {key}")] if key else []
    if deployment.organization:
        headers.append(("openai-organization", deployment.organization))
    http = open_client(base_of(deployment), tuple(headers), deployment.timeout_seconds)
    return OpenAIProvider(deployment, http, key)


def _metadata(tag: Tag) -> dict[str, str]:
    return {
        "nightmail_batch": tag.batch_id,
        "nightmail_shard": str(tag.shard),
        "nightmail_round": str(tag.round),
        "nightmail_attempt": str(tag.attempt),
    }


def _made_at(batch: JsonObject) -> int | None:
    made_at: Any = batch.get("created_at")
    return made_at if isinstance(made_at, int) else None


def _is_ours(batch: JsonObject, intent: Intent) -> bool:
    """By its tag, or by its input file at a provider that keeps no metadata."""
    metadata = batch.get("metadata")
    if isinstance(metadata, dict) and metadata:
        return _metadata(intent.tag).items() <= metadata.items()
    return batch.get("input_file_id") == intent.prepared


def _form(boundary: str, filename: str) -> tuple[bytes, bytes]:
    """What stands before and behind the file in a multipart form (RFC 7578)."""
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: application/jsonl\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


def _joined(head: bytes, content: ShardInput, foot: bytes) -> Iterator[bytes]:
    yield head
    yield from content.read()
    yield foot
