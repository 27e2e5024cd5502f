"""Through a gateway: its endpoints do what the engine of this process would do."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from nightmail.library.backend import Body, Item
from nightmail.library.failures import failure_in
from nightmail.library.gateway_batches import GatewayBatches
from nightmail.library.objects import Batch
from nightmail.library.options import Options
from nightmail.library.results import number_of
from nightmail.library.servers import Home
from nightmail.library.watch import until_final
from nightmail.providers.json_text import read_json

_APPLIED = "preference-applied"
_RACE = "x-nightmail-race"


class Gateway:
    """A `Backend`. The headers of the call go to the gateway."""

    def __init__(self, home: Home, options: Options) -> None:
        self._batches = GatewayBatches(home)
        self._server = home.server
        self._options = options

    async def chat(self, body: Body) -> Body:
        return (await self._server.post("/chat/completions", body)).body

    async def open_chat(self, body: Body) -> AsyncGenerator[Body]:
        return await self._server.events("/chat/completions", body)

    async def embed(self, body: Body) -> Body:
        return (await self._server.post("/embeddings", body)).body

    async def many(self, body: Body) -> Sequence[Item] | Batch:
        """A batch that nobody asked for is followed to its end.

        The key lets the request arrive twice without becoming two batches.
        """
        once = {"idempotency-key": uuid.uuid4().hex}
        answered = await self._server.post("/batch_completion", body, headers=once)
        if answered.status != HTTPStatus.ACCEPTED:
            return [_item(entry, body.get("model")) for entry in answered.body["data"]]
        batch = Batch(answered.body)
        if _APPLIED in answered.headers:
            return batch
        batch = await until_final(self._batches, batch, self._options.on_progress)
        return await self._outcomes(batch, body)

    async def race(self, body: Body) -> Body:
        answered = await self._server.post("/batch_completion_models", body)
        details = answered.body.get("nightmail") or {}
        report = read_json(answered.headers.get(_RACE, "null").encode())
        return {**answered.body, "nightmail": {**details, "race": report}}

    async def open_race(self, body: Body) -> AsyncGenerator[Body]:
        return await self._server.events("/batch_completion_models", body)

    async def all_responses(self, body: Body) -> Sequence[Item]:
        answered = await self._server.post("/batch_completion_models_all_responses", body)
        return [_item(entry, entry.get("model")) for entry in answered.body["data"]]

    async def _outcomes(self, batch: Batch, body: Body) -> Sequence[Item]:
        """Of a batch that failed as a whole, its error stands for each prompt."""
        model = body.get("model")
        errors = batch.errors.get("data") if batch.errors else None
        whole = errors[0] if errors else {"message": f"The batch is {batch.status}."}
        items: list[Item] = [failure_in(whole, model) for _ in body["messages"]]
        async with aclosing(self._batches.outcomes(batch)) as lines:
            async for line in lines:
                items[number_of(line) - 1] = _item_of(line, model)
        return items


def _item(entry: Body, model: str | None) -> Item:
    return failure_in(entry["error"], model) if "error" in entry else entry


def _item_of(line: Body, model: str | None) -> Item:
    response: dict[str, Any] = line.get("response") or {}
    if "error" in line:
        return failure_in(line["error"], model, response.get("status_code"))
    return {**response["body"], "custom_id": line["custom_id"]}
