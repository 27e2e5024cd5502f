"""Without a gateway: the modes, over the engine of this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing
from functools import partial
from typing import Any

from nightmail.errors import GatewayError
from nightmail.library.access import Access, listed, named_fallbacks
from nightmail.library.backend import Body, Item
from nightmail.library.failures import bad_request, failure_of, failures_of, own_statuses
from nightmail.library.gathered import gathered
from nightmail.library.options import Entry, Options
from nightmail.library.process import Process
from nightmail.modes.asked import ModelRequest, OnePrompt
from nightmail.modes.events import OpenStream, open_stream
from nightmail.modes.many import run_many
from nightmail.modes.race import race, stream_race
from nightmail.modes.requests import parse_chat, parse_embeddings, parse_many, parse_models
from nightmail.modes.runner import Runner
from nightmail.provider_names import split_model
from nightmail.providers.direct import JsonObject


class _OwnStatuses(Runner):
    """For a race, which tells of all statuses: those of the providers themselves."""

    async def answer(self, request: ModelRequest) -> JsonObject:
        with own_statuses():
            return await super().answer(request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[JsonObject]:
        with own_statuses():
            async with aclosing(super().stream(request)) as chunks:
                async for chunk in chunks:
                    yield chunk


class Direct:
    """A `Backend` that calls providers with the caller's keys."""

    def __init__(self, process: Process, options: Options) -> None:
        self._process = process
        self._options = options

    async def chat(self, body: Body) -> JsonObject:
        with self._failures_of(body.get("model")):
            body, stand_ins = self._one(body)
            request = _one_model(body)
            return await self._runner([request.model], stand_ins).answer(request)

    async def open_chat(self, body: Body) -> AsyncGenerator[JsonObject]:
        """The chunks; the first one has come when this returns."""
        model = body.get("model")
        with self._failures_of(model):
            body, stand_ins = self._one(body)
            request = _one_model(body)
            opened = await open_stream(request, self._runner([request.model], stand_ins))
        return _chunks(opened, model)

    async def embed(self, body: Body) -> JsonObject:
        with self._failures_of(body.get("model")):
            body, stand_ins = self._one(body)
            request = parse_embeddings(body)
            return await self._runner([request.model], stand_ins).answer(request)

    async def many(self, body: Body) -> Sequence[Item]:
        """In the order of the prompts; what failed is an exception in its place."""
        model = body.get("model")
        provider = self._provider_of(model)
        with self._failures_of(model):
            body, stand_ins = self._one(body)
            request = parse_many(body)
            running = run_many(request, self._runner([request.model], stand_ins))
            async with aclosing(running) as finished:
                items: dict[int, Item] = {
                    one.index: failure_of(one.error, model, provider) if one.error else one.item
                    async for one in finished
                }
        return [items[index] for index in range(len(items))]

    async def race(self, body: Body) -> JsonObject:
        """The first good answer; its `nightmail` tells of the race."""
        with failures_of(None):
            raced = await race(*self._several(body, fastest=True))
        details = raced.body.get("nightmail") or {}
        return {**raced.body, "nightmail": {**details, "race": raced.report}}

    async def open_race(self, body: Body) -> AsyncGenerator[JsonObject]:
        with failures_of(None):
            raced = await stream_race(*self._several(body, fastest=True))
        return _chunks(raced.chunks, raced.winner)

    async def all_responses(self, body: Body) -> Sequence[Item]:
        """In the order of the models; what failed is an exception in its place."""
        with failures_of(None):
            request, runner = self._several(body, fastest=False)
        asked = request.requests()
        return await gathered(asked, partial(self._answer, runner), request.max_concurrency)

    def _one(self, body: Body) -> tuple[Body, Mapping[str, Entry]]:
        """As `_opened`, where one model is asked for by its name."""
        if self._options.deployments is not None or self._options.model_list is not None:
            raise bad_request(
                "Only completion and batch_completion_models take a list of deployments.",
                "deployments",
            )
        return self._opened(body)

    def _opened(self, body: Body) -> tuple[Body, Mapping[str, Entry]]:
        """The body with fallbacks that are names, and those that stand for deployments."""
        names, stand_ins = named_fallbacks(body.get("fallbacks"))
        return {**body, "fallbacks": names}, stand_ins

    def _several(self, body: Body, *, fastest: bool) -> tuple[OnePrompt, Runner]:
        body, entries = self._opened(body)
        own = self._listed(body.pop("model", None))
        if own:
            body["models"] = list(own)
        request = parse_models(body, fastest=fastest)
        models = self._access(request.models, {**entries, **own})
        return request, _OwnStatuses(self._process.engine, models)

    def _listed(self, group: str | None) -> Mapping[str, Entry]:
        if self._options.deployments is not None:
            return listed(self._options.deployments)
        if self._options.model_list is not None:
            return listed(self._options.model_list, group)
        return {}

    def _runner(self, asked: Sequence[str], entries: Mapping[str, Entry]) -> Runner:
        return Runner(self._process.engine, self._access(asked, entries))

    def _access(self, asked: Sequence[str], entries: Mapping[str, Entry]) -> Access:
        return Access(self._process.keys, self._options, asked, entries)

    async def _answer(self, runner: Runner, asked: ModelRequest) -> Item:
        try:
            return await runner.answer(asked)
        except GatewayError as error:
            return failure_of(error, asked.model, self._provider_of(asked.model))

    def _failures_of(self, model: str | None) -> AbstractContextManager[None]:
        return failures_of(model, self._provider_of(model))

    def _provider_of(self, model: Any) -> str | None:
        is_name = isinstance(model, str)
        split = split_model(model, self._options.custom_llm_provider) if is_name else None
        return split[0] if split else None


def _one_model(body: Body) -> ModelRequest:
    request = parse_chat(body)
    assert isinstance(request, ModelRequest)
    return request


async def _chunks(opened: OpenStream, model: str | None) -> AsyncGenerator[JsonObject]:
    with failures_of(model):
        async with aclosing(opened):
            async for chunk in opened:
                yield chunk
