"""The native lane over HTTP: Files and Batches as OpenAI documents them, or nearly so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import (
    Intent,
    Progress,
    ShardInput,
    Tag,
)
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import moment_of
from nightmail.providers.native_batches import HttpBatches, in_form
from nightmail.providers.native_http import open_client
from nightmail.providers.native_lists import (
    first_of,
    list_by_ids,
    list_by_numbers,
    list_whole,
    made_since,
)
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.batch_results import to_outcome, to_progress
from nightmail.providers.openai_protocol.request import base_of, model_of
from nightmail.providers.openai_protocol.servers import Server


class OpenAIBatches(HttpBatches):
    """One deployment's batches, of which `model` is the provider's own name."""

    is_tagged = True

    def __init__(
        self,
        deployment: Deployment,
        http: httpx.Client,
        key: str | None,
        api: BatchApi,
        *,
        model: str,
    ) -> None:
        super().__init__(deployment, http, key)
        self._shape = api
        self._model = model

    def prepare(self, content: ShardInput, tag: Tag) -> str:
        """Upload the input file, as a stream with a length: some servers refuse chunked uploads."""
        filename = f"{tag.batch_id}-{tag.shard}.jsonl"
        form = in_form(self._shape.form, filename, content)
        return self._api.id_of(self._api.send("POST", self._shape.files, **form))

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - it is uploaded
        url = self._shape.urls.get(endpoint, endpoint)
        request = self._shape.submission(prepared, url, self._model)
        if self._shape.has_metadata:
            request["metadata"] = _metadata(tag)
        return self._api.start(self._shape.path, wrapper=self._shape.wrapper, json=request)

    def find(self, intent: Intent) -> list[str]:
        newest_first = self._shape.newest_first
        listed = made_since(intent.since, self._listed(), _made_at, newest_first=newest_first)
        return first_of(self._api, listed, lambda batch: _is_ours(batch, intent))

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._api.look(f"{self._shape.path}/{provider_batch_id}"), self._shape)

    def _listed(self) -> Iterator[JsonObject]:
        if self._shape.paging == "numbers":
            return list_by_numbers(self._api, self._shape.path)
        if self._shape.paging == "none":
            return list_whole(self._api, self._shape.path)
        return list_by_ids(self._api, self._shape.path, after="after")

    def _cancel_path(self, provider_batch_id: str) -> str:
        return f"{self._shape.path}/{provider_batch_id}/cancel"

    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        path, follows = f"/files/{output_id}/content", self._shape.follows_redirects
        return self._api.download(path, start, follow_redirects=follows)

    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        return to_outcome(content, reading)


def open_batches(
    deployment: Deployment, server: Server, api: BatchApi, key: str | None
) -> OpenAIBatches:
    """With a client whose connections are the deployment's."""
    http = open_server(deployment, server, key)
    return OpenAIBatches(deployment, http, key, api, model=model_of(deployment, server))


def open_server(deployment: Deployment, server: Server, key: str | None) -> httpx.Client:
    """A client of a deployment's server that takes a bearer's key."""
    headers = [("authorization", f"Bearer {key}")] if key else []
    if deployment.organization:
        headers.append(("openai-organization", deployment.organization))
    return open_client(base_of(deployment, server), tuple(headers), deployment.timeout_seconds)


def _metadata(tag: Tag) -> dict[str, str]:
    return {
        "nightmail_batch": tag.batch_id,
        "nightmail_shard": str(tag.shard),
        "nightmail_round": str(tag.round),
        "nightmail_attempt": str(tag.attempt),
    }


def _made_at(batch: JsonObject) -> int | None:
    """Unix seconds, which some write as a date."""
    made_at: Any = batch.get("created_at")
    if isinstance(made_at, int):
        return made_at
    return moment_of(made_at)


def _is_ours(batch: JsonObject, intent: Intent) -> bool:
    """By its tag, or by its input file at a provider that keeps no metadata."""
    metadata = batch.get("metadata")
    if isinstance(metadata, dict) and metadata:
        return _metadata(intent.tag).items() <= metadata.items()
    return batch.get("input_file_id") == intent.prepared
