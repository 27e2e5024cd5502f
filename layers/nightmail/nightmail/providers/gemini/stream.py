"""Gemini's stream, each event of which is an answer with a piece of every candidate, as chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.conversion.stream_reader import StreamReader
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.answer import (
    Said,
    candidates_of,
    finish_reason,
    identity_of,
    is_blocked,
    read_parts,
    to_logprobs,
    to_usage,
)
from nightmail.providers.gemini.errors import late_error, told_in
from nightmail.providers.json_text import read_json
from nightmail.providers.server_sent_events import Event

_BEGINNING: JsonObject = {"role": "assistant", "content": ""}


@dataclass(slots=True)
class _Candidate:
    calls: int = 0
    is_over: bool = False


class GeminiReader(StreamReader):
    """Reads one stream; there is no word for its end but the candidates' reasons to finish.

    `candidates` is how many answers were asked for: the stream is over when all of them are.
    """

    def __init__(self, provider: str, key: str | None, chunks: Chunks, *, candidates: int) -> None:
        super().__init__(provider, key)
        self._chunks = chunks
        self._expected = candidates
        self._candidates: dict[int, _Candidate] = {}
        self._usage: Any = None

    def _read(self, event: Event) -> list[JsonObject]:
        body = read_json(event.data)
        if told := told_in(body):
            raise late_error(told, self._provider, self._key)
        body = self._object(event, body)
        self._usage = body.get("usageMetadata", self._usage)
        self._expected = 1 if is_blocked(body) else self._expected
        chunks: list[JsonObject] = []
        for candidate in candidates_of(body):
            self._chunks.identity = self._chunks.identity or identity_of(body)
            chunks += self._read_candidate(candidate, self._chunks.identity)
        return chunks + self._end()

    def _read_candidate(self, candidate: JsonObject, identity: str) -> list[JsonObject]:
        index = candidate.get("index")
        place = index if isinstance(index, int) else 0
        begun: JsonObject = {} if place in self._candidates else _BEGINNING
        state = self._candidates.setdefault(place, _Candidate())
        said = read_parts(candidate.get("content"), identity, state.calls)
        if said is None:
            raise self._garbled("with a tool call that lacks its name")
        chunks: list[JsonObject] = []
        if delta := begun | _delta(said, state.calls):
            logprobs = to_logprobs(candidate.get("logprobsResult"))
            chunks.append(self._chunks.delta(delta, index=place, logprobs=logprobs))
        state.calls += len(said.calls)
        if (reason := candidate.get("finishReason")) and not state.is_over:
            state.is_over = True
            word = finish_reason(reason, calls=state.calls > 0)
            chunks.append(self._chunks.delta({}, word, index=place))
        return chunks

    def _end(self) -> list[JsonObject]:
        """The usage, where the answer is whole: it comes with the last piece."""
        over = [each.is_over for each in self._candidates.values()]
        self.is_over = bool(over) and all(over) and len(over) >= self._expected
        return self._chunks.usage(to_usage(self._usage)) if self.is_over else []


def _delta(said: Said, calls_before: int) -> JsonObject:
    delta: JsonObject = {}
    if said.thoughts:
        delta["reasoning_content"] = said.thoughts
    if said.text:
        delta["content"] = said.text
    if said.calls:
        delta["tool_calls"] = [
            {"index": calls_before + number, **call} for number, call in enumerate(said.calls)
        ]
    return delta
