"""Who keeps batches: a gateway, or a provider in its own words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from nightmail.library.backend import Body
from nightmail.library.objects import Batch, BatchPage
from nightmail.library.sources import Source


class BatchApi(Protocol):
    """A `body` is that of OpenAI's create without the file; so are the answers. All raise NightmailError."""

    async def begin(self, source: Source, body: Body) -> Batch:
        """A batch of the requests in `source`. What is refused leaves nothing behind."""

    async def create(self, input_file_id: str, body: Body) -> Batch:
        """A batch of the requests in a file that was created before."""

    async def retrieve(self, batch_id: str, *, patiently: bool = False) -> Batch: ...

    async def list(self, query: Mapping[str, Any]) -> BatchPage: ...

    async def cancel(self, batch_id: str) -> Batch: ...

    def outcomes(self, batch: Batch) -> AsyncGenerator[Body]:
        """Of a final batch, in the order of its input: lines as in OpenAI's output and error files.

        `error` is in one only where something went wrong. Raises APIError where a completed batch has
        no results yet.
        """
