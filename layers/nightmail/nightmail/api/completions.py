"""Requests that call models and are answered at once: chat, races, every answer, embeddings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from aws_lambda_powertools.event_handler import Response

from nightmail.api.caller import Caller
from nightmail.api.race_headers import race_headers
from nightmail.api.wire import event_stream, json_response
from nightmail.modes.all_responses import all_responses, grid, stream_all
from nightmail.modes.asked import ChatRequest, Grid, ModelRequest, OnePrompt
from nightmail.modes.events import OpenStream, kept_alive, open_stream, to_events
from nightmail.modes.many import to_list
from nightmail.modes.race import race, stream_race
from nightmail.modes.requests import parse_chat, parse_embeddings, parse_models
from nightmail.modes.runner import Runner
from nightmail.providers.direct import JsonObject

Body = dict[str, Any]
Answering = Callable[[Runner], Coroutine[Any, Any, Response[Any]]]


class Completions:
    """Answers within `seconds`, and ends a stream within `stream_seconds`, if need be by an error event.

    Methods raise leaves of GatewayError; ProviderTimedOut is one of them.
    """

    def __init__(self, caller: Caller, seconds: float, stream_seconds: float = 0) -> None:
        self._caller = caller
        self._seconds = seconds
        self._stream_seconds = stream_seconds

    def chat(self, body: Body, *, fastest: bool) -> Response[Any]:
        """One model as OpenAI's endpoint; several as a race (`fastest`), or an array of all answers."""
        request = parse_chat(body, fastest=fastest)
        return self._run(lambda runner: _chat(request, runner), stream=request.stream)

    def race(self, body: Body) -> Response[Any]:
        """The first good answer."""
        request = parse_models(body, fastest=True)
        return self._run(lambda runner: _race(request, runner), stream=request.stream)

    def all_responses(self, body: Body) -> Response[Any]:
        """Every answer, as a list in the order of the models."""
        request = parse_models(body, fastest=False)
        return self._run(lambda runner: _list(request, runner), stream=request.stream)

    def embeddings(self, body: Body) -> Response[Any]:
        request = parse_embeddings(body)
        return self._run(lambda runner: _one(request, runner), stream=request.stream)

    def _run(self, work: Answering, *, stream: bool) -> Response[Any]:
        seconds = self._stream_seconds if stream else self._seconds
        return self._caller.answer(lambda runner, _: work(runner), seconds)


async def _chat(request: ChatRequest, runner: Runner) -> Response[Any]:
    if isinstance(request, ModelRequest):
        return await _one(request, runner)
    if isinstance(request, OnePrompt) and request.fastest:
        return await _race(request, runner)
    if request.stream:
        return _events(stream_all(request, runner))
    if isinstance(request, Grid):
        return json_response(await grid(request, runner))
    return json_response(await all_responses(request, runner))


async def _one(request: ModelRequest, runner: Runner) -> Response[Any]:
    if not request.stream:
        return json_response(await runner.answer(request))
    return _events(await open_stream(request, runner))


async def _race(request: OnePrompt, runner: Runner) -> Response[Any]:
    if not request.stream:
        raced = await race(request, runner)
        return json_response(raced.body, headers=race_headers(raced.winner, raced.report))
    stream = await stream_race(request, runner)
    answer = _events(stream.chunks)
    answer.headers.update(race_headers(stream.winner, stream.report))
    return answer


async def _list(request: OnePrompt, runner: Runner) -> Response[Any]:
    if request.stream:
        return _events(stream_all(request, runner))
    return json_response(to_list(await all_responses(request, runner)))


def _events(chunks: OpenStream | AsyncGenerator[JsonObject]) -> Response[Any]:
    return event_stream(kept_alive(to_events(chunks)))
