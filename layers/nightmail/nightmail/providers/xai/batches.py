"""The native lane over HTTP: xAI's batches of an uploaded file.

Source: docs.x.ai, "Batch API"; what it leaves open, from `batch.proto` of xAI's published protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import time

import httpx

from nightmail.deployment import Deployment
from nightmail.errors import ProviderRejected
from nightmail.lines import is_too_deep
from nightmail.providers.base import Cursor, Intent, NumberOf, Progress, Result, ShardInput, Tag
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.json_text import mapping_of, read_json
from nightmail.providers.native_http import LOOK, NativeClient
from nightmail.providers.native_lists import PAGE, first_of, list_by_tokens, made_since
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
        found = made_since(intent.since, self._listed(), made_at, newest_first=False)
        return first_of(self._batches, found, lambda batch: batch.get("name") == name)

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._batches.look(f"{_PATH}/{provider_batch_id}"), time())

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        """What the batches have from `cursor` on: the page where it was left is read again."""
        reading = Reading(self._name, self._key, public_model, number_of)
        for place in range(cursor.output, len(output_ids)):
            begun = cursor if place == cursor.output else Cursor(place)
            yield from self._results_of(output_ids[place], begun, reading)

    def _results_of(self, batch_id: str, begun: Cursor, reading: Reading) -> Iterator[Result]:
        skipped = begun.offset
        for token, page, content in self._pages_of(batch_id, begun.page):
            listed = page.get("results")
            entries = listed if isinstance(listed, list) else []
            # Where the page can be written again each entry can, and none is measured by itself.
            suspect = content if is_too_deep(content, page) else b""
            for count, entry in enumerate(entries[skipped:], skipped + 1):
                found = to_outcome(mapping_of(entry), suspect, reading)
                outcome, usage = found or (None, Usage())
                yield Result(outcome, usage, Cursor(begun.output, count, token))
            skipped = 0

    def _pages_of(self, batch_id: str, token: str) -> Iterator[tuple[str, JsonObject, bytes]]:
        """Each page from the one that `token` opens, with that token and as it came."""
        opened: set[str] = set()
        while token not in opened:
            opened.add(token)
            try:
                page, content = self._page_of(batch_id, token)
            except ProviderRejected:
                # For how long a token opens its page is not documented. What comes twice is dropped.
                if "" in opened:
                    raise
                opened, token = set(), ""
                continue
            yield token, page, content
            following = page.get("pagination_token")
            if not isinstance(following, str) or not following:
                return
            token = following

    def _page_of(self, batch_id: str, token: str) -> tuple[JsonObject, bytes]:
        path, query = f"{_PATH}/{batch_id}/results", {"limit": str(PAGE)}
        if token:
            query["pagination_token"] = token
        response = self._batches.call("GET", path, params=query, timeout=LOOK)
        page = read_json(response.content)
        if not isinstance(page, dict):
            raise garbled(self._name, "with no page of results", response.status_code)
        return page, response.content

    def _listed(self) -> Iterator[JsonObject]:
        return list_by_tokens(
            self._batches,
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
