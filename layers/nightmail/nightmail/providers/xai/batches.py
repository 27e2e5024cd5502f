"""The native lane over HTTP: xAI's batches of an uploaded file.

Source: docs.x.ai, "Batch API"; what it leaves open, from `batch.proto` of xAI's published protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import time

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import Cursor, Intent, NumberOf, Progress, Result, ShardInput, Tag
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.json_text import mapping_of, read_json
from nightmail.providers.native_http import PAGE, NativeClient, made_since
from nightmail.providers.native_results import Reading
from nightmail.providers.openai_protocol.batches import OpenAIBatches, open_server
from nightmail.providers.openai_protocol.request import model_of
from nightmail.providers.xai.batch_results import made_at, name_of, to_outcome, to_progress
from nightmail.providers.xai.card import BATCHES, SERVER
from nightmail.usage import Usage

_PATH = "/batches"


class XaiBatches(OpenAIBatches):
    """One deployment's batches. They are known by their names, and hand their results out by pages."""

    def __init__(self, deployment: Deployment, http: httpx.Client, key: str | None) -> None:
        model = model_of(deployment, SERVER)
        super().__init__(deployment, http, key, BATCHES, model=model)
        self._batches = NativeClient(deployment.provider, http, key, identity="batch_id")

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - its lines tell it
        request = {"name": name_of(tag, content.lines), "input_file_id": prepared}
        return self._batches.start(_PATH, json=request)

    def find(self, intent: Intent) -> list[str]:
        name = name_of(intent.tag, intent.lines)
        found = made_since(intent.since, self._listed(), made_at)
        ours = (self._batches.id_of(batch) for batch in found if batch.get("name") == name)
        first = next(ours, None)
        return [first] if first else []

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._batches.look(f"{_PATH}/{provider_batch_id}"), time())

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        """What the batches have from `cursor` on, whose offset counts results: tokens of pages, as which
        xAI tells a place, do not fit into it. All pages are read again, in the one order that they have.
        """
        reading = Reading(self._name, self._key, public_model, number_of)
        for place in range(cursor.output, len(output_ids)):
            start = cursor.offset if place == cursor.output else 0
            for count, (entry, page) in enumerate(self._results_of(output_ids[place]), 1):
                if count > start:
                    outcome, usage = to_outcome(entry, page, reading) or (None, Usage())
                    yield Result(outcome, usage, Cursor(place, count))

    def _results_of(self, batch_id: str) -> Iterator[tuple[JsonObject, bytes]]:
        """Each result, with the page that it is from."""
        query: dict[str, str | int] = {"limit": PAGE}
        while True:
            response = self._batches.call("GET", f"{_PATH}/{batch_id}/results", params=query)
            page = read_json(response.content)
            if not isinstance(page, dict):
                raise garbled(self._name, "with no page of results", response.status_code)
            listed = page.get("results")
            for entry in listed if isinstance(listed, list) else []:
                yield mapping_of(entry), response.content
            token = page.get("pagination_token")
            if not isinstance(token, str) or token in {"", query.get("pagination_token")}:
                return
            query = {"limit": PAGE, "pagination_token": token}

    def _listed(self) -> Iterator[JsonObject]:
        return self._batches.list_by_tokens(
            _PATH,
            entries="batches",
            size="limit",
            token="pagination_token",  # noqa: S106 - a parameter's name
            following="pagination_token",
        )

    def _cancel_path(self, provider_batch_id: str) -> str:
        return f"{_PATH}/{provider_batch_id}:cancel"


def open_xai(deployment: Deployment, key: str | None) -> XaiBatches:
    """With a client whose connections are the deployment's."""
    return XaiBatches(deployment, open_server(deployment, SERVER, key), key)
