"""Gemini's stream, each event of which is an answer with a piece of every candidate, as chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nightmail.lines import is_too_deep
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.answer import (
    candidates_of,
    finish_reason,
    identity_of,
    read_parts,
    to_logprobs,
    to_usage,
)
from nightmail.providers.gemini.errors import late_error, told_in
from nightmail.providers.http import garbled
from nightmail.providers.json_text import read_json
from nightmail.providers.server_sent_events import Event, EventReader


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What the chunks of one answer have in common. `created` is Unix seconds.

    `candidates` is how many answers were asked for: the stream is over when all of them are.
    """

    model: str
    created: int
    candidates: int
    include_usage: bool


@dataclass(slots=True)
class _Candidate:
    calls: int = 0
    is_over: bool = False


@dataclass(slots=True)
class _Answer:
    identity: str
    candidates: dict[int, _Candidate] = field(default_factory=dict)


class GeminiReader:
    """Reads one stream; there is no word for its end but the candidates' reasons to finish."""

    def __init__(self, provider: str, key: str | None, options: StreamOptions) -> None:
        self._provider = provider
        self._key = key
        self._options = options
        self._events = EventReader(provider, self._read)
        self._answer: _Answer | None = None
        self._usage: Any = None
        self.is_over = False

    def feed(self, data: bytes) -> list[JsonObject]:
        return self._events.feed(data)

    def close(self) -> list[JsonObject]:
        self._events.close()
        if not self.is_over:
            raise garbled(self._provider, "with a stream that breaks off before its end", 200)
        return []

    def _read(self, event: Event) -> list[JsonObject]:
        if self.is_over:
            return []
        body = read_json(event.data)
        if told := told_in(body):
            raise late_error(told, self._provider, self._key)
        if not isinstance(body, dict) or is_too_deep(event.data, body):
            raise garbled(self._provider, "with an event that is not a JSON object", 200)
        self._usage = body.get("usageMetadata", self._usage)
        chunks = [chunk for each in candidates_of(body) for chunk in self._chunks(each, body)]
        return chunks + self._end()

    def _chunks(self, candidate: JsonObject, body: JsonObject) -> list[JsonObject]:
        answer = self._answer = self._answer or _Answer(identity_of(body))
        index = candidate.get("index")
        place = index if isinstance(index, int) else 0
        known = answer.candidates.get(place)
        state = answer.candidates.setdefault(place, _Candidate())
        said = read_parts(candidate.get("content"), answer.identity, state.calls)
        if said is None:
            raise garbled(self._provider, "with a tool call that lacks its name", 200)
        delta: JsonObject = {"role": "assistant", "content": ""} if known is None else {}
        if said.thoughts:
            delta["reasoning_content"] = said.thoughts
        if said.text:
            delta["content"] = said.text
        if said.calls:
            delta["tool_calls"] = [
                {"index": state.calls + number, **call} for number, call in enumerate(said.calls)
            ]
        state.calls += len(said.calls)
        logprobs = to_logprobs(candidate.get("logprobsResult"))
        chunks = [self._chunk(place, delta, logprobs, None)] if delta else []
        if (reason := candidate.get("finishReason")) and not state.is_over:
            state.is_over = True
            word = finish_reason(reason, calls=state.calls > 0)
            chunks.append(self._chunk(place, {}, None, word))
        return chunks

    def _end(self) -> list[JsonObject]:
        """The usage, where the answer is whole: it comes with the last piece."""
        if self._answer is None:
            return []
        over = [each.is_over for each in self._answer.candidates.values()]
        self.is_over = all(over) and len(over) >= self._options.candidates
        if not (self.is_over and self._options.include_usage):
            return []
        return [self._envelope([], to_usage(self._usage))]

    def _chunk(
        self, index: int, delta: JsonObject, logprobs: JsonObject | None, reason: str | None
    ) -> JsonObject:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return self._envelope([choice], None)

    def _envelope(self, choices: list[JsonObject], usage: JsonObject | None) -> JsonObject:
        assert self._answer
        chunk: JsonObject = {
            "id": self._answer.identity,
            "object": "chat.completion.chunk",
            "created": self._options.created,
            "model": self._options.model,
            "choices": choices,
        }
        return {**chunk, "usage": usage} if self._options.include_usage else chunk
