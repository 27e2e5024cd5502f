"""Batches that are made of files, as at OpenAI: a gateway's, and those of providers in its form."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from nightmail.library.backend import Body
from nightmail.library.exceptions import NightmailError
from nightmail.library.objects import Batch, BatchPage
from nightmail.library.servers import Home
from nightmail.library.sources import Source
from nightmail.library.uploads import upload


class FileBatches:
    """What all of them have of a `BatchApi`."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._server = home.server

    async def begin(self, source: Source, body: Body) -> Batch:
        file = await upload(self._home, source, "batch", {})
        try:
            return await self.create(file.id, body)
        except NightmailError:
            with suppress(NightmailError):
                await self._server.delete(f"/files/{file.id}")
            raise

    async def create(self, input_file_id: str, body: Body) -> Batch:
        return await self._make("/batches", {"input_file_id": input_file_id, **body})

    async def retrieve(self, batch_id: str, *, patiently: bool = False) -> Batch:
        return self._seen(await self._server.get(f"/batches/{batch_id}", patiently=patiently))

    async def list(self, query: Mapping[str, Any]) -> BatchPage:
        page = await self._server.get("/batches", query)
        return BatchPage({**page, "data": [self._seen(entry) for entry in page.get("data") or ()]})

    async def cancel(self, batch_id: str) -> Batch:
        path = f"/batches/{batch_id}/cancel"
        return self._seen((await self._server.post(path, {}, repeatable=True)).body)

    async def _make(self, path: str, body: Body) -> Batch:
        """A second request could make a second batch, so that there is only one."""
        return self._seen((await self._server.post(path, body)).body)

    def _seen(self, body: Body) -> Batch:
        return Batch(body)
