"""`POST /batch_completion`: many prompts, one model. What is not done in time goes on as a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, NamedTuple

from aws_lambda_powertools.event_handler import Response

from nightmail.api.batches import once
from nightmail.api.caller import Caller
from nightmail.api.handover import Handover, is_final
from nightmail.api.preferences import RESPOND_ASYNC, Preferences
from nightmail.api.wire import event_stream, json_response
from nightmail.modes.asked import ManyPrompts
from nightmail.modes.events import OpenStream, kept_alive, to_events
from nightmail.modes.many import Finished, run_many, to_list
from nightmail.modes.requests import parse_many
from nightmail.modes.runner import Runner
from nightmail.providers.direct import JsonObject

# Behind this share of the time nothing is begun any more, so that most of what is under way ends.
_BEGINNING_SHARE = 0.8
_HANDOVER_SECONDS = 1.0
_ACCEPTED = 202
GoOn = Callable[[Sequence[Finished]], dict[str, Any]]
Accept = Callable[[dict[str, Any]], Response[Any]]


class Ran(NamedTuple):
    """What was finished, in that order, and whether that is all there will be."""

    finished: list[Finished]
    is_all: bool


class Patience(NamedTuple):
    """Seconds within which an answer comes: by itself, at most where `Prefer: wait` asks, and as a stream."""

    usual: float
    longest: float
    stream: float


class ManyPromptsApi:
    """Answers within `patience`. `batches` is the path of batches."""

    def __init__(
        self, caller: Caller, handover: Handover, patience: Patience, batches: str
    ) -> None:
        self._caller = caller
        self._handover = handover
        self._patience = patience
        self._path = batches

    def create(
        self,
        owner: str,
        body: dict[str, Any],
        preferences: Preferences,
        idempotency_key: str | None = None,
    ) -> Response[Any]:
        """The answers, or 202 and a Batch object. Raises leaves of GatewayError.

        A stream that has begun ends with the Batch, if prompts are left for one.
        """
        request, key = parse_many(body), once(idempotency_key, body)
        self._handover.size(request)
        is_for_later = self._is_batch_enabled(request) or preferences.is_for_later
        batch = self._handover.made_before(owner, key) if key else None
        if batch is None and is_for_later:
            batch = self._handover.begin(owner, request, key)
        if batch is None:
            seconds = self._seconds_of(request, preferences)
            if request.stream:
                go_on = partial(self._handover.go_on, owner, request, once=key)
                accept = partial(self._accepted, is_applied=preferences.respond_async)
                return self._caller.answer(partial(_stream, request, go_on, accept), seconds)
            ran = self._caller.run(partial(_run, request), seconds)
            if ran.is_all:
                return json_response(to_list([one.item for one in sorted(ran.finished)]))
            batch = self._handover.go_on(owner, request, ran.finished, key)
        return self._accepted(batch, is_applied=is_for_later or preferences.respond_async)

    def _is_batch_enabled(self, request: ManyPrompts) -> bool:
        deployments = self._caller.models.deployments(request.model)
        return any(deployment.batch_enabled for deployment in deployments)

    def _seconds_of(self, request: ManyPrompts, preferences: Preferences) -> float:
        usual, longest, stream = (each - _HANDOVER_SECONDS for each in self._patience)
        wait = preferences.wait_seconds
        if wait is None:
            return stream if request.stream else usual
        return min(wait, stream if request.stream else longest)

    def _accepted(self, batch: dict[str, Any], *, is_applied: bool) -> Response[Any]:
        headers = {"location": f"{self._path}/{batch['id']}"}
        if is_applied:
            headers["preference-applied"] = RESPOND_ASYNC
        return json_response(batch, _ACCEPTED, headers)


async def _run(request: ManyPrompts, runner: Runner, deadline: float) -> Ran:
    async with aclosing(_begun(request, runner, deadline)) as many:
        finished = [one async for one in many]
    return Ran(finished, _is_all(request, finished, deadline))


async def _stream(
    request: ManyPrompts, go_on: GoOn, accept: Accept, runner: Runner, deadline: float
) -> Response[Any]:
    """What is finished first decides the answer's status: a batch that is all there is, is a 202."""
    objects = _objects(request, go_on, runner, deadline)
    first = await anext(objects)
    if first.get("object") == "batch":
        await objects.aclose()
        return accept(first)
    return event_stream(kept_alive(to_events(OpenStream([first], objects))))


async def _objects(
    request: ManyPrompts, go_on: GoOn, runner: Runner, deadline: float
) -> AsyncGenerator[JsonObject]:
    """Each prompt's as it is finished; in the end the Batch in which the others go on."""
    now = asyncio.get_running_loop().time
    finished: list[Finished] = []
    async with aclosing(_begun(request, runner, deadline)) as many:
        async for one in many:
            finished.append(one)
            if is_final(one) or now() < deadline:
                yield {"index": one.index, **one.item}
    if not _is_all(request, finished, deadline):
        yield go_on(finished)


def _begun(request: ManyPrompts, runner: Runner, deadline: float) -> AsyncGenerator[Finished]:
    now = asyncio.get_running_loop().time()
    return run_many(request, runner, begin_until=now + _BEGINNING_SHARE * (deadline - now))


def _is_all(request: ManyPrompts, finished: Sequence[Finished], deadline: float) -> bool:
    is_cut_off = asyncio.get_running_loop().time() >= deadline
    is_cut_off = is_cut_off and not all(map(is_final, finished))
    return len(finished) == len(request.items) and not is_cut_off
