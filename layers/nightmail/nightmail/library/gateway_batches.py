"""A gateway's batches: made once, retried, and read while they run."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing

from nightmail.library.backend import Body
from nightmail.library.failures import bad_request
from nightmail.library.file_batches import FileBatches
from nightmail.library.objects import Batch
from nightmail.library.results import json_object, merged, told
from nightmail.library.watch import Patience

_CURSOR = "x-nightmail-cursor"
_INCOMPLETE = "x-nightmail-incomplete"


class GatewayBatches(FileBatches):
    """A `BatchApi`, and what only a gateway has."""

    async def retry(self, batch_id: str, body: Body) -> Batch:
        """A batch of the requests that failed in a final one; `body` says what is to be different."""
        return await self._make(f"/batches/{batch_id}/retry", body)

    async def outcomes(self, batch: Batch) -> AsyncGenerator[Body]:
        if batch.estimate:
            raise bad_request(
                f"The batch {batch.id} was a dry run, and has an estimate and no results.",
                "batch_id",
            )
        files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
        async with aclosing(merged(self._server, files)) as lines:
            async for line in lines:
                yield told(line)

    def arriving(self, batch_id: str) -> AsyncGenerator[Body]:
        """The outcomes of a batch as they come, until it has ended."""
        return self._pages(batch_id)

    def merged(self, batch_id: str) -> AsyncGenerator[Body]:
        """The outcomes of a final batch and its retries in the order of the input: of each request the
        good one, else the last. A retry that still runs is waited for.
        """
        return self._pages(batch_id, merged="true")

    async def _pages(self, batch_id: str, **query: str) -> AsyncGenerator[Body]:
        patience, cursor, is_complete = Patience(), None, False
        while not is_complete:
            path = f"/batches/{batch_id}/output"
            page = await self._server.page(path, {**query, "after": cursor})
            for line in page.lines:
                yield told(json_object(line))
            cursor, is_complete = page.headers.get(_CURSOR), _INCOMPLETE not in page.headers
            if not (page.lines or is_complete):
                await patience.wait()

    async def _make(self, path: str, body: Body) -> Batch:
        """The key lets the request arrive twice without becoming two batches."""
        once = {"idempotency-key": uuid.uuid4().hex}
        answered = await self._server.post(path, body, headers=once, repeatable=True)
        return self._seen(answered.body)
