"""OpenAI's chunks of one streamed answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import time
from typing import Any, Self

from nightmail.deployment import Deployment
from nightmail.providers.direct import JsonObject


@dataclass(slots=True)
class Chunks:
    """Writes them. `model` is the public name, `created` Unix seconds.

    `identity` is the answer's, which may be told only in its first event.
    """

    model: str
    created: int
    include_usage: bool
    identity: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any], deployment: Deployment) -> Self:
        """For the answer to the parameters `given`, which begins now."""
        options = given.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        return cls(deployment.name, int(time()), include_usage)

    def first(self) -> JsonObject:
        """Who speaks."""
        return self.delta({"role": "assistant", "content": "", "refusal": None})

    def delta(
        self,
        delta: JsonObject,
        reason: str | None = None,
        *,
        index: int = 0,
        logprobs: JsonObject | None = None,
    ) -> JsonObject:
        """What came of the choice `index`, and at its end the `reason` to finish."""
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return self._chunk([choice], None)

    def call(self, number: int, function: JsonObject, **first: str) -> JsonObject:
        """A piece of the tool call `number`; its `first` one has an id."""
        return self.delta({"tool_calls": [{"index": number, **first, "function": function}]})

    def usage(self, usage: JsonObject) -> list[JsonObject]:
        """The last chunk, where the caller asked for it."""
        return [self._chunk([], usage)] if self.include_usage else []

    def _chunk(self, choices: list[JsonObject], usage: JsonObject | None) -> JsonObject:
        chunk: JsonObject = {
            "id": self.identity,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        return {**chunk, "usage": usage} if self.include_usage else chunk
