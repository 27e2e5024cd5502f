"""The native lane over HTTP: Gemini's batches of a file.

Source: Google's API reference, "Batch API" and "Files", with the protocol of its resumable uploads.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import time
from urllib.parse import quote

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import Intent, Progress, ShardInput, Tag
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.batch_results import made_at, to_outcome, to_progress
from nightmail.providers.gemini.errors import to_error
from nightmail.providers.gemini.provider import VERSION, headers_of, model_path, root_of
from nightmail.providers.http import garbled
from nightmail.providers.json_text import mapping_of
from nightmail.providers.native_batches import HttpBatches
from nightmail.providers.native_http import open_client
from nightmail.providers.native_lists import first_of, list_by_tokens, made_since
from nightmail.providers.native_results import Found, Reading

_BATCHES = f"{VERSION}/batches"
_UPLOAD = f"/upload{VERSION}/files"
_KIND = "application/jsonl"


class GeminiBatches(HttpBatches):
    """One deployment's batches. Files and batches have names for ids: `files/abc`, `batches/abc`."""

    is_tagged = True

    def __init__(self, deployment: Deployment, http: httpx.Client, key: str | None) -> None:
        super().__init__(deployment, http, key, identity="name", read_error=to_error)
        self._deployment = deployment

    def prepare(self, content: ShardInput, tag: Tag) -> str:
        """Upload the input file as a stream, to where the answer to a first call says."""
        headers = {
            "content-type": _KIND,
            "content-length": str(content.size),
            "x-goog-upload-command": "upload, finalize",
            "x-goog-upload-offset": "0",
        }
        url = self._begin_upload(content, tag)
        answer = self._api.send("POST", url, content=content.read(), headers=headers)
        return self._api.id_of(mapping_of(answer.get("file")))

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - it is uploaded
        batch = {"displayName": _name(tag), "inputConfig": {"fileName": prepared}}
        path = f"{VERSION}/{quote(model_path(self._deployment))}:batchGenerateContent"
        return self._api.start(path, json={"batch": batch})

    def find(self, intent: Intent) -> list[str]:
        name, every = _name(intent.tag), list_by_tokens(self._api, _BATCHES, entries="operations")
        listed = made_since(intent.since, every, made_at, newest_first=False)
        return first_of(self._api, listed, lambda batch: _name_of(batch) == name)

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._api.look(f"{VERSION}/{provider_batch_id}"), self._key)

    def _begin_upload(self, content: ShardInput, tag: Tag) -> str:
        """Where the bytes go. Of the URL that is told only the query counts, which names the upload:
        the key goes to our own address and to no other.
        """
        headers = {
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(content.size),
            "x-goog-upload-header-content-type": _KIND,
        }
        file = {"file": {"displayName": _name(tag)}}
        answer = self._api.call("POST", _UPLOAD, json=file, headers=headers)
        _, _, query = answer.headers.get("x-goog-upload-url", "").partition("?")
        if not query:
            raise garbled(self._name, "without a place to upload to", answer.status_code)
        return f"{_UPLOAD}?{query}"

    def _cancel_path(self, provider_batch_id: str) -> str:
        return f"{VERSION}/{provider_batch_id}:cancel"

    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        return self._api.download(f"/download{VERSION}/{output_id}:download?alt=media", start)

    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        return to_outcome(content, reading, self._deployment, created=int(time()))


def open_gemini(deployment: Deployment, key: str | None) -> GeminiBatches:
    """With a client whose connections are the deployment's."""
    headers = tuple(headers_of(key).items())
    http = open_client(root_of(deployment), headers, deployment.timeout_seconds)
    return GeminiBatches(deployment, http, key)


def _name(tag: Tag) -> str:
    """What a batch of ours is called: no two submissions have the same."""
    return f"{tag.batch_id}-{tag.shard}-{tag.round}-{tag.attempt}"


def _name_of(batch: JsonObject) -> object:
    return mapping_of(batch.get("metadata")).get("displayName")
