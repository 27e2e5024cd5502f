"""Cohere's stream as OpenAI's chunks (https://docs.cohere.com/v2/docs/streaming)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nightmail.providers.cohere.answer import (
    failure,
    to_call,
    to_finish_reason,
    to_logprobs,
    to_usage,
)
from nightmail.providers.conversion.chunks import Chunks
from nightmail.providers.conversion.stream_reader import StreamReader
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of, read_json
from nightmail.providers.server_sent_events import Event

_DONE = b"[DONE]"


class CohereReader(StreamReader):
    """Every chunk has the same `id` and `created`; only the first has a role.

    What tells nothing that OpenAI's chunks tell, the end of a content or of a tool call, is read
    over, as is what Cohere may add.
    """

    def __init__(self, provider: str, key: str | None, chunks: Chunks) -> None:
        super().__init__(provider, key)
        self._chunks = chunks
        self._chunks.identity = ""  # what a stream without its beginning has
        self._role: JsonObject = {"role": "assistant"}
        self._calls: dict[str, int] = {}
        self._readers: dict[str, Callable[[JsonObject, JsonObject], list[JsonObject]]] = {
            "message-start": self._start,
            "content-start": self._content,
            "content-delta": self._content,
            "tool-plan-delta": self._plan,
            "tool-call-start": self._call_start,
            "tool-call-delta": self._call_piece,
            "citation-start": self._citation,
            "message-end": self._end,
        }

    def _read(self, event: Event) -> list[JsonObject]:
        if event.data == _DONE:
            return []
        entry = self._object(event, read_json(event.data))
        if "type" not in entry:  # no event, then, but an error as at other times
            raise failure(_text(entry.get("message")), self._provider, self._key)
        read = self._readers.get(str(entry["type"]))
        return read(entry, mapping_of(entry.get("delta"))) if read else []

    def _start(self, entry: JsonObject, _delta: JsonObject) -> list[JsonObject]:
        self._chunks.identity = str(entry.get("id") or "")
        return [self._chunk({"content": ""})]

    def _content(self, entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        content = mapping_of(mapping_of(delta.get("message")).get("content"))
        names = {"thinking": "reasoning_content", "text": "content"}
        texts = {ours: _text(content.get(theirs)) for theirs, ours in names.items()}
        said = {name: text for name, text in texts.items() if text}
        return [self._chunk(said, to_logprobs([entry.get("logprobs")]))] if said else []

    def _plan(self, _entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        plan = _text(mapping_of(delta.get("message")).get("tool_plan"))
        return [self._chunk({"reasoning_content": plan})] if plan else []

    def _call_start(self, entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        index = self._calls[str(entry.get("index"))] = len(self._calls)
        call = to_call(mapping_of(delta.get("message")).get("tool_calls"))
        return [self._chunk({"tool_calls": [{"index": index, **call}]})]

    def _call_piece(self, entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        call = mapping_of(mapping_of(delta.get("message")).get("tool_calls"))
        piece = {"arguments": _text(mapping_of(call.get("function")).get("arguments"))}
        index = self._calls.get(str(entry.get("index")))
        if index is None:
            raise self._garbled("with a part of a call that was not begun")
        return [self._chunk({"tool_calls": [{"index": index, "function": piece}]})]

    def _citation(self, _entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        return [self._chunk({"citations": [mapping_of(delta.get("message")).get("citations")]})]

    def _end(self, _entry: JsonObject, delta: JsonObject) -> list[JsonObject]:
        words = _text(delta.get("error"))
        reason = to_finish_reason(delta.get("finish_reason"), self._provider, words, self._key)
        self.is_over = True
        return [self._chunk({}, reason=reason), *self._chunks.usage(to_usage(delta.get("usage")))]

    def _chunk(
        self, delta: JsonObject, logprobs: JsonObject | None = None, reason: str | None = None
    ) -> JsonObject:
        role, self._role = self._role, {}
        return self._chunks.delta({**role, **delta}, reason, logprobs=logprobs)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
