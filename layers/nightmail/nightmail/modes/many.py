"""Many prompts to one model: each ends as an answer or an error, and none hides another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import takewhile
from math import inf

from nightmail.engine.fan_out import fan_out
from nightmail.error_object import error_object
from nightmail.errors import GatewayError
from nightmail.modes.asked import Item, ManyPrompts, ModelRequest
from nightmail.modes.runner import Runner
from nightmail.providers.direct import JsonObject
from nightmail.usage import Usage, usage_of


@dataclass(frozen=True, slots=True, order=True)
class Finished:
    """What became of the prompt at `index`: `item` is what the caller sees of it.

    `error` is set where there is no answer; what failed with a `retryable` one may succeed later.
    They sort in the order of the prompts.
    """

    index: int
    item: JsonObject = field(compare=False)
    error: GatewayError | None = field(default=None, compare=False)


async def run_many(
    request: ManyPrompts, runner: Runner, *, begin_until: float = inf
) -> AsyncGenerator[Finished]:
    """The prompts as they finish. Closing it cancels those in flight, and no other is started; nor is
    any behind `begin_until`, a time of the event loop.

    Raises NotFound where nobody answers to the model's name.
    """
    runner.deployments(request.model)

    async def answer(item: Item) -> tuple[JsonObject, GatewayError | None]:
        try:
            body = await runner.answer(ModelRequest(request.model, item.body, request.terms))
        except GatewayError as error:
            return {"error": error_object(error), "custom_id": item.custom_id}, error
        body["custom_id"] = item.custom_id
        return body, None

    now = asyncio.get_running_loop().time
    begun = takewhile(lambda _: now() < begin_until, request.items)
    async with aclosing(fan_out(begun, answer, request.max_concurrency)) as finished:
        async for index, (item, error) in finished:
            yield Finished(index, item, error)


async def stream_many(request: ManyPrompts, runner: Runner) -> AsyncGenerator[JsonObject]:
    """As `run_many`: what the caller sees of each prompt, with its `index`."""
    async with aclosing(run_many(request, runner)) as finished:
        async for one in finished:
            yield {"index": one.index, **one.item}


def to_list(items: Sequence[JsonObject]) -> JsonObject:
    """A list in OpenAI's form of the items in the order of the prompts, and their usage in sum."""
    return {"object": "list", "data": list(items), "usage": total_usage(items)}


def total_usage(bodies: Iterable[JsonObject]) -> JsonObject:
    """The tokens of all answers together, in the fields of a chat's usage."""
    total = sum(map(usage_of, bodies), Usage())
    return {
        "prompt_tokens": total.input_tokens,
        "completion_tokens": total.output_tokens,
        "total_tokens": total.input_tokens + total.output_tokens,
        "prompt_tokens_details": {"cached_tokens": total.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": total.reasoning_tokens},
    }
