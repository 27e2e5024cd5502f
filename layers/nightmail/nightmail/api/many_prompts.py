"""`POST /batch_completion`: many prompts, one model. What is not done in time goes on as a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
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
from nightmail.modes.events import DONE, to_event
from nightmail.modes.many import Finished, run_many, to_list
from nightmail.modes.requests import parse_many
from nightmail.modes.runner import Runner

# Behind this share of the time nothing is begun any more, so that most of what is under way ends.
_BEGINNING_SHARE = 0.8
_HANDOVER_SECONDS = 1.0
_ACCEPTED = 202


class Ran(NamedTuple):
    """What was finished, in that order, and whether that is all there will be."""

    finished: list[Finished]
    is_all: bool


class ManyPromptsApi:
    """Answers within `seconds`, or fewer where a caller wants that. `batches` is the path of batches."""

    def __init__(self, caller: Caller, handover: Handover, seconds: float, batches: str) -> None:
        self._caller = caller
        self._handover = handover
        self._seconds = seconds
        self._path = batches

    def create(
        self,
        owner: str,
        body: dict[str, Any],
        preferences: Preferences,
        idempotency_key: str | None = None,
    ) -> Response[str]:
        """The answers, or 202 and a Batch object. Raises leaves of GatewayError."""
        request, key = parse_many(body), once(idempotency_key, body)
        self._handover.size(request)
        is_for_later = self._is_batch_enabled(request) or preferences.is_for_later
        batch = self._handover.made_before(owner, key) if key else None
        if batch is None and is_for_later:
            batch = self._handover.begin(owner, request, key)
        if batch is None:
            ran = self._caller.run(partial(_run, request), self._seconds_of(preferences))
            if ran.is_all:
                return _answer(request, ran.finished)
            batch = self._handover.go_on(owner, request, ran.finished, key)
        return self._accepted(batch, is_applied=is_for_later or preferences.respond_async)

    def _is_batch_enabled(self, request: ManyPrompts) -> bool:
        deployments = self._caller.models.deployments(request.model)
        return any(deployment.batch_enabled for deployment in deployments)

    def _seconds_of(self, preferences: Preferences) -> float:
        longest = self._seconds - _HANDOVER_SECONDS
        wait = preferences.wait_seconds
        return longest if wait is None else min(wait, longest)

    def _accepted(self, batch: dict[str, Any], *, is_applied: bool) -> Response[str]:
        headers = {"location": f"{self._path}/{batch['id']}"}
        if is_applied:
            headers["preference-applied"] = RESPOND_ASYNC
        return json_response(batch, _ACCEPTED, headers)


async def _run(request: ManyPrompts, runner: Runner, deadline: float) -> Ran:
    now = asyncio.get_running_loop().time
    begin_until = now() + _BEGINNING_SHARE * (deadline - now())
    async with aclosing(run_many(request, runner, begin_until=begin_until)) as many:
        finished = [one async for one in many]
    is_cut_off = now() >= deadline and not all(map(is_final, finished))
    return Ran(finished, len(finished) == len(request.items) and not is_cut_off)


def _answer(request: ManyPrompts, finished: Sequence[Finished]) -> Response[str]:
    if request.stream:
        events = [to_event({"index": one.index, **one.item}) for one in finished]
        return event_stream([*events, DONE])
    return json_response(to_list([one.item for one in sorted(finished)]))
