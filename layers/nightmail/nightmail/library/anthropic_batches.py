"""Anthropic's Message Batches in OpenAI's form: the requests go with the creation, and no file is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, aclosing
from typing import Any, NoReturn

from nightmail.endpoints import CHAT
from nightmail.library.anthropic_ids import carried_in
from nightmail.library.anthropic_objects import WINDOW, to_batch, to_line
from nightmail.library.anthropic_requests import PROVIDER, converted
from nightmail.library.backend import Body
from nightmail.library.exceptions import APIError, BadRequestError
from nightmail.library.failures import bad_request
from nightmail.library.mixture import refuse_settings
from nightmail.library.objects import Batch, BatchPage
from nightmail.library.options import through_a_gateway
from nightmail.library.results import in_order, json_object, raw_lines, told
from nightmail.library.server import Server
from nightmail.library.sources import Source
from nightmail.library.spending import Seller
from nightmail.providers.anthropic.batch_results import to_outcome
from nightmail.providers.native_results import Reading

_PATH = "/messages/batches"
_TAKEN = frozenset({"endpoint", "completion_window", "drop_params"})


class AnthropicBatches:
    """A `BatchApi`."""

    def __init__(self, server: Server, seller: Seller) -> None:
        self._server = server
        self._seller = seller

    async def begin(self, source: Source, body: Body) -> Batch:
        """A second request would make a second batch, so that there is only one."""
        drops = _drops(body)
        with ExitStack() as stack:
            content = converted(source, drop_params=drops)
            requests = await asyncio.to_thread(stack.enter_context, content)
            answer = await self._server.post_file(
                _PATH, lambda: stack.enter_context(requests.reader())
            )
        return to_batch(answer)

    async def create(self, input_file_id: str, body: Body) -> NoReturn:  # noqa: ARG002 - BatchApi's
        raise bad_request(
            f"{PROVIDER} keeps no files for batches: batch_completion_create(input_file_path=...) and "
            "batch_completion_create(requests=...) send the requests themselves.",
            "input_file_id",
        )

    async def retrieve(self, batch_id: str, *, patiently: bool = False) -> Batch:
        return to_batch(await self._server.get(f"{_PATH}/{batch_id}", patiently=patiently))

    async def list(self, query: Mapping[str, Any]) -> BatchPage:
        asked = {"after_id" if name == "after" else name: query[name] for name in query}
        page = await self._server.get(_PATH, asked)
        batches = [to_batch(entry) for entry in page.get("data") or ()]
        return BatchPage({**page, "object": "list", "data": batches})

    async def cancel(self, batch_id: str) -> Batch:
        path = f"{_PATH}/{batch_id}/cancel"
        return to_batch((await self._server.post(path, {}, repeatable=True)).body)

    async def outcomes(self, batch: Batch) -> AsyncGenerator[Body]:
        if not batch.output_file_id:
            raise APIError(
                f"The results of {batch.id} are not there yet. Ask again in a moment.",
                llm_provider=PROVIDER,
            )
        created = batch.created_at or 0
        async with aclosing(in_order(self._placed(batch.id))) as lines:
            async for content in lines:
                if found := to_outcome(content, _READING, created):
                    outcome, _ = found
                    line = to_line(batch.id, _identity(content), outcome)
                    yield self._seller.priced(told(line))

    async def _placed(self, batch_id: str) -> AsyncGenerator[tuple[int, bytes]]:
        async with aclosing(raw_lines(self._server, f"{_PATH}/{batch_id}/results")) as lines:
            async for line in lines:
                yield _number_in(_identity(line)), line


def _identity(content: bytes) -> str:
    return str(json_object(content).get("custom_id"))


def _number_in(identity: str) -> int:
    return carried_in(identity).number


_READING = Reading(PROVIDER, key=None, public_model="", number_of=_number_in)


def _drops(body: Body) -> bool:
    """Whether what Anthropic has not is left out. Raises BadRequestError for what no batch there can be."""
    refuse_settings(body)
    for name, only in (("endpoint", CHAT), ("completion_window", WINDOW)):
        if body[name] != only:
            raise _unsupported(name, f"of a batch at {PROVIDER} is '{only}'")
    drops = body.get("drop_params") is True
    for name in () if drops else sorted(body.keys() - _TAKEN):
        raise _unsupported(name, f"has no place at {PROVIDER}. Leave it out, or set drop_params")
    return drops


def _unsupported(name: str, what: str) -> BadRequestError:
    return bad_request(f"The '{name}' {what}. {through_a_gateway('it is taken')}", name)
