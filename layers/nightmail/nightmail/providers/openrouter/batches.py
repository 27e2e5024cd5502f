"""The native lane over HTTP: OpenRouter's batches, whose requests and results are in their bodies.

Source: OpenRouter's API description and its pages "Batch API" and "Batch quickstart". Of where its
batches are, the description says `/api/v1`, and the quickstart `/api/beta`, which its clients go by: it
is not confirmed. Nothing of ours can be put on a batch there, and nothing stops one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import Intent, Progress, ShardInput, Tag
from nightmail.providers.direct import HttpAnswer, JsonObject
from nightmail.providers.http import read_answer
from nightmail.providers.json_text import mapping_of, read_json, write_json
from nightmail.providers.native_batches import HttpResults, in_one_body
from nightmail.providers.native_http import LOOK, behind
from nightmail.providers.native_lists import list_by_ids, made_since
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.openai_protocol import request
from nightmail.providers.openai_protocol.batches import open_server
from nightmail.providers.openrouter.batch_body import BatchBody
from nightmail.providers.openrouter.batch_results import lines_of, to_outcome, to_progress
from nightmail.providers.openrouter.card import BATCHES, SERVER

_PATH = "/batches"
_VERSION = re.compile(r"/v1\Z")
# In which order its fields come is not documented: what is not told before the results comes behind.
_TOLD = frozenset({"id", "status", "request_counts", "error"})


class OpenRouterBatches(HttpResults):
    """One deployment's batches, of which `model` is the provider's own name."""

    is_tagged = False

    def __init__(
        self, deployment: Deployment, http: httpx.Client, key: str | None, *, model: str
    ) -> None:
        super().__init__(deployment, http, key)
        self._model = model

    def prepare(self, content: ShardInput, tag: Tag) -> str:  # noqa: ARG002 - it costs no call
        """Nothing: the requests go with the submission."""
        return ""

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - a body has no place for them
        # It is read as a stream: what is true of all requests has to come before them.
        head = write_json({"endpoint": endpoint, "model": self._model})
        body = in_one_body(head.removesuffix(b"}") + b',"requests":[', content, b"]}")
        return self._api.start(_PATH, **body)

    def find(self, intent: Intent) -> list[str]:
        every = list_by_ids(self._api, _PATH, after="after")
        listed = made_since(intent.since, every, _made_at, newest_first=True)
        # One whose requests were not counted yet may be any.
        return [self._api.id_of(each) for each in listed if lines_of(each) in {intent.lines, 0}]

    def poll(self, provider_batch_id: str) -> Progress:
        answer = HttpAnswer(httpx.codes.OK, {}, self._look(provider_batch_id))
        return to_progress(read_answer(answer, self._name, self._key), BATCHES)

    def _look(self, batch_id: str) -> bytes:
        """The batch without its results, of which no more is read than has to be."""
        body, chunks = BatchBody(), self._api.download(f"{_PATH}/{batch_id}", timeout=LOOK)
        for chunk in chunks:
            body.feed(chunk)
            if body.head:
                break
        if mapping_of(read_json(body.head)).keys() >= _TOLD:
            return body.head
        for chunk in chunks:
            body.feed(chunk)
        return bytes(body.rest)

    def cancel(self, provider_batch_id: str) -> None:
        """Nothing: a batch runs to its end, and is paid."""

    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        """A result to a line. The offset is one of these lines, of which the server knows nothing."""
        body = BatchBody()
        return behind(start, map(body.feed, self._api.download(f"{_PATH}/{output_id}")))

    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        return to_outcome(content, reading)


def open_openrouter(deployment: Deployment, key: str | None) -> OpenRouterBatches:
    """With a client whose connections are the deployment's."""
    at_batches = deployment.model_copy(update={"api_base": base_of(deployment)})
    http = open_server(at_batches, SERVER, key)
    return OpenRouterBatches(deployment, http, key, model=request.model_of(deployment, SERVER))


def base_of(deployment: Deployment) -> str:
    """Batches are beside the server of the models: openrouter.ai/api/beta."""
    return _VERSION.sub("/beta", request.base_of(deployment, SERVER))


def _made_at(batch: JsonObject) -> int | None:
    """Unix seconds."""
    made_at = batch.get("created_at")
    return made_at if isinstance(made_at, int) else None
