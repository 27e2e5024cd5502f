"""An engine whose models say what a test wrote, when the test lets them."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from nightmail.deployment import Deployment
from nightmail.engine.call import Call, Reply
from nightmail.engine.engine import Engine
from nightmail.errors import (
    GatewayError,
    NotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from nightmail.modes.runner import Runner
from nightmail.providers.direct import DirectProvider

JsonObject = dict[str, Any]
Step = asyncio.Event | GatewayError | JsonObject
Script = Sequence[Step] | Callable[[Call], Sequence[Step]]
"""What a model does, one after another: wait for an event, fail, answer (or send a chunk)."""


class ScriptedEngine(Engine):
    """Each model follows its script; `asked` and `gone` count its calls, and those cancelled or closed."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        super().__init__(_nobody)
        self._scripts = scripts
        self.calls: list[Call] = []
        self.asked: Counter[str] = Counter()
        self.gone: Counter[str] = Counter()
        self.begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def call(self, call: Call) -> Reply:
        for step in await self._begin(call):
            if not isinstance(step, asyncio.Event):
                return Reply(_said(step), call.deployments[0], 1)
            await self._wait(call, step)
        raise AssertionError("the script has no answer")

    async def stream(self, call: Call) -> AsyncGenerator[JsonObject]:
        try:
            for step in await self._begin(call):
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield _said(step)
        except (GeneratorExit, asyncio.CancelledError):
            self.gone[_name(call)] += 1
            raise

    async def _begin(self, call: Call) -> Sequence[Step]:
        name = _name(call)
        self.calls.append(call)
        self.asked[name] += 1
        self.begun[name].set()
        script = self._scripts[name]
        return script(call) if callable(script) else script

    async def _wait(self, call: Call, event: asyncio.Event) -> None:
        try:
            await event.wait()
        except asyncio.CancelledError:
            self.gone[_name(call)] += 1
            raise


class KnownModels:
    """These models, each with one deployment."""

    def __init__(
        self, names: Sequence[str], fallbacks: Mapping[str, list[str]] | None = None
    ) -> None:
        self._names = names
        self._fallbacks = fallbacks or {}

    def deployments(self, name: str) -> list[Deployment]:
        if name not in self._names:
            raise NotFound(
                f"The model '{name}' does not exist.", param="model", code="model_not_found"
            )
        return [Deployment(name=name, provider="openai", model=f"{name}-2026")]

    def fallbacks(self, name: str) -> list[str]:
        return self._fallbacks.get(name, [])


def scripted(
    fallbacks: Mapping[str, list[str]] | None = None,
    deadline: float | None = None,
    /,
    **scripts: Script,
) -> tuple[ScriptedEngine, Runner]:
    """An engine of these models, and a runner over it."""
    engine = ScriptedEngine(scripts)
    return engine, Runner(engine, KnownModels(list(scripts), fallbacks), deadline)


def answer(content: str | None = "Hello", **changes: Any) -> JsonObject:
    """A chat's answer; `changes` are of its choice."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop", **changes}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage}


def chunk(finish_reason: str | None = None, /, **delta: Any) -> JsonObject:
    """A chat's chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}


ROLE = chunk(role="assistant", content="")
END = chunk("stop")


def unavailable() -> ProviderUnavailable:
    return ProviderUnavailable("openai did not answer.", provider="openai", upstream_status=503)


def throttled(seconds: float | None = None) -> ProviderThrottled:
    return ProviderThrottled(
        "Too many requests.",
        provider="openai",
        upstream_status=429,
        retry_after_seconds=seconds,
    )


def rejected(status: int, code: str | None = None) -> ProviderRejected:
    """What a provider has against the request itself."""
    error = ProviderRejected("No.", provider="openai", upstream_status=status, code=code)
    error.http_status = status
    error.type = "invalid_request_error"
    return error


def _name(call: Call) -> str:
    return call.deployments[0].name


def _said(step: GatewayError | JsonObject) -> JsonObject:
    if isinstance(step, GatewayError):
        raise step
    return dict(step)


def _nobody(_: Deployment) -> DirectProvider:
    raise AssertionError("a scripted engine asks nobody")
