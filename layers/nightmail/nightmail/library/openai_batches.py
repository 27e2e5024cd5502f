"""Batches at a provider that has them in OpenAI's form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing

from nightmail.library.backend import Body
from nightmail.library.exceptions import APIError
from nightmail.library.file_batches import FileBatches
from nightmail.library.mixture import check_alone, in_own_names, refuse_settings
from nightmail.library.objects import Batch
from nightmail.library.results import as_asked, told
from nightmail.library.servers import Home
from nightmail.library.sources import Source
from nightmail.library.spending import Seller

_OF_ONE_MODEL = frozenset({"openai"})  # its guide on batches; others say nothing of it


class OpenAIBatches(FileBatches):
    """A `BatchApi`. The results come in any order."""

    def __init__(self, home: Home, seller: Seller) -> None:
        super().__init__(home)
        self._seller = seller

    async def begin(self, source: Source, body: Body) -> Batch:
        refuse_settings(body)
        provider = self._server.name
        await asyncio.to_thread(
            check_alone, source, body["endpoint"], provider, one_model=provider in _OF_ONE_MODEL
        )
        with ExitStack() as stack:
            content = in_own_names(source, provider)
            return await super().begin(await asyncio.to_thread(stack.enter_context, content), body)

    async def create(self, input_file_id: str, body: Body) -> Batch:
        refuse_settings(body)
        return await super().create(input_file_id, body)

    async def outcomes(self, batch: Batch) -> AsyncGenerator[Body]:
        files = [name for name in (batch.output_file_id, batch.error_file_id) if name]
        if not files and batch.status == "completed" and batch.request_counts.get("total"):
            raise APIError(  # as OpenAI tells of a batch that has just ended
                f"The results of {batch.id} are not there yet. Ask again in a moment.",
                llm_provider=self._server.name,
            )
        async with aclosing(as_asked(self._server, files, batch.input_file_id)) as lines:
            async for line in lines:
                yield self._seller.priced(told(line))

    def _seen(self, body: Body) -> Batch:
        return self._seller.with_cost(Batch(body))
