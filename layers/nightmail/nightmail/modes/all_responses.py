"""Every answer: one prompt to many models, or many prompts to each of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

from nightmail.engine.fan_out import fan_out
from nightmail.error_object import error_object
from nightmail.errors import GatewayError
from nightmail.modes.asked import Grid, ModelRequest, OnePrompt
from nightmail.modes.interleaved import interleaved
from nightmail.modes.runner import Runner
from nightmail.providers.direct import JsonObject


async def all_responses(request: OnePrompt, runner: Runner) -> list[JsonObject]:
    """An answer for each model, in their order; `{"error", "model"}` in the place of one that failed."""
    return await _answers(request, runner)


async def grid(request: Grid, runner: Runner) -> list[JsonObject] | list[list[JsonObject]]:
    """As `all_responses`, for each prompt: [prompt][model], or [prompt] where it is `flat`."""
    answers = await _answers(request, runner)
    width = len(request.models)
    rows = [answers[start : start + width] for start in range(0, len(answers), width)]
    return answers if request.flat else rows


async def stream_all(request: OnePrompt | Grid, runner: Runner) -> AsyncGenerator[JsonObject]:
    """All chunks as they come, each with its stream's own `id`.

    `nightmail` in each has the `index` of its model, and in a grid that of its prompt as `prompt`.
    What failed follows at the end, as `{"error", "model", "nightmail"}`: OpenAI's clients stop at
    an error, and the other models' chunks are not to be lost by that.
    """
    places = request.places()
    failures: list[JsonObject] = []
    owners: dict[str, int] = {}

    async def one(number: int, asked: ModelRequest) -> AsyncGenerator[JsonObject]:
        try:
            async with aclosing(runner.stream(asked)) as chunks:
                async for chunk in chunks:
                    own_id = _own_id(str(chunk.get("id")), number, owners)
                    yield {**chunk, "id": own_id, "nightmail": places[number]}
        except GatewayError as error:
            failures.append({**_failed(asked, error), "nightmail": places[number]})

    streams = (one(number, asked) for number, asked in enumerate(request.requests()))
    async with aclosing(interleaved(streams, _breadth(request))) as chunks:
        async for chunk in chunks:
            yield chunk
    for failure in failures:
        yield failure


async def _answers(request: OnePrompt | Grid, runner: Runner) -> list[JsonObject]:
    answering = fan_out(request.requests(), partial(_answer, runner), _breadth(request))
    async with aclosing(answering) as answers:
        found = {number: answer async for number, answer in answers}
    return [found[number] for number in sorted(found)]


async def _answer(runner: Runner, asked: ModelRequest) -> JsonObject:
    try:
        return await runner.answer(asked)
    except GatewayError as error:
        return _failed(asked, error)


def _failed(asked: ModelRequest, error: GatewayError) -> JsonObject:
    return {"error": error_object(error), "model": asked.model}


def _breadth(request: OnePrompt | Grid) -> int:
    return min(request.max_concurrency, len(request.places()))


def _own_id(given: str, number: int, owners: dict[str, int]) -> str:
    """The id that a provider gave, made unlike that of another stream."""
    return given if owners.setdefault(given, number) == number else f"{given}-{number}"
